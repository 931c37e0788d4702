//! How many workers a device can carry.
//!
//! Every worker holds the whole model, because workers share no memory: that works on every static host. So the number
//! is bounded twice, by processors and by memory. A browser tells its memory only roughly (a power of two, at most
//! 8 GiB, some browsers not at all), and other programs want some too: a quarter of it is taken at most.

use candor::protocol::MemoryUse;

/// Memory that is assumed where the browser does not say, in bytes.
const ASSUMED: u64 = 4 << 30;
/// The part of the memory that workers may take together: one over this.
const PART: u64 = 4;
/// What a worker takes beyond what it held when its model was loaded: the activations of a full pass, in bytes.
const WORKING: u64 = 64 << 20;
/// More workers than this share one memory bus to no use; a person can still ask for them.
const USUAL: usize = 8;

/// What the browser says of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Logical processors.
    pub processors: usize,
    /// Memory in bytes, where the browser says.
    pub memory: Option<u64>,
}

/// How many workers there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// The most that a person can ask for.
    pub most: usize,
    /// What is taken unless a person says otherwise.
    pub usual: usize,
    /// Bytes that a worker is counted with.
    pub worker_bytes: u64,
    /// What the bound is.
    pub bound: Bound,
}

/// What keeps the number of workers down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The processors.
    Processors,
    /// The memory.
    Memory,
    /// A graphics device computes, and all workers would share it.
    Graphics,
    /// The model is not kept on the device, so only the worker that fetched it has it.
    NotKept,
}

impl Capacity {
    /// What the device can carry of a model that takes this much of a worker's memory; `kept` says whether further
    /// workers can read it from the device, `on_gpu` whether its graphics computes.
    pub fn new(device: Device, memory: MemoryUse, kept: bool, on_gpu: bool) -> Self {
        let worker_bytes = memory.peak.unwrap_or(0).max(memory.weights) + WORKING;
        let by_memory = (device.memory.unwrap_or(ASSUMED) / PART / worker_bytes) as usize;
        let processors = device.processors.max(1);
        let (most, bound) = match () {
            () if on_gpu => (1, Bound::Graphics),
            () if !kept => (1, Bound::NotKept),
            () if by_memory < processors => (by_memory.max(1), Bound::Memory),
            () => (processors, Bound::Processors),
        };
        // The page itself needs a processor now and then; of two, a worker each is still quicker.
        let usual = if processors > 2 { processors - 1 } else { processors };
        Self { most, usual: usual.min(USUAL).min(most), worker_bytes, bound }
    }

    /// The number of workers when a person wants so many, or has not said.
    pub fn workers(&self, wanted: Option<usize>) -> usize {
        wanted.map_or(self.usual, |wanted| wanted.clamp(1, self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_processors_and_memory_carry() {
        let model = MemoryUse { weights: 100 << 20, peak: Some(136 << 20) };
        for (processors, gigabytes, kept, most, usual, bound) in [
            (2, Some(8), true, 2, 2, Bound::Processors),
            (4, Some(8), true, 4, 3, Bound::Processors),
            (16, Some(8), true, 10, 8, Bound::Memory),
            (16, None, true, 5, 5, Bound::Memory),
            (8, Some(1), true, 1, 1, Bound::Memory),
            (8, Some(8), false, 1, 1, Bound::NotKept),
            (0, Some(0), true, 1, 1, Bound::Memory),
        ] {
            let device = Device { processors, memory: gigabytes.map(|count: u64| count << 30) };
            let capacity = Capacity::new(device, model, kept, false);
            assert_eq!((capacity.most, capacity.usual, capacity.bound), (most, usual, bound), "{device:?}");
            assert_eq!(capacity.worker_bytes, 200 << 20);
            assert_eq!(capacity.workers(None), usual);
            let graphics = Capacity::new(device, model, kept, true);
            assert_eq!((graphics.most, graphics.bound), (1, Bound::Graphics));
            assert_eq!((capacity.workers(Some(0)), capacity.workers(Some(99))), (1, most));
        }
    }
}
