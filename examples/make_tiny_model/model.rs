//! A tiny llama with random weights, alike to the default model in everything but size.
//!
//! It has the default model's metadata keys, tensor names and types (4-bit matrices with minima, an 8-bit tied
//! embedding, float32 norms), three query heads for each key–value head, and a width that is an odd number of blocks,
//! so that whatever handles it handles the real one. Its answers mean nothing.
//!
//! The same bytes come out on every machine: integer random numbers, and after them only float operations that
//! IEEE 754 defines to the bit.

use candor::Result;
use candor::gguf::{Array, GgufWriter, Metadata, QuantizedType, TensorPlan, Value, quantize_row};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::vocabulary::Vocabulary;

const SEED: u64 = 20_240_601;
const LAYERS: usize = 3;
const WIDTH: usize = 96;
const HEADS: usize = 6;
const KV_HEADS: usize = 2;
const HEAD_WIDTH: usize = WIDTH / HEADS;
const FEED_FORWARD: usize = 256;
const CONTEXT: u32 = 1024;
/// Tokens: special ones, bytes and merges together.
const VOCABULARY: usize = 512;

const CHAT_TEMPLATE: &str = "{% for message in messages %}\
    {% if loop.first and message['role'] != 'system' %}\
    {{ '<|im_start|>system\\nYou answer with one word.<|im_end|>\\n' }}{% endif %}\
    {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// What a tensor is filled with.
enum Fill {
    /// Random weights with this standard deviation.
    Weights(f32),
    /// Norm gains about one, with a few large ones: real models have outlier channels too, and they are what
    /// quantized activations stumble over.
    Gains,
}

/// The file's bytes.
pub fn make() -> Result<Vec<u8>> {
    let tensors = tensors();
    let plans: Vec<TensorPlan> = tensors.iter().map(|(plan, _)| plan.clone()).collect();
    let mut writer = GgufWriter::new(Vec::new(), &metadata(), &plans)?;
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    for (plan, fill) in &tensors {
        let count = plan.shape.iter().product();
        let values: Vec<f32> = match fill {
            Fill::Weights(deviation) => (0..count).map(|_| bell(&mut random) * deviation).collect(),
            Fill::Gains => (0..count).map(|i| (1.0 + 0.1 * bell(&mut random)) * outlier(i)).collect(),
        };
        let mut bytes = Vec::new();
        quantize_row(plan.kind, &values, &mut bytes)?;
        writer.write_tensor(&plan.name, &bytes)?;
    }
    writer.finish()
}

fn outlier(channel: usize) -> f32 {
    if channel % 37 == 5 { 6.0 } else { 1.0 }
}

/// A random number of mean 0 and variance 1: the sum of twelve uniform ones, which needs no transcendental function.
fn bell(random: &mut ChaCha8Rng) -> f32 {
    let sum: u64 = (0..12).map(|_| u64::from(random.next_u32() >> 8)).sum();
    (sum as f32 / (1 << 24) as f32) - 6.0
}

/// All tensors, the embedding first.
fn tensors() -> Vec<(TensorPlan, Fill)> {
    let matrix = |name: String, columns: usize, rows: usize, gain: f32| {
        let deviation = gain / (columns as f32).sqrt();
        (TensorPlan::new(name, [columns, rows], QuantizedType::Q4_1), Fill::Weights(deviation))
    };
    let norm = |name: String| (TensorPlan::new(name, [WIDTH], QuantizedType::F32), Fill::Gains);
    let kv_width = KV_HEADS * HEAD_WIDTH;
    let embedding = TensorPlan::new("token_embd.weight", [WIDTH, VOCABULARY], QuantizedType::Q8_0);
    let mut tensors = vec![(embedding, Fill::Weights(0.2))];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        tensors.extend([
            norm(name("attn_norm")),
            matrix(name("ffn_down"), FEED_FORWARD, WIDTH, 1.0),
            matrix(name("ffn_gate"), WIDTH, FEED_FORWARD, 1.0),
            matrix(name("ffn_up"), WIDTH, FEED_FORWARD, 1.0),
            norm(name("ffn_norm")),
            matrix(name("attn_k"), WIDTH, kv_width, 1.0),
            matrix(name("attn_output"), WIDTH, WIDTH, 1.0),
            matrix(name("attn_q"), WIDTH, WIDTH, 1.0),
            matrix(name("attn_v"), WIDTH, kv_width, 1.0),
        ]);
    }
    tensors.push(norm("output_norm.weight".into()));
    tensors
}

/// All keys of the default model, in its order.
fn metadata() -> Metadata {
    let vocabulary = Vocabulary::new(VOCABULARY);
    let text = |text: &str| Value::String(text.into());
    let number = |number: usize| Value::U32(number as u32);
    let strings = |strings: &[String]| Value::Array(Array::String(strings.iter().collect()));
    [
        ("general.architecture", text("llama")),
        ("general.type", text("model")),
        ("general.name", text("Candor tiny")),
        ("general.organization", text("Candor")),
        ("general.finetune", text("random")),
        ("general.basename", text("tiny")),
        ("general.size_label", text("0.3M")),
        ("general.license", text("mit")),
        ("general.languages", strings(&["en".to_string()])),
        ("llama.block_count", number(LAYERS)),
        ("llama.context_length", Value::U32(CONTEXT)),
        ("llama.embedding_length", number(WIDTH)),
        ("llama.feed_forward_length", number(FEED_FORWARD)),
        ("llama.attention.head_count", number(HEADS)),
        ("llama.attention.head_count_kv", number(KV_HEADS)),
        ("llama.rope.freq_base", Value::F32(100_000.0)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        // llama.cpp's number for "mostly Q4_1".
        ("general.file_type", Value::U32(3)),
        ("llama.vocab_size", number(VOCABULARY)),
        ("llama.rope.dimension_count", number(HEAD_WIDTH)),
        ("tokenizer.ggml.add_space_prefix", Value::Bool(false)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("smollm")),
        ("tokenizer.ggml.tokens", strings(&vocabulary.tokens)),
        ("tokenizer.ggml.token_type", Value::Array(Array::I32(vocabulary.types))),
        ("tokenizer.ggml.merges", strings(&vocabulary.merges)),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.ggml.unknown_token_id", Value::U32(0)),
        ("tokenizer.ggml.padding_token_id", Value::U32(2)),
        ("tokenizer.chat_template", text(CHAT_TEMPLATE)),
        ("general.quantization_version", Value::U32(2)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value))
    .collect()
}
