//! The CPU kernels one by one, with each instruction set that this machine has.
//!
//! Matrix products report multiply-adds a second (criterion's elements), so that they can be held against what the
//! processor can do: an AVX2 core multiplies and adds 32 pairs of 16-bit integers a cycle at best, a float32 core 16.
//! The peak that is printed first is measured: the same instructions on registers alone. Shapes are the default model's.

#![cfg(not(target_arch = "wasm32"))]

use std::hint::black_box;

use candor::engine::cpu::activations::Activations;
use candor::engine::cpu::attention::{Context, KeysAndValues, Place, attention};
use candor::engine::cpu::head::read_logits;
use candor::engine::cpu::instructions::{InstructionSet, Kernel, Set, dispatch_to};
use candor::engine::cpu::layers;
use candor::engine::cpu::matrix::Matrix;
use candor::engine::{ModelConfig, Query};
use candor::gguf::{GgufFile, QuantizedType, quantize_row};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0).collect()
}

fn matrix(kind: QuantizedType, rows: usize, columns: usize) -> Matrix {
    let mut bytes = Vec::new();
    quantize_row(kind, &numbers(rows * columns), &mut bytes).expect("finite numbers in whole blocks");
    Matrix::new(kind, rows, columns, bytes).expect("the bytes are of this shape")
}

/// Multiplies sixteen outputs' weights and a pair of activations again and again, in registers.
struct Peak {
    rounds: usize,
}

/// Independent sums: enough to hide the latency of a product.
const CHAINS: usize = 6;

impl Kernel for Peak {
    type Output = [i16; 32];

    #[inline(always)]
    fn run<S: InstructionSet>(self) -> [i16; 32] {
        let mut weights = [3_i16; 32];
        // SAFETY: 32 numbers are there.
        let pairs = unsafe { S::load_pairs(weights.as_ptr()) };
        let mut sums = [S::no_sums(); CHAINS];
        for round in 0..self.rounds {
            for sum in &mut sums {
                *sum = S::add_pairs(*sum, pairs, round as i32);
            }
        }
        let _ = black_box(sums);
        // SAFETY: 32 numbers are there.
        unsafe { S::store_pairs(weights.as_mut_ptr(), pairs) };
        weights
    }
}

fn peak(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("peak of 16-bit multiply-adds, one thread");
    let rounds = 100_000;
    group.throughput(Throughput::Elements((rounds * CHAINS * 32) as u64));
    for set in Set::available() {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| dispatch_to(set, Peak { rounds: black_box(rounds) }))
        });
    }
    group.finish();
}

fn products(criterion: &mut Criterion) {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
    for kind in ["Q4_1", "Q4_0", "Q4_K", "Q8_0", "Q6_K", "F16", "F32"] {
        let kind = QuantizedType::all().find(|other| other.name() == kind).expect("a type that exists");
        let (rows, columns) = (1536, 768);
        let matrix = matrix(kind, rows, columns);
        let mut group = criterion.benchmark_group(format!("{kind} {rows} × {columns}, one thread"));
        for tokens in [1, 8, 32, 128] {
            let x = numbers(tokens * columns);
            group.throughput(Throughput::Elements((rows * columns * tokens) as u64));
            for set in Set::available() {
                group.bench_with_input(BenchmarkId::new(set.name(), tokens), &x, |bencher, x| {
                    let multiply = || matrix.multiply_with(set, &Activations::new(x.clone(), columns));
                    bencher.iter(|| one_thread.install(multiply));
                });
            }
        }
        group.finish();
    }
}

fn small_pieces(criterion: &mut Criterion) {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
    let tiny = std::io::Cursor::new(include_bytes!("../models/tiny.gguf"));
    let file = GgufFile::open(tiny).expect("the project's own model");
    let config = ModelConfig::from_gguf(&file.metadata).expect("the project's own model");
    let config = ModelConfig { heads: 9, kv_heads: 3, head_width: 64, ..config };
    let mut group = criterion.benchmark_group("small pieces, 64 tokens, one thread");
    let tokens = 64;
    let (width, kv_width) = (config.query_width(), config.kv_width());
    for before in [64, 1024] {
        let mut prefix = KeysAndValues::default();
        prefix.extend(&numbers(before * kv_width), &numbers(before * kv_width), kv_width);
        let (queries, keys) = (numbers(tokens * width), numbers(tokens * kv_width));
        let ranges = || (0..tokens / 16).map(|segment| segment * 16..segment * 16 + 16);
        let places: Vec<Place> = (0..tokens).map(|row| Place { segment: row / 16, sees: row % 16 + 1 }).collect();
        let attend = || {
            let context = Context::new(&prefix, &keys, &keys, ranges(), kv_width);
            attention(&config, &queries, &context, &places)
        };
        group
            .bench_function(format!("attention after {before}"), |bencher| bencher.iter(|| one_thread.install(attend)));
    }
    let (gate, up) = (numbers(tokens * 1536), numbers(tokens * 1536));
    group.bench_function("silu gate", |bencher| {
        bencher.iter(|| {
            let mut gate = gate.clone();
            one_thread.install(|| layers::silu_gate(&mut gate, &up, 1536));
            gate
        });
    });
    let weight = numbers(576);
    let x = numbers(tokens * 576);
    group.bench_function("RMS norm", |bencher| {
        bencher.iter(|| one_thread.install(|| layers::rms_norm(&x, &weight, 1e-5)));
    });
    let logits = numbers(49_152);
    let query = Query { gather: vec![7, 4_000], top: 12 };
    group.bench_function("log-sum-exp and top 12 of 49,152", |bencher| bencher.iter(|| read_logits(&logits, &query)));
    group.finish();
}

criterion_group! {
    name = kernels;
    config = Criterion::default().sample_size(10).measurement_time(std::time::Duration::from_millis(500))
        .warm_up_time(std::time::Duration::from_millis(100)).without_plots();
    targets = peak, products, small_pieces
}
criterion_main!(kernels);
