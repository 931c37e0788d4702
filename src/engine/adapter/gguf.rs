//! llama.cpp's adapter format: a GGUF file with `NAME.lora_a` and `NAME.lora_b` beside each adapted tensor's name.
//!
//! `general.type` is "adapter", `adapter.type` is "lora", and `adapter.lora.alpha` divided by a pair's rank is its scale;
//! where alpha is missing or 0 the scale is 1.
//! Rows stand as in the base's own GGUF file, so nothing is permuted. Tensors may be of any type that can be read.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};

use super::{Adapter, BASE_SHA256_KEY, LowRank, Projection, transposed};
use crate::error::{Error, Result};
use crate::gguf::{GgufFile, GgufWriter, Metadata, QuantizedType, TensorPlan, Value, dequantize_row};

/// Reads an adapter.
///
/// # Errors
/// A file that is no GGUF or no LoRA adapter, for another architecture than `architecture`; a tensor without its
/// partner, misshapen, or beside a tensor that Candor does not adapt, by name.
pub fn read<R: Read + Seek>(reader: R, architecture: &str) -> Result<Adapter> {
    let mut file = GgufFile::open(reader)?;
    expect(&file.metadata, "general.type", "adapter")?;
    expect(&file.metadata, "adapter.type", "lora")?;
    expect(&file.metadata, "general.architecture", architecture)?;
    let alpha = file.metadata.optional("adapter.lora.alpha", Metadata::f32)?.unwrap_or(0.0);
    let names: Vec<String> = file.tensors.keys().cloned().collect();
    let mut parts = BTreeMap::new();
    for name in &names {
        let Some(base) = name.strip_suffix(".lora_a") else {
            if !name.strip_suffix(".lora_b").is_some_and(|base| file.tensors.contains_key(&format!("{base}.lora_a"))) {
                return Err(Error::unsupported("this tensor belongs to no low-rank pair").in_field(name));
            }
            continue;
        };
        let place = place_of(base).ok_or_else(|| {
            Error::unsupported("adapters of this tensor are not supported")
                .in_field(name)
                .help("supported are the seven matrices of a layer")
        })?;
        let part = read_pair(&mut file, base, alpha).map_err(|error| error.in_field(base))?;
        parts.insert(place, part);
    }
    if parts.is_empty() {
        return Err(Error::format("the adapter has no tensors"));
    }
    let base = file.metadata.optional(BASE_SHA256_KEY, Metadata::str)?.map(str::to_owned);
    Ok(Adapter::new(parts, base))
}

fn expect(metadata: &Metadata, key: &str, value: &str) -> Result<()> {
    match metadata.str(key)? {
        found if found == value => Ok(()),
        found => Err(Error::input(format!("this is \"{found}\", not \"{value}\"")).in_field(key).help(
            if key == "general.architecture" {
                "use the adapter with the model it was trained on"
            } else {
                "give an adapter in llama.cpp's LoRA format"
            },
        )),
    }
}

/// Layer and projection of `blk.LAYER.NAME.weight`.
fn place_of(name: &str) -> Option<(usize, Projection)> {
    let (layer, tensor) = name.strip_prefix("blk.")?.strip_suffix(".weight")?.split_once('.')?;
    let projection = Projection::ALL.into_iter().find(|projection| projection.gguf_name() == tensor)?;
    Some((layer.parse().ok()?, projection))
}

fn read_pair<R: Read + Seek>(file: &mut GgufFile<R>, base: &str, alpha: f32) -> Result<LowRank> {
    let mut read = |ending: &str| -> Result<(usize, usize, Vec<f32>)> {
        let name = format!("{base}.{ending}");
        let tensor = file.tensor(&name)?.clone();
        let &[columns, rows] = tensor.shape.as_slice() else {
            return Err(Error::format(format!("{:?} is no matrix's shape", tensor.shape)));
        };
        let mut numbers = vec![0.0; tensor.elements()];
        dequantize_row(tensor.kind, &file.read_tensor(&name)?, &mut numbers)?;
        Ok((rows, columns, numbers))
    };
    let (rank, inputs, down) = read("lora_a")?;
    let (outputs, columns, up) = read("lora_b")?;
    if columns != rank {
        return Err(Error::format(format!("lora_a has rank {rank}, lora_b {columns}")));
    }
    let scale = if alpha == 0.0 { 1.0 } else { alpha / rank as f32 };
    LowRank::new((inputs, outputs), rank, scale, down, transposed(outputs, rank, &up))
}

/// Writes an adapter for a model of this architecture, in float32.
///
/// # Errors
/// Parts of different scales; writing that fails.
pub fn write<W: Write>(adapter: &Adapter, architecture: &str, name: &str, out: W) -> Result<W> {
    let mut metadata = Metadata::default();
    let mut say = |key: &str, value: Value| metadata.insert(key, value);
    say("general.type", Value::String("adapter".into()));
    say("general.architecture", Value::String(architecture.into()));
    say("general.name", Value::String(name.into()));
    say("adapter.type", Value::String("lora".into()));
    say("adapter.lora.alpha", Value::F32(adapter.alpha()?));
    if let Some(base) = adapter.base_sha256() {
        say(BASE_SHA256_KEY, Value::String(base.into()));
    }
    let mut plans = Vec::new();
    let mut data = Vec::new();
    for (layer, projection, part) in adapter.parts() {
        let base = format!("blk.{layer}.{}.weight", projection.gguf_name());
        let (rank, inputs, outputs) = (part.rank(), part.inputs(), part.outputs());
        plans.push(TensorPlan::new(format!("{base}.lora_a"), [inputs, rank], QuantizedType::F32));
        data.push(part.down().to_vec());
        plans.push(TensorPlan::new(format!("{base}.lora_b"), [rank, outputs], QuantizedType::F32));
        data.push(transposed(rank, outputs, part.up()));
    }
    let mut writer = GgufWriter::new(out, &metadata, &plans)?;
    for (plan, numbers) in plans.iter().zip(data) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        writer.write_tensor(&plan.name, &bytes)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::tests::adapter;
    use super::*;
    use crate::engine::config::tests::config;

    #[test]
    fn what_is_written_is_read_back() {
        for rank in [1, 3, 8] {
            let adapter = adapter(&config(4, 2, 8), rank);
            let bytes = write(&adapter, "llama", "test", Vec::new()).unwrap();
            assert_eq!(read(Cursor::new(&bytes), "llama").unwrap().sha256(), adapter.sha256());
            assert_eq!(read(Cursor::new(&bytes), "llama").unwrap(), adapter);
            let other = read(Cursor::new(&bytes), "qwen2").unwrap_err();
            assert_eq!(other.field.as_deref(), Some("general.architecture"));
        }
    }

    #[test]
    fn an_adapter_without_alpha_was_refused_and_one_of_alpha_0_did_nothing() {
        let bytes = write(&adapter(&config(4, 2, 8), 2), "llama", "test", Vec::new()).unwrap();
        let key = b"adapter.lora.alpha";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
        let (mut zero, mut missing) = (bytes.clone(), bytes);
        // Behind the key stand four bytes of the value's type and the value.
        zero[at + key.len() + 4..][..4].copy_from_slice(&0.0_f32.to_le_bytes());
        missing[at] = b'A';
        for bytes in [zero, missing] {
            let found = read(Cursor::new(&bytes), "llama").unwrap();
            assert!(found.parts().all(|(.., part)| part.scale() == 1.0));
        }
    }
}
