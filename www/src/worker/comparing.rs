//! Runs of a project side by side: what `candor compare` does, on scores that are kept on this device.

use candor::dataset::predictions;
use candor::error::{Error, Result};
use candor::evaluate::compare::report::report_of;
use candor::evaluate::compare::{Run, Settings, compare};
use candor::evaluate::rows::SEED;
use candor::protocol::{CompareRequest, ComparedRun, ComparisonReport, ProjectFiles, StudyReply};
use candor::stats::metrics::report::Options;
use candor::task::BiasMethod;

use super::Desk;
use crate::state::evaluation::judgements::Judgements;
use crate::state::evaluation::labels::LabelMap;
use crate::state::evaluation::material::Material;
use crate::state::evaluation::project::Data;
use crate::state::evaluation::scores::{Scores, Truth};
use crate::store::opfs::Folder;

/// A project's rows with what is known of them.
pub(super) struct Project {
    pub(super) material: Material,
    pub(super) labels: LabelMap,
    pub(super) judged: Judgements,
}

impl Project {
    /// Reads a project from its kept files.
    ///
    /// # Errors
    /// It is not kept.
    pub(super) async fn read(folder: &Folder, files: &ProjectFiles) -> Result<Self> {
        let gone = || {
            Error::input("the project's rows are not kept on this device").help("open the data again, and run it again")
        };
        let data = folder.text(&files.data).await?.as_deref().and_then(Data::read).ok_or_else(gone)?;
        let (material, labels) = data.into_parts();
        let judged = folder.text(&files.judgements).await?.unwrap_or_default();
        let judged = Judgements::restore(&material, &judged);
        Ok(Self { material, labels, judged })
    }
}

impl Desk {
    pub(super) async fn compare(&self, request: CompareRequest) -> Result<StudyReply> {
        let folder = self.study_folder().await?;
        let project = Project::read(&folder, &request.project).await?;
        let mut runs = Vec::with_capacity(request.runs.len());
        for run in &request.runs {
            runs.push(self::run(&folder, &project, run).await.map_err(|error| error.at_file(&run.name))?);
        }
        let rows = runs.iter().map(|run| run.predictions.rows.len()).max().unwrap_or(0);
        let mut metrics = Options::for_rows(rows);
        metrics.resampling.seed = SEED;
        if let [first, rest @ ..] = &request.runs[..]
            && rest.iter().all(|run| run.task.labels == first.task.labels)
        {
            let labels = &first.task.labels;
            metrics.values = labels.iter().filter_map(|label| Some((label.name.clone(), label.value?))).collect();
            metrics.labels = labels.iter().map(|label| label.name.clone()).collect();
        }
        let CompareRequest { by, threshold, accuracy, assurance, .. } = request;
        let compared = compare(&runs, &Settings { by, threshold, accuracy, assurance, metrics })?;
        let mut report = report_of(&compared, &request.title, Vec::new())?;
        let made_of = request.runs.iter().map(|run| (run.name.clone(), run.made_of.clone()));
        report.facts.splice(0..0, made_of);
        let json = serde_json::to_string(&compared).map_err(|error| Error::internal(error.to_string()))?;
        Ok(StudyReply::Compared(Box::new(ComparisonReport { report, json })))
    }
}

/// A run's rows that are known to be right or wrong.
async fn run(folder: &Folder, project: &Project, run: &ComparedRun) -> Result<Run> {
    let Project { material, labels, judged } = project;
    let mut scores = Scores::new(material.different_texts());
    scores.restore(&Scores::places(material), &folder.text(&run.scores).await?.unwrap_or_default());
    if run.task.bias.method == BiasMethod::Batch {
        let bias = scores.batch_bias(material).ok_or_else(|| {
            Error::input("its label bias cannot be taken out before all its texts are scored").help("run it to its end")
        })?;
        scores.correct(&bias);
    }
    let labels = labels.fitted_to(&run.task);
    let all = 0..material.rows.len();
    let lines = scores.predictions(all, material, Truth { labels: &labels, judged }, true);
    if lines.is_empty() {
        return Err(Error::input("no row with a known label is scored in this run").help("run it again"));
    }
    let predictions = predictions::read("predictions.jsonl", lines.as_bytes(), predictions::Options::default())?;
    Ok(Run { name: run.name.clone(), predictions, facts: None })
}
