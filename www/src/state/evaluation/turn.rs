//! Whose turn it is: the text that a person is looking at, and what they did so far.
//!
//! While a run goes on, every batch of scores sorts the waiting texts anew. The text on the screen stays all the same
//! until the person has decided or skipped it: a key must label what was read.

use std::collections::HashSet;

use super::judgements::{Judgement, Order};

/// A text that is shown to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The text.
    pub text: usize,
    /// How it was picked: that is kept with its label, also where another order was chosen since.
    pub order: Order,
}

/// Something that a person did and may take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A text was skipped.
    Skipped(Shown),
    /// A text was decided, or decided otherwise.
    Judged {
        /// The text.
        text: usize,
        /// What was known of it before.
        before: Option<Judgement>,
    },
}

/// The text on the screen, those that were skipped, and what can be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    shown: Option<Shown>,
    skipped: Vec<usize>,
    acts: Vec<Act>,
}

impl Turn {
    /// The text on the screen.
    pub fn shown(&self) -> Option<Shown> {
        self.shown
    }

    /// Shows a text before all others.
    pub fn show(&mut self, shown: Shown) {
        self.skipped.retain(|other| *other != shown.text);
        self.shown = Some(shown);
    }

    /// Lets go of the text on the screen: the order, or the task, is another one.
    pub fn release(&mut self) {
        self.shown = None;
    }

    /// Shows the next of these texts, unless one is shown that is still open. Those that were skipped come last.
    pub fn go_on(&mut self, queue: &[usize], order: Order, is_open: impl Fn(usize) -> bool) {
        if self.shown.is_some_and(|shown| is_open(shown.text)) {
            return;
        }
        let skipped: HashSet<usize> = self.skipped.iter().copied().collect();
        let fresh = queue.iter().copied().find(|text| !skipped.contains(text));
        let next = fresh.or_else(|| {
            let waiting: HashSet<usize> = queue.iter().copied().collect();
            self.skipped.iter().copied().find(|text| waiting.contains(text))
        });
        self.shown = next.map(|text| Shown { text, order });
    }

    /// Puts the text on the screen off.
    pub fn skip(&mut self) {
        if let Some(shown) = self.shown.take() {
            self.skipped.retain(|other| *other != shown.text);
            self.skipped.push(shown.text);
            self.acts.push(Act::Skipped(shown));
        }
    }

    /// Notes that a text was decided; `before` is what was known of it until then.
    pub fn judged(&mut self, text: usize, before: Option<Judgement>) {
        self.skipped.retain(|other| *other != text);
        if self.shown.is_some_and(|shown| shown.text == text) {
            self.shown = None;
        }
        self.acts.push(Act::Judged { text, before });
    }

    /// Whether something was done on this visit that can be taken back.
    pub fn has_acted(&self) -> bool {
        !self.acts.is_empty()
    }

    /// What was done last, to be taken back.
    pub fn take_back(&mut self) -> Option<Act> {
        self.acts.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(turn: &mut Turn, queue: &[usize]) -> Option<usize> {
        turn.go_on(queue, Order::LeastCertain, |_| true);
        turn.shown().map(|shown| shown.text)
    }

    #[test]
    fn the_text_on_the_screen_does_not_change_while_scores_come_in() {
        let mut turn = Turn::default();
        assert_eq!(next(&mut turn, &[]), None);
        assert_eq!(next(&mut turn, &[5, 6]), Some(5));
        assert_eq!(next(&mut turn, &[9, 6, 5]), Some(5), "a less certain text came in");
        assert_eq!(next(&mut turn, &[]), Some(5), "it reaches the threshold now, and is being read all the same");
        turn.judged(5, None);
        assert_eq!(next(&mut turn, &[9, 6]), Some(9));
        turn.go_on(&[6], Order::LeastCertain, |text| text != 9);
        assert_eq!(turn.shown().map(|shown| shown.text), Some(6), "decided elsewhere");
        turn.release();
        assert_eq!(next(&mut turn, &[7, 6]), Some(7), "another order begins at once");
    }

    #[test]
    fn what_is_skipped_comes_last_and_in_its_order() {
        let mut turn = Turn::default();
        for expected in [1, 2, 3, 1, 2] {
            assert_eq!(next(&mut turn, &[1, 2, 3]), Some(expected));
            turn.skip();
        }
        assert_eq!(next(&mut turn, &[1, 2, 3, 4]), Some(4));
        turn.judged(4, None);
        assert_eq!(next(&mut turn, &[1, 2]), Some(1), "what waits no more is not asked for again");
    }

    #[test]
    fn a_skip_and_a_decision_are_taken_back_one_after_the_other() {
        let mut turn = Turn::default();
        next(&mut turn, &[1, 2, 3]);
        turn.skip();
        next(&mut turn, &[1, 2, 3]);
        turn.judged(2, None);
        next(&mut turn, &[1, 3]);
        assert_eq!(turn.take_back(), Some(Act::Judged { text: 2, before: None }));
        let skipped = Shown { text: 1, order: Order::LeastCertain };
        assert_eq!(turn.take_back(), Some(Act::Skipped(skipped)));
        assert!(!turn.has_acted() && turn.take_back().is_none());
        turn.show(skipped);
        assert_eq!(next(&mut turn, &[2, 3]), Some(1), "in front of all others");
        turn.judged(1, None);
        assert_eq!(next(&mut turn, &[3, 2]), Some(3), "and not put off any more");
    }
}
