//! The compute kernels: which file and entry point, which buffers, and a list of calls that becomes one submission.
//!
//! Shaders are plain WGSL files that parse alone; what differs between variants of one are its override constants.
//! Pipelines are made when they are first wanted, or before ([`Kernels::prepare`]); a model wants the same dozen all the
//! time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::device::{Buffer, Device};

/// How a kernel uses a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It reads.
    Read,
    /// It writes, or both.
    Write,
}

use Access::{Read, Write};

/// A kernel: a function of a shader file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Product of a quantized matrix with activations.
    Multiply,
    /// The same with activations of 16-bit floats.
    MultiplyHalves,
    /// The same with activations of 16-bit integers, by dot products of bytes.
    MultiplyDots,
    /// Activations as 16-bit floats.
    Halve,
    /// Activations as 16-bit integers.
    Quantize,
    /// Rows of a quantized matrix.
    Embed,
    /// RMS norm of rows or of their heads.
    RmsNorm,
    /// Rotary positions.
    Rope,
    /// Attention over prefix and own segment.
    Attention,
    /// Some of the rows.
    Pick,
    /// Head: maximum and sum of slices of the vocabulary.
    Slices,
    /// Head: the slices put together.
    Summary,
    /// Head: logits of asked-for tokens.
    Gather,
    /// Head: the most likely tokens and a few more.
    Candidates,
    /// Multiply-adds in registers, to be measured.
    PeakArithmetic,
    /// Bytes copied, to be measured.
    PeakCopy,
}

/// The shader files, by name.
const FILES: [(&str, &str); 10] = [
    (MATRIX, include_str!("shaders/matrix.wgsl")),
    ("matrix_dot", include_str!("shaders/matrix_dot.wgsl")),
    ("halve", include_str!("shaders/halve.wgsl")),
    ("quantize", include_str!("shaders/quantize.wgsl")),
    ("rms_norm", include_str!("shaders/rms_norm.wgsl")),
    ("rope", include_str!("shaders/rope.wgsl")),
    ("attention", include_str!("shaders/attention.wgsl")),
    ("pick", include_str!("shaders/pick.wgsl")),
    ("head", include_str!("shaders/head.wgsl")),
    ("peak", include_str!("shaders/peak.wgsl")),
];
const MATRIX: &str = "matrix";
/// The file of products with one line changed: its activations are 16-bit floats.
const MATRIX_OF_HALVES: &str = "matrix, activations of float16";
const FLOATS: &str = "alias Activations = vec4<f32>;";
const HALVES: &str = "alias Activations = vec4<f16>;";

/// Every shader's name.
#[cfg(test)]
pub fn shaders() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name).chain([MATRIX_OF_HALVES])
}

/// A shader's source.
pub fn source(shader: &str) -> Cow<'static, str> {
    let file = |name: &str| FILES.iter().find(|(other, _)| *other == name).map_or("", |(_, source)| source);
    match shader {
        MATRIX_OF_HALVES => format!("enable f16;\n{}", file(MATRIX).replace(FLOATS, HALVES)).into(),
        name => file(name).into(),
    }
}

impl Kernel {
    /// Every kernel.
    #[cfg(test)]
    pub const ALL: [Self; 16] = [
        Self::Multiply,
        Self::MultiplyHalves,
        Self::MultiplyDots,
        Self::Halve,
        Self::Quantize,
        Self::Embed,
        Self::RmsNorm,
        Self::Rope,
        Self::Attention,
        Self::Pick,
        Self::Slices,
        Self::Summary,
        Self::Gather,
        Self::Candidates,
        Self::PeakArithmetic,
        Self::PeakCopy,
    ];

    /// Its [`source`], its entry point, and its storage buffers by binding. Binding 0 is always the sizes.
    pub fn parts(self) -> (&'static str, &'static str, &'static [(u32, Access)]) {
        match self {
            Self::Multiply => ("matrix", "multiply", &[(1, Read), (2, Read), (3, Read), (4, Read), (5, Write)]),
            Self::MultiplyHalves => {
                (MATRIX_OF_HALVES, "multiply", &[(1, Read), (2, Read), (3, Read), (4, Read), (5, Write)])
            }
            Self::MultiplyDots => {
                ("matrix_dot", "multiply", &[(1, Read), (2, Read), (3, Read), (4, Read), (6, Read), (5, Write)])
            }
            Self::Halve => ("halve", "halve", &[(1, Read), (2, Write)]),
            Self::Quantize => ("quantize", "quantize", &[(1, Read), (2, Write), (3, Write)]),
            Self::Embed => ("matrix", "embed", &[(1, Read), (2, Read), (6, Read), (5, Write)]),
            Self::RmsNorm => ("rms_norm", "rms_norm", &[(1, Read), (2, Read), (3, Write)]),
            Self::Rope => ("rope", "rope", &[(1, Read), (2, Read), (3, Write)]),
            Self::Attention => (
                "attention",
                "attention",
                &[(1, Read), (2, Read), (3, Read), (4, Read), (5, Read), (6, Read), (7, Write)],
            ),
            Self::Pick => ("pick", "pick", &[(1, Read), (2, Read), (3, Write)]),
            Self::Slices => ("head", "slices", &[(1, Read), (2, Write)]),
            Self::Summary => ("head", "summary", &[(2, Write), (3, Write)]),
            Self::Gather => ("head", "gather", &[(1, Read), (4, Read), (5, Write)]),
            Self::PeakArithmetic => ("peak", "arithmetic", &[(1, Read), (2, Write)]),
            Self::PeakCopy => ("peak", "copy", &[(1, Read), (2, Write)]),
            Self::Candidates => ("head", "candidates", &[(1, Read), (3, Write), (6, Write), (7, Write)]),
        }
    }
}

/// Values of override constants, by name.
pub type Constants = Vec<(&'static str, u32)>;

/// A pipeline with the layout of its buffers.
#[derive(Debug)]
struct Ready {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// Bytes of a call's sizes: eight numbers at most, in steps that WebGPU's offsets allow.
const SIZES: u64 = 32;
const SIZES_STEP: usize = 256;

/// The pipelines of a device.
#[derive(Debug, Default)]
pub struct Kernels {
    shaders: Mutex<HashMap<&'static str, wgpu::ShaderModule>>,
    ready: Mutex<HashMap<(Kernel, Constants), Arc<Ready>>>,
}

impl Kernels {
    /// Makes a pipeline before it is wanted.
    pub fn prepare(&self, device: &Device, kernel: Kernel, constants: &Constants) {
        self.get(device, kernel, constants);
    }

    fn get(&self, device: &Device, kernel: Kernel, constants: &Constants) -> Arc<Ready> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(self.make(device, kernel, constants));
        Arc::clone(ready.entry((kernel, constants.clone())).or_insert_with(make))
    }

    fn make(&self, device: &Device, kernel: Kernel, constants: &Constants) -> Ready {
        let (file, entry, buffers) = kernel.parts();
        let entry_of = |binding: u32, ty: wgpu::BufferBindingType, dynamic: bool| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
            count: None,
        };
        let storage = |access: Access| wgpu::BufferBindingType::Storage { read_only: access == Read };
        let entries: Vec<_> = std::iter::once(entry_of(0, wgpu::BufferBindingType::Uniform, true))
            .chain(buffers.iter().map(|(binding, access)| entry_of(*binding, storage(*access), false)))
            .collect();
        let raw = device.raw();
        let layout =
            raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(entry), entries: &entries });
        let together = raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(entry),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let mut shaders = self.shaders.lock().unwrap_or_else(PoisonError::into_inner);
        let shader = shaders.entry(file).or_insert_with(|| {
            raw.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(file),
                source: wgpu::ShaderSource::Wgsl(source(file)),
            })
        });
        let constants: Vec<(&str, f64)> = constants.iter().map(|(name, value)| (*name, f64::from(*value))).collect();
        let pipeline = raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: Some(&together),
            module: shader,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // `rms_norm` writes before it reads; nothing else has workgroup memory.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Ready { pipeline, layout }
    }
}

/// A call of a kernel.
struct Call<'a> {
    ready: Arc<Ready>,
    buffers: Vec<(u32, &'a Buffer)>,
    sizes: u32,
    grid: [u32; 3],
}

enum Step<'a> {
    Call(Call<'a>),
    Copy { from: &'a Buffer, from_offset: u64, to: &'a Buffer, to_offset: u64, bytes: u64 },
    Clear(&'a Buffer),
}

/// Calls in order, submitted together.
pub struct Recording<'a> {
    device: &'a Device,
    steps: Vec<Step<'a>>,
    sizes: Vec<u8>,
}

impl<'a> Recording<'a> {
    /// An empty list.
    pub fn new(device: &'a Device) -> Self {
        Self { device, steps: Vec::new(), sizes: Vec::new() }
    }

    /// The device it is for.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// Calls `kernel`; `buffers` in the order of [`Kernel::parts`], `sizes` are the fields of the shader's `Shape`,
    /// `grid` counts workgroups.
    pub fn call(
        &mut self,
        kernel: Kernel,
        constants: &Constants,
        sizes: &[u32],
        buffers: &[&'a Buffer],
        grid: [u32; 3],
    ) {
        let bindings = kernel.parts().2;
        debug_assert_eq!(bindings.len(), buffers.len(), "{kernel:?}");
        debug_assert!(sizes.len() * 4 <= SIZES as usize, "{kernel:?}");
        if grid.contains(&0) {
            return;
        }
        let at = self.sizes.len();
        self.sizes.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        self.sizes.resize(at + SIZES_STEP, 0);
        self.steps.push(Step::Call(Call {
            ready: self.device.kernels().get(self.device, kernel, constants),
            buffers: bindings.iter().zip(buffers).map(|((binding, _), buffer)| (*binding, *buffer)).collect(),
            sizes: at as u32,
            grid,
        }));
    }

    /// Copies bytes, a multiple of four of them.
    pub fn copy(&mut self, from: &'a Buffer, from_offset: u64, to: &'a Buffer, to_offset: u64, bytes: u64) {
        if bytes > 0 {
            self.steps.push(Step::Copy { from, from_offset, to, to_offset, bytes });
        }
    }

    /// Sets a buffer to zeros.
    pub fn clear(&mut self, buffer: &'a Buffer) {
        self.steps.push(Step::Clear(buffer));
    }

    /// Submits everything.
    pub fn submit(self) {
        let raw = self.device.raw();
        let sizes = self.device.uniforms(&self.sizes);
        let mut encoder = raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut steps = self.steps.iter().peekable();
        while let Some(step) = steps.next() {
            match step {
                Step::Copy { from, from_offset, to, to_offset, bytes } => {
                    encoder.copy_buffer_to_buffer(from.raw(), *from_offset, to.raw(), *to_offset, *bytes);
                }
                Step::Clear(buffer) => encoder.clear_buffer(buffer.raw(), 0, None),
                Step::Call(call) => {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    run(raw, &mut pass, &sizes, call);
                    while let Some(Step::Call(call)) = steps.next_if(|step| matches!(step, Step::Call(_))) {
                        run(raw, &mut pass, &sizes, call);
                    }
                }
            }
        }
        self.device.submit(encoder.finish());
    }
}

fn run(device: &wgpu::Device, pass: &mut wgpu::ComputePass<'_>, sizes: &Buffer, call: &Call<'_>) {
    let of_call = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
        buffer: sizes.raw(),
        offset: 0,
        size: std::num::NonZeroU64::new(SIZES),
    });
    let entries: Vec<_> = std::iter::once(wgpu::BindGroupEntry { binding: 0, resource: of_call })
        .chain(call.buffers.iter().map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding: *binding,
            resource: buffer.raw().as_entire_binding(),
        }))
        .collect();
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &call.ready.layout,
        entries: &entries,
    });
    pass.set_pipeline(&call.ready.pipeline);
    pass.set_bind_group(0, &group, &[call.sizes]);
    pass.dispatch_workgroups(call.grid[0], call.grid[1], call.grid[2]);
}
