//! A person decides about texts that came without a label.

use candor::chart::Table;
use leptos::prelude::*;

use super::Study;
use crate::state::evaluation::judgements::{Judgement, Order};
use crate::state::evaluation::labelling::{Plan, export, plan};
use crate::state::evaluation::turn::{Act, Shown};

impl Study {
    /// Who decides each text without a label, and what waits for the person.
    pub fn plan(self) -> Plan {
        let Some(material) = self.material.get() else { return Plan::default() };
        self.with_truth(|truth| {
            self.scores.with(|scores| plan(&material, scores, truth, self.threshold.get(), self.order.get()))
        })
    }

    /// Shows the person the next text of the plan, unless one is shown that nobody has decided.
    pub fn show_next(self, plan: &Plan) {
        let order = self.order.get_untracked();
        let mut turn = self.turn.get_untracked();
        self.judged.with_untracked(|judged| turn.go_on(&plan.queue, order, |text| judged.label(text).is_none()));
        if self.turn.with_untracked(|before| *before != turn) {
            self.turn.set(turn);
        }
    }

    /// Shows texts in another order, from now on.
    pub fn show_in_order(self, order: Order) {
        self.turn.update(|turn| turn.release());
        self.order.set(order);
    }

    /// Gives the text on the screen its label; answers with the text.
    pub fn decide(self, label: &str) -> Option<usize> {
        let Shown { text, order } = self.turn.with_untracked(|turn| turn.shown())?;
        let judgement = Judgement { label: Some(label.to_owned()), note: self.note_of(text), order };
        self.judge(text, judgement);
        Some(text)
    }

    /// Gives a text that was decided another label, or none.
    pub fn decide_otherwise(self, text: usize, label: Option<&str>) {
        let Some(before) = self.judged.with_untracked(|judged| judged.of(text).cloned()) else { return };
        self.judge(text, Judgement { label: label.map(str::to_owned), ..before });
        self.session.announce(match label {
            Some(label) => format!("Now {label}"),
            None => "The label is removed: the text waits again".to_owned(),
        });
    }

    fn judge(self, text: usize, judgement: Judgement) {
        let before = self.judged.with_untracked(|judged| judged.of(text).cloned());
        self.judged.update(|judged| judged.put(text, judgement));
        self.turn.update(|turn| turn.judged(text, before));
        self.keep_judgement(text);
    }

    /// Puts the text on the screen off.
    pub fn skip(self) {
        self.turn.update(|turn| turn.skip());
    }

    /// Takes back what was done last; a text that has no label then is shown before all others.
    pub fn undo(self) {
        let words = match self.turn.try_update(|turn| turn.take_back()).flatten() {
            Some(Act::Skipped(shown)) => {
                self.turn.update(|turn| turn.show(shown));
                "Not skipped any more".to_owned()
            }
            Some(Act::Judged { text, before }) => self.put_back(text, before),
            // What was decided on an earlier visit is taken back too, the last first.
            None => match self.judged.with_untracked(|judged| judged.labelled().last().copied()) {
                Some(text) => self.put_back(text, None),
                None => return,
            },
        };
        self.session.announce(words);
    }

    /// A text is as it was before it was decided, but for its note; answers with what is said of that.
    fn put_back(self, text: usize, before: Option<Judgement>) -> String {
        let Some(now) = self.judged.with_untracked(|judged| judged.of(text).cloned()) else { return String::new() };
        let before = before.unwrap_or(Judgement { label: None, note: String::new(), order: now.order });
        let label = before.label.clone();
        let order = if label.is_some() { before.order } else { now.order };
        self.judged.update(|judged| judged.put(text, Judgement { label: before.label, note: now.note, order }));
        self.keep_judgement(text);
        match label {
            Some(label) => {
                // It may be shown again by now.
                self.turn.update(|turn| {
                    if turn.shown().is_some_and(|shown| shown.text == text) {
                        turn.release();
                    }
                });
                format!("{label} again")
            }
            None => {
                self.turn.update(|turn| turn.show(Shown { text, order }));
                "The label is taken back; here is its text again".to_owned()
            }
        }
    }

    /// What was noted about a text.
    pub fn note_of(self, text: usize) -> String {
        self.judged.with_untracked(|judged| judged.of(text).map(|judgement| judgement.note.clone())).unwrap_or_default()
    }

    /// Notes something about a text.
    pub fn note(self, text: usize, note: String) {
        if self.note_of(text) == note {
            return;
        }
        let order = self.order.get_untracked();
        self.judged.update(|judged| {
            let before = judged.of(text).cloned().unwrap_or(Judgement { label: None, note: String::new(), order });
            judged.put(text, Judgement { note, ..before });
        });
        self.keep_judgement(text);
    }

    fn keep_judgement(self, text: usize) {
        let entry = self.index.with_untracked(|index| index.current().cloned());
        let line = self
            .material
            .with_untracked(|material| self.judged.with_untracked(|judged| judged.line(text, material.as_ref()?)));
        if let (Some(entry), Some(line)) = (entry, line) {
            self.keep_behind(entry.judgements(), line);
        }
    }

    /// Rows with their label, who decided it, and the threshold: these, or every one.
    pub fn labels_table(self, rows: Option<Vec<usize>>) -> Option<Table> {
        untrack(move || {
            let material = self.material.get()?;
            let calibrator = self.calibrator_of_rows();
            let table = self.with_truth(|truth| {
                self.scores.with(|scores| {
                    let first = (0..material.different_texts()).find_map(|text| scores.of(text));
                    let eye = calibrator.as_ref().and_then(|calibrator| calibrator.over(&first?.prediction));
                    let calibrated = |text: usize| Some(eye.as_ref()?.see(&scores.of(text)?.prediction)?.confidence);
                    export(
                        rows.unwrap_or_else(|| (0..material.rows.len()).collect()),
                        &material,
                        scores,
                        truth,
                        self.threshold.get(),
                        calibrated,
                    )
                })
            });
            Some(table)
        })
    }
}
