//! What a sweep file stands for.

use super::*;

/// The plan of a sweep file beside rows to judge on and to learn from, and files of these names.
fn plan_beside(files: &[&str], text: &str) -> Result<Plan> {
    let folder = tempfile::tempdir().unwrap();
    for file in files.iter().map(|file| folder.path().join(file)) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, file.display().to_string()).unwrap();
    }
    for (name, rows) in [("data", 10), ("train", 20)] {
        let row =
            |i: usize| serde_json::json!({"text": format!("{name} {i}"), "label": (["positive", "negative"][i % 2])});
        let lines: String = (0..rows).map(|i| row(i).to_string() + "\n").collect();
        std::fs::write(folder.path().join(format!("{name}.jsonl")), lines).unwrap();
    }
    let path = folder.path().join("s.toml");
    std::fs::write(&path, text).unwrap();
    read(&path, &Places::default())
}

fn plan(text: &str) -> Result<Plan> {
    plan_beside(&[], text)
}

const SMALL: &str = "data = \"data.jsonl\"\ntrain = \"train.jsonl\"\nmodels = [\"a.gguf\", \"b.gguf\"]\n";

#[test]
fn every_combination_is_a_run_with_a_folder_of_its_own() {
    let text = format!(
        "{SMALL}adapters = [\"none\", \"x\"]\nconfidence = [\"total-probability\", \"verbalized\"]\n\
         calibrators = [\"none\", \"platt\"]\nbaselines = [\"majority\", \"lasso\"]\n\
         [[prompts]]\nname = \"zero\"\ntask = \"sentiment\"\nshots = 0\n\
         [[prompts]]\nname = \"four\"\ntask = \"sentiment\"\nshots = 4\nadapters = [\"none\"]\n"
    );
    let plan = plan(&text).unwrap();
    // Models × adapters × confidences × calibrators, twice two adapters and once one; and two baselines.
    assert_eq!(plan.runs.len(), 2 * (2 + 1) * 2 * 2 + 2);
    assert!(plan.runs.iter().any(|run| run.name == "a, zero, x, verbalized"), "{:?}", plan.runs);
    let folders: std::collections::HashSet<_> = plan.runs.iter().map(|run| &run.folder).collect();
    assert_eq!(folders.len(), plan.runs.len());
    assert!(plan.runs.iter().any(|run| run.name == "a, four, verbalized + platt"), "{:?}", plan.runs);
}

#[test]
fn what_a_run_depends_on_changes_its_hash() {
    let of = |prompt: &str| {
        let text = format!("{SMALL}[[prompts]]\nname = \"p\"\n{prompt}\n");
        plan(&text).unwrap().runs[0].hash.clone()
    };
    let known = of("task = \"sentiment\"");
    assert_eq!(known, of("task = \"sentiment\""));
    for other in ["task = \"sentiment\"\nshots = 0", "task = \"sentiment-yes-no\"", "task = \"sentiment\"\nshots = 2"] {
        assert_ne!(known, of(other), "{other}");
    }
}

#[test]
fn examples_take_turns_and_are_not_among_the_data() {
    let text = format!("{SMALL}[[prompts]]\nname = \"p\"\ntask = \"sentiment\"\nshots = 6\n");
    let task = plan(&text).unwrap().task;
    assert_eq!(task.examples.len(), 6);
    assert!(task.examples.windows(2).all(|pair| pair[0].label != pair[1].label));
    assert!(task.examples.iter().all(|example| example.text.starts_with("train")));
}

#[test]
fn what_learns_comes_before_what_was_learned() {
    let text = "data = \"data.jsonl\"\ntest = 4\nmodels = [\"a.gguf\"]\n\
         [[finetunes]]\nname = \"lora\"\ntask = \"sentiment\"\nsettings = { lr = 0.001 }\n\
         [[prompts]]\nname = \"tuned\"\ntask = \"sentiment\"\nadapters = [\"lora\"]\nconfidence = [\"share\"]\n\
         [[prompts]]\nname = \"probe\"\ntask = \"sentiment\"\nshots = 0\nbias = \"batch\"\nprobe = true\n";
    let found = plan(text).unwrap();
    let names: Vec<&str> = found.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["fine-tune: lora", "tuned", "probe"]);
    assert_eq!(found.runs.iter().filter(|run| run.is_compared()).count(), 2);
    let What::Model { adapter, confidence, .. } = &found.runs[1].what else { panic!("{:?}", found.runs[1]) };
    assert_eq!((adapter.as_ref(), confidence.as_str()), (Some(&found.runs[0].folder), "share"));
    assert!(found.data.train.is_some() && found.data.judged.ends_with("data/test.jsonl"));
    let other = plan(&text.replace("0.001", "0.002")).unwrap();
    assert_ne!(other.runs[1].hash, found.runs[1].hash, "another fine-tune is another run");
}

#[test]
fn the_second_of_two_models_of_one_name_got_the_firsts_adapter() {
    let text = "data = \"data.jsonl\"\ntrain = \"train.jsonl\"\nmodels = [\"small/m.gguf\", \"large/m.gguf\"]\n\
         [[finetunes]]\nname = \"lora\"\ntask = \"sentiment\"\n\
         [[prompts]]\nname = \"tuned\"\ntask = \"sentiment\"\nadapters = [\"lora\"]\n";
    let found = plan_beside(&["small/m.gguf", "large/m.gguf"], text).unwrap();
    let names: Vec<&str> = found.runs.iter().map(|run| run.name.as_str()).collect();
    let tunes = ["fine-tune: lora of m in small", "fine-tune: lora of m in large"];
    assert_eq!(names, [tunes[0], tunes[1], "m in small, tuned", "m in large, tuned"]);
    for (place, run) in found.runs[2..].iter().enumerate() {
        let What::Model { model, adapter, .. } = &run.what else { panic!("{run:?}") };
        let What::Finetune { model: tuned, .. } = &found.runs[place].what else { panic!("{run:?}") };
        assert_eq!((model, adapter.as_ref()), (tuned, Some(&found.runs[place].folder)));
        assert_eq!(run.needs, Some(place));
    }
}

#[test]
fn two_prompts_in_another_script_had_one_name() {
    let prompt = |name: &str, task: &str| format!("[[prompts]]\nname = \"{name}\"\ntask = \"{task}\"\n");
    let text = [SMALL, &prompt("обзор", "sentiment"), &prompt("да или нет", "sentiment-yes-no")].concat();
    let found = plan(&text).unwrap();
    let tasks: std::collections::HashSet<_> = (found.runs.iter())
        .map(|run| {
            let What::Model { task, .. } = &run.what else { panic!("{run:?}") };
            task.clone()
        })
        .collect();
    assert_eq!((found.runs.len(), tasks.len()), (4, 2));
    assert!(plan(&[SMALL, &prompt("обзор", "sentiment"), &prompt("обзор", "topic")].concat()).is_err());
}

#[test]
fn models_were_looked_for_where_the_command_was_given() {
    let text = "data = \"data.jsonl\"\nmodels = [\"m.gguf\", \"smollm2-135m\", \"absent.gguf\"]\n\
         [[prompts]]\nname = \"p\"\ntask = \"sentiment\"\n";
    let found = plan_beside(&["m.gguf", "smollm2-135m"], text).unwrap();
    let models: Vec<&str> = (found.runs.iter())
        .map(|run| {
            let What::Model { model, .. } = &run.what else { panic!("{run:?}") };
            model.as_str()
        })
        .collect();
    // A known model keeps its name, whatever lies there; one that is nowhere keeps what was written.
    assert!(Path::new(models[0]).is_absolute() && models[0].ends_with("m.gguf"), "{models:?}");
    assert_eq!(models[1..], ["smollm2-135m", "absent.gguf"]);
}

#[test]
fn a_fine_tunes_seed_was_not_the_sweeps() {
    let tune = |settings: &str| {
        let text = format!(
            "data = \"data.jsonl\"\ntrain = \"train.jsonl\"\nmodels = [\"a.gguf\"]\n[reading]\nseed = 5\n\
             [[finetunes]]\nname = \"first\"\ntask = \"sentiment\"\nlimit-tokens = 99\n\
             [[finetunes]]\nname = \"lora\"\ntask = \"sentiment\"\n{settings}\n\
             [[prompts]]\nname = \"p\"\ntask = \"sentiment\"\n"
        );
        let found = plan(&text).unwrap();
        let What::Finetune { limit_tokens: Some(99), .. } = &found.runs[0].what else { panic!("{:?}", found.runs[0]) };
        let What::Finetune { settings, .. } = &found.runs[1].what else { panic!("{:?}", found.runs[1]) };
        settings.seed
    };
    for (settings, seed) in [("", 5), ("settings = { rank = 4 }", 5), ("settings = { seed = 1 }", 1)] {
        assert_eq!(tune(settings), seed, "{settings}");
    }
}

#[test]
fn wrong_files_are_explained() {
    let prompt = "[[prompts]]\nname = \"p\"\ntask = \"sentiment\"\n";
    for (text, words) in [
        ("data = 3".to_owned(), "invalid type"),
        (format!("{SMALL}colour = 1\n"), "colour"),
        (SMALL.to_owned(), "no prompts"),
        (format!("data = \"data.jsonl\"\n{prompt}"), "nothing to run"),
        (format!("{SMALL}confidence = [\"guess\"]\n{prompt}"), "no confidence"),
        (format!("{SMALL}calibrators = [\"magic\"]\n{prompt}"), "magic"),
        (format!("data = \"data.jsonl\"\nbaselines = [\"lasso\"]\n{prompt}"), "training rows"),
        (format!("data = \"data.jsonl\"\nmodels = [\"a\"]\n{prompt}probe = true\n"), "learn from training rows"),
        (format!("data = \"data.jsonl\"\ntest = 10\nmodels = [\"a\"]\n{prompt}"), "10 of 10 rows"),
        (format!("{SMALL}test = 3\n{prompt}"), "either test or train"),
        (format!("models = [\"a\"]\n{prompt}"), "--data"),
        (format!("data = \"nowhere.csv\"\nmodels = [\"a\"]\n{prompt}"), "No such file"),
        (format!("{SMALL}{prompt}shots = 500\n"), "500 examples"),
        (format!("{SMALL}{prompt}{prompt}"), "two prompts"),
    ] {
        let error = plan(&text).expect_err(&text);
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}
