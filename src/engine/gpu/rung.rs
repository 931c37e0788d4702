//! The ways in which a device can compute products, and what each asks of an adapter.
//!
//! All of them keep the file's weights, sums in float32 (or integers that are exact), and everything but products in
//! float32. They differ in what they make of activations; which one is right and fastest is measured (`engine/ladder`).

/// How products read activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// As float32: every device can.
    Float32,
    /// As float16, half the memory traffic; sums are float32.
    Float16,
    /// As 16-bit integers, in two dot products of bytes.
    IntegerDot,
}

impl Rung {
    /// All of them; the first is the one that others are compared with.
    pub const ALL: [Self; 3] = [Self::Float32, Self::Float16, Self::IntegerDot];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float16 => "float16",
            Self::IntegerDot => "integer dot",
        }
    }
}
