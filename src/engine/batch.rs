//! What goes into a forward pass and what comes out.
//!
//! A batch is one flat list of tokens with segment offsets: variable length, no padding. Every token attends to a
//! shared prefix and to its own segment's past; segments do not see each other.

use crate::error::{Error, Result};

/// Segments of tokens, laid end to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedBatch {
    tokens: Vec<u32>,
    /// Where each segment ends in `tokens`.
    ends: Vec<usize>,
}

impl PackedBatch {
    /// A batch without segments.
    pub fn new() -> Self {
        Self::default()
    }

    /// A batch of these segments.
    ///
    /// # Errors
    /// If a segment is empty.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a [u32]>) -> Result<Self> {
        let mut batch = Self::new();
        segments.into_iter().try_for_each(|segment| batch.push(segment))?;
        Ok(batch)
    }

    /// Appends a segment.
    ///
    /// # Errors
    /// If it is empty: a distribution needs at least one token before it.
    pub fn push(&mut self, segment: &[u32]) -> Result<()> {
        if segment.is_empty() {
            return Err(Error::internal("a segment needs at least one token"));
        }
        self.tokens.extend_from_slice(segment);
        self.ends.push(self.tokens.len());
        Ok(())
    }

    /// All tokens, segment after segment.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Number of segments.
    pub fn segments(&self) -> usize {
        self.ends.len()
    }

    /// The range of a segment in [`Self::tokens`].
    pub fn range(&self, segment: usize) -> std::ops::Range<usize> {
        let start = if segment == 0 { 0 } else { self.ends[segment - 1] };
        start..self.ends[segment]
    }

    /// The tokens of a segment.
    pub fn segment(&self, segment: usize) -> &[u32] {
        &self.tokens[self.range(segment)]
    }
}

/// What to read off each segment's next-token distribution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Token ids whose log-probability is wanted.
    pub gather: Vec<u32>,
    /// How many of the most likely tokens are wanted.
    pub top: usize,
}

/// A segment's next-token distribution, as asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SegmentScores {
    /// Natural-log probability of each token of [`Query::gather`], over the whole vocabulary.
    pub gathered: Vec<f64>,
    /// The most likely tokens with their natural-log probabilities, most likely first, ties by id.
    pub top: Vec<(u32, f64)>,
    /// What the head read: the last row, normed. Empty where a graphics device has computed, which keeps it.
    pub last_row: Vec<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_an_empty_segment() {
        assert!(PackedBatch::of([&[][..]]).is_err());
    }
}
