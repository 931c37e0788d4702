//! Classifying while somebody types: when to ask, and which answer still counts.
//!
//! A pause of [`PAUSE`] seconds starts a question; an answer counts only when it belongs to the newest question, so a
//! slow answer to an old text never replaces a newer one. No timers here: the caller says what time it is.

/// Seconds without a keystroke after which the text is classified.
pub const PAUSE: f64 = 0.15;
/// Seconds after the last answer before it is read out: a screen reader should hear conclusions, not every letter.
pub const SPEAK_AFTER: f64 = 1.0;

/// Follows edits, questions and answers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Typing {
    edited_at: Option<f64>,
    asked: Option<u64>,
}

impl Typing {
    /// The text changed. Any answer on its way is to an old text.
    pub fn edited(&mut self, now: f64) {
        self.edited_at = Some(now);
    }

    /// Whether the pause is over and the text should be classified now.
    pub fn is_due(&self, now: f64) -> bool {
        // Timers fire a little early in some browsers; a millisecond of grace avoids a second round.
        self.edited_at.is_some_and(|edited| now - edited >= PAUSE - 0.001)
    }

    /// The question with this number was sent for the text as it is.
    pub fn asked(&mut self, request: u64) {
        self.edited_at = None;
        self.asked = Some(request);
    }

    /// Whether the answer with this number belongs to the newest question; it is then settled.
    pub fn accept(&mut self, request: u64) -> bool {
        let newest = self.asked == Some(request);
        if newest {
            self.asked = None;
        }
        newest
    }

    /// Whether this number is that of the question under way.
    pub fn is_waiting_for(&self, request: u64) -> bool {
        self.asked == Some(request)
    }

    /// The number of the question under way.
    pub fn waiting_for(&self) -> Option<u64> {
        self.asked
    }

    /// Whether what is shown is older than the text: an edit waits, or a question is under way.
    pub fn is_stale(&self) -> bool {
        self.edited_at.is_some() || self.asked.is_some()
    }

    /// Nothing is asked any more (the text is empty, the worker is gone).
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The pace of the last texts, for the header: the median is not moved by one slow first text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pace {
    seconds: std::collections::VecDeque<f64>,
}

impl Pace {
    /// Takes the time that a text took.
    pub fn push(&mut self, seconds: f64) {
        if seconds.is_finite() && seconds > 0.0 {
            self.seconds.push_back(seconds);
            if self.seconds.len() > 9 {
                self.seconds.pop_front();
            }
        }
    }

    /// Texts in a second, by the median of the last nine.
    pub fn texts_per_second(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.seconds.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).map(|median| 1.0 / median)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_after_a_pause_and_not_before() {
        let mut typing = Typing::default();
        assert!(!typing.is_due(100.0));
        typing.edited(1.0);
        typing.edited(1.1);
        assert!(!typing.is_due(1.2), "a letter came in between");
        assert!(typing.is_due(1.25));
        typing.asked(7);
        assert!(!typing.is_due(9.0), "asked once");
    }

    #[test]
    fn answers_to_older_questions_are_dropped() {
        let mut typing = Typing::default();
        typing.edited(0.0);
        typing.asked(1);
        typing.edited(0.2);
        typing.asked(2);
        assert!(!typing.accept(1));
        assert!(typing.is_stale());
        assert!(typing.accept(2));
        assert!(!typing.is_stale());
        assert!(!typing.accept(2), "an answer counts once");
    }

    #[test]
    fn an_answer_leaves_a_newer_edit_pending() {
        let mut typing = Typing::default();
        typing.asked(1);
        typing.edited(0.3);
        assert!(typing.accept(1));
        assert!(typing.is_stale(), "the text is newer than the answer");
        assert!(typing.is_due(0.5));
        typing.clear();
        assert!(!typing.is_stale());
    }

    #[test]
    fn pace_is_the_median() {
        let mut pace = Pace::default();
        assert_eq!(pace.texts_per_second(), None);
        for seconds in [3.0, 0.25, 0.25, 0.2, f64::NAN, 0.0] {
            pace.push(seconds);
        }
        assert_eq!(pace.texts_per_second(), Some(4.0));
        (0..20).for_each(|_| pace.push(0.5));
        assert_eq!(pace.texts_per_second(), Some(2.0));
    }
}
