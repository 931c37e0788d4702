//! The engine against exact float64 log-probabilities, and against an implementation nobody here wrote.

use candor::engine::{Cancel, Control, Engine, PackedBatch, Prefix, Query, SegmentScores};
use candor::gguf::GgufFile;
use serde::Deserialize;

use crate::reference::{default_model, shared};

/// A prompt with the exact log-probabilities of the forty most likely tokens after it.
#[derive(Deserialize)]
pub struct Case {
    /// The prompt.
    pub prompt: String,
    /// Its token ids.
    pub tokens: Vec<u32>,
    /// Token id and log-probability, most likely first.
    pub top: Vec<(u32, f64)>,
}

fn score(engine: &Engine, prefix: &Prefix, segments: &[&[u32]], gather: &[u32]) -> Vec<SegmentScores> {
    let batch = PackedBatch::of(segments.iter().copied()).unwrap();
    let query = Query { gather: gather.to_vec(), top: 40 };
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    pollster::block_on(engine.score(prefix, &batch, &query, &mut control)).unwrap()
}

/// Mean |Δ log p| over a reference's most likely tokens, and KL with all other tokens taken as one outcome; `got` has
/// the log-probabilities of the same tokens.
pub fn distance(want: &[(u32, f64)], got: &[f64]) -> (f64, f64) {
    let pairs = || want.iter().zip(got).map(|((_, want), got)| (*want, *got));
    let mean = pairs().map(|(want, got)| (got - want).abs()).sum::<f64>() / want.len() as f64;
    // The rest of the vocabulary as one outcome: a lower bound of KL that keeps both signs' terms together.
    let rest = |sum: f64| (1.0 - sum).max(1e-12);
    let want_rest = rest(pairs().map(|(want, _)| want.exp()).sum());
    let got_rest = rest(pairs().map(|(_, got)| got.exp()).sum());
    let divergence = pairs().map(|(want, got)| want.exp() * (want - got)).sum::<f64>();
    (mean, (divergence + want_rest * (want_rest / got_rest).ln()).abs())
}

#[test]
fn log_probabilities_meet_the_contract() {
    let (Some(model), Some(cases)) = (default_model(), shared("reference/logits.json")) else { return };
    let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(cases).unwrap()).unwrap();
    let mut file = GgufFile::open(std::fs::File::open(model).unwrap()).unwrap();
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    let engine = pollster::block_on(Engine::load(&mut file, &mut control)).unwrap();
    let empty = Prefix::empty(engine.config());
    let gather: Vec<u32> = cases.iter().flat_map(|case| case.top.iter().map(|(id, _)| *id)).collect();

    let alone: Vec<SegmentScores> =
        cases.iter().map(|case| score(&engine, &empty, &[&case.tokens], &gather).remove(0)).collect();
    let segments: Vec<&[u32]> = cases.iter().map(|case| case.tokens.as_slice()).collect();
    let together = score(&engine, &empty, &segments, &gather);

    let (mut mean, mut divergence, mut offset) = (0.0, 0.0, 0);
    for ((case, alone), together) in cases.iter().zip(&alone).zip(&together) {
        let (difference, kl) = distance(&case.top, &alone.gathered[offset..]);
        let want: Vec<u32> = case.top.iter().take(5).map(|(id, _)| *id).collect();
        let got: Vec<u32> = alone.top.iter().take(5).map(|(id, _)| *id).collect();
        assert!(difference < 0.01, "{:?}: mean difference {difference}", case.prompt);
        assert_eq!(want[0], got[0], "{:?}", case.prompt);
        for (one, other) in alone.gathered.iter().zip(&together.gathered) {
            assert!((one - other).abs() < 1e-4, "{:?} in a batch: {one} and {other}", case.prompt);
        }
        mean += difference / cases.len() as f64;
        divergence += kl / cases.len() as f64;
        offset += case.top.len();
    }
    println!("mean |difference| {mean:.2e}, mean KL {divergence:.2e}");
    assert!(mean <= 0.002, "mean |difference| {mean}");
    assert!(divergence <= 1e-6, "mean KL {divergence}");

    for (index, case) in cases.iter().enumerate() {
        let length = case.tokens.len();
        let mut splits = if length < 12 { (1..length).collect() } else { vec![1, length / 3, length - 1] };
        splits.dedup();
        for split in splits {
            let mut prefix = empty.clone();
            pollster::block_on(engine.extend(&mut prefix, &case.tokens[..split], &mut control)).unwrap();
            let scores = score(&engine, &prefix, &[&case.tokens[split..]], &gather).remove(0);
            for (one, other) in alone[index].gathered.iter().zip(&scores.gathered) {
                assert!((one - other).abs() < 1e-4, "{:?} split at {split}: {one} and {other}", case.prompt);
            }
        }
    }
}

/// Next-token log-probabilities of candle's own llama (in float32: `.cargo/config.toml` sees to it).
fn candle_log_probabilities(bytes: &[u8], tokens: &[u32]) -> Vec<f64> {
    use candle_core::quantized::gguf_file::Content;
    use candle_core::{Device, Tensor};
    let mut reader = std::io::Cursor::new(bytes);
    let content = Content::read(&mut reader).unwrap();
    let mut model =
        candle_transformers::models::quantized_llama::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu)
            .unwrap();
    let input = Tensor::new(tokens, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let logits: Vec<f32> = model.forward(&input, 0).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
    let total = candor::numeric::log_sum_exp(&logits);
    logits.into_iter().map(|logit| logit - total).collect()
}

#[test]
fn candles_llama_agrees_on_the_tiny_model() {
    const TINY: &[u8] = include_bytes!("../models/tiny.gguf");
    let mut file = GgufFile::open(std::io::Cursor::new(TINY)).unwrap();
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    let engine = pollster::block_on(Engine::load(&mut file, &mut control)).unwrap();
    let empty = Prefix::empty(engine.config());
    let gather: Vec<u32> = (0..engine.config().vocabulary as u32).collect();
    for tokens in [vec![5], vec![7, 300, 41, 2, 2, 99], (0..60).map(|i| i * 37 % 512).collect::<Vec<u32>>()] {
        let ours = score(&engine, &empty, &[&tokens], &gather).remove(0).gathered;
        let theirs = candle_log_probabilities(TINY, &tokens);
        // Random weights have no structure that would even out what rounding activations to 16 bits adds, and their
        // logits spread far: the contract's bound holds for the mean, and no token is far off.
        let (count, mut mean) = (ours.len() as f64, 0.0);
        for (id, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let difference = (ours - theirs).abs();
            assert!(difference < 5e-3, "{} tokens, id {id}: {ours} and {theirs}", tokens.len());
            mean += difference / count;
        }
        println!("{} tokens: mean |difference| to candle {mean:.1e}", tokens.len());
        assert!(mean < 0.001, "{} tokens: mean |difference| {mean}", tokens.len());
    }
}
