//! Activations in the narrow form that a rung's products read, made from float32 by a kernel of their own.

use super::device::{Buffer, Device};
use super::kernels::{Kernel, Recording};
use super::rung::Rung;

/// Numbers that share a scale.
const BLOCK: usize = 32;
/// Workgroups of a call in one direction at most: WebGPU's default.
const MOST_GROUPS: u32 = 65_535;

/// What products read: rows of float32, and the same in a narrow form where the rung has one.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// As float32.
    pub numbers: &'a Buffer,
    /// The same, narrow.
    pub narrow: Option<Narrow<'a>>,
}

/// Activations in few bits.
#[derive(Debug, Clone, Copy)]
pub enum Narrow<'a> {
    /// 16-bit floats.
    Halves(&'a Buffer),
    /// 16-bit integers as two bytes, and a scale with sums for every 32.
    Integers {
        /// High and low bytes.
        bytes: &'a Buffer,
        /// Scales and sums.
        scales: &'a Buffer,
    },
}

impl<'a> Input<'a> {
    /// Only float32.
    pub fn exact(numbers: &'a Buffer) -> Self {
        Self { numbers, narrow: None }
    }
}

/// Room for narrow activations.
#[derive(Debug)]
pub struct Room {
    numbers: Buffer,
    scales: Buffer,
}

impl Room {
    /// Room for `count` numbers, a multiple of 32.
    pub fn new(device: &Device, count: usize) -> Self {
        Self { numbers: device.buffer((count * 2) as u64), scales: device.buffer((count / BLOCK * 16) as u64) }
    }

    /// Records what makes `count` of the numbers narrow, a multiple of 32; for [`Rung::Float32`] that is nothing.
    pub fn input<'a>(
        &'a self,
        recording: &mut Recording<'a>,
        rung: Rung,
        numbers: &'a Buffer,
        count: usize,
    ) -> Input<'a> {
        let none = Vec::new();
        let narrow = match rung {
            Rung::Float32 => None,
            Rung::Float16 => {
                let fours = (count / 4) as u32;
                let grid = [fours.div_ceil(64).min(MOST_GROUPS), 1, 1];
                recording.call(Kernel::Halve, &none, &[fours], &[numbers, &self.numbers], grid);
                Some(Narrow::Halves(&self.numbers))
            }
            Rung::IntegerDot => {
                let blocks = (count / BLOCK) as u32;
                let grid = [blocks.div_ceil(32).min(MOST_GROUPS), 1, 1];
                let buffers = [numbers, &self.numbers, &self.scales];
                recording.call(Kernel::Quantize, &none, &[blocks], &buffers, grid);
                Some(Narrow::Integers { bytes: &self.numbers, scales: &self.scales })
            }
        };
        Input { numbers, narrow }
    }
}
