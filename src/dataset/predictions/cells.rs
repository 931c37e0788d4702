//! The fields of a predictions row as they stand in a file, before anything is checked.
//!
//! A JSON library's own value type would do, but for three things: labels keep the file's order, whole numbers keep
//! their digits (ids), and keys that nobody reads cost nothing in a file of a million rows.

use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Bool(bool),
    Number(f64),
    Whole(i128),
    Text(String),
    List,
    Object(IndexMap<String, Option<Cell>>),
}

/// The keys that tables may have, in the order of [`Cells::cell`].
pub(super) const KEYS: [&str; 12] = [
    "id",
    "text",
    "group",
    "category",
    "expected",
    "prediction",
    "label",
    "total_probability",
    "share",
    "other_mass",
    "confidence",
    "correct",
];

/// A row; what is absent or null is `None`.
#[derive(Default, Deserialize)]
pub(super) struct Cells {
    pub id: Option<Cell>,
    pub text: Option<Cell>,
    pub group: Option<Cell>,
    pub category: Option<Cell>,
    #[serde(default)]
    pub expected: Named,
    pub prediction: Option<Cell>,
    pub label: Option<Cell>,
    pub total_probability: Option<Cell>,
    pub share: Option<Cell>,
    pub other_mass: Option<Cell>,
    pub confidence: Option<Cell>,
    pub correct: Option<Cell>,
    pub labels: Option<Cell>,
}

/// A cell that also knows whether its key is there, be it with null or with nothing.
#[derive(Default)]
pub(super) struct Named {
    pub named: bool,
    pub cell: Option<Cell>,
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { named: true, cell: Option::deserialize(deserializer)? })
    }
}

impl Cells {
    /// Beside a prediction, and where no key says what is expected, a label is the true one. (A key without a value
    /// says that the truth is not known.)
    pub fn label_is_true(&self) -> bool {
        self.prediction.is_some() && self.label.is_some() && !self.expected.named
    }

    /// The cell of `KEYS[index]`.
    pub fn cell(&mut self, index: usize) -> &mut Option<Cell> {
        match index {
            0 => &mut self.id,
            1 => &mut self.text,
            2 => &mut self.group,
            3 => &mut self.category,
            4 => &mut self.expected.cell,
            5 => &mut self.prediction,
            6 => &mut self.label,
            7 => &mut self.total_probability,
            8 => &mut self.share,
            9 => &mut self.other_mass,
            10 => &mut self.confidence,
            _ => &mut self.correct,
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCell)
    }
}

struct AnyCell;

impl<'de> Visitor<'de> for AnyCell {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Whole(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut object = IndexMap::with_capacity(2);
        while let Some((key, value)) = map.next_entry()? {
            object.insert(key, value);
        }
        Ok(Cell::Object(object))
    }
}
