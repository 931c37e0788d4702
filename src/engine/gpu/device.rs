//! An adapter and a device on it, with what wgpu reports out of turn turned into errors.
//!
//! A device can go away at any time: another program crashes the driver, a laptop changes its graphics card, a browser
//! takes it back. Then nothing fails at once; buffers are made, work is submitted, and only what is read back does not
//! come. So a [`Device`] keeps what it was told ([`Device::fault_since`]), and every read looks there first.
//!
//! Dropping a [`Device`] destroys it: in a browser its memory would otherwise stay until JavaScript's collector comes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytemuck::NoUninit;

use super::kernels::Kernels;
use super::rung::Rung;
use crate::error::{Error, Kind, Result};

/// What an adapter must have: WebGPU's defaults, of which this engine uses no more than these.
fn needed_limits(adapter: &wgpu::Limits) -> wgpu::Limits {
    // Textures, vertices and the like do not matter here, and old drivers lack some of them.
    let mut limits = wgpu::Limits::downlevel_defaults().using_resolution(adapter.clone());
    limits.max_storage_buffers_per_shader_stage = STORAGE_BUFFERS;
    limits
}

/// Storage buffers that a kernel may bind: WebGPU's default.
pub const STORAGE_BUFFERS: u32 = 8;
/// Bytes of one buffer that a kernel may bind: WebGPU's default.
pub const BINDING_BYTES: u64 = 128 << 20;

/// A graphics adapter.
#[derive(Debug)]
pub struct Adapter {
    adapter: wgpu::Adapter,
    /// What it calls itself.
    pub name: String,
    /// Whether it is a program on the processor.
    pub software: bool,
    /// Whether the shader language has products of packed bytes here.
    has_dot: bool,
}

impl Adapter {
    /// The adapter that the platform prefers, or nothing: no driver, no WebGPU, or one that is short of what is needed.
    pub async fn find() -> Option<Self> {
        let mut described = wgpu::InstanceDescriptor::new_without_display_handle();
        described.backends =
            wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12 | wgpu::Backends::BROWSER_WEBGPU;
        // Validation layers, where they are installed, would check the driver's business at the cost of speed.
        described.flags = wgpu::InstanceFlags::empty();
        let instance = wgpu::Instance::new(described);
        let preference = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&preference).await.ok()?;
        let limits = adapter.limits();
        if limits.max_storage_buffers_per_shader_stage < STORAGE_BUFFERS
            || limits.max_storage_buffer_binding_size < BINDING_BYTES
        {
            return None;
        }
        let info = adapter.get_info();
        let software = info.device_type == wgpu::DeviceType::Cpu;
        let name = match info.name.is_empty() {
            // Browsers name adapters only by description, if at all.
            true if software => "a software adapter".to_owned(),
            true => "this device's graphics processor".to_owned(),
            false => info.name,
        };
        let has_dot =
            instance.wgsl_language_features().contains(wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct);
        Some(Self { adapter, name, software, has_dot })
    }

    /// What the adapter lacks for a rung, if anything.
    pub fn lacks(&self, rung: Rung) -> Option<&'static str> {
        match rung {
            Rung::Float16 if !self.adapter.features().contains(wgpu::Features::SHADER_F16) => Some("16-bit floats"),
            Rung::IntegerDot if !self.has_dot => Some("products of packed bytes"),
            _ => None,
        }
    }

    /// A device on it. A browser's adapter gives one device only: for another, it must be found again.
    ///
    /// # Errors
    /// If the adapter gives none.
    pub async fn open(&self) -> Result<Device> {
        let described = wgpu::DeviceDescriptor {
            label: Some("candor"),
            required_features: self.adapter.features() & wgpu::Features::SHADER_F16,
            required_limits: needed_limits(&self.adapter.limits()),
            ..Default::default()
        };
        let (device, queue) = self
            .adapter
            .request_device(&described)
            .await
            .map_err(|error| Error::new(Kind::Lost, format!("{} gives no device: {error}", self.name)))?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let heard = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error| match error {
            wgpu::Error::OutOfMemory { .. } => lock(&heard).wants += 1,
            other => lock(&heard).loses(format!("the graphics device failed: {other}")),
        }));
        let heard = Arc::clone(&faults);
        device.set_device_lost_callback(move |_, why| {
            lock(&heard).loses(format!("the graphics device was lost: {why}"));
        });
        let (kernels, staged) = (Kernels::default(), AtomicU64::default());
        Ok(Device { kernels, device, queue, faults, staged, name: self.name.clone(), software: self.software })
    }
}

/// What a device reported out of turn.
#[derive(Debug, Default)]
struct Faults {
    /// Why it is of no use any more.
    lost: Option<String>,
    /// How often it was out of memory. With less to hold it goes on, so this is a matter between one pass and it.
    wants: u64,
    /// How many of these somebody was told of.
    told: u64,
}

impl Faults {
    /// The first reason is the cause; what comes after is its consequence.
    fn loses(&mut self, why: String) {
        self.lost.get_or_insert(why);
    }
}

fn lock(faults: &Mutex<Faults>) -> MutexGuard<'_, Faults> {
    faults.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A moment in the life of a device: what it reports afterwards, or has told nobody yet, is the fault of what is asked of
/// it from then on.
#[derive(Debug, Clone, Copy)]
pub struct Since(u64);

/// A device that computes, until it is lost.
#[derive(Debug)]
pub struct Device {
    kernels: Kernels,
    device: wgpu::Device,
    queue: wgpu::Queue,
    faults: Arc<Mutex<Faults>>,
    /// Bytes that were written and not sent on their way yet.
    staged: AtomicU64,
    /// The adapter's name.
    pub name: String,
    /// Whether the adapter is a program on the processor.
    pub software: bool,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.device.destroy();
    }
}

impl Device {
    /// wgpu's own device.
    pub fn raw(&self) -> &wgpu::Device {
        &self.device
    }

    /// Its pipelines.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// The present moment.
    pub fn moment(&self) -> Since {
        Since(lock(&self.faults).told)
    }

    /// What went wrong since a moment, if anything did. A loss is for good.
    ///
    /// # Errors
    /// [`Kind::Lost`] when the device is of no use any more; [`Kind::Resource`] when it was out of memory.
    pub fn fault_since(&self, since: Since) -> Result<()> {
        let mut faults = lock(&self.faults);
        if let Some(why) = &faults.lost {
            return Err(Error::new(Kind::Lost, why.clone()));
        }
        if faults.wants > since.0 {
            faults.told = faults.wants;
            return Err(Error::new(Kind::Resource, "the graphics device is out of memory"));
        }
        Ok(())
    }

    /// Destroys the device as a driver would: for tests.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Takes note of want of memory as a driver would report it: for tests.
    pub fn report_want_of_memory(&self) {
        lock(&self.faults).wants += 1;
    }

    /// A buffer that kernels read and write; at least 16 bytes, because none may be empty.
    pub fn buffer(&self, bytes: u64) -> Buffer {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        self.buffer_for(bytes, usage)
    }

    /// A buffer with these contents.
    pub fn buffer_of<T: Plain>(&self, numbers: &[T]) -> Buffer {
        let bytes = bytemuck::cast_slice(numbers);
        let buffer = self.buffer(bytes.len() as u64);
        self.write(&buffer, 0, bytes);
        buffer
    }

    /// A buffer for the sizes of calls.
    pub fn uniforms(&self, bytes: &[u8]) -> Buffer {
        let buffer = self.buffer_for(bytes.len() as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
        self.write(&buffer, 0, bytes);
        buffer
    }

    fn buffer_for(&self, bytes: u64, usage: wgpu::BufferUsages) -> Buffer {
        let size = bytes.next_multiple_of(16).max(16);
        let described = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        Buffer(self.device.create_buffer(&described))
    }

    /// Writes bytes, a multiple of four of them, before whatever is submitted next.
    pub fn write(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.staged.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            self.queue.write_buffer(&buffer.0, offset, bytes);
        }
    }

    /// Sends what was written on its way, so that it is not kept in staging memory. Natively it has arrived afterwards;
    /// a browser does not let anybody wait like this ([`Self::settle`]).
    pub fn flush(&self) {
        self.staged.store(0, Ordering::Relaxed);
        self.queue.submit([]);
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }

    /// Bytes that were written and not sent on their way yet.
    pub fn staged(&self) -> u64 {
        self.staged.load(Ordering::Relaxed)
    }

    /// [`Self::flush`] once `bytes` or more were written since the last.
    pub fn flush_at(&self, bytes: u64) {
        if self.staged() >= bytes {
            self.flush();
        }
    }

    /// Waits until the device has done all that was asked of it.
    pub async fn settle(&self) {
        let done = Signal::default();
        let tell = done.clone();
        self.staged.store(0, Ordering::Relaxed);
        self.queue.submit([]);
        self.queue.on_submitted_work_done(move || tell.set(true));
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
        done.wait().await;
    }

    /// Submits commands.
    pub fn submit(&self, commands: wgpu::CommandBuffer) {
        self.queue.submit([commands]);
    }

    /// A buffer that results are copied into to be read.
    pub fn results(&self, bytes: u64) -> Buffer {
        self.buffer_for(bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)
    }

    /// Waits for all that was submitted before and reads a buffer of [`Self::results`].
    ///
    /// # Errors
    /// [`Kind::Lost`] or [`Kind::Resource`], see [`Self::fault_since`].
    pub async fn read(&self, results: &Buffer, since: Since) -> Result<Vec<u8>> {
        let mapped = Signal::default();
        let tell = mapped.clone();
        results.0.map_async(wgpu::MapMode::Read, .., move |outcome| tell.set(outcome.is_ok()));
        // Natively this waits and calls back; in a browser it does nothing, and the event loop calls back.
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
        let mapped = mapped.wait().await;
        self.fault_since(since)?;
        let lost = || Error::new(Kind::Lost, "the graphics device did not answer");
        if !mapped {
            return Err(lost());
        }
        let bytes = results.0.get_mapped_range(..).map_err(|_| lost())?.to_vec();
        results.0.unmap();
        Ok(bytes)
    }
}

/// Memory of a device; it is given back with the value, also in a browser.
#[derive(Debug)]
pub struct Buffer(wgpu::Buffer);

impl Buffer {
    /// wgpu's own buffer.
    pub fn raw(&self) -> &wgpu::Buffer {
        &self.0
    }

    /// Bytes.
    pub fn bytes(&self) -> u64 {
        self.0.size()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.destroy();
    }
}

/// Numbers that kernels read as they are: four bytes each. Float64 is none of them, and would be taken silently.
pub trait Plain: NoUninit {}
impl Plain for u32 {}
impl Plain for f32 {}

/// The float32 numbers in what was read.
pub fn floats_in(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The integers in what was read.
pub fn integers_in(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}

/// Something that happens once, and is waited for.
#[derive(Clone, Default)]
struct Signal(Arc<Mutex<(Option<bool>, Option<Waker>)>>);

impl Signal {
    fn set(&self, value: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Some(value);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    async fn wait(&self) -> bool {
        std::future::poll_fn(|context| {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match state.0 {
                Some(value) => Poll::Ready(value),
                None => {
                    state.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
