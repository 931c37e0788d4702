//! The readers on files that other people made; and how long a million rows take.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use candor::dataset::{self, LabelFrom, Options, duplicates, predictions, split};
use candor::task::{BUILT_IN, Task};

/// A file or folder of the shared test data; `None`, with a line, where it is not at hand.
fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is not at hand", path.display());
        return None;
    }
    Some(path)
}

fn read(path: &str, options: &Options) -> Option<dataset::Dataset> {
    let path = shared(path)?;
    let bytes = fs::read(&path).expect("a readable file");
    Some(dataset::read(&path.to_string_lossy(), &bytes, options).expect("good rows"))
}

fn counts(dataset: &dataset::Dataset) -> Vec<(String, usize)> {
    let mut counts: Vec<_> = dataset.label_counts().into_iter().map(|(label, n)| (label.to_owned(), n)).collect();
    counts.sort();
    counts
}

#[test]
fn a_folder_of_ten_thousand_lines() {
    let Some(folder) = shared("sentiment-10k") else { return };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        files.push((path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()));
    }
    let options = Options { label_from: Some(LabelFrom::StemSuffix), need_labels: true, ..Options::default() };
    let dataset = dataset::read_folder(&files, &options).unwrap();
    assert_eq!((dataset.examples.len(), dataset.left_out), (10_000, 0));
    assert_eq!(counts(&dataset), [("negative".to_owned(), 5000), ("positive".to_owned(), 5000)]);
    let groups: std::collections::BTreeSet<_> = dataset.examples.iter().map(|e| e.group.clone().unwrap()).collect();
    assert_eq!(groups.len(), 8);
    let found = duplicates::find(&dataset.examples);
    assert_eq!((found.unique, found.repeated), (8801, 1199));
    assert!(duplicates::warnings(&dataset.examples).iter().any(|warning| warning.contains("8801 different")));
    // The guess is what the flag says.
    let guessed = dataset::read_folder(&files, &Options::default()).unwrap();
    assert_eq!(guessed.examples, dataset.examples);

    let split = split::split(&dataset.examples, 0.2, 1).unwrap();
    let part = |rows: &[usize]| rows.iter().map(|&row| dataset.examples[row].clone()).collect::<Vec<_>>();
    let (fitted, held_out) = (part(&split.fitted), part(&split.held_out));
    assert!(duplicates::across(&fitted, &held_out).is_empty());
    assert!((1990..=2010).contains(&held_out.len()), "{}", held_out.len());
    let sample = part(&split::sample(&dataset.examples, 300, 1));
    assert_eq!(sample.iter().filter(|example| example.label.as_deref() == Some("positive")).count(), 150);
}

#[test]
fn chat_rows_carry_question_and_answer() {
    for (path, rows) in [("clinical/train.jsonl", 564), ("clinical/valid.jsonl", 57)] {
        let Some(dataset) = read(path, &Options { need_labels: true, ..Options::default() }) else { return };
        assert_eq!((dataset.examples.len(), dataset.left_out), (rows, 0));
        let labels: Vec<_> = counts(&dataset).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["No", "Yes"]);
        assert!(dataset.examples.iter().all(|example| example.text.starts_with("Evaluate this patient")));
        assert!(dataset.notes.is_empty(), "{:?}", dataset.notes);
    }
}

#[test]
fn json_lines_with_several_labels() {
    let cases = [("train", 3257), ("val", 374), ("test", 1421)];
    for (name, rows) in cases {
        let Some(dataset) = read(&format!("emotion/{name}.jsonl"), &Options::default()) else { return };
        assert_eq!((dataset.examples.len(), dataset.left_out), (rows, 0));
        let labels: Vec<_> = counts(&dataset).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["anger", "joy", "optimism", "sadness"]);
        let again = dataset::csv::read(dataset::csv::write(&dataset.examples).as_bytes(), false, &Options::default());
        let texts = |examples: &[dataset::Example]| {
            examples.iter().map(|e| (e.id.clone(), e.text.clone(), e.label.clone())).collect::<Vec<_>>()
        };
        assert_eq!(texts(&again.unwrap().examples), texts(&dataset.examples));
    }
    let Some(dataset) = read("form-exit/examples.jsonl", &Options::default()) else { return };
    assert_eq!(counts(&dataset).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [2; 6]);
}

#[test]
fn published_predictions_have_the_published_accuracy() {
    for (name, accuracy) in [("base", 0.722), ("finetuned", 0.924)] {
        let Some(path) = shared(&format!("sentiment-10k/llama-3.1-8b-{name}.predictions.jsonl")) else { return };
        let bytes = fs::read(&path).unwrap();
        let read = predictions::read(&path.to_string_lossy(), &bytes, predictions::Options::default()).unwrap();
        let (confidence, correct) = read.outcomes();
        assert_eq!(confidence.len(), 1000);
        let right = correct.iter().filter(|correct| **correct).count();
        assert_eq!(right as f64 / 1000.0, accuracy);
        assert_eq!(read.classes(), ["negative", "positive"]);
        assert_eq!(read.rows.iter().filter(|row| row.group.is_some()).count(), 1000);
    }
}

#[test]
fn a_million_predictions_are_read_in_seconds() {
    let rows = 1_000_000;
    let mut lines = String::new();
    let mut table = "id,expected,label,confidence\n".to_owned();
    for row in 0..rows {
        let (expected, confidence) = (["positive", "negative"][row % 2], (row % 1000) as f64 / 1000.0);
        lines.push_str(&format!("{{\"id\": \"{row}\", \"text\": \"Some words that stand for a review of a few lines.\", \"expected\": \"{expected}\", \"label\": \"positive\", \"confidence\": {confidence}}}\n"));
        table.push_str(&format!("{row},{expected},positive,{confidence}\n"));
    }
    for (name, text) in [("p.jsonl", lines), ("p.csv", table)] {
        let start = Instant::now();
        let read = predictions::read(name, text.as_bytes(), predictions::Options::default()).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("{name}: {rows} rows in {seconds:.2} s");
        assert_eq!(read.outcomes().1.iter().filter(|correct| **correct).count(), rows / 2);
        // Far above what it takes, so that a busy machine passes and a quadratic reader does not.
        assert!(seconds < 60.0, "{name}: {seconds} s");
    }
}

#[test]
fn task_files_are_those_in_the_folder() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tasks");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .inspect(|path| {
            Task::from_toml(fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        })
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut built_in = BUILT_IN.map(|(name, _)| name.to_owned());
    built_in.sort();
    assert_eq!(names, built_in);
}

#[test]
fn tasks_to_fine_tune_on_are_right_and_have_no_examples() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tasks/fine-tuning");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    assert!(files.len() >= 4);
    for path in files {
        let task = Task::from_toml(fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(task.examples.is_empty() && task.advice().is_empty(), "{}: {:?}", path.display(), task.advice());
    }
}
