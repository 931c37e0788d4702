//! The graphics kernels, shape by shape, beside what the adapter can do at best.
//!
//! Both peaks are measured on the spot: multiply-adds on registers alone, and a copy. Bytes are what a kernel must read
//! and write at least, each once, so with few tokens the memory bounds a product and with many the arithmetic. Shapes
//! are the default model's; products are measured on every rung that the adapter has. `CANDOR_TOKENS=1,8,64` measures
//! other batches.

#![cfg(not(target_arch = "wasm32"))]

use candor::engine::Rung;
use candor::engine::cpu::matrix::Matrix;
use candor::engine::gpu::device::{Adapter, Device};
use candor::engine::gpu::measure::{Attention, Cost, Peaks, peaks, time_attention, time_head, time_norm, time_product};
use candor::gguf::{QuantizedType, quantize_row};

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

fn line(name: &str, tokens: usize, cost: Cost, best: Peaks) {
    let (operations, bytes) = (cost.operations / cost.seconds, cost.bytes / cost.seconds);
    println!(
        "{name:<34} {tokens:>6} {:>9.3} {:>9.2} {:>5.0}% {:>8.2} {:>5.0}%",
        cost.seconds * 1e3,
        operations / 1e9,
        100.0 * operations / best.operations,
        bytes / 1e9,
        100.0 * bytes / best.bytes,
    );
}

async fn products(adapter: &Adapter, device: &Device, best: Peaks, tokens: &[usize]) {
    for (kind, rows, columns) in [
        (QuantizedType::Q4_1, 576, 576),
        (QuantizedType::Q4_1, 192, 576),
        (QuantizedType::Q4_1, 1536, 576),
        (QuantizedType::Q4_1, 576, 1536),
        (QuantizedType::Q4_K, 1536, 512),
        (QuantizedType::Q6_K, 1536, 512),
        (QuantizedType::F16, 1536, 576),
        (QuantizedType::Q8_0, 49_152, 576),
    ] {
        let mut packed = Vec::new();
        quantize_row(kind, &numbers(rows * columns), &mut packed).expect("finite numbers in whole blocks");
        let bytes = packed.len();
        let matrix = Matrix::new(kind, rows, columns, packed).expect("as many bytes as the shape needs");
        // The head runs for a text's last token only.
        for &tokens in tokens.iter().filter(|tokens| rows < 10_000 || **tokens <= 32) {
            let x = numbers(tokens * columns);
            for rung in Rung::ALL.into_iter().filter(|rung| adapter.lacks(*rung).is_none()) {
                let seconds = time_product(device, rung, &matrix, &x).await.expect("the adapter computes");
                let operations = 2.0 * (rows * columns * tokens) as f64;
                let bytes = (bytes + 4 * tokens * (rows + columns)) as f64;
                let name = format!("{kind} {rows} × {columns}, {}", rung.name());
                line(&name, tokens, Cost { seconds, operations, bytes }, best);
            }
        }
    }
}

async fn others(device: &Device, best: Peaks, tokens: &[usize]) {
    for &tokens in tokens {
        let shape = Attention { heads: 9, kv_heads: 3, head_width: 64, prefix: 128, segment: tokens.min(32) };
        let cost = time_attention(device, shape, tokens).await.expect("the adapter computes");
        line("attention, 9 × 64 over 128", tokens, cost, best);
        line("norm, 576", tokens, time_norm(device, 576, tokens).await.expect("the adapter computes"), best);
        let rows = tokens.min(32);
        let cost = time_head(device, 49_152, rows).await.expect("the adapter computes");
        line("reading logits, 49152", rows, cost, best);
    }
}

fn main() {
    let Some(adapter) = pollster::block_on(Adapter::find()) else {
        return println!("there is no graphics adapter here");
    };
    let device = pollster::block_on(adapter.open()).expect("the adapter gives a device");
    let best = pollster::block_on(peaks(&device)).expect("the adapter computes");
    let (operations, bytes) = (best.operations / 1e9, best.bytes / 1e9);
    println!("{}: at best {operations:.1} GFLOP/s, {bytes:.1} GB/s", adapter.name);
    let tokens = std::env::var("CANDOR_TOKENS").unwrap_or_else(|_| "1,32,256".to_owned());
    let tokens: Vec<usize> = tokens.split(',').filter_map(|count| count.trim().parse().ok()).collect();
    println!("{:<34} {:>6} {:>9} {:>9} {:>6} {:>8} {:>6}", "kernel", "tokens", "ms", "GFLOP/s", "peak", "GB/s", "peak");
    pollster::block_on(products(&adapter, &device, best, &tokens));
    pollster::block_on(others(&device, best, &tokens));
}
