//! Every shader validated without a device; every kernel against a plain loop, on whatever adapter is here.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::device::{Adapter, Buffer, Device, STORAGE_BUFFERS, floats_in};
use super::forward::AttentionCall;
use super::head::{Head, SLICES};
use super::kernels::{Kernel, Recording, shaders, source};
use super::layout::{Layout, Packed};
use super::low_rank::DeviceAdapter;
use super::matrix::{Matrix, Product, then};
use super::narrow::{Input, Narrow, Room};
use super::rung::Rung;
use crate::engine::adapter::tests::adapter;
use crate::engine::adapter::{LowRank, Projection};
use crate::engine::batch::Query;
use crate::engine::config::RopeLayout;
use crate::engine::config::tests::config;
use crate::engine::weights::{Form, Source};
use crate::gguf::{Group, QuantizedType, dequantize_row, for_each_group, random_blocks};
use crate::numeric::log_sum_exp;

/// A device to test on. Where there is none, tests say so in a line and end; in continuous integration that is a
/// failure.
fn device() -> Option<Device> {
    device_for(Rung::Float32)
}

/// The same for a rung that not every adapter has.
fn device_for(rung: Rung) -> Option<Device> {
    let adapter = pollster::block_on(Adapter::find());
    match adapter {
        Some(adapter) if adapter.lacks(rung).is_none() => Some(pollster::block_on(adapter.open()).unwrap()),
        Some(adapter) => {
            eprintln!("skipped: {} has no {}", adapter.name, adapter.lacks(rung).unwrap());
            None
        }
        None if std::env::var_os("CI").is_some() => {
            panic!("a graphics adapter is needed in CI: Mesa's lavapipe will do")
        }
        None => {
            eprintln!("skipped: there is no graphics adapter here");
            None
        }
    }
}

/// A tensor as a file has it.
struct Tensor {
    kind: QuantizedType,
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
}

impl Tensor {
    fn random(kind: QuantizedType, rows: usize, columns: usize, seed: u64) -> Self {
        let bytes = random_blocks(kind, rows * columns / kind.block_size(), seed);
        Self { kind, rows, columns, bytes }
    }

    fn row(&self, row: usize) -> &[u8] {
        let bytes = self.kind.row_bytes(self.columns).unwrap();
        &self.bytes[row * bytes..][..bytes]
    }

    /// Its weights as float32, row after row.
    fn weights(&self) -> Vec<f32> {
        let mut weights = vec![0.0; self.rows * self.columns];
        dequantize_row(self.kind, &self.bytes, &mut weights).unwrap();
        weights
    }
}

impl Source for Tensor {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn form(&self) -> Form {
        use QuantizedType::{BF16, F16, F32, Q2_K, Q3_K, Q4_1, Q4_K, Q6_K};
        match self.kind {
            F32 | F16 | BF16 => Form::Floats(self.kind),
            Q4_1 | Q4_K => Form::Integers { bits: 4, span: 32 },
            Q2_K => Form::Integers { bits: 4, span: 16 },
            Q3_K | Q6_K => Form::Integers { bits: 8, span: 16 },
            _ => Form::Integers { bits: 8, span: 32 },
        }
    }

    fn groups(&self, row: usize, each: &mut dyn FnMut(usize, &Group)) {
        for_each_group(self.kind, self.row(row), each).unwrap();
    }

    fn floats(&self, row: usize) -> &[u8] {
        self.row(row)
    }
}

fn random_floats(random: &mut impl Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// Runs what is recorded, and reads `buffer`.
fn run<'a>(device: &'a Device, buffer: &Buffer, record: impl FnOnce(&mut Recording<'a>)) -> Vec<f32> {
    let mut recording = Recording::new(device);
    record(&mut recording);
    recording.submit();
    let results = device.results(buffer.bytes());
    let mut copying = Recording::new(device);
    copying.copy(buffer, 0, &results, 0, buffer.bytes());
    copying.submit();
    floats_in(&pollster::block_on(device.read(&results, device.moment())).unwrap())
}

/// Fails on the first number that differs by more than `tolerance`, relative to numbers above 1.
fn compare(name: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert!(got.len() >= want.len(), "{name}: {} numbers of {}", got.len(), want.len());
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(off <= tolerance * want.abs().max(1.0), "{name}: number {index} is {got} and should be {want}");
    }
}

#[test]
fn every_shader_is_valid_and_stays_within_the_default_limits() {
    let mut problems = Vec::new();
    for name in shaders() {
        let source = source(name);
        let module = match naga::front::wgsl::parse_str(&source) {
            Ok(module) => module,
            Err(error) => {
                problems.push(format!("{name}: {}", error.emit_to_string(&source)));
                continue;
            }
        };
        // All of WebGPU has this one: `unpack2x16float`.
        let mut capabilities = naga::valid::Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        // Those that say so are for devices that have it.
        if source.contains("enable f16;") {
            capabilities |= naga::valid::Capabilities::SHADER_FLOAT16;
        }
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities);
        if let Err(error) = validator.validate(&module) {
            problems.push(format!("{name}: {}", error.emit_to_string(&source)));
        }
        for entry in &module.entry_points {
            if entry.workgroup_size.iter().product::<u32>() > 256 {
                problems.push(format!("{name}: {} has more than 256 invocations", entry.name));
            }
        }
        // The sizes' fields have their comments where they are declared.
        let bindings = source.lines().zip(source.lines().skip(1)).filter(|(_, line)| line.starts_with("@group"));
        for (before, line) in bindings.filter(|(_, line)| !line.contains("var<uniform>")) {
            if !before.starts_with("//") {
                problems.push(format!("{name}: no comment on `{line}`"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn kernels_name_the_entry_points_and_bindings_of_their_shaders() {
    for kernel in Kernel::ALL {
        let (file, entry, buffers) = kernel.parts();
        let source = source(file);
        assert!(source.contains(&format!("fn {entry}(")), "{file} has no {entry}");
        assert!(buffers.len() <= STORAGE_BUFFERS as usize, "{entry} binds too many buffers");
        for (binding, _) in buffers {
            assert!(source.contains(&format!("@binding({binding})")), "{file} has no binding {binding}");
        }
    }
}

#[test]
fn packed_weights_are_those_of_the_file() {
    // Read back as the shader reads it, by its own rules, in plain Rust.
    let Some(device) = device() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for kind in QuantizedType::all() {
        let (rows, columns) = (9, 512);
        let tensor = Tensor::random(kind, rows, columns, 3);
        let weights = tensor.weights();
        let matrix = Matrix::new(&device, &tensor);
        let ids: Vec<u32> = (0..14).map(|_| random.random_range(0..rows as u32)).collect();
        let (ids_there, out) = (device.buffer_of(&ids), device.buffer((ids.len() * columns * 4) as u64));
        let got = run(&device, &out, |recording| matrix.embed(recording, &ids_there, ids.len(), &out));
        let want: Vec<f64> =
            ids.iter().flat_map(|id| &weights[*id as usize * columns..][..columns]).map(|w| f64::from(*w)).collect();
        // A device may fuse scale and minimum into one rounding.
        let largest = want.iter().fold(0.0_f64, |most, w| most.max(w.abs()));
        for (index, (got, want)) in got.iter().zip(&want).enumerate() {
            let off = (f64::from(*got) - want).abs();
            assert!(off <= 1e-6 * largest, "{kind}: weight {index} is {got} and should be {want}");
        }
    }
}

/// Products of every type on a rung, over odd shapes, against the plain loop over `taken(x)`: what the rung makes of the
/// activations.
fn check_products(device: &Device, rung: Rung, taken: impl Fn(&[f32]) -> Vec<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for kind in QuantizedType::all() {
        for (rows, blocks, tokens) in [(4, 1, 1), (33, 2, 9), (130, 1, 20), (5, 3, 17)] {
            let columns = if kind.block_size() <= 32 { 96 * blocks } else { kind.block_size() * blocks };
            let tensor = Tensor::random(kind, rows, columns, 7 + rows as u64);
            let (weights, matrix) = (tensor.weights(), Matrix::new(device, &tensor));
            let (x, bias) = (random_floats(&mut random, (tokens + 2) * columns), random_floats(&mut random, rows + 3));
            let before = random_floats(&mut random, tokens * matrix.stride());
            let added = random_floats(&mut random, tokens * matrix.stride());
            let [x_there, bias_there, added_there] = [&x, &bias, &added].map(|numbers| device.buffer_of(numbers));
            let room = Room::new(device, x.len());
            // A rung of integers takes the matrices of floats as they are.
            let is_float = !Layout::of(tensor.form()).is_integer();
            let seen: Vec<f64> = match rung {
                Rung::IntegerDot if is_float => x.iter().map(|x| f64::from(*x)).collect(),
                _ => x.chunks_exact(32).flat_map(&taken).collect(),
            };
            for then in [then::STORE, then::ADD_BIAS, then::ADD_TO_OUT, then::GATE, then::GATE | then::ADD_ROWS] {
                let out = device.buffer_of(&before);
                let bias_used = match then {
                    then::ADD_BIAS => Some(&bias_there),
                    _ => (then & then::ADD_ROWS != 0).then_some(&added_there),
                };
                let got = run(device, &out, |recording| {
                    let x = room.input(recording, rung, &x_there, x.len());
                    let product = Product { x, first_token: 2, tokens, out: &out, then, bias: bias_used };
                    matrix.multiply(recording, product);
                });
                for token in 0..tokens {
                    for row in 0..rows {
                        let pairs = weights[row * columns..][..columns].iter().zip(&seen[(token + 2) * columns..]);
                        let (mut sum, mut size) = (0.0, 1.0);
                        for (w, x) in pairs {
                            sum += f64::from(*w) * x;
                            size += (f64::from(*w) * x).abs();
                        }
                        let at = token * matrix.stride() + row;
                        let was = f64::from(before[at]);
                        let gate = was / (1.0 + (-was).exp());
                        let (want, size) = match then {
                            then::ADD_BIAS => (sum + f64::from(bias[row]), size + 1.0),
                            then::ADD_TO_OUT => (sum + was, size + 1.0),
                            then::GATE => (sum * gate, size * gate.abs()),
                            then::STORE => (sum, size),
                            _ => ((sum + f64::from(added[at])) * gate, (size + 1.0) * gate.abs()),
                        };
                        let off = (f64::from(got[at]) - want).abs();
                        let name = format!("{rung:?} {kind} {rows} × {columns}, {tokens} tokens, then {then}");
                        assert!(off <= 4e-6 * size + 1e-9, "{name}: token {token}, row {row}: {} for {want}", got[at]);
                    }
                }
            }
        }
    }
}

#[test]
fn every_product_equals_the_plain_loop_over_odd_shapes() {
    let Some(device) = device() else { return };
    check_products(&device, Rung::Float32, |x| x.iter().map(|x| f64::from(*x)).collect());
}

#[test]
fn products_of_halves_round_activations_and_nothing_else() {
    let Some(device) = device_for(Rung::Float16) else { return };
    check_products(&device, Rung::Float16, |x| x.iter().map(|x| half::f16::from_f32(*x).to_f64()).collect());
}

/// A device that is taken for hardware, so that products use the tiles that hardware gets.
fn taken_for_hardware(rung: Rung) -> Option<Device> {
    let mut device = device_for(rung)?;
    device.software = false;
    Some(device)
}

#[test]
fn products_in_the_tiles_of_hardware_equal_the_plain_loop() {
    let Some(device) = taken_for_hardware(Rung::Float32) else { return };
    check_products(&device, Rung::Float32, |x| x.iter().map(|x| f64::from(*x)).collect());
    let Some(device) = taken_for_hardware(Rung::IntegerDot) else { return };
    check_products(&device, Rung::IntegerDot, |x| {
        let (integers, scale) = quantized(x);
        integers.iter().map(|integer| f64::from(*integer) * f64::from(scale)).collect()
    });
}

#[test]
fn large_products_in_the_tiles_of_hardware_equal_the_plain_loop() {
    let Some(device) = taken_for_hardware(Rung::Float32) else { return };
    let mut random = ChaCha8Rng::seed_from_u64(12);
    // Just enough for the larger tiles, with a part of one left over both ways.
    let (rows, columns, tokens) = (578, 64, 3_630);
    let tensor = Tensor::random(QuantizedType::Q4_1, rows, columns, 5);
    let (weights, matrix) = (tensor.weights(), Matrix::new(&device, &tensor));
    let x = random_floats(&mut random, tokens * columns);
    let (x_there, out) = (device.buffer_of(&x), device.buffer((tokens * matrix.stride() * 4) as u64));
    let got = run(&device, &out, |recording| {
        let x = Input::exact(&x_there);
        matrix.multiply(recording, Product { x, first_token: 0, tokens, out: &out, then: then::STORE, bias: None });
    });
    for token in (0..tokens).step_by(7).chain(tokens - 20..tokens) {
        let x = &x[token * columns..][..columns];
        for (row, weights) in weights.chunks_exact(columns).enumerate() {
            let want: f64 = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
            let size: f64 = weights.iter().zip(x).map(|(w, x)| (f64::from(*w) * f64::from(*x)).abs()).sum();
            let got = f64::from(got[token * matrix.stride() + row]);
            assert!((got - want).abs() <= 4e-6 * size + 1e-9, "token {token}, row {row}: {got} for {want}");
        }
    }
}

/// 32 numbers as 16-bit integers with one scale: what the device should make of them.
fn quantized(x: &[f32]) -> (Vec<i32>, f32) {
    let most = x.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let inverse = if most > 0.0 { 32_512.0 / most } else { 0.0 };
    (x.iter().map(|x| (x * inverse).round_ties_even() as i32).collect(), most / 32_512.0)
}

#[test]
fn products_of_integers_round_activations_and_nothing_else() {
    let Some(device) = device_for(Rung::IntegerDot) else { return };
    check_products(&device, Rung::IntegerDot, |x| {
        let (integers, scale) = quantized(x);
        integers.iter().map(|integer| f64::from(*integer) * f64::from(scale)).collect()
    });
}

#[test]
fn activations_become_two_bytes_and_a_scale() {
    let Some(device) = device_for(Rung::IntegerDot) else { return };
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut x = random_floats(&mut random, 5 * 32);
    x[32..64].fill(0.0);
    x[64..96].iter_mut().for_each(|x| *x *= 1e-30);
    x[96] = 3e4;
    let x_there = device.buffer_of(&x);
    let room = Room::new(&device, x.len());
    let mut recording = Recording::new(&device);
    let input = room.input(&mut recording, Rung::IntegerDot, &x_there, x.len());
    recording.submit();
    let Some(Narrow::Integers { bytes, scales }) = input.narrow else { panic!("{input:?}") };
    let (words, scales) = (run(&device, bytes, |_| {}), run(&device, scales, |_| {}));
    for (block, x) in x.chunks_exact(32).enumerate() {
        let (want, scale) = quantized(x);
        let mut got = vec![0; 32];
        for (k8, words) in words[block * 16..][..16].chunks_exact(4).enumerate() {
            let [even, odd, even_low, odd_low] = [0, 1, 2, 3].map(|i| words[i].to_bits().to_le_bytes());
            for pair in 0..4 {
                let whole = |high: u8, low: u8| i32::from(high as i8) * 256 + i32::from(low as i8);
                got[k8 * 8 + 2 * pair] = whole(even[pair], even_low[pair]);
                got[k8 * 8 + 2 * pair + 1] = whole(odd[pair], odd_low[pair]);
            }
        }
        // A product that falls half way between two integers may go either way.
        assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() <= 1), "block {block}: {got:?}, {want:?}");
        let found = &scales[block * 4..][..4];
        assert!((found[0] - scale).abs() <= scale * 1e-6, "block {block}: {found:?} for {scale}");
        let sum = |range: std::ops::Range<usize>| got[range].iter().sum::<i32>() as f32 * found[0];
        for (found, want) in found[1..].iter().zip([sum(0..16), sum(16..32), sum(0..32)]) {
            assert!((found - want).abs() <= 1e-6 * want.abs(), "block {block}: {found} for {want}");
        }
    }
}

#[test]
fn the_path_of_an_adapter_is_added_at_its_scale() {
    let Some(device) = device() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let description = config(4, 2, 32);
    let parts = adapter(&description, 3);
    let there = DeviceAdapter::new(&device, &parts);
    assert_eq!(there.rank(), 32);
    assert!(there.part(1, Projection::Query).is_none());
    for projection in Projection::ALL {
        let (part, tokens): (&LowRank, _) = (parts.part(0, projection).unwrap(), 11);
        let path = there.part(0, projection).unwrap();
        let (x, before) =
            (random_floats(&mut random, tokens * part.inputs()), random_floats(&mut random, tokens * part.outputs()));
        let x_there = device.buffer_of(&x);
        let inner = device.buffer((tokens * there.rank() * 4) as u64);
        for then in [then::STORE, then::ADD_TO_OUT] {
            let out = device.buffer_of(&before);
            let got = run(&device, &out, |recording| path.record(recording, (&x_there, tokens), &inner, &out, then));
            let mut want = Vec::new();
            for (token, x) in x.chunks_exact(part.inputs()).enumerate() {
                for output in 0..part.outputs() {
                    let mut sum = 0.0;
                    for (r, down) in part.down().chunks_exact(part.inputs()).enumerate() {
                        let inner: f64 = down.iter().zip(x).map(|(a, x)| f64::from(*a) * f64::from(*x)).sum();
                        sum += f64::from(part.scale()) * f64::from(part.up()[r * part.outputs() + output]) * inner;
                    }
                    let was = f64::from(before[token * part.outputs() + output]);
                    want.push(if then == then::STORE { sum } else { was + sum });
                }
            }
            compare(&format!("{projection:?}, then {then}"), &got, &want, 2e-5);
        }
    }
}

#[test]
fn rows_of_a_matrix_in_parts_go_where_they_belong() {
    let Some(device) = device() else { return };
    // Wide enough that 16 MiB are reached: three parts.
    let (kind, rows, columns, tokens) = (QuantizedType::Q8_0, 2052, 16_384, 2);
    let tensor = Tensor::random(kind, rows, columns, 5);
    let matrix = Matrix::new(&device, &tensor);
    assert!(matrix.byte_count() > (rows * columns) as u64);
    // One column each, so that the plain loop is short.
    let mut x = vec![0.0; tokens * columns];
    x[3] = 1.0;
    x[columns + 16_000] = 1.0;
    let x_there = device.buffer_of(&x);
    let out = device.buffer((tokens * rows * 4) as u64);
    let product =
        Product { x: Input::exact(&x_there), first_token: 0, tokens, out: &out, then: then::STORE, bias: None };
    let got = run(&device, &out, |recording| matrix.multiply(recording, product));
    let mut weights = vec![0.0; columns];
    for row in 0..rows {
        dequantize_row(kind, tensor.row(row), &mut weights).unwrap();
        assert_eq!((got[row], got[rows + row]), (weights[3], weights[16_000]), "row {row}");
    }
}

#[test]
fn norms_rows_and_heads() {
    let Some(device) = device() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (rows, heads, width) in [(1, 1, 576), (7, 1, 4), (5, 3, 64), (3, 2, 160)] {
        let x = random_floats(&mut random, rows * heads * width);
        let weight = random_floats(&mut random, width);
        let (x_there, weight_there) = (device.buffer_of(&x), device.buffer_of(&weight));
        let out = device.buffer((x.len() * 4) as u64);
        let sizes = [width as u32 / 4, (heads * width) as u32 / 4, 1e-5_f32.to_bits()];
        let got = run(&device, &out, |recording| {
            let buffers = [&x_there, &weight_there, &out];
            recording.call(Kernel::RmsNorm, &Vec::new(), &sizes, &buffers, [rows as u32, heads as u32, 1]);
        });
        let want: Vec<f64> = (x.chunks_exact(width))
            .flat_map(|row| {
                let square: f64 = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / width as f64;
                let scale = 1.0 / (square + 1e-5).sqrt();
                row.iter().zip(&weight).map(move |(x, w)| f64::from(*x) * scale * f64::from(*w)).collect::<Vec<_>>()
            })
            .collect();
        compare(&format!("{rows} rows, {heads} heads of {width}"), &got, &want, 2e-6);
    }
}

#[test]
fn turns_pairs_by_their_positions() {
    let Some(device) = device() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(4);
    for (layout, heads, head_width, rope_width) in
        [(RopeLayout::Interleaved, 3, 64, 64), (RopeLayout::Halves, 2, 32, 32), (RopeLayout::Halves, 5, 48, 24)]
    {
        let description =
            crate::engine::ModelConfig { rope_layout: layout, rope_width, ..config(heads, heads, head_width) };
        let angles = crate::engine::rope::angles(&description, &[], 100..140);
        let rows: Vec<u32> = (0..33).map(|_| random.random_range(0..40)).collect();
        let x = random_floats(&mut random, rows.len() * heads * head_width);
        let pairs = rope_width / 2;
        let mut want: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        for (row, values) in want.chunks_exact_mut(heads * head_width).enumerate() {
            for head in values.chunks_exact_mut(head_width) {
                for pair in 0..pairs {
                    let (cosine, sine) = angles[rows[row] as usize * pairs + pair];
                    let (i, j) = match layout {
                        RopeLayout::Interleaved => (2 * pair, 2 * pair + 1),
                        RopeLayout::Halves => (pair, pair + pairs),
                    };
                    let (a, b) = (head[i], head[j]);
                    head[i] = a * f64::from(cosine) - b * f64::from(sine);
                    head[j] = a * f64::from(sine) + b * f64::from(cosine);
                }
            }
        }
        let flat: Vec<f32> = angles.into_iter().flat_map(<[f32; 2]>::from).collect();
        let places: Vec<u32> = rows.iter().flat_map(|row| [*row, 0, 0, 0]).collect();
        let (angles_there, places_there, out) =
            (device.buffer_of(&flat), device.buffer_of(&places), device.buffer_of(&x));
        let sizes = [heads as u32, head_width as u32, pairs as u32, u32::from(layout == RopeLayout::Interleaved)];
        let got = run(&device, &out, |recording| {
            let grid = [((heads * pairs) as u32).div_ceil(32), rows.len() as u32, 1];
            recording.call(Kernel::Rope, &Vec::new(), &sizes, &[&angles_there, &places_there, &out], grid);
        });
        compare(&format!("{layout:?}"), &got, &want, 1e-6);
    }
}

/// Softmax-weighted values for one row and head, in float64.
fn attend(query: &[f32], keys: &[&[f32]], values: &[&[f32]]) -> Vec<f64> {
    let dot = |key: &&[f32]| query.iter().zip(*key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>();
    let scores: Vec<f64> = keys.iter().map(|key| dot(key) / (query.len() as f64).sqrt()).collect();
    let total = log_sum_exp(&scores);
    let weighted = |d: usize| scores.iter().zip(values).map(|(s, v)| (s - total).exp() * f64::from(v[d])).sum();
    (0..query.len()).map(weighted).collect()
}

#[test]
fn attends_to_the_prefix_and_the_own_segments_past() {
    let Some(device) = device() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for (heads, kv_heads, head, prefix, segments) in [
        (3, 1, 64, 0, vec![1, 2, 3]),
        (4, 2, 32, 7, vec![5, 1, 40]),
        (2, 2, 128, 4, vec![6]),
        (2, 1, 96, 1, vec![3, 9]),
        (2, 1, 80, 33, vec![2]),
        (1, 1, 8, 3, vec![2]),
    ] {
        let (query_width, kv_width, tokens) = (heads * head, kv_heads * head, segments.iter().sum::<usize>());
        // Large scores, so that a softmax without care for its maximum would overflow.
        let queries: Vec<f32> = random_floats(&mut random, tokens * query_width).iter().map(|q| q * 40.0).collect();
        let [prefix_keys, prefix_values] = [(); 2].map(|()| random_floats(&mut random, prefix * kv_width));
        let [keys, values] = [(); 2].map(|()| random_floats(&mut random, tokens * kv_width));
        let (mut places, mut want, mut first) = (Vec::new(), Vec::new(), 0);
        for length in &segments {
            for row in 0..*length {
                places.extend([row as u32, first as u32, row as u32 + 1, 0]);
                for index in 0..heads {
                    let kv = index / (heads / kv_heads) * head;
                    let of = |before: &'_ [f32], own: &'_ [f32]| -> Vec<Vec<f32>> {
                        let own = own[first * kv_width..(first + row + 1) * kv_width].chunks_exact(kv_width);
                        before.chunks_exact(kv_width).chain(own).map(|row| row[kv..kv + head].to_vec()).collect()
                    };
                    let (seen_keys, seen_values) = (of(&prefix_keys, &keys), of(&prefix_values, &values));
                    let query = &queries[(first + row) * query_width + index * head..][..head];
                    let seen_keys: Vec<&[f32]> = seen_keys.iter().map(Vec::as_slice).collect();
                    let seen_values: Vec<&[f32]> = seen_values.iter().map(Vec::as_slice).collect();
                    want.extend(attend(query, &seen_keys, &seen_values));
                }
            }
            first += length;
        }
        let there = [&queries, &prefix_keys, &prefix_values, &keys, &values].map(|numbers| device.buffer_of(numbers));
        let (places, out) = (device.buffer_of(&places), device.buffer((tokens * query_width * 4) as u64));
        let got = run(&device, &out, |recording| {
            let buffers = [&there[0], &there[1], &there[2], &there[3], &there[4], &places, &out];
            AttentionCall { heads: [heads, kv_heads, head], rows: tokens, prefix, buffers }.record(recording);
        });
        compare(&format!("{heads} heads of {head}, prefix {prefix}, {segments:?}"), &got, &want, 2e-5);
    }
}

#[test]
fn reads_distributions_with_ties_and_small_vocabularies() {
    let Some(device) = device() else { return };
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for (rows, vocabulary, top) in [(3, 1000, 40), (35, 300, 3), (2, 17, 5), (1, 5000, 128), (2, 700, 0)] {
        // The head as a matrix of floats with 32 columns; logits with many equal ones.
        let columns = 32;
        let weights: Vec<f32> =
            random_floats(&mut random, vocabulary * columns).iter().map(|w| (w * 4.0).round() / 4.0).collect();
        let x: Vec<f32> = random_floats(&mut random, rows * columns).iter().map(|x| (x * 4.0).round()).collect();
        let bytes: Vec<u8> = weights.iter().flat_map(|w| w.to_le_bytes()).collect();
        let tensor = Tensor { kind: QuantizedType::F32, rows: vocabulary, columns, bytes };
        let matrix = Matrix::new(&device, &tensor);
        let gather: Vec<u32> = (0..70).map(|_| random.random_range(0..vocabulary as u32)).collect();
        let query = Query { gather, top };
        assert!(Head::answers(&query, vocabulary));
        let description = crate::engine::ModelConfig { width: columns, vocabulary, ..config(1, 1, 32) };
        let scratch = super::forward::Scratch::new(&device, &description, matrix.stride(), rows, 0);
        let head = Head::new(&device, rows, &query);
        let x_there = device.buffer_of(&x);
        let mut recording = Recording::new(&device);
        head.record(&mut recording, &matrix, Input::exact(&x_there), &scratch);
        recording.submit();
        let scores = pollster::block_on(head.read(&device, device.moment())).unwrap();
        for (row, x) in x.chunks_exact(columns).enumerate() {
            let logits: Vec<f64> = weights
                .chunks_exact(columns)
                .map(|w| w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum())
                .collect();
            let total = log_sum_exp(&logits);
            let mut order: Vec<u32> = (0..vocabulary as u32).collect();
            order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
            order.truncate(top);
            // So many equal logits that not all were kept: then the device says so.
            let Some(scores) = &scores else {
                let bound = logits[*order.last().unwrap() as usize];
                assert!(logits.iter().filter(|logit| **logit >= bound).count() > top, "{vocabulary}: no ties");
                continue;
            };
            let name = format!("{rows} × {vocabulary}, row {row}");
            let got: Vec<u32> = scores[row].top.iter().map(|(id, _)| *id).collect();
            assert_eq!(got, order, "{name}");
            for (id, logprob) in query.gather.iter().zip(&scores[row].gathered) {
                let want = logits[*id as usize] - total;
                assert!((logprob - want).abs() < 1e-5, "{name}: token {id}: {logprob} for {want}");
            }
        }
    }
    assert!(!Head::answers(&Query { gather: vec![5], top: 1 }, 5), "an id outside the vocabulary");
    assert!(!Head::answers(&Query { gather: vec![], top: SLICES + 1 }, 5), "more than the slices");
}

#[test]
fn eight_columns_of_bytes_are_packed_even_ones_first() {
    let tensor = Tensor::random(QuantizedType::Q8_0, 5, 64, 4);
    let packed = Packed::new(&tensor, 1..5);
    assert_eq!((packed.words.len(), packed.scales.len()), (64, 2 * 4 * 2));
    // Row 2 of the tensor, columns 40 to 47: bytes 8 to 15 of its second block, after the scale.
    let block = &tensor.row(2)[34 + 2 + 8..][..8];
    let [even, odd] = [10, 11].map(|word| packed.words[word * 4 + 1].to_le_bytes());
    assert_eq!(even, [block[0], block[2], block[4], block[6]]);
    assert_eq!(odd, [block[1], block[3], block[5], block[7]]);
}

#[test]
fn a_device_that_was_destroyed_says_so() {
    let Some(device) = device() else { return };
    let results = device.results(16);
    device.destroy();
    let error = pollster::block_on(device.read(&results, device.moment())).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::Lost, "{error}");
    assert!(device.fault_since(device.moment()).is_err());
}
