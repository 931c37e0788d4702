//! `candor classify` and `candor eval` with a file of several questions: all of them about each text, in one pass.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use serde::Serialize;

use super::compare::QUESTIONS_FILE;
use super::input::Rows;
use super::output::{Output, one_line};
use super::run_folder;
use super::statistics::promise::Promise;
use super::statistics::{metrics, write_file};
use crate::classify::{Classifier, Options, quietly};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::questions::{Prepared, QuestionQuality, Score, quality};
use crate::evaluate::rows::SEED;
use crate::evaluate::{Confidence, Finish, RunFacts, RunMetrics};
use crate::protocol::{Classification, Prediction};
use crate::stats::resampling::Resampling;
use crate::task::questions::QuestionSet;

/// The questions in a file, if it has some.
///
/// # Errors
/// A file with questions that is wrong.
pub fn read(name: &str) -> Result<Option<QuestionSet>> {
    // What cannot be read is the ordinary reader's to explain.
    let Ok(bytes) = std::fs::read(name) else { return Ok(None) };
    QuestionSet::from_toml(&bytes).map_err(|error| error.at_file(name))
}

fn prepare(set: &QuestionSet, classifier: &Classifier) -> Result<Prepared> {
    pollster::block_on(quietly(async |control| Prepared::new(set.clone(), classifier, control).await))
}

fn ask(prepared: &Prepared, classifier: &Classifier, text: &str, options: &Options) -> Result<Vec<Classification>> {
    pollster::block_on(quietly(async |control| prepared.classify(classifier, text, options, control).await))
}

/// Scores texts: one object a line, or a line a text for people.
///
/// # Errors
/// Rows that cannot be read; output that cannot be written.
pub fn classify(
    set: &QuestionSet,
    classifier: &Classifier,
    rows: &mut Rows,
    options: &Options,
    output: &mut Output,
    json: bool,
) -> Result<()> {
    let prepared = prepare(set, classifier)?;
    while let Some(batch) = rows.next_batch(1)? {
        for row in batch {
            let results = ask(&prepared, classifier, &row.text, options)?;
            let scores = prepared.scores(&row.id, &row.text, &results)?;
            if json {
                output.json(&scores)?;
            } else {
                let one = |(name, score): (&String, &Score)| format!("{name} {:.1} ({})", score.expected, score.mode);
                let all: Vec<String> = scores.scores.iter().map(one).collect();
                output.line(&format!("{}  {}", all.join(", "), one_line(&row.text, 60)))?;
            }
        }
        output.flush()?;
    }
    output.flush()
}

/// What `candor eval --json` prints of questions: the run, and how far off each question is.
#[derive(Serialize)]
struct Evaluated {
    #[serde(flatten)]
    run: RunMetrics,
    questions: IndexMap<String, QuestionQuality>,
}

/// Answers a labelled data set into a run folder. A row's `group` names the question that its label answers; a text's
/// rows are answered together.
///
/// # Errors
/// A row whose group is no question; a folder that cannot be written to.
pub fn eval(
    set: &QuestionSet,
    classifier: &Classifier,
    data: &Dataset,
    options: &Options,
    folder: &Path,
    facts: RunFacts,
    (settings, promise): (&metrics::Settings, &Promise),
    json: bool,
) -> Result<()> {
    let names: Vec<&str> = set.questions.iter().map(|question| question.name.as_str()).collect();
    let question_of = |row: &crate::dataset::Example| {
        let found = row.group.as_deref().and_then(|group| names.iter().position(|name| *name == group));
        found.ok_or_else(|| {
            Error::input(format!("the group {:?} is none of the questions", row.group.as_deref().unwrap_or_default()))
                .at_line(row.line)
                .in_field("group")
                .help(format!("write one of {}: the question that the row's label answers", names.join(", ")))
        })
    };
    let asked: Vec<usize> = data.examples.iter().map(question_of).collect::<Result<_>>()?;
    let prepared = prepare(set, classifier)?;
    let finish = Finish { confidence: Confidence::Share, ..Finish::default() };
    let mut known: HashMap<&str, Vec<Classification>> = HashMap::new();
    let mut predictions: Vec<Prediction> = Vec::with_capacity(data.examples.len());
    let mut outcomes: IndexMap<String, Vec<(f64, f64, f64)>> =
        names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    let started = crate::platform::now();
    for (row, &question) in data.examples.iter().zip(&asked) {
        if !known.contains_key(row.text.as_str()) {
            known.insert(&row.text, ask(&prepared, classifier, &row.text, options)?);
        }
        let results = &known[row.text.as_str()];
        let result = finish.row(row, results[question].clone())?;
        let scores = prepared.scores(&row.id, &row.text, results)?;
        let score = &scores.scores[question];
        let truth = row.label.as_deref().and_then(|label| set.task.label(label)?.value);
        if let (Some(truth), Some((_, outcomes))) = (truth, outcomes.get_index_mut(question)) {
            outcomes.push((score.expected, score.mode, truth));
        }
        predictions.push(result.prediction);
    }
    let facts = RunFacts { seconds: crate::platform::now() - started, ..facts };
    run_folder::write_predictions(folder, &predictions)?;
    let task = set.questions.first().map(|question| set.task_of(question));
    let run = run_folder::finish(folder, facts, task.as_ref(), settings, promise)?;
    let resampling = settings.resampling(Resampling { seed: SEED, ..Resampling::default() });
    outcomes.retain(|_, rows| !rows.is_empty());
    let questions = outcomes.into_iter().map(|(name, rows)| (name, quality(&rows, resampling))).collect();
    let evaluated = Evaluated { run, questions };
    let text = serde_json::to_string_pretty(&evaluated.questions).map_err(|e| Error::internal(e.to_string()))?;
    write_file(&folder.join(QUESTIONS_FILE), &(text + "\n"))?;
    eprintln!("wrote {}: predictions.jsonl, metrics.json, questions.json, report.html", folder.display());
    let mut output = Output::standard();
    match json {
        true => output.json(&evaluated)?,
        false => print(&mut output, &evaluated.questions)?,
    }
    output.flush()
}

fn print(output: &mut Output, questions: &IndexMap<String, QuestionQuality>) -> Result<()> {
    let shown = |estimate: &crate::stats::metrics::report::Estimate| {
        super::statistics::shown(estimate.value, estimate.low, estimate.high).join(" ")
    };
    let rows: Vec<Vec<String>> = (questions.iter())
        .map(|(name, found)| {
            vec![
                name.clone(),
                found.n.to_string(),
                shown(&found.mse),
                shown(&found.mse_of_mode),
                shown(&found.mae),
                format!("{:.4}", found.mse_of_mean),
            ]
        })
        .collect();
    let header = ["question", "n", "MSE", "MSE of the mode", "mean absolute error", "MSE of always the mean"];
    output.table(&header, &rows)
}
