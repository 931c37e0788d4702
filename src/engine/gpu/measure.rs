//! How fast a device is: one product, and what the device can do at best.

use super::device::{Buffer, Device};
use super::forward::AttentionCall;
use super::head::{Head, SLICES};
use super::kernels::{Kernel, Recording};
use super::matrix::{Matrix, Product, then};
use super::narrow::Room;
use super::rung::Rung;
use crate::engine::batch::Query;
use crate::engine::weights::Source;
use crate::error::Result;
use crate::platform;

/// What an adapter does at best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peaks {
    /// Float32 operations a second, a multiply-add being two.
    pub operations: f64,
    /// Bytes read and written a second.
    pub bytes: f64,
}

/// Runs of which the quickest counts, after one that makes the pipeline.
const RUNS: usize = 3;

/// Seconds that a run on a hardware device should take at least, so that starting it and waiting for it does not count
/// for much, and how often it does the same at most for that.
const RUN_SECONDS: f64 = 0.02;
const MOST_TIMES: f64 = 256.0;

/// Seconds of the quickest of a few runs of what `record` records; `out` is something it writes.
///
/// # Errors
/// A device that fails.
pub(super) async fn quickest<'a>(
    device: &'a Device,
    out: &'a Buffer,
    record: impl Fn(&mut Recording<'a>),
) -> Result<f64> {
    run(device, out, &record, 1).await?;
    let warm = run(device, out, &record, 1).await?;
    // A program on the processor takes long enough for once to tell.
    if device.software {
        return Ok(warm);
    }
    let times = (RUN_SECONDS / warm).clamp(1.0, MOST_TIMES) as usize;
    let mut seconds = f64::INFINITY;
    for _ in 0..RUNS {
        seconds = seconds.min(run(device, out, &record, times).await?);
    }
    Ok(seconds)
}

/// Seconds for each of `times` times the same, done one after the other.
async fn run<'a>(
    device: &'a Device,
    out: &'a Buffer,
    record: &impl Fn(&mut Recording<'a>),
    times: usize,
) -> Result<f64> {
    let (started, since) = (platform::now(), device.moment());
    let results = device.results(16);
    let mut recording = Recording::new(device);
    for _ in 0..times {
        record(&mut recording);
    }
    recording.submit();
    // Reading a few bytes of the result says that it is done.
    let mut reading = Recording::new(device);
    reading.copy(out, 0, &results, 0, 16);
    reading.submit();
    device.read(&results, since).await?;
    Ok((platform::now() - started) / times as f64)
}

/// Seconds that a device takes for the product of a matrix with `x` (tokens × columns) on a rung, once it is warm: what
/// makes the activations narrow is part of it.
///
/// # Errors
/// A device that fails.
pub async fn time_product(device: &Device, rung: Rung, source: &impl Source, x: &[f32]) -> Result<f64> {
    let matrix = Matrix::new(device, source);
    let (count, tokens) = (x.len(), x.len() / source.columns());
    let (x, room) = (device.buffer_of(x), Room::new(device, count));
    let out = device.buffer((tokens * matrix.stride() * 4) as u64);
    quickest(device, &out, |recording| {
        let x = room.input(recording, rung, &x, count);
        let product = Product { x, first_token: 0, tokens, out: &out, then: then::STORE, bias: None };
        matrix.multiply(recording, product);
    })
    .await
}

/// What a device does at best, for benchmarks.
///
/// # Errors
/// A device that fails.
pub async fn peaks(device: &Device) -> Result<Peaks> {
    // Work for about a tenth of a second on a program on the processor; on hardware a hundred times as much.
    let groups: u32 = if device.software { 64 } else { 8192 };
    const ROUNDS: u32 = 4096;
    const LANES: u32 = 64;
    let none = Vec::new();
    let factor = device.buffer_of(&[0.5_f32; 4]);
    let sums = device.buffer(u64::from(groups * LANES) * 16);
    let seconds = quickest(device, &sums, |recording| {
        recording.call(Kernel::PeakArithmetic, &none, &[ROUNDS], &[&factor, &sums], [groups, 1, 1]);
    })
    .await?;
    let operations = f64::from(groups * LANES) * f64::from(ROUNDS) * 8.0 * 4.0 * 2.0 / seconds;

    let vectors: u32 = 4 << 20;
    let (from, to) = (device.buffer(u64::from(vectors) * 16), device.buffer(u64::from(vectors) * 16));
    let seconds = quickest(device, &to, |recording| {
        recording.call(Kernel::PeakCopy, &none, &[vectors], &[&from, &to], [65_535.min(vectors / LANES), 1, 1]);
    })
    .await?;
    let copied = u64::from(65_535.min(vectors / LANES)) * u64::from(LANES) * 16;
    Ok(Peaks { operations, bytes: 2.0 * copied as f64 / seconds })
}

/// What a kernel took, and what it did at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Seconds, once warm.
    pub seconds: f64,
    /// Float32 operations, a multiply-add being two.
    pub operations: f64,
    /// Bytes that are read and written, each once.
    pub bytes: f64,
}

/// An attention to measure: segments of the same length over one prefix.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Dimensions of a head.
    pub head_width: usize,
    /// Positions of the prefix.
    pub prefix: usize,
    /// Tokens of a segment.
    pub segment: usize,
}

/// What the attention of a layer takes for `tokens` tokens.
///
/// # Errors
/// A device that fails.
pub async fn time_attention(device: &Device, shape: Attention, tokens: usize) -> Result<Cost> {
    let (query, kv) = (shape.heads * shape.head_width, shape.kv_heads * shape.head_width);
    let numbers = |rows: usize, width: usize| device.buffer_of(&vec![0.5_f32; rows * width]);
    let [queries, out] = [(); 2].map(|()| numbers(tokens, query));
    let [prefix_keys, prefix_values] = [(); 2].map(|()| numbers(shape.prefix.max(1), kv));
    let [keys, values] = [(); 2].map(|()| numbers(tokens, kv));
    let place = |row: usize| [row % shape.segment, row - row % shape.segment, row % shape.segment + 1, 0];
    let places: Vec<u32> = (0..tokens).flat_map(|row| place(row).map(|number| number as u32)).collect();
    let seen: u32 = places.iter().skip(2).step_by(4).map(|own| own + shape.prefix as u32).sum();
    let places = device.buffer_of(&places);
    let call = AttentionCall {
        heads: [shape.heads, shape.kv_heads, shape.head_width],
        rows: tokens,
        prefix: shape.prefix,
        buffers: [&queries, &prefix_keys, &prefix_values, &keys, &values, &places, &out],
    };
    let seconds = quickest(device, &out, |recording| call.record(recording)).await?;
    let operations = 4.0 * f64::from(seen) * query as f64;
    Ok(Cost { seconds, operations, bytes: 4.0 * (2 * tokens * query + 2 * (tokens + shape.prefix) * kv) as f64 })
}

/// What the norm of `tokens` rows takes.
///
/// # Errors
/// A device that fails.
pub async fn time_norm(device: &Device, width: usize, tokens: usize) -> Result<Cost> {
    let [x, out] = [(); 2].map(|()| device.buffer_of(&vec![0.5_f32; tokens * width]));
    let weight = device.buffer_of(&vec![1.0_f32; width]);
    let sizes = [width as u32 / 4, width as u32 / 4, 1e-5_f32.to_bits()];
    let seconds = quickest(device, &out, |recording| {
        recording.call(Kernel::RmsNorm, &Vec::new(), &sizes, &[&x, &weight, &out], [tokens as u32, 1, 1]);
    })
    .await?;
    let count = (tokens * width) as f64;
    Ok(Cost { seconds, operations: 4.0 * count, bytes: 8.0 * count })
}

/// What reading `rows` rows of logits takes, without the product that makes them: sum, asked-for tokens, the most likely.
///
/// # Errors
/// A device that fails.
pub async fn time_head(device: &Device, vocabulary: usize, rows: usize) -> Result<Cost> {
    let query = Query { gather: (0..64).collect(), top: 40 };
    let logits: Vec<f32> = (0..rows * vocabulary).map(|i| (i as f32 * 0.37).sin()).collect();
    let (logits, head) = (device.buffer_of(&logits), Head::new(device, rows, &query));
    let partial = device.buffer((rows * SLICES * 8) as u64);
    let seconds = quickest(device, &partial, |recording| {
        recording.clear(head.counts());
        head.read_logits(recording, &logits, &partial, [0, rows], [vocabulary, vocabulary]);
    })
    .await?;
    let count = (rows * vocabulary) as f64;
    // An exponential counts as one operation.
    Ok(Cost { seconds, operations: 4.0 * count, bytes: 3.0 * 4.0 * count })
}
