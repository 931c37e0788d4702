//! The graphics kernels' products, shape by shape, beside what the adapter can do at best.
//!
//! Both peaks are measured on the spot: multiply-adds on registers alone, and a copy. A product's bytes are its weights
//! as the kernel reads them once, so with few tokens the memory bounds it and with many the arithmetic. Shapes are the
//! default model's. `CANDOR_TOKENS=1,8,64` measures other batches.

#![cfg(not(target_arch = "wasm32"))]

use candor::engine::gpu::device::Adapter;
use candor::engine::gpu::measure::{peaks, time_product};
use candor::gguf::{QuantizedType, quantize_row};

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

fn main() {
    let Some(adapter) = pollster::block_on(Adapter::find()) else {
        return println!("there is no graphics adapter here");
    };
    let best = pollster::block_on(peaks(&adapter)).expect("the adapter computes");
    let (operations, bytes) = (best.operations / 1e9, best.bytes / 1e9);
    println!("{}: at best {operations:.1} GFLOP/s, {bytes:.1} GB/s", adapter.name);
    let tokens = std::env::var("CANDOR_TOKENS").unwrap_or_else(|_| "1,32,256".to_owned());
    let tokens: Vec<usize> = tokens.split(',').filter_map(|count| count.trim().parse().ok()).collect();
    println!(
        "{:<24} {:>7} {:>9} {:>9} {:>6} {:>8} {:>6}",
        "product", "tokens", "ms", "GFLOP/s", "peak", "GB/s", "peak"
    );
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
        for &tokens in &tokens {
            // The head runs for a text's last token only.
            if rows > 10_000 && tokens > 32 {
                continue;
            }
            let x = numbers(tokens * columns);
            let seconds = pollster::block_on(time_product(&adapter, kind, rows, columns, &packed, &x));
            let seconds = seconds.expect("the adapter computes");
            let done = 2.0 * (rows * columns * tokens) as f64 / seconds / 1e9;
            let read = packed.len() as f64 / seconds / 1e9;
            println!(
                "{:<24} {tokens:>7} {:>9.2} {done:>9.2} {:>5.0}% {read:>8.2} {:>5.0}%",
                format!("{kind} {rows} × {columns}"),
                seconds * 1e3,
                100.0 * done / operations,
                100.0 * read / bytes,
            );
        }
    }
}
