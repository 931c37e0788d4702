//! A person decides about texts that came without a label.

use candor::chart::Table;
use candor::protocol::StudyRequest;
use leptos::prelude::*;

use super::Study;
use crate::state::evaluation::judgements::Judgement;
use crate::state::evaluation::labelling::{Plan, export, plan};

impl Study {
    /// Who decides each text without a label, and what waits for the person.
    pub fn plan(self) -> Plan {
        let Some(material) = self.material.get() else { return Plan::default() };
        self.with_truth(|truth| {
            self.scores.with(|scores| {
                self.skipped
                    .with(|skipped| plan(&material, scores, truth, self.threshold.get(), self.order.get(), skipped))
            })
        })
    }

    /// Gives a text its label.
    pub fn decide(self, text: usize, label: &str) {
        let note = self.note_of(text);
        let judgement = Judgement { label: Some(label.to_owned()), note, order: self.order.get_untracked() };
        self.judged.update(|judged| judged.put(text, judgement));
        self.skipped.update(|skipped| skipped.retain(|other| *other != text));
        self.keep_judgement(text);
    }

    /// Takes the last decision back; answers with its text.
    pub fn undo_decision(self) -> Option<usize> {
        let text = self.judged.try_update(|judged| judged.undo()).flatten()?;
        self.keep_judgement(text);
        Some(text)
    }

    /// Shows a text later.
    pub fn skip(self, text: usize) {
        self.skipped.update(|skipped| {
            skipped.retain(|other| *other != text);
            skipped.push(text);
        });
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
            let label = judged.label(text).map(str::to_owned);
            judged.put(text, Judgement { label, note, order });
        });
        self.keep_judgement(text);
    }

    fn keep_judgement(self, text: usize) {
        let entry = self.index.with_untracked(|index| index.current().cloned());
        let line = self
            .material
            .with_untracked(|material| self.judged.with_untracked(|judged| judged.line(text, material.as_ref()?)));
        if let (Some(entry), Some(line)) = (entry, line) {
            self.send(StudyRequest::Append { name: entry.judgements(), text: line });
        }
    }

    /// Rows with their label, who decided it, and the threshold: these, or every one.
    pub fn labels_table(self, rows: Option<Vec<usize>>) -> Option<Table> {
        untrack(move || {
            let material = self.material.get()?;
            let calibrator = self.calibrator_of_rows();
            let table = self.with_truth(|truth| {
                self.scores.with(|scores| {
                    let calibrated = |text: usize| {
                        let scored = scores.of(text)?;
                        Some(calibrator.as_ref()?.see(&scored.prediction)?.confidence)
                    };
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
