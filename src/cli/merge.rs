//! `candor merge`: a model and an adapter become one ordinary GGUF file.
//!
//! Every adapted matrix is unpacked, gets `scale · B A` added and is quantized again; all other tensors are copied as
//! they are, unless another type is asked for. The file is written under another name until it is whole.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;

use super::{adapter, progress, store};
use crate::engine::adapter::{Adapter, LowRank, Projection};
use crate::error::{Error, Result};
use crate::gguf::{GgufFile, GgufWriter, QuantizedType, TensorInfo, TensorPlan, dequantize_row, quantize_row};
use crate::platform;

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    /// A model of the manifest, or a GGUF file.
    #[arg(long)]
    model: String,
    /// The adapter: its folder, or a GGUF file.
    #[arg(long, value_name = "ADAPTER")]
    adapter: PathBuf,
    /// Type of the matrices, e.g. Q8_0, Q4_1 or F16; each keeps its own by default.
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    kind: Option<QuantizedType>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    overwrite: bool,
}

fn parse_type(name: &str) -> std::result::Result<QuantizedType, String> {
    let known = || QuantizedType::all().map(QuantizedType::name).collect::<Vec<_>>().join(", ");
    QuantizedType::from_name(name).ok_or_else(|| format!("there is no such type; known are {}", known()))
}

/// Runs the command.
///
/// # Errors
/// A model or adapter that cannot be read or do not belong together; a type that cannot be written; a file that is
/// there already or cannot be written.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let out = &arguments.out;
    let at = |error: Error| error.at_file(out.display().to_string());
    if out.exists() && !arguments.overwrite {
        return Err(at(Error::usage("this file is there already").in_field("--out"))
            .help("give another name, or --overwrite to replace it"));
    }
    let path = store::resolve(&arguments.model)?;
    let adapter = adapter::open(&arguments.adapter, &arguments.model)?;
    let named = |error: Error| error.at_file(path.display().to_string());
    let reader = BufReader::with_capacity(1 << 20, File::open(&path).map_err(|error| named(error.into()))?);
    let mut file = GgufFile::open(reader).map_err(named)?;
    let partial = PathBuf::from(format!("{}.part", out.display()));
    let written = File::create(&partial)
        .map_err(Error::from)
        .and_then(|to| merge(&mut file, &adapter, arguments.kind, BufWriter::with_capacity(1 << 20, to)));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&partial);
        return Err(at(error));
    }
    std::fs::rename(&partial, out).map_err(|error| at(error.into()))?;
    let sha256 = store::sha256_of(out)?;
    let bytes = std::fs::metadata(out).map_err(|error| at(error.into()))?.len();
    match json {
        true => println!("{}", serde_json::json!({ "path": out, "bytes": bytes, "sha256": sha256 })),
        false => println!("{} ({:.1} MB, SHA-256 {sha256})", out.display(), bytes as f64 / 1e6),
    }
    Ok(())
}

/// Writes the merged model; matrices become `kind` where their rows divide into its blocks.
///
/// # Errors
/// A tensor that cannot be read, a type that cannot be written, writing that fails.
fn merge<R: Read + Seek, W: Write>(
    file: &mut GgufFile<R>,
    adapter: &Adapter,
    kind: Option<QuantizedType>,
    out: W,
) -> Result<W> {
    let tensors: Vec<TensorInfo> = file.tensors.values().cloned().collect();
    let plan = |tensor: &TensorInfo| {
        let fits = |kind: &QuantizedType| tensor.shape.len() == 2 && tensor.columns().is_multiple_of(kind.block_size());
        TensorPlan::new(tensor.name.as_str(), tensor.shape.clone(), kind.filter(fits).unwrap_or(tensor.kind))
    };
    let plans: Vec<TensorPlan> = tensors.iter().map(plan).collect();
    let mut metadata = file.metadata.clone();
    if let Some(id) = kind.and_then(file_type) {
        metadata.insert("general.file_type", crate::gguf::Value::U32(id));
    }
    let mut writer = GgufWriter::new(out, &metadata, &plans)?;
    let bar = progress::bar("merged", progress::Unit::Rows);
    for (done, (tensor, plan)) in tensors.iter().zip(&plans).enumerate() {
        progress::set(&bar, done as u64, Some(tensors.len() as u64));
        let bytes = file.read_tensor(&tensor.name)?;
        let part = part_of(adapter, &tensor.name);
        if part.is_none() && tensor.kind == plan.kind {
            writer.write_tensor(&tensor.name, &bytes)?;
            continue;
        }
        let merged = merged_tensor(tensor, &bytes, part, plan.kind).map_err(|error| error.in_field(&tensor.name))?;
        writer.write_tensor(&tensor.name, &merged)?;
    }
    bar.finish_and_clear();
    writer.finish()
}

/// llama.cpp's number of "most tensors are of this type", where it has one.
fn file_type(kind: QuantizedType) -> Option<u32> {
    match kind {
        QuantizedType::F32 => Some(0),
        QuantizedType::F16 => Some(1),
        QuantizedType::Q4_0 => Some(2),
        QuantizedType::Q4_1 => Some(3),
        QuantizedType::Q8_0 => Some(7),
        QuantizedType::Q5_0 => Some(8),
        QuantizedType::Q5_1 => Some(9),
        QuantizedType::Q6_K => Some(18),
        QuantizedType::BF16 => Some(32),
        _ => None,
    }
}

fn part_of<'a>(adapter: &'a Adapter, name: &str) -> Option<&'a LowRank> {
    let (layer, tensor) = name.strip_prefix("blk.")?.strip_suffix(".weight")?.split_once('.')?;
    let projection = Projection::ALL.into_iter().find(|projection| projection.gguf_name() == tensor)?;
    adapter.part(layer.parse().ok()?, projection)
}

fn merged_tensor(tensor: &TensorInfo, bytes: &[u8], part: Option<&LowRank>, kind: QuantizedType) -> Result<Vec<u8>> {
    let rows = platform::map_indices(tensor.rows(), |row| {
        let mut numbers = vec![0.0; tensor.columns()];
        let from = &bytes[row * tensor.row_bytes()..][..tensor.row_bytes()];
        dequantize_row(tensor.kind, from, &mut numbers)?;
        if let Some(part) = part {
            part.add_to(row, &mut numbers);
        }
        let mut packed = Vec::new();
        quantize_row(kind, &numbers, &mut packed)?;
        Ok(packed)
    });
    Ok(rows.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::classify::quietly;
    use crate::engine::gpu::device::Adapter as Graphics;
    use crate::engine::{Choice, Engine, PackedBatch, Prefix, Query, Rung};

    const TINY: &[u8] = include_bytes!("../../models/tiny.gguf");

    fn next_tokens(bytes: &[u8], adapter: Option<Adapter>) -> Vec<f64> {
        next_tokens_on(Choice::Cpu, bytes, adapter)
    }

    fn next_tokens_on(choice: Choice, bytes: &[u8], adapter: Option<Adapter>) -> Vec<f64> {
        pollster::block_on(quietly(async |control| {
            let mut file = GgufFile::open(Cursor::new(bytes)).unwrap();
            let mut engine = Engine::load_on(choice, &mut file, control).await.unwrap();
            engine.set_adapter(adapter).unwrap();
            assert_eq!(engine.gpu().is_some(), choice.wants_gpu(), "{:?}", engine.backend());
            let mut prefix = Prefix::empty(engine.config());
            engine.extend(&mut prefix, &[1, 2, 3], control).await.unwrap();
            let batch = PackedBatch::of([&[4_u32, 5, 6][..], &[7, 8]]).unwrap();
            let query = Query { gather: (0..512).collect(), top: 0 };
            let scores = engine.score(&prefix, &batch, &query, control).await.unwrap();
            scores.into_iter().flat_map(|segment| segment.gathered).collect()
        }))
    }

    /// An adapter of all layers and projections that changes what the tiny model says.
    fn adapter(file: &GgufFile<Cursor<&[u8]>>) -> Adapter {
        use crate::engine::config::ModelConfig;
        let config = ModelConfig::from_gguf(&file.metadata).unwrap();
        let numbers = |count: usize, step: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * step % 101) as f32 / 50.0 - 1.0) * 0.2).collect()
        };
        let parts = (0..config.layers).flat_map(|layer| Projection::ALL.map(|projection| (layer, projection)));
        let parts = parts.map(|(layer, projection)| {
            let (inputs, outputs) = projection.shape(&config);
            let (down, up) = (numbers(3 * inputs, 37 + layer), numbers(3 * outputs, 53));
            ((layer, projection), LowRank::new((inputs, outputs), 3, 0.5, down, up).unwrap())
        });
        Adapter::new(parts.collect(), None)
    }

    #[test]
    fn an_adapter_beside_the_base_equals_a_merged_model() {
        let mut file = GgufFile::open(Cursor::new(TINY)).unwrap();
        let adapter = adapter(&file);
        let merged = merge(&mut file, &adapter, Some(QuantizedType::F32), Vec::new()).unwrap();
        let (base, beside, merged) =
            (next_tokens(TINY, None), next_tokens(TINY, Some(adapter.clone())), next_tokens(&merged, None));
        let mean = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64;
        assert!(mean(&base, &merged) > 0.05, "the adapter says something: {}", mean(&base, &merged));
        assert!(mean(&beside, &merged) < 0.002, "{}", mean(&beside, &merged));
        // In the base's own types the result is near, to within what quantizing again costs.
        let quantized = merge(&mut file, &adapter, None, Vec::new()).unwrap();
        assert!(quantized.len() < TINY.len() + 1024);
        assert!(mean(&beside, &next_tokens(&quantized, None)) < mean(&base, &beside));
    }

    #[test]
    fn an_adapter_beside_the_base_on_a_graphics_device_equals_a_merged_model_there() {
        let Some(graphics) = pollster::block_on(Graphics::find()) else {
            assert!(std::env::var_os("CI").is_none(), "a graphics adapter is needed in CI: Mesa's lavapipe will do");
            return eprintln!("skipped: there is no graphics adapter here");
        };
        let mut file = GgufFile::open(Cursor::new(TINY)).unwrap();
        let adapter = adapter(&file);
        let merged = merge(&mut file, &adapter, Some(QuantizedType::F32), Vec::new()).unwrap();
        let mean = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64;
        let right = next_tokens_on(Choice::Rung(Rung::Float32), &merged, None);
        for rung in Rung::ALL.into_iter().filter(|rung| graphics.lacks(*rung).is_none()) {
            let beside = next_tokens_on(Choice::Rung(rung), TINY, Some(adapter.clone()));
            let base = next_tokens_on(Choice::Rung(rung), TINY, None);
            assert!(mean(&base, &right) > 0.05, "{rung:?}: the adapter says something: {}", mean(&base, &right));
            // Activations of eleven bits round four times as much as those of sixteen with a scale.
            let allowed = if rung == Rung::Float16 { 0.008 } else { 0.002 };
            assert!(mean(&beside, &right) < allowed, "{rung:?}: {}", mean(&beside, &right));
        }
    }

    #[test]
    fn a_prefix_of_another_adapter_is_refused_and_the_base_is_unharmed() {
        let file = GgufFile::open(Cursor::new(TINY)).unwrap();
        let adapter = adapter(&file);
        pollster::block_on(quietly(async |control| {
            let mut engine = Engine::load(&mut GgufFile::open(Cursor::new(TINY)).unwrap(), control).await.unwrap();
            let mut prefix = Prefix::empty(engine.config());
            engine.extend(&mut prefix, &[1, 2, 3], control).await.unwrap();
            let batch = PackedBatch::of([&[4_u32, 5][..]]).unwrap();
            let query = Query { gather: vec![9], top: 0 };
            let before = engine.score(&prefix, &batch, &query, control).await.unwrap();
            engine.set_adapter(Some(adapter)).unwrap();
            assert!(engine.score(&prefix, &batch, &query, control).await.is_err());
            assert!(engine.extend(&mut prefix, &[4], control).await.is_err());
            engine.set_adapter(None).unwrap();
            assert_eq!(engine.score(&prefix, &batch, &query, control).await.unwrap(), before);
        }));
    }
}
