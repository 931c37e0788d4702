//! How fast an adapter is: one product, and what the adapter can do at best.

use super::device::{Adapter, Buffer, Device};
use super::kernels::{Kernel, Kernels, Recording};
use super::matrix::{Matrix, Product, then};
use crate::error::Result;
use crate::gguf::QuantizedType;
use crate::platform;

/// What an adapter does at best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peaks {
    /// Float32 operations a second, a multiply-add being two.
    pub operations: f64,
    /// Bytes read and written a second.
    pub bytes: f64,
}

/// Runs of which the quickest counts; the first makes the pipeline.
const RUNS: usize = 4;

/// Seconds of the quickest of a few runs of what `record` records; `out` is something it writes.
///
/// # Errors
/// A device that fails.
async fn quickest<'a>(
    device: &'a Device,
    kernels: &'a Kernels,
    out: &'a Buffer,
    record: impl Fn(&mut Recording<'a>),
) -> Result<f64> {
    let mut seconds = f64::INFINITY;
    for _ in 0..RUNS {
        let started = platform::now();
        let results = device.results(16);
        // Reading a few bytes of the result says that it is done.
        let mut recording = Recording::new(device, kernels);
        record(&mut recording);
        recording.submit();
        let mut reading = Recording::new(device, kernels);
        reading.copy(out, 0, &results, 0, 16);
        reading.submit();
        device.read(&results).await?;
        seconds = seconds.min(platform::now() - started);
    }
    Ok(seconds)
}

/// Seconds that an adapter takes for the product of a matrix with `x` (tokens × columns), once it is warm.
///
/// # Errors
/// No device, or one that fails.
pub async fn time_product(
    adapter: &Adapter,
    kind: QuantizedType,
    rows: usize,
    columns: usize,
    bytes: &[u8],
    x: &[f32],
) -> Result<f64> {
    let device = adapter.open().await?;
    let kernels = Kernels::default();
    let matrix = Matrix::new(&device, kind, rows, columns, bytes)?;
    let tokens = x.len() / columns;
    let x = device.buffer_of(x);
    let out = device.buffer((tokens * matrix.stride() * 4) as u64);
    let product = Product { x: &x, first_token: 0, tokens, out: &out, then: then::STORE, bias: None };
    quickest(&device, &kernels, &out, |recording| matrix.multiply(recording, product)).await
}

/// What an adapter does at best, for benchmarks.
///
/// # Errors
/// No device, or one that fails.
pub async fn peaks(adapter: &Adapter) -> Result<Peaks> {
    // Work for about a tenth of a second on a program on the processor; on hardware a hundred times as much.
    let groups: u32 = if adapter.software { 64 } else { 8192 };
    const ROUNDS: u32 = 4096;
    const LANES: u32 = 64;
    let device = adapter.open().await?;
    let kernels = Kernels::default();
    let none = Vec::new();
    let factor = device.buffer_of(&[0.5_f32; 4]);
    let sums = device.buffer(u64::from(groups * LANES) * 16);
    let seconds = quickest(&device, &kernels, &sums, |recording| {
        recording.call(Kernel::PeakArithmetic, &none, &[ROUNDS], &[&factor, &sums], [groups, 1, 1]);
    })
    .await?;
    let operations = f64::from(groups * LANES) * f64::from(ROUNDS) * 8.0 * 4.0 * 2.0 / seconds;

    let vectors: u32 = 4 << 20;
    let (from, to) = (device.buffer(u64::from(vectors) * 16), device.buffer(u64::from(vectors) * 16));
    let seconds = quickest(&device, &kernels, &to, |recording| {
        recording.call(Kernel::PeakCopy, &none, &[vectors], &[&from, &to], [65_535.min(vectors / LANES), 1, 1]);
    })
    .await?;
    let copied = u64::from(65_535.min(vectors / LANES)) * u64::from(LANES) * 16;
    Ok(Peaks { operations, bytes: 2.0 * copied as f64 / seconds })
}
