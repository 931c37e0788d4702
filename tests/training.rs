//! Fine-tuning: its gradients against candle's autograd and against finite differences, its forward pass against the
//! engine's, and whole runs on the tiny model: it learns, it can be stopped and go on, and it says what is wrong.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use candle_core::{D, Device, Tensor, Var};
use candor::Kind;
use candor::classify::{Classifier, Options, PreparedTask, quietly};
use candor::dataset::Example;
use candor::engine::adapter::Projection;
use candor::engine::cpu::matrix::Matrix;
use candor::engine::{Cancel, Control, Engine, ModelConfig, PackedBatch, Prefix, Query};
use candor::gguf::GgufFile;
use candor::task::Task;
use candor::task::questions::QuestionSet;
use candor::train::parameters::Parameters;
use candor::train::rows::Rows;
use candor::train::stack::{Stack, Target};
use candor::train::{Asked, Criterion, Event, Inputs, Labelled, Outcome, Settings, finetune};

const TINY: &[u8] = include_bytes!("../models/tiny.gguf");

fn engine() -> Engine {
    let mut file = GgufFile::open(Cursor::new(TINY)).unwrap();
    pollster::block_on(quietly(async |control| Engine::load(&mut file, control).await)).unwrap()
}

/// Parameters whose `B` is not zero, so that every gradient is at work.
fn parameters(config: &ModelConfig, settings: &Settings) -> Parameters {
    let mut parameters = Parameters::new(config, settings);
    for (at, value) in parameters.values.iter_mut().enumerate().filter(|(_, value)| **value == 0.0) {
        *value = ((at * 37 % 101) as f32 / 50.0 - 1.0) * 0.1;
    }
    parameters
}

/// Rows of token embeddings: what enters the first layer.
fn embedded(engine: &Engine, tokens: &[u32]) -> Vec<f32> {
    let width = engine.config().width;
    let mut x = vec![0.0; tokens.len() * width];
    for (token, row) in tokens.iter().zip(x.chunks_exact_mut(width)) {
        engine.cpu().weights().embedding.unpack_row(*token as usize, row);
    }
    x
}

/// A prefix of two tokens and three segments, with answers of one and two tokens.
fn batch() -> (Rows, Vec<u32>, Vec<Target>) {
    let rows = Rows::new(2, [4, 1, 3]);
    let tokens = vec![3, 70, 9, 140, 12, 77, 41, 300, 8, 210];
    let target = |row, token, weight| Target { row, token, weight };
    (rows, tokens, vec![target(4, 50, 0.5), target(5, 51, 0.5), target(6, 7, 0.25), target(9, 400, 0.25)])
}

#[test]
fn gradients_equal_candles_autograd() {
    let engine = engine();
    let config = engine.config();
    for layers in [config.layers, 1] {
        let settings = Settings { rank: 3, layers: Some(layers), ..Settings::default() };
        let parameters = parameters(config, &settings);
        let first = config.layers - layers;
        let stack = Stack::new(config, engine.cpu(), first);
        let (rows, tokens, targets) = batch();
        let x = embedded(&engine, &tokens);
        let mut gradient = vec![0.0; parameters.values.len()];
        let loss = stack.loss_and_gradient(&parameters, &rows, x.clone(), &targets, None, &mut gradient);
        let (want_loss, want) = candle_gradient(&engine, &parameters, first, &rows, x, &targets);
        assert!((loss - want_loss).abs() < 1e-4 * want_loss, "{loss}, not {want_loss}");
        let length = want.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let apart = gradient.iter().zip(&want).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
        println!("{layers} layers: loss {loss} and {want_loss}; gradients {:.1e} apart", apart / length);
        assert!(apart < 2e-3 * length, "{layers} layers: {apart} of {length}");
    }
}

#[test]
fn gradients_equal_finite_differences() {
    let engine = engine();
    let config = engine.config();
    let settings = Settings { rank: 2, layers: Some(config.layers), ..Settings::default() };
    let parameters = parameters(config, &settings);
    let stack = Stack::new(config, engine.cpu(), 0);
    let (rows, tokens, targets) = batch();
    let loss = |values: Vec<f32>, gradient: &mut [f32]| {
        let mut moved = parameters.clone();
        moved.values = values;
        stack.loss_and_gradient(&moved, &rows, embedded(&engine, &tokens), &targets, None, gradient)
    };
    let mut gradient = vec![0.0; parameters.values.len()];
    loss(parameters.values.clone(), &mut gradient);
    // Forward rounds activations to 16 bits, so single numbers move too little: along the gradient itself instead, each
    // fourth of its numbers by themselves, far enough that rounding does not matter.
    for part in 0..4 {
        let masked = |at: usize, g: f32| if at % 4 == part { g } else { 0.0 };
        let direction: Vec<f32> = gradient.iter().enumerate().map(|(at, g)| masked(at, *g)).collect();
        let length = direction.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let step = 0.05 / length;
        let moved = |by: f64| {
            let by = (by / length) as f32;
            let values = parameters.values.iter().zip(&direction).map(|(value, d)| value + by * d).collect();
            loss(values, &mut vec![0.0; gradient.len()])
        };
        let want = (moved(step) - moved(-step)) / (2.0 * step);
        assert!((length - want).abs() < 0.02 * want.abs(), "part {part}: {length}, not {want}");
    }
}

#[test]
fn with_zeros_the_forward_pass_is_the_engines_to_the_bit_and_with_an_adapter_it_is_near() {
    let mut engine = engine();
    let config = engine.config().clone();
    let settings = Settings { rank: 3, layers: Some(config.layers), ..Settings::default() };
    let (rows, tokens, _) = batch();
    let ends: Vec<usize> = rows.segments.iter().map(|segment| segment.end - 1).collect();
    let scored = |engine: &Engine| {
        pollster::block_on(quietly(async |control| {
            let mut prefix = Prefix::empty(&config);
            engine.extend(&mut prefix, &tokens[..2], control).await.unwrap();
            let batch = PackedBatch::of(rows.segments.iter().map(|range| &tokens[range.clone()])).unwrap();
            engine.last_rows(&prefix, &batch, control).await.unwrap()
        }))
    };
    let trained = |engine: &Engine, parameters: &Parameters| {
        let stack = Stack::new(&config, engine.cpu(), 0);
        stack.last_rows(parameters, &rows, embedded(engine, &tokens), &ends)
    };
    let zeros = Parameters::new(&config, &settings);
    let base = scored(&engine);
    assert_eq!(base, trained(&engine, &zeros));
    let parameters = parameters(&config, &settings);
    engine.set_adapter(Some(parameters.adapter("").unwrap())).unwrap();
    let adapted = scored(&engine);
    assert_ne!(adapted, base);
    for (a, b) in adapted.iter().zip(trained(&engine, &parameters)) {
        assert!((a - b).abs() < 2e-3 * (1.0 + b.abs()), "{a}, {b}");
    }
}

/// The loss and its gradient by candle: float32 tensors, its own autograd, every form spelled out anew.
fn candle_gradient(
    engine: &Engine,
    parameters: &Parameters,
    first: usize,
    rows: &Rows,
    x: Vec<f32>,
    targets: &[Target],
) -> (f64, Vec<f32>) {
    let (config, device) = (engine.config(), Device::Cpu);
    let weights = engine.cpu().weights();
    let unpacked = |matrix: &Matrix| {
        let mut numbers = vec![0.0; matrix.rows() * matrix.columns()];
        matrix.unpack_rows(0, &mut numbers);
        Tensor::from_vec(numbers, (matrix.rows(), matrix.columns()), &device).unwrap()
    };
    let vector = |numbers: &[f32]| Tensor::from_slice(numbers, numbers.len(), &device).unwrap();
    let norm = |x: &Tensor, weight: &[f32]| {
        let square = x.sqr().unwrap().mean_keepdim(D::Minus1).unwrap();
        let inverse = (square + f64::from(config.norm_epsilon)).unwrap().sqrt().unwrap().recip().unwrap();
        x.broadcast_mul(&inverse).unwrap().broadcast_mul(&vector(weight)).unwrap()
    };
    let mut variables: BTreeMap<(usize, Projection), (Var, Var)> = BTreeMap::new();
    for layer in first..config.layers {
        for projection in Projection::ALL {
            let part = parameters.part(layer, projection).unwrap();
            let tensor = |range: std::ops::Range<usize>, columns: usize| {
                let numbers = parameters.values[range].to_vec();
                Var::from_tensor(&Tensor::from_vec(numbers, (parameters.rank(), columns), &device).unwrap()).unwrap()
            };
            let pair = (tensor(part.down.clone(), part.inputs), tensor(part.up.clone(), part.outputs));
            variables.insert((layer, projection), pair);
        }
    }
    let count = rows.count();
    let positions = rows.positions();
    let rotate = |x: &Tensor, heads: usize| {
        let pairs = config.head_width / 2;
        let angle = |at: usize| {
            let frequency = config.rope_base.powf(-2.0 * (at % pairs) as f64 / config.rope_width as f64);
            positions[at / pairs] as f64 * frequency
        };
        let table = |f: fn(f64) -> f64| {
            let numbers: Vec<f32> = (0..count * pairs).map(|at| f(angle(at)) as f32).collect();
            Tensor::from_vec(numbers, (count, 1, pairs, 1), &device).unwrap()
        };
        let (cosine, sine) = (table(f64::cos), table(f64::sin));
        let x = x.reshape((count, heads, pairs, 2)).unwrap();
        let (a, b) = (x.narrow(3, 0, 1).unwrap(), x.narrow(3, 1, 1).unwrap());
        let turned = |p: &Tensor, q: &Tensor, sign: f64| {
            let second = (q.broadcast_mul(&sine).unwrap() * sign).unwrap();
            (p.broadcast_mul(&cosine).unwrap() + second).unwrap()
        };
        let both = Tensor::cat(&[turned(&a, &b, -1.0), turned(&b, &a, 1.0)], 3).unwrap();
        both.reshape((count, heads * config.head_width)).unwrap()
    };
    let segment_of = |row: usize| rows.segments.iter().position(|range| range.contains(&row));
    let mask: Vec<f32> = (0..count * count)
        .map(|at| {
            let (query, key) = (at / count, at % count);
            let seen = key <= query && (key < rows.prefix || segment_of(key) == segment_of(query));
            if seen { 0.0 } else { -1e9 }
        })
        .collect();
    let mask = Tensor::from_vec(mask, (count, count), &device).unwrap();
    let mut x = Tensor::from_vec(x, (count, config.width), &device).unwrap();
    for layer in first..config.layers {
        let of = &weights.layers[layer];
        let linear = |projection: Projection, x: &Tensor| {
            let (down, up) = &variables[&(layer, projection)];
            let path = x.matmul(&down.t().unwrap()).unwrap().matmul(up).unwrap();
            let base = x.matmul(&unpacked(of.matrix(projection)).t().unwrap()).unwrap();
            (base + (path * f64::from(parameters.scale())).unwrap()).unwrap()
        };
        let normed = norm(&x, &of.attention_norm);
        let queries = rotate(&linear(Projection::Query, &normed), config.heads);
        let keys = rotate(&linear(Projection::Key, &normed), config.kv_heads);
        let values = linear(Projection::Value, &normed);
        let head = |x: &Tensor, which: usize| x.narrow(1, which * config.head_width, config.head_width).unwrap();
        let attended = (0..config.heads).map(|which| {
            let shared = which / (config.heads / config.kv_heads);
            let scores = head(&queries, which).matmul(&head(&keys, shared).t().unwrap()).unwrap();
            let scores = ((scores / (config.head_width as f64).sqrt()).unwrap() + &mask).unwrap();
            let shares = scores.broadcast_sub(&scores.max_keepdim(1).unwrap().detach()).unwrap().exp().unwrap();
            let shares = shares.broadcast_div(&shares.sum_keepdim(1).unwrap()).unwrap();
            shares.matmul(&head(&values, shared).contiguous().unwrap()).unwrap()
        });
        let attended = Tensor::cat(&attended.collect::<Vec<_>>(), 1).unwrap();
        x = (x + linear(Projection::Output, &attended)).unwrap();
        let normed = norm(&x, &of.feed_forward_norm);
        let gate = linear(Projection::Gate, &normed).silu().unwrap();
        let inner = (gate * linear(Projection::Up, &normed)).unwrap();
        x = (x + linear(Projection::Down, &inner)).unwrap();
    }
    let logits = norm(&x, &weights.output_norm).matmul(&unpacked(weights.head()).t().unwrap()).unwrap();
    let losses = targets.iter().map(|target| {
        let row = logits.narrow(0, target.row, 1).unwrap().flatten_all().unwrap();
        let total = row.exp().unwrap().sum_all().unwrap().log().unwrap();
        let chosen = row.narrow(0, target.token as usize, 1).unwrap().sum_all().unwrap();
        ((total - chosen).unwrap() * f64::from(target.weight)).unwrap()
    });
    let loss = losses.reduce(|a, b| (a + b).unwrap()).unwrap();
    let gradients = loss.backward().unwrap();
    let mut all = vec![0.0; parameters.values.len()];
    for ((layer, projection), (down, up)) in &variables {
        let part = parameters.part(*layer, *projection).unwrap();
        for (range, variable) in [(&part.down, down), (&part.up, up)] {
            let numbers: Vec<f32> = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            all[range.clone()].copy_from_slice(&numbers);
        }
    }
    (f64::from(loss.to_scalar::<f32>().unwrap()), all)
}

const TASK: &str = r#"
name = "animals"
template = "Text: {text}\nKind:"
examples = [{ text = "a cow", label = "yes" }]
[[labels]]
name = "yes"
forms = [" yes"]
[[labels]]
name = "no"
forms = [" no"]
"#;

/// Rows whose label is whether the text holds "red".
fn examples(count: usize) -> Vec<Example> {
    let words = ["a", "big", "old", "cat", "house", "tree", "sea", "night"];
    (0..count)
        .map(|at| {
            let yes = at * 7 % 13 < 6;
            let colour = if yes { "red" } else { "blue" };
            let word = |by: usize| words[(at / by + at) % words.len()];
            Example {
                id: at.to_string(),
                text: format!("{} {colour} {} {at}", word(1), word(3)),
                label: Some(if yes { "yes" } else { "no" }.to_owned()),
                group: None,
                line: at as u64 + 2,
            }
        })
        .collect()
}

fn classifier() -> Classifier {
    pollster::block_on(quietly(async |control| Classifier::load(Cursor::new(TINY), "tiny", control).await)).unwrap()
}

fn prepared(classifier: &Classifier) -> PreparedTask {
    let task = Task::from_toml(TASK).unwrap();
    pollster::block_on(quietly(async |control| classifier.prepare(&task, control).await)).unwrap()
}

/// Fine-tunes on the tiny model; stops at a step if asked to.
fn train(rows: &[Example], settings: &Settings, folder: &Path, stop_at: Option<usize>) -> candor::Result<Outcome> {
    train_within(None, rows, settings, folder, stop_at)
}

/// The same with prompts that are cut to so many tokens.
fn train_within(
    limit_tokens: Option<usize>,
    rows: &[Example],
    settings: &Settings,
    folder: &Path,
    stop_at: Option<usize>,
) -> candor::Result<Outcome> {
    let classifier = classifier();
    let task = prepared(&classifier);
    let inputs = Inputs {
        classifier: &classifier,
        asked: &[Asked { question: None, task: &task }],
        model_sha256: "0123",
        task_sha256: &task.task().sha256(),
        model_name: "tiny",
        training: Labelled { rows, file: "train.jsonl" },
        validation: Labelled { rows: &examples(24), file: "valid.jsonl" },
        settings,
        limit_tokens,
        folder,
        overwrite: false,
    };
    let cancel = Cancel::default();
    let mut quiet = |_, _| {};
    let mut control = Control::new(cancel.clone(), &mut quiet);
    pollster::block_on(finetune(&inputs, &mut control, &mut |event| {
        let Event::Step { step, .. } = event else { return };
        #[cfg(unix)]
        assert!(!folder.join("lower-layers.f32").exists(), "a name that would stay behind after a kill");
        if stop_at == Some(*step) {
            cancel.cancel();
        }
    }))
}

fn settings() -> Settings {
    Settings { epochs: 4, batch: 8, lr: 5e-3, dropout: 0.1, layers: Some(1), patience: 9, ..Settings::default() }
}

#[test]
fn it_learns_and_a_stopped_run_ends_at_the_same_adapter() {
    let rows = examples(96);
    let (straight, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = train(&rows, &settings(), straight.path(), None).unwrap();
    println!("{whole:?}");
    assert!(whole.best.log_loss < 0.5 * whole.before.log_loss, "{whole:?}");
    assert!(whole.best.accuracy > 0.85, "{whole:?}");

    // Stopped in the middle of the third epoch, then again in the fourth.
    for stop in [29, 40] {
        assert_eq!(train(&rows, &settings(), broken.path(), Some(stop)).unwrap_err().kind, Kind::Cancelled);
    }
    let resumed = train(&rows, &settings(), broken.path(), None).unwrap();
    assert_eq!(resumed.adapter_sha256, whole.adapter_sha256);
    assert_eq!((resumed.best, resumed.best_epoch), (whole.best, whole.best_epoch));
    let log = |folder: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
        text.lines().map(|line| line.split("\"seconds\"").next().unwrap().to_owned()).collect()
    };
    assert_eq!(log(straight.path()), log(broken.path()));
    assert!(!broken.path().join("lower-layers.f32").exists(), "what was kept for training is gone");

    // Done already: nothing is computed again, and the folder's adapter is the one it says.
    let again = train(&rows, &settings(), broken.path(), None).unwrap();
    assert_eq!(again.adapter_sha256, whole.adapter_sha256);
}

#[test]
fn all_layers_and_a_prefix_learn_too() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        Settings { layers: Some(engine().config().layers), dropout: 0.0, criterion: Criterion::MacroF1, ..settings() };
    let outcome = train(&examples(96), &settings, folder.path(), None).unwrap();
    assert!(outcome.best.log_loss < 0.5 * outcome.before.log_loss, "{outcome:?}");
}

const QUESTIONS: &str = r#"
name = "colours"
instruction = "Look at the words."
template = "Text: {text}\n{question}"
kind = "ordinal"
[[questions]]
name = "warm"
text = "Warm:"
[[questions]]
name = "cold"
text = "Cold:"
[[labels]]
name = "1"
forms = [" 1"]
value = 1
[[labels]]
name = "2"
forms = [" 2"]
value = 2
[[labels]]
name = "10"
forms = [" 10"]
value = 10
"#;

/// Two questions about each text, with answers of which one begins like another: red is warm (10) and not cold (1).
fn answers(texts: usize) -> Vec<Example> {
    let rows = examples(texts).into_iter().flat_map(|row| {
        let red = row.label.as_deref() == Some("yes");
        ["warm", "cold"].map(|question| Example {
            label: Some(if red == (question == "warm") { "10" } else { "1" }.to_owned()),
            group: Some(question.to_owned()),
            ..row.clone()
        })
    });
    rows.collect()
}

#[test]
fn questions_about_a_text_are_learned_together() {
    let set = QuestionSet::from_toml(QUESTIONS.as_bytes()).unwrap().unwrap();
    let classifier = classifier();
    let tasks: Vec<PreparedTask> = (set.questions.iter())
        .map(|question| {
            let task = set.task_of(question);
            pollster::block_on(quietly(async |control| classifier.prepare(&task, control).await)).unwrap()
        })
        .collect();
    let asked: Vec<Asked<'_>> = (set.questions.iter().zip(&tasks))
        .map(|(question, task)| Asked { question: Some(&question.name), task })
        .collect();
    let finetuned = |rows: &[Example], settings: &Settings| {
        let folder = tempfile::tempdir().unwrap();
        let inputs = Inputs {
            classifier: &classifier,
            asked: &asked,
            model_sha256: "0123",
            task_sha256: &set.sha256(),
            model_name: "tiny",
            training: Labelled { rows, file: "train.jsonl" },
            validation: Labelled { rows: &answers(30)[..46], file: "valid.jsonl" },
            settings,
            limit_tokens: None,
            folder: folder.path(),
            overwrite: false,
        };
        pollster::block_on(quietly(async |control| finetune(&inputs, control, &mut |_| {}).await))
    };
    // Each label's share of the validation rows, before training, is what classifying them alone gives.
    let mut losses = Vec::new();
    for row in &answers(30)[..46] {
        let place = set.questions.iter().position(|question| Some(&question.name) == row.group.as_ref()).unwrap();
        let options = Options::default();
        let alone = pollster::block_on(quietly(async |control| {
            classifier.classify_with(&tasks[place], &[&row.text], &options, control).await
        }));
        losses.push(-alone.unwrap()[0].prediction.labels[row.label.as_ref().unwrap()].share.ln());
    }
    let alone = losses.iter().sum::<f64>() / losses.len() as f64;
    for layers in [1, engine().config().layers] {
        let settings = Settings { layers: Some(layers), dropout: 0.0, ..settings() };
        let outcome = finetuned(&answers(96), &settings).unwrap();
        println!("{outcome:?}");
        assert!((outcome.before.log_loss - alone).abs() < 1e-6, "{}, alone {alone}", outcome.before.log_loss);
        assert!(outcome.best.accuracy > 0.85 && outcome.best.log_loss < 0.5 * outcome.before.log_loss, "{outcome:?}");
        assert!(outcome.best.mse.unwrap() < 0.5 * outcome.before.mse.unwrap(), "{outcome:?}");
    }
    let mut stranger = answers(20);
    stranger[3].group = Some("loud".to_owned());
    let refused = finetuned(&stranger, &settings()).unwrap_err();
    assert!(refused.message.contains("loud") && refused.help.unwrap().contains("warm, cold"));
}

#[test]
fn bad_input_is_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let good = examples(32);
    let refused = |rows: &[Example], settings: &Settings| train(rows, settings, folder.path(), None).unwrap_err();
    let with = |change: &dyn Fn(&mut Example)| {
        let mut rows = examples(32);
        change(&mut rows[5]);
        rows
    };
    let stranger = refused(&with(&|row| row.label = Some("perhaps".to_owned())), &settings());
    assert!(stranger.line == Some(7) && stranger.help.unwrap().contains("yes, no"));
    let long = refused(&with(&|row| row.text = "word ".repeat(5000)), &settings());
    assert!(long.line == Some(7) && long.help.unwrap().contains("--limit-tokens"));
    assert!(refused(&[], &settings()).message.contains("no labelled rows"));
    let only: Vec<Example> = good.iter().filter(|row| row.label.as_deref() == Some("no")).cloned().collect();
    assert!(refused(&only, &settings()).message.contains("\"no\""));
    assert_eq!(refused(&good, &Settings { rank: 0, ..settings() }).field.as_deref(), Some("rank"));
    assert_eq!(refused(&good, &Settings { layers: Some(99), ..settings() }).field.as_deref(), Some("layers"));

    // A checkpoint goes on with what it was made of, or not at all; and what was learned stays.
    let one = Settings { epochs: 1, ..settings() };
    let first = train(&good, &one, folder.path(), None).unwrap();
    let files = || {
        let mut all: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect::<Vec<_>>()
    };
    let before = files();
    assert!(refused(&examples(33), &one).message.contains("the data has changed"));
    let mut grouped = good.clone();
    grouped[3].group = Some("another".to_owned());
    assert!(refused(&grouped, &one).message.contains("the data has changed"));
    for (changed, field, was, is) in [
        (Settings { lr: 1e-3, ..one.clone() }, "lr", "0.005", "0.001"),
        (Settings { layers: None, ..one.clone() }, "layers", "1", "not given"),
        (Settings { seed: 9, ..one.clone() }, "seed", "1", "9"),
    ] {
        let error = refused(&good, &changed);
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
        assert!(error.message.contains(&format!("was {was} when")) && error.message.ends_with(&format!("is {is}")));
    }
    let cut = train_within(Some(120), &good, &one, folder.path(), None).unwrap_err();
    assert!(cut.field.as_deref() == Some("limit-tokens") && cut.message.ends_with("now it is 120"), "{cut}");
    assert_eq!(files(), before);
    assert_eq!(train(&good, &one, folder.path(), None).unwrap().adapter_sha256, first.adapter_sha256);

    // A learning rate that is far too high ends in no number: said so, and the adapter from before is kept.
    let wild = tempfile::tempdir().unwrap();
    let wild_settings = Settings { lr: 1e30, warmup: 0.0, ..settings() };
    let diverged = train(&good, &wild_settings, wild.path(), None).unwrap_err();
    assert!(diverged.message.contains("not a number") && diverged.help.unwrap().contains("--lr"));
}

#[test]
fn what_diverged_in_its_only_step_was_called_bad_data() {
    // Of one step there is no second loss that would show it: too far for the model, and too far for any number.
    for (lr, words) in [(1e30, "the validation after step 1"), (1e39, "a trained number")] {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { lr, warmup: 0.0, batch: 64, ..settings() };
        let diverged = train(&examples(32), &settings, folder.path(), None).unwrap_err();
        assert!(diverged.message.contains(words) && diverged.message.contains("nothing was learned"), "{diverged}");
        assert!(diverged.field.as_deref() == Some("lr") && diverged.help.unwrap().contains("--lr"));
    }
}

#[test]
fn a_checkpoint_of_another_version_is_not_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let one = Settings { epochs: 1, ..settings() };
    train(&examples(32), &one, folder.path(), None).unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let text = r#"\"format\":2"#;
    let bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    std::fs::write(&path, [&bytes[..at + text.len() - 1], b"1", &bytes[at + text.len()..]].concat()).unwrap();
    let refused = train(&examples(32), &one, folder.path(), None).unwrap_err();
    assert!(refused.message.contains("another version") && refused.help.unwrap().contains("--overwrite"));
}

#[test]
fn the_last_rows_of_the_base_are_what_the_head_reads() {
    let engine = engine();
    pollster::block_on(quietly(async |control| {
        let batch = PackedBatch::of([&[5_u32, 6, 7][..], &[8]]).unwrap();
        let empty = Prefix::empty(engine.config());
        let rows = engine.last_rows(&empty, &batch, control).await.unwrap();
        let query = Query { gather: vec![11], top: 0 };
        let scores = engine.score(&empty, &batch, &query, control).await.unwrap();
        let head = engine.cpu().weights().head();
        for (row, scores) in rows.chunks(engine.config().width).zip(scores) {
            let mut weights = vec![0.0; head.rows() * head.columns()];
            head.unpack_rows(0, &mut weights);
            let logits: Vec<f64> = (weights.chunks(head.columns()))
                .map(|weights| weights.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum())
                .collect();
            let want = logits[11] - candor::numeric::log_sum_exp(&logits);
            assert!((want - scores.gathered[0]).abs() < 1e-3, "{want}, {}", scores.gathered[0]);
        }
    }));
}
