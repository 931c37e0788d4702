//! Every quantized type against the same weights as float32, on the whole default model.
//!
//! The reference values beside the project are of one file, in one type. Here its weights are requantized into another
//! type, and the result is computed twice: with the integer kernels, and unpacked to float32 in the float kernel, which
//! quantizes no activation. What remains is the kernels' own error; the contract's bounds must hold for it.

use std::io::Cursor;

use candor::engine::{Cancel, Control, Engine, PackedBatch, Prefix, Query, SegmentScores};
use candor::gguf::{GgufFile, GgufWriter, QuantizedType, TensorPlan, dequantize_row, quantize_row};
use candor::tokenizer::Tokenizer;

use crate::engine_reference::distance;
use crate::reference::default_model;

const PROMPTS: [&str; 3] = [
    "The lighthouse keeper wrote every evening what the sea had brought, and on the last page he",
    "Review: The hinges squeak, but the drawer still closes.\nSentiment:",
    "1, 1, 2, 3, 5, 8, 13,",
];

/// The model with every matrix in `kind` where its rows divide into blocks, and the same numbers as float32.
fn variants(original: &mut GgufFile<std::fs::File>, kind: QuantizedType) -> [GgufFile<Cursor<Vec<u8>>>; 2] {
    let names: Vec<String> = original.tensors.keys().cloned().collect();
    let is_matrix = |shape: &[usize]| shape.len() == 2 && shape[0].is_multiple_of(kind.block_size());
    let plans = |original: &GgufFile<std::fs::File>, matrix: QuantizedType| -> Vec<TensorPlan> {
        let plan = |name: &String| {
            let tensor = &original.tensors[name];
            let kind = if is_matrix(&tensor.shape) { matrix } else { QuantizedType::F32 };
            TensorPlan::new(name.as_str(), tensor.shape.clone(), kind)
        };
        names.iter().map(plan).collect()
    };
    let mut quantized = GgufWriter::new(Vec::new(), &original.metadata, &plans(original, kind)).unwrap();
    let mut floats = GgufWriter::new(Vec::new(), &original.metadata, &plans(original, QuantizedType::F32)).unwrap();
    for name in &names {
        let tensor = original.tensors[name].clone();
        let bytes = original.read_tensor(name).unwrap();
        let mut numbers = vec![0.0; tensor.shape.iter().product()];
        dequantize_row(tensor.kind, &bytes, &mut numbers).unwrap();
        let mut packed = Vec::new();
        if is_matrix(&tensor.shape) {
            quantize_row(kind, &numbers, &mut packed).unwrap();
            dequantize_row(kind, &packed, &mut numbers).unwrap();
        }
        let plain: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        quantized.write_tensor(name, if packed.is_empty() { &plain } else { &packed }).unwrap();
        floats.write_tensor(name, &plain).unwrap();
    }
    [quantized, floats].map(|writer| GgufFile::open(Cursor::new(writer.finish().unwrap())).unwrap())
}

fn scores(file: &mut GgufFile<Cursor<Vec<u8>>>, prompts: &[Vec<u32>], gather: &[u32]) -> Vec<SegmentScores> {
    let mut quiet = |_, _| {};
    let mut control = Control::new(Cancel::default(), &mut quiet);
    let engine = pollster::block_on(Engine::load(file, &mut control)).unwrap();
    let batch = PackedBatch::of(prompts.iter().map(Vec::as_slice)).unwrap();
    let query = Query { gather: gather.to_vec(), top: 40 };
    pollster::block_on(engine.score(&Prefix::empty(engine.config()), &batch, &query, &mut control)).unwrap()
}

#[test]
fn every_type_meets_the_contract_against_its_own_float32() {
    let Some(model) = default_model() else { return };
    let mut original = GgufFile::open(std::fs::File::open(model).unwrap()).unwrap();
    let tokenizer = Tokenizer::from_gguf(&original.metadata).unwrap();
    let prompts: Vec<Vec<u32>> = PROMPTS.iter().map(|prompt| tokenizer.encode(prompt, false).unwrap()).collect();
    for name in ["Q4_0", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q6_K", "F16"] {
        let kind = QuantizedType::all().find(|kind| kind.name() == name).unwrap();
        let [mut quantized, mut floats] = variants(&mut original, kind);
        let exact = scores(&mut floats, &prompts, &[]);
        drop(floats);
        let gather: Vec<u32> = exact.iter().flat_map(|scores| scores.top.iter().map(|(id, _)| *id)).collect();
        let ours = scores(&mut quantized, &prompts, &gather);
        let distances = exact.iter().zip(&ours).enumerate();
        let distances = distances.map(|(index, (exact, ours))| distance(&exact.top, &ours.gathered[index * 40..]));
        let (differences, divergences): (Vec<f64>, Vec<f64>) = distances.unzip();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (difference, divergence) = (mean(&differences), mean(&divergences));
        println!("{name}: mean |difference| {difference:.2e}, mean KL {divergence:.2e}");
        assert!(difference <= 0.002, "{name}: mean |difference| {difference}");
        assert!(divergence <= 1e-6, "{name}: mean KL {divergence}");
    }
}
