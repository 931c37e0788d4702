//! Lines that are being written behind files of this device: each is held until it is there, and tried again where that
//! fails, because a label that a person gave exists nowhere else.
//!
//! Lines are sent as they come. After one has failed, those behind it are sent once more with it: their order decides
//! which label of a text counts, and a line that stands there twice does no harm.

/// Milliseconds before the first new try; each further one takes twice as long.
const FIRST_PAUSE: u64 = 1000;
/// How often the pause is doubled.
const DOUBLINGS: u32 = 5;

/// A line on its way to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Stands for it in answers.
    pub number: u64,
    /// The file.
    pub file: String,
    /// What is written behind it.
    pub text: String,
}

/// Everything that is not known to be written yet, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsaved {
    lines: Vec<Line>,
    last: u64,
    stalled: bool,
    failures: u32,
}

impl Unsaved {
    /// Takes a line; answers with it where it is to be sent now, not with the next try.
    pub fn push(&mut self, file: String, text: String) -> Option<Line> {
        self.last += 1;
        let line = Line { number: self.last, file, text };
        self.lines.push(line.clone());
        (!self.stalled).then_some(line)
    }

    /// A line was written. Answers with whether that ends a time of failures.
    pub fn written(&mut self, number: u64) -> bool {
        if self.stalled {
            return false;
        }
        self.lines.retain(|line| line.number != number);
        self.lines.is_empty() && std::mem::take(&mut self.failures) > 0
    }

    /// A line was not written. Answers with the milliseconds after which to try again, unless that is arranged already.
    pub fn failed(&mut self, number: u64) -> Option<u64> {
        if self.stalled || self.lines.iter().all(|line| line.number != number) {
            return None;
        }
        self.stalled = true;
        let pause = FIRST_PAUSE << self.failures.min(DOUBLINGS);
        self.failures += 1;
        Some(pause)
    }

    /// Everything once more, one text a file.
    pub fn again(&mut self) -> Vec<Line> {
        self.stalled = false;
        let mut joined: Vec<Line> = Vec::new();
        for line in self.lines.drain(..) {
            match joined.iter_mut().find(|earlier| earlier.file == line.file) {
                Some(earlier) => earlier.text.push_str(&line.text),
                None => {
                    self.last += 1;
                    // A part of a line may have been written: what comes now begins a line of its own.
                    let text = format!("\n{}", line.text.trim_start_matches('\n'));
                    joined.push(Line { number: self.last, text, ..line });
                }
            }
        }
        self.lines.clone_from(&joined);
        joined
    }

    /// Gives up what was meant for a file that is removed.
    pub fn forget(&mut self, file: &str) {
        self.lines.retain(|line| line.file != file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(unsaved: &mut Unsaved, text: &str) -> Option<u64> {
        unsaved.push("labels".to_owned(), text.to_owned()).map(|line| line.number)
    }

    #[test]
    fn a_label_that_could_not_be_written_is_tried_again_in_its_order() {
        let mut unsaved = Unsaved::default();
        let numbers: Vec<u64> = ["a\n", "b\n", "c\n"].iter().filter_map(|text| push(&mut unsaved, text)).collect();
        assert!(!unsaved.written(numbers[0]), "nothing had failed");
        assert_eq!(unsaved.failed(numbers[1]), Some(1000));
        assert!(!unsaved.written(numbers[2]), "written, but in front of what comes again");
        assert_eq!((push(&mut unsaved, "d\n"), unsaved.failed(numbers[1])), (None, None), "it waits for the next try");
        let again = unsaved.again();
        assert_eq!(again.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["\nb\nc\nd\n"]);
        assert_eq!(unsaved.failed(again[0].number), Some(2000), "later each time");
        let again = unsaved.again();
        assert_eq!(unsaved.failed(numbers[0]), None, "an old answer");
        assert_eq!(again[0].text, "\nb\nc\nd\n");
        assert!(unsaved.written(again[0].number) && unsaved.again().is_empty());
    }

    #[test]
    fn a_removed_file_is_not_made_again() {
        let mut unsaved = Unsaved::default();
        let number = push(&mut unsaved, "a\n").expect("sent at once");
        unsaved.failed(number);
        unsaved.forget("labels");
        assert!(unsaved.again().is_empty());
    }
}
