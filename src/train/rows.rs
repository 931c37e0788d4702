//! The rows of one forward and backward pass: a shared prefix, then segments, as in the engine's packed batch.
//!
//! Unlike in the engine, the prefix is part of the pass: the trained layers change its keys and values too, so it is
//! computed anew, once for all segments, and gradients flow through it.

use std::ops::Range;

use crate::engine::cpu::attention::Place;

/// Where the rows of a pass stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Rows `0..prefix` are the shared prefix.
    pub prefix: usize,
    /// The segments' rows, one after the other, after the prefix.
    pub segments: Vec<Range<usize>>,
}

/// Neighbouring rows that attend to the same keys: of one segment, or of the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Rows of keys that all of them see: the prefix, or nothing for the prefix itself.
    pub before: Range<usize>,
    /// Rows of keys of which each sees those up to itself.
    pub own: Range<usize>,
    /// The places of the rows in the list of active rows.
    pub queries: Range<usize>,
}

impl Rows {
    /// A prefix and segments of these lengths.
    pub fn new(prefix: usize, lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut end = prefix;
        let segments = lengths.into_iter().map(|length| {
            end += length;
            end - length..end
        });
        Self { prefix, segments: segments.collect() }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.segments.last().map_or(self.prefix, |last| last.end)
    }

    /// Positions of all rows in their sequences.
    pub fn positions(&self) -> Vec<usize> {
        let segments = self.segments.iter().flat_map(|range| (0..range.len()).map(|at| self.prefix + at));
        (0..self.prefix).chain(segments).collect()
    }

    /// Groups ascending rows by what they attend to.
    pub fn units(&self, active: &[usize]) -> Vec<Unit> {
        let all =
            std::iter::once((0..0, 0..self.prefix)).chain(self.segments.iter().map(|s| (0..self.prefix, s.clone())));
        let mut at = 0;
        let units = all.map(|(before, own)| {
            let count = active[at..].iter().take_while(|row| **row < own.end).count();
            at += count;
            Unit { before, own, queries: at - count..at }
        });
        units.filter(|unit| !unit.queries.is_empty()).collect()
    }

    /// Places of active rows for the engine's attention: those of the prefix as its only segment, then the others.
    pub fn places(&self, active: &[usize]) -> (Vec<Place>, Vec<Place>) {
        let (mut prefix, mut others) = (Vec::new(), Vec::new());
        let mut segment = 0;
        for row in active {
            if *row < self.prefix {
                prefix.push(Place { segment: 0, sees: row + 1 });
                continue;
            }
            while *row >= self.segments[segment].end {
                segment += 1;
            }
            others.push(Place { segment, sees: row - self.segments[segment].start + 1 });
        }
        (prefix, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_grouped_by_what_they_see() {
        let rows = Rows::new(2, [3, 1]);
        assert_eq!((rows.count(), rows.positions()), (6, vec![0, 1, 2, 3, 4, 2]));
        let all: Vec<usize> = (0..6).collect();
        let units = rows.units(&all);
        assert_eq!(units.len(), 3);
        assert_eq!(units[0], Unit { before: 0..0, own: 0..2, queries: 0..2 });
        assert_eq!(units[2], Unit { before: 0..2, own: 5..6, queries: 5..6 });
        assert_eq!(rows.units(&[4, 5])[0], Unit { before: 0..2, own: 2..5, queries: 0..1 });
        let (prefix, others) = rows.places(&[1, 4, 5]);
        assert_eq!(prefix, [Place { segment: 0, sees: 2 }]);
        assert_eq!(others, [Place { segment: 0, sees: 3 }, Place { segment: 1, sees: 1 }]);
    }
}
