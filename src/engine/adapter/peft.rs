//! PEFT's adapter format: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Names are those of the `transformers` library. So is the order of rows: where the GGUF base interleaves the two halves
//! of each query and key head (rope layout "interleaved", which llama.cpp's converter makes for Llama), the rows of `B`
//! are put into the other order on the way in and out. What changes more than seven matrices of a layer (trained biases,
//! embeddings, whole modules, DoRA) is refused by name rather than left out.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::{Adapter, BASE_SHA256_KEY, LowRank, Projection, transposed};
use crate::engine::config::{ModelConfig, RopeLayout};
use crate::error::{Error, Result};

/// File name of the configuration.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// File name of the numbers.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// What is read of `adapter_config.json`, and all that is written.
#[derive(Debug, Serialize, Deserialize)]
struct Config {
    peft_type: String,
    #[serde(default)]
    task_type: Option<String>,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    r: usize,
    lora_alpha: serde_json::Number,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    target_modules: serde_json::Value,
    #[serde(default)]
    layers_to_transform: serde_json::Value,
    #[serde(default = "none")]
    bias: String,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    modules_to_save: serde_json::Value,
    #[serde(default)]
    alpha_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default, skip_serializing)]
    init_lora_weights: serde_json::Value,
    #[serde(default)]
    inference_mode: bool,
}

/// Ways to start that take something off the base's weights, so that what is learned belongs to a base that is in no file.
const CHANGING_STARTS: [&str; 4] = ["pissa", "olora", "corda", "loftq"];

fn none() -> String {
    "none".to_owned()
}

impl Config {
    /// Refuses what would be computed wrongly.
    fn check(&self) -> Result<()> {
        let saved = match &self.modules_to_save {
            serde_json::Value::Null => false,
            serde_json::Value::Array(list) => !list.is_empty(),
            _ => true,
        };
        let start = self.init_lora_weights.as_str().unwrap_or_default().to_ascii_lowercase();
        // "pissa_niter_16" is "pissa", too.
        let changes_base = CHANGING_STARTS.iter().any(|changing| start.starts_with(changing));
        let refused = [
            (self.peft_type != "LORA", "peft_type", "only LORA is supported"),
            (self.bias != "none", "bias", "trained biases are not supported"),
            (self.use_dora, "use_dora", "DoRA is not supported"),
            (self.fan_in_fan_out, "fan_in_fan_out", "transposed weights are not supported"),
            (saved, "modules_to_save", "whole trained modules are not supported"),
            (!self.alpha_pattern.is_empty(), "alpha_pattern", "different scales are not supported"),
            (
                changes_base,
                "init_lora_weights",
                "this start changes the base's own weights, which no file of the base has; let PEFT convert the adapter \
                 into an ordinary one",
            ),
        ];
        match refused.into_iter().find(|(wrong, ..)| *wrong) {
            Some((_, field, message)) => Err(Error::unsupported(message).in_field(field)),
            None => Ok(()),
        }
    }

    fn scale(&self, rank: usize) -> Result<f32> {
        let alpha = self.lora_alpha.as_f64().filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| Error::format("this is no number").in_field("lora_alpha"))?;
        Ok((if self.use_rslora { alpha / (rank as f64).sqrt() } else { alpha / rank as f64 }) as f32)
    }
}

/// Reads an adapter from the bytes of its two files, for a model of this shape.
///
/// # Errors
/// Files that are not what they should be (the field or tensor is named); kinds of adapters that are not supported;
/// one that does not fit the model.
pub fn read(config_json: &[u8], weights: &[u8], model: &ModelConfig) -> Result<Adapter> {
    let config: Config = serde_json::from_slice(config_json)
        .map_err(|error| Error::format(format!("this is no LoRA configuration: {error}")).at_file(CONFIG_FILE))?;
    config.check().map_err(|error| error.at_file(CONFIG_FILE))?;
    read_weights(&config, weights, model).map_err(|error| error.at_file(WEIGHTS_FILE))
}

fn read_weights(config: &Config, weights: &[u8], model: &ModelConfig) -> Result<Adapter> {
    let broken = |error: safetensors::SafeTensorError| Error::format(format!("this is no safetensors file: {error}"));
    let tensors = SafeTensors::deserialize(weights).map_err(broken)?;
    let mut parts = BTreeMap::new();
    for name in tensors.names() {
        let (stem, is_down) =
            pair_of(name).ok_or_else(|| Error::unsupported("this tensor is none of a low-rank pair").in_field(name))?;
        if !is_down {
            continue;
        }
        let place = place_of(stem).ok_or_else(|| {
            Error::unsupported("adapters of this module are not supported")
                .in_field(name)
                .help("supported are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj")
        })?;
        let partner = name.replace(".lora_A.", ".lora_B.");
        let up = tensors.tensor(&partner).map_err(|_| Error::format("this tensor is missing").in_field(&partner))?;
        let down = tensors.tensor(name).map_err(broken)?;
        let part = low_rank(config, place.1, &down, &up, model).map_err(|error| error.in_field(name))?;
        if parts.insert(place, part).is_some() {
            return Err(Error::format("two tensors are for this module").in_field(name));
        }
    }
    // Every B has its A: a B alone would have been passed over.
    let downs = parts.len();
    if tensors.len() != 2 * downs || downs == 0 {
        return Err(Error::format(format!("{} tensors are not {downs} pairs", tensors.len())));
    }
    let (_, header) = SafeTensors::read_metadata(weights).map_err(broken)?;
    let base = header.metadata().as_ref().and_then(|metadata| metadata.get(BASE_SHA256_KEY)).cloned();
    let adapter = Adapter::new(parts, base);
    adapter.check_shapes(model)?;
    Ok(adapter)
}

/// The module of `….lora_A.weight` or `….lora_A.default.weight`, and whether it is `A`.
fn pair_of(name: &str) -> Option<(&str, bool)> {
    let name = name.strip_suffix(".weight")?;
    let name = name.strip_suffix(".default").unwrap_or(name);
    match name.strip_suffix(".lora_A") {
        Some(stem) => Some((stem, true)),
        None => Some((name.strip_suffix(".lora_B")?, false)),
    }
}

/// Layer and projection of `….layers.LAYER.self_attn.q_proj`.
fn place_of(stem: &str) -> Option<(usize, Projection)> {
    let mut words = stem.rsplit('.');
    let (module, block, layer, layers) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let projection = Projection::ALL.into_iter().find(|projection| projection.peft_name() == (block, module))?;
    (layers == "layers").then_some((layer.parse().ok()?, projection))
}

fn low_rank(
    config: &Config,
    projection: Projection,
    down: &TensorView<'_>,
    up: &TensorView<'_>,
    model: &ModelConfig,
) -> Result<LowRank> {
    let (&[rank, inputs], &[outputs, columns]) = (down.shape(), up.shape()) else {
        return Err(Error::format(format!("{:?} and {:?} are no matrices' shapes", down.shape(), up.shape())));
    };
    if rank == 0 || rank != columns {
        return Err(Error::format(format!("lora_A has rank {rank}, lora_B {columns}")));
    }
    let (wanted_inputs, wanted_outputs) = projection.shape(model);
    if (inputs, outputs) != (wanted_inputs, wanted_outputs) {
        return Err(Error::input(format!(
            "the adapter is for another model: it is for {outputs} × {inputs} weights, the model has {wanted_outputs} × {wanted_inputs}"
        ))
        .help("use it with the model it was trained on"));
    }
    let up = numbers(up)?;
    let rows = (0..outputs).flat_map(|row| &up[peft_row(model, projection, row) * rank..][..rank]);
    let up: Vec<f32> = rows.copied().collect();
    let scale = config.scale(rank)?;
    LowRank::new((inputs, outputs), rank, scale, numbers(down)?, transposed(outputs, rank, &up))
}

fn numbers(tensor: &TensorView<'_>) -> Result<Vec<f32>> {
    use half::{bf16, f16};
    let bytes = tensor.data();
    let halves = || bytes.as_chunks::<2>().0.iter();
    match tensor.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()),
        Dtype::F16 => Ok(halves().map(|two| f16::from_le_bytes(*two).to_f32()).collect()),
        Dtype::BF16 => Ok(halves().map(|two| bf16::from_le_bytes(*two).to_f32()).collect()),
        other => Err(Error::unsupported(format!("numbers of type {other:?} are not supported"))),
    }
}

/// Which row of PEFT's `B` is row `row` of the GGUF base's.
fn peft_row(model: &ModelConfig, projection: Projection, row: usize) -> usize {
    let rotated = matches!(projection, Projection::Query | Projection::Key);
    if !rotated || model.rope_layout != RopeLayout::Interleaved {
        return row;
    }
    let (head, within) = (row / model.head_width, row % model.head_width);
    head * model.head_width + within % 2 * (model.head_width / 2) + within / 2
}

/// Writes an adapter: the bytes of the configuration and of the weights. `base_name` is what PEFT shows as the base.
///
/// # Errors
/// Parts of different ranks or scales.
pub fn write(adapter: &Adapter, model: &ModelConfig, base_name: &str, dropout: f64) -> Result<(Vec<u8>, Vec<u8>)> {
    let alpha = adapter.alpha()?;
    let ranks: Vec<usize> = adapter.parts().map(|(_, _, part)| part.rank()).collect();
    let rank = ranks[0];
    if ranks.iter().any(|other| *other != rank) {
        return Err(Error::unsupported("the adapter's parts have different ranks, which cannot be written"));
    }
    let mut layers: Vec<usize> = adapter.parts().map(|(layer, ..)| layer).collect();
    layers.dedup();
    let modules = Projection::ALL.into_iter().filter(|wanted| adapter.parts().any(|(_, found, _)| found == *wanted));
    let whole = alpha.fract() == 0.0;
    let alpha = if whole { Some((alpha as i64).into()) } else { serde_json::Number::from_f64(f64::from(alpha)) };
    let config = Config {
        peft_type: "LORA".to_owned(),
        task_type: Some("CAUSAL_LM".to_owned()),
        base_model_name_or_path: Some(base_name.to_owned()),
        r: rank,
        lora_alpha: alpha.ok_or_else(|| Error::internal("alpha is not finite"))?,
        lora_dropout: dropout,
        target_modules: modules.map(|projection| projection.peft_name().1).collect::<Vec<_>>().into(),
        layers_to_transform: if layers.len() == model.layers { serde_json::Value::Null } else { layers.into() },
        bias: none(),
        fan_in_fan_out: false,
        use_rslora: false,
        use_dora: false,
        modules_to_save: serde_json::Value::Null,
        alpha_pattern: serde_json::Map::new(),
        init_lora_weights: serde_json::Value::Null,
        inference_mode: true,
    };
    let config = serde_json::to_vec_pretty(&config).map_err(|error| Error::internal(error.to_string()))?;
    let mut data: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (layer, projection, part) in adapter.parts() {
        let (block, module) = projection.peft_name();
        let name = |matrix: &str| format!("base_model.model.model.layers.{layer}.{block}.{module}.{matrix}.weight");
        let up = transposed(rank, part.outputs(), part.up());
        let mut ordered = vec![0.0; up.len()];
        for row in 0..part.outputs() {
            let to = peft_row(model, projection, row);
            ordered[to * rank..][..rank].copy_from_slice(&up[row * rank..][..rank]);
        }
        let bytes = |numbers: &[f32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
        data.push((name("lora_A"), vec![rank, part.inputs()], bytes(part.down())));
        data.push((name("lora_B"), vec![part.outputs(), rank], bytes(&ordered)));
    }
    let failed =
        |error: safetensors::SafeTensorError| Error::internal(format!("the adapter cannot be written: {error}"));
    let views = data.iter().map(|(name, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?))
    });
    let views: Vec<(&str, TensorView<'_>)> = views.collect::<Result<_>>()?;
    let base = adapter.base_sha256().map(|base| (BASE_SHA256_KEY.to_owned(), base.to_owned()));
    let metadata = std::iter::once(("format".to_owned(), "pt".to_owned())).chain(base).collect();
    Ok((config, safetensors::serialize(views, Some(metadata)).map_err(failed)?))
}

#[cfg(test)]
mod tests {
    use super::super::tests::adapter;
    use super::*;
    use crate::engine::config::tests::config;

    #[test]
    fn what_is_written_is_read_back_in_both_rope_layouts() {
        for layout in [RopeLayout::Interleaved, RopeLayout::Halves] {
            let model = ModelConfig { rope_layout: layout, ..config(4, 2, 8) };
            let adapter = adapter(&model, 3);
            let (config, weights) = write(&adapter, &model, "tiny", 0.05).unwrap();
            assert_eq!(read(&config, &weights, &model).unwrap(), adapter);
        }
    }

    #[test]
    fn rows_of_query_heads_are_interleaved_as_llama_cpp_does() {
        // Two heads of four: halves (0 1 | 2 3) become 0 2 1 3.
        let model = config(2, 1, 4);
        let rows: Vec<usize> = (0..8).map(|row| peft_row(&model, Projection::Query, row)).collect();
        assert_eq!(rows, [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(peft_row(&model, Projection::Value, 1), 1);
    }

    #[test]
    fn what_would_be_computed_wrongly_is_refused_by_name() {
        let model = config(4, 2, 8);
        let (config, weights) = write(&adapter(&model, 2), &model, "tiny", 0.0).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let cases = [
            ("peft_type", serde_json::json!("IA3")),
            ("bias", serde_json::json!("all")),
            ("use_dora", serde_json::json!(true)),
            ("modules_to_save", serde_json::json!(["lm_head"])),
            ("alpha_pattern", serde_json::json!({"q_proj": 3})),
            ("fan_in_fan_out", serde_json::json!(true)),
            ("init_lora_weights", serde_json::json!("pissa_niter_16")),
            ("init_lora_weights", serde_json::json!("olora")),
        ];
        for (field, value) in cases {
            let mut changed = config.clone();
            changed[field] = value;
            let error = read(changed.to_string().as_bytes(), &weights, &model).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{error}");
        }
        for harmless in [serde_json::json!(true), serde_json::json!("gaussian"), serde_json::json!("eva")] {
            let mut changed = config.clone();
            changed["init_lora_weights"] = harmless;
            assert!(read(changed.to_string().as_bytes(), &weights, &model).is_ok(), "{changed}");
        }
        let mut scaled = config.clone();
        scaled["use_rslora"] = serde_json::json!(true);
        let part = read(scaled.to_string().as_bytes(), &weights, &model).unwrap();
        let scale = part.part(0, Projection::Up).unwrap().scale();
        assert!((scale - 16.0 / 2.0_f32.sqrt()).abs() < 1e-5);
        let other = crate::engine::config::tests::config(4, 1, 8);
        assert!(read(config.to_string().as_bytes(), &weights, &other).unwrap_err().message.contains("another model"));
    }
}
