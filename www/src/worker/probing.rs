//! A probe is trained on the vectors that runs have left on the device.

use candor::dataset::Example;
use candor::error::{Error, Result};
use candor::evaluate::rows::SEED;
use candor::protocol::probe::ProbeFile;
use candor::protocol::{Prediction, ProbeReport, ProbeRequest, Stage, StudyReply};
use candor::stats::cross_fit::CrossFitOptions;
use candor::stats::probe::{CrossFitted, Labelled, cross_fit_watched};

use super::Desk;
use super::comparing::Project;
use super::vectors::Kept;
use crate::state::evaluation::scores::{Scored, Scores, Truth};

/// What a probe learns from: a row's text, by its place, and its label.
struct Row {
    text: usize,
    label: usize,
}

impl Desk {
    /// Trains and keeps a probe with its answers: to each text that it was trained on, the answer of one that has not
    /// seen it.
    pub(super) async fn train_probe(&self, id: u64, request: ProbeRequest) -> Result<StudyReply> {
        let folder = self.study_folder().await?;
        let project = Project::read(&folder, &request.project).await?;
        let kept = Kept::read(&folder, &request.vectors).await?;
        let labels: Vec<String> = request.task.labels.iter().map(|label| label.name.clone()).collect();
        let rows = rows(&project, &request, &labels);
        let texts: Vec<&str> = project.material.texts().collect();
        let mut missing: Vec<usize> =
            rows.iter().map(|row| row.text).filter(|text| kept.of(texts[*text]).is_none()).collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            return Ok(StudyReply::Probed(Box::new(ProbeReport { rows: rows.len(), missing, probe: None })));
        }
        let vectors: Vec<f32> =
            rows.iter().flat_map(|row| kept.of(texts[row.text]).unwrap_or_default()).copied().collect();
        let truth: Vec<usize> = rows.iter().map(|row| row.label).collect();
        let data = Labelled { vectors: &vectors, width: kept.width(), truth: &truth, classes: labels.len() };
        let keys = rows.iter().map(|row| row.text as u64).collect();
        let folds = CrossFitOptions::default().folds;
        let CrossFitted { log_shares, probe } =
            cross_fit_watched(&data, Some(keys), folds, SEED, &mut self.reporter(id, Stage::Train))?;
        // Rows with the same text stand in one fold, so they have one answer.
        let mut answers: Vec<Option<Vec<f64>>> = vec![None; texts.len()];
        for (row, shares) in rows.iter().zip(log_shares.chunks(labels.len())) {
            answers[row.text].get_or_insert_with(|| shares.to_vec());
        }
        for (text, answer) in answers.iter_mut().enumerate() {
            if answer.is_none()
                && let Some(vector) = kept.of(texts[text])
            {
                *answer = Some(probe.log_shares(vector)?);
            }
        }
        let scored: Vec<(usize, Scored)> = (answers.into_iter().enumerate())
            .filter_map(|(text, shares)| {
                let text_of = texts[text].to_owned();
                let row = Example { id: String::new(), text: text_of, label: None, group: None, line: 0 };
                let prediction = Prediction::from_log_shares(&row, &labels, &shares?);
                Some((text, Scored { prediction, next: Vec::new(), cut: false }))
            })
            .collect();
        folder.write(&request.scores, Scores::lines(&project.material, &scored).as_bytes()).await?;
        let saved = ProbeFile::new(labels, probe, rows.len(), folds, request.bound_to);
        let text = serde_json::to_string(&saved).map_err(|error| Error::internal(error.to_string()))?;
        folder.write(&request.probe, text.as_bytes()).await?;
        Ok(StudyReply::Probed(Box::new(ProbeReport { rows: rows.len(), missing, probe: Some(text) })))
    }
}

/// The rows whose true label is known and is one of the task's.
fn rows(project: &Project, request: &ProbeRequest, labels: &[String]) -> Vec<Row> {
    let Project { material, labels: meanings, judged } = project;
    let meanings = meanings.fitted_to(&request.task);
    let truth = Truth { labels: &meanings, judged };
    (0..material.rows.len())
        .filter_map(|row| {
            let label = truth.of(row, material)?;
            let label = labels.iter().position(|name| name == label)?;
            Some(Row { text: material.text_of(row), label })
        })
        .collect()
}
