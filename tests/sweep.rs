//! `candor sweep`, `compare` and what they run, on the tiny model: numbers that mean nothing, from the whole way there.

use std::path::Path;
use std::process::{Command, Output};

use candor::classify::{Classifier, Options, quietly};
use candor::engine::{Cancel, Control};
use candor::task::{Label, Task, TaskKind};
use serde_json::Value;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny.gguf");
const QUESTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tasks/questions/traits.toml");

fn candor(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_candor")).args(words).current_dir(folder).output().unwrap()
}

fn good(folder: &Path, words: &[&str]) -> Value {
    let output = candor(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Labelled rows with words that give the label away; ids and texts differ between names.
fn write_rows(path: &Path, name: &str, rows: usize) {
    let words = [["lovely", "fine", "warm"], ["awful", "cold", "broken"]];
    let lines: String = (0..rows)
        .map(|i| {
            let text = format!("{name} {i}: a {} thing and {}", words[i % 2][i / 2 % 3], words[i % 2][i / 6 % 3]);
            let label = ["positive", "negative"][i % 2];
            serde_json::json!({ "id": format!("{name}{i}"), "text": text, "label": label }).to_string() + "\n"
        })
        .collect();
    std::fs::write(path, lines).unwrap();
}

#[test]
fn a_sweep_runs_what_is_missing_reports_what_fails_and_compares_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("data.jsonl"), "data", 40);
    write_rows(&folder.path().join("train.jsonl"), "train", 60);
    let sweep = format!(
        "name = \"tiny\"\ndata = \"data.jsonl\"\ntrain = \"train.jsonl\"\nmodels = [\"{MODEL}\", \"absent.gguf\"]\n\
         calibrators = [\"none\", \"platt\"]\nbaselines = [\"prior\", \"tfidf_logistic\", \"random_forest\"]\n\
         [[prompts]]\nname = \"zero-shot\"\ntask = \"sentiment\"\nshots = 0\n\
         [[prompts]]\nname = \"four shots\"\ntask = \"sentiment\"\nshots = 4\n"
    );
    std::fs::write(folder.path().join("s.toml"), sweep).unwrap();
    let first = candor(folder.path(), &["sweep", "s.toml", "--json", "--resamples", "200"]);
    let (words, compared) = (said(&first), serde_json::from_slice::<Value>(&first.stdout).unwrap());
    // The absent model's four runs, and the forest: these texts have no fields.
    assert_eq!(first.status.code(), Some(1), "{words}");
    assert!(words.contains("5 of 11 runs failed") && words.contains("Field: value"), "{words}");
    let runs = compared["runs"].as_array().unwrap();
    assert_eq!((compared["n"].as_u64(), runs.len()), (Some(40), 6));
    assert_eq!(runs[0]["name"], "baseline: tfidf_logistic", "{}", compared["verdict"]);
    assert_eq!(compared["verdict"]["winner"], "baseline: tfidf_logistic");
    assert_eq!(compared["pairs"].as_array().unwrap().len(), 6 * 5 / 2);
    let page = std::fs::read_to_string(folder.path().join("s-runs/compare.html")).unwrap();
    assert!(page.contains("Runs that failed") && page.contains("absent.gguf") && !page.contains("<script"));

    let again = candor(folder.path(), &["sweep", "s.toml", "--json", "--resamples", "200"]);
    assert_eq!(said(&again).matches("finished before").count(), 6, "{}", said(&again));
    assert_eq!(again.stdout, first.stdout);

    write_rows(&folder.path().join("data.jsonl"), "data", 30);
    let changed = candor(folder.path(), &["sweep", "s.toml", "--json", "--resamples", "200"]);
    assert_eq!(said(&changed).matches("finished before").count(), 0, "{}", said(&changed));
    assert_eq!(serde_json::from_slice::<Value>(&changed.stdout).unwrap()["n"], 30);
}

/// One file of rows: some are judged, the others teach a fine-tune and a probe, whose runs are compared with the rest.
#[test]
fn a_sweep_divides_rows_trains_and_probes() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("all.jsonl"), "row", 120);
    let sweep = format!(
        "test = 40\nmodels = [\"{MODEL}\"]\nby = \"log-loss\"\nbaselines = [\"majority\"]\n\
         [[finetunes]]\nname = \"lora\"\ntask = \"sentiment\"\nsettings = {{ epochs = 2, lr = 0.005, batch = 8 }}\n\
         [[prompts]]\nname = \"as it is\"\ntask = \"sentiment\"\n\
         [[prompts]]\nname = \"corrected\"\ntask = \"sentiment\"\nbias = \"batch\"\n\
         [[prompts]]\nname = \"probe\"\ntask = \"sentiment\"\nprobe = true\n\
         [[prompts]]\nname = \"tuned\"\ntask = \"sentiment\"\nadapters = [\"lora\"]\ncalibrators = [\"temperature\"]\n"
    );
    std::fs::write(folder.path().join("s.toml"), sweep).unwrap();
    let words = ["sweep", "s.toml", "--data", "all.jsonl", "--runs", "made", "--json", "--resamples", "200"];
    let compared = good(folder.path(), &words);
    assert_eq!((compared["n"].as_u64(), compared["by"].as_str()), (Some(40), Some("log_loss")));
    let runs = compared["runs"].as_array().unwrap();
    let value = |name: &str, metric: &str| {
        let run = runs.iter().find(|run| run["name"] == name).unwrap_or_else(|| panic!("{name}: {runs:?}"));
        run["report"]["metrics"][metric]["value"].as_f64().unwrap()
    };
    // The words give the label away. A probe finds that; two epochs of a tiny model with random weights only begin to.
    assert!(value("probe", "accuracy") > 0.85 && value("probe", "log_loss") < 0.4, "{runs:?}");
    assert!(value("tuned", "log_loss") < value("as it is", "log_loss") / 2.0, "{runs:?}");
    assert_eq!(runs.len(), 6);
    let lines = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(folder.path().join("made/data").join(name)).unwrap();
        let text_of = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        text.lines().map(text_of).collect()
    };
    let (test, train) = (lines("test.jsonl"), lines("train.jsonl"));
    assert_eq!((test.len(), train.len()), (40, 80));
    assert!(test.iter().all(|text| !train.contains(text)));
    let page = std::fs::read_to_string(folder.path().join("made/compare.html")).unwrap();
    assert!(page.contains("Training for tuned") && page.contains("gap between the two"));
    let again = candor(folder.path(), &words);
    assert_eq!(said(&again).matches("finished before").count(), 7, "{}", said(&again));
}

#[test]
fn half_a_fine_tune_was_evaluated_and_its_result_kept() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("data.jsonl"), "data", 30);
    write_rows(&folder.path().join("train.jsonl"), "train", 40);
    let sweep = format!(
        "data = \"data.jsonl\"\ntrain = \"train.jsonl\"\nmodels = [\"{MODEL}\"]\nbaselines = [\"majority\"]\n\
         [[finetunes]]\nname = \"lora\"\ntask = \"sentiment\"\nlimit-tokens = 200\nsettings = {{ epochs = 1 }}\n\
         [[prompts]]\nname = \"tuned\"\ntask = \"sentiment\"\nadapters = [\"lora\"]\ncalibrators = [\"platt\"]\n"
    );
    std::fs::write(folder.path().join("s.toml"), sweep).unwrap();
    let words = ["sweep", "s.toml", "--json", "--resamples", "200"];
    good(folder.path(), &words);
    let runs = |start: &str| -> Vec<std::path::PathBuf> {
        let all = std::fs::read_dir(folder.path().join("s-runs")).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(start)).collect()
    };
    // As a kill leaves it, an adapter and no mark; and with a checkpoint that it cannot go on from.
    let tune = runs("fine-tune-lora").remove(0);
    std::fs::remove_file(tune.join("sweep.json")).unwrap();
    std::fs::write(tune.join("checkpoint.safetensors"), "broken").unwrap();
    runs("tuned").iter().for_each(|run| std::fs::remove_dir_all(run).unwrap());
    let failed = candor(folder.path(), &words);
    assert!(!failed.status.success() && said(&failed).contains("its fine-tune failed"), "{}", said(&failed));
    assert!(said(&failed).contains("3 of 4 runs failed") && runs("tuned").is_empty(), "{}", said(&failed));
    std::fs::remove_file(tune.join("checkpoint.safetensors")).unwrap();
    good(folder.path(), &words);
    assert_eq!(runs("tuned").len(), 2);
}

#[test]
fn a_probe_is_a_run_like_others_and_is_judged_on_rows_it_has_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("train.jsonl"), "train", 80);
    write_rows(&folder.path().join("test.jsonl"), "test", 30);
    let probe = ["probe", "--model", MODEL, "--task", "sentiment", "--train", "train.jsonl", "--json", "--out"];
    let crossed = good(folder.path(), &[&probe[..], &["crossed"]].concat());
    let tested = good(folder.path(), &[&probe[..], &["tested", "--test", "test.jsonl"]].concat());
    assert_eq!((crossed["n"].as_u64(), tested["n"].as_u64()), (Some(80), Some(30)));
    for run in [&crossed, &tested] {
        assert!(run["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.75, "{run}");
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(folder.path().join("tested/probe.json")).unwrap()).unwrap();
    assert_eq!((kept["format"].as_str(), kept["rows"].as_u64()), (Some("candor-probe-1"), Some(80)));
    // Rows that are judged are never learned from, and labels that say nothing teach nothing.
    let noise: String = (0..80)
        .map(|i| {
            let label = ["positive", "negative"][usize::from(i * 7919 % 13 < 6)];
            serde_json::json!({ "text": format!("row {i}"), "label": label }).to_string() + "\n"
        })
        .collect();
    std::fs::write(folder.path().join("noise.jsonl"), &noise).unwrap();
    let noisy =
        ["probe", "--model", MODEL, "--task", "sentiment", "--train", "noise.jsonl", "--json", "--out", "noisy"];
    let nothing = good(folder.path(), &noisy);
    assert!(nothing["metrics"]["accuracy"]["value"].as_f64().unwrap() < 0.8, "{nothing}");
    let same = candor(folder.path(), &[&noisy[..9], &["x", "--test", "noise.jsonl"]].concat());
    assert!(said(&same).contains("80 of 80 rows") && !same.status.success(), "{}", said(&same));
    let there = candor(folder.path(), &[&probe[..], &["tested"]].concat());
    assert_eq!(there.status.code(), Some(2), "{}", said(&there));
}

#[test]
fn two_runs_are_compared_on_what_they_share() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("data.jsonl"), "data", 40);
    for (task, limit) in [("sentiment", "40"), ("sentiment-yes-no", "25")] {
        let words = [
            "eval",
            "--model",
            MODEL,
            "--data",
            "data.jsonl",
            "--json",
            "--task",
            task,
            "--limit",
            limit,
            "--out",
            task,
        ];
        good(folder.path(), &words);
    }
    let named = "asked=sentiment-yes-no";
    let compared = good(folder.path(), &["compare", "sentiment", named, "--json", "--out", "c.html"]);
    assert_eq!(compared["n"], 25);
    let sizes: Vec<_> = compared["runs"].as_array().unwrap().iter().map(|run| run["rows"].as_u64().unwrap()).collect();
    assert!(sizes.contains(&40) && sizes.contains(&25), "{sizes:?}");
    assert!(compared["warnings"][0].as_str().unwrap().contains("of which 25 are in all runs"));
    assert!(folder.path().join("c.html").exists());
    let table = candor(folder.path(), &["compare", "sentiment", named]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("asked"));
    assert_eq!(candor(folder.path(), &["compare", "sentiment"]).status.code(), Some(2));
}

#[test]
fn a_models_word_for_its_confidence_is_a_number_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write_rows(&folder.path().join("data.jsonl"), "data", 12);
    for task in ["sentiment", "sentiment-yes-no"] {
        let words = [
            "eval",
            "--model",
            MODEL,
            "--task",
            task,
            "--data",
            "data.jsonl",
            "--json",
            "--confidence",
            "verbalized",
            "--out",
            task,
        ];
        good(folder.path(), &words);
        let rows = std::fs::read_to_string(folder.path().join(task).join("predictions.jsonl")).unwrap();
        for row in rows.lines() {
            let row: Value = serde_json::from_str(row).unwrap();
            let number = |name: &str| row["verbalized"][name].as_f64().unwrap();
            assert_eq!(row["confidence"].as_f64(), Some(number("expected")), "{row}");
            assert!((0.0..=1.0).contains(&number("expected")) && (0.0..=1.0).contains(&number("mass")));
            assert!((number("mode") * 100.0).fract().abs() < 1e-9);
        }
    }
}

fn control<'a>(quiet: &'a mut dyn FnMut(u64, Option<u64>)) -> Control<'a> {
    Control::new(Cancel::default(), quiet)
}

/// Numbers share their first tokens, so they are read from many contexts of one kept prompt; each must have the product
/// of its tokens' probabilities, taken one after the other from prompts of their own.
#[test]
fn numbers_have_the_probability_of_their_tokens() {
    let mut quiet = |_, _| {};
    let file = std::fs::File::open(MODEL).unwrap();
    let mut classifier = pollster::block_on(Classifier::load(file, "tiny", &mut control(&mut quiet))).unwrap();
    let numbers = ["1", "12", "2", "21", "3", "31", "4", "41", "5", "51"];
    let task = Task {
        name: "numbers".into(),
        system: String::new(),
        instruction: "Count.".into(),
        template: "Text: {text}\nNumber:".into(),
        chat: false,
        kind: TaskKind::Nominal,
        examples: Vec::new(),
        labels: numbers.map(|n| Label { name: n.into(), forms: vec![format!(" {n}")], value: None }).to_vec(),
        bias: candor::task::Bias::default(),
    };
    let report = pollster::block_on(quietly(async |control| classifier.set_task(&task, control).await)).unwrap();
    let text = "three or more words";
    let result =
        pollster::block_on(quietly(async |c| classifier.classify(text, &Options::default(), c).await)).unwrap();
    let prompt = format!("Count.\n\nText: {text}\nNumber:");
    // The probability that the answer begins with these characters, token by token.
    let begins = |form: &str| {
        let ids = &report.labels.iter().flat_map(|label| &label.forms).find(|found| found.form == form).unwrap().ids;
        let mut asked = prompt.clone();
        let mut logprob = 0.0;
        for id in ids {
            let all =
                pollster::block_on(quietly(async |c| classifier.next_tokens(&asked, false, 512, c).await)).unwrap().1;
            logprob += all.iter().find(|next| next.id == *id).unwrap().logprob;
            asked.push_str(&classifier.tokenizer().decode(&[*id]));
        }
        logprob
    };
    for name in numbers {
        let whole = begins(&format!(" {name}"));
        let longer = numbers.iter().find(|longer| longer.len() > name.len() && longer.starts_with(name));
        let known = match longer {
            Some(longer) => (whole.exp() - begins(&format!(" {longer}")).exp()).ln(),
            None => whole,
        };
        let got = result.prediction.labels[name].logprob;
        assert!((got - known).abs() < 1e-5, "{name}: {got}, token by token {known}");
    }
}

#[test]
fn questions_are_answered_together_as_they_would_be_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = "Um, we will, like, see. Therefore it is fine!";
    let scores = good(folder.path(), &["classify", "--model", MODEL, "--task", QUESTIONS, "--json", text]);
    assert_eq!(scores["scores"].as_object().unwrap().len(), 6);
    let set = candor::task::questions::QuestionSet::from_toml(&std::fs::read(QUESTIONS).unwrap()).unwrap().unwrap();
    for question in &set.questions {
        let path = folder.path().join("alone.toml");
        std::fs::write(&path, set.task_of(question).to_toml()).unwrap();
        let alone = good(folder.path(), &["classify", "--model", MODEL, "--task", "alone.toml", "--json", text]);
        let together = &scores["scores"][&question.name];
        let mut expected = 0.0;
        for value in 1..=10 {
            let share = alone["labels"][value.to_string()]["share"].as_f64().unwrap();
            let own = together["probabilities"][value.to_string()].as_f64().unwrap();
            assert!((share - own).abs() < 1e-9, "{} {value}: {own}, alone {share}", question.name);
            expected += f64::from(value) * share;
        }
        assert!((together["expected"].as_f64().unwrap() - expected).abs() < 1e-9);
    }

    let rows: String = (0..24)
        .map(|i| {
            let question = &set.questions[i % 6].name;
            serde_json::json!({ "text": format!("text {}", i / 6), "group": question, "label": (i % 10 + 1).to_string() }).to_string() + "\n"
        })
        .collect();
    std::fs::write(folder.path().join("t.jsonl"), &rows).unwrap();
    let words = ["eval", "--model", MODEL, "--task", QUESTIONS, "--data", "t.jsonl", "--json", "--out", "run"];
    let evaluated = good(folder.path(), &words);
    assert_eq!(evaluated["n"], 24);
    for question in &set.questions {
        let found = &evaluated["questions"][&question.name];
        assert!(found["n"] == 4 && found["mse"]["value"].as_f64().unwrap() >= 0.0, "{found}");
    }
    for (command, flags) in [
        ("classify", &["--confidence", "share", "a text"][..]),
        ("classify", &["--calibrator", "c.json", "a text"]),
        ("eval", &["--data", "t.jsonl", "--out", "other", "--calibrator", "c.json", "--force"]),
        ("eval", &["--data", "t.jsonl", "--out", "other", "--confidence", "total-probability"]),
    ] {
        let refused = candor(folder.path(), &[&[command, "--model", MODEL, "--task", QUESTIONS], flags].concat());
        let flag = if flags.contains(&"--calibrator") { "--calibrator" } else { "--confidence" };
        assert!(refused.status.code() == Some(2) && said(&refused).contains(flag), "{flags:?}: {}", said(&refused));
    }
    let fewer = good(folder.path(), &[&words[..8], &["--overwrite", "--resamples", "50", "--out", "run"]].concat());
    for part in ["metrics", "questions"] {
        assert_ne!(fewer[part], evaluated[part], "--resamples was ignored");
    }

    std::fs::write(folder.path().join("t.jsonl"), rows.replace("\"empathy\"", "\"sympathy\"")).unwrap();
    let wrong =
        candor(folder.path(), &["eval", "--model", MODEL, "--task", QUESTIONS, "--data", "t.jsonl", "--out", "other"]);
    assert!(wrong.status.code() == Some(1) && said(&wrong).contains("sympathy"), "{}", said(&wrong));
}
