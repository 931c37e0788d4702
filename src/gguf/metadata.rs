//! The typed key–value pairs at the start of a file, and access to them that says what is wrong.
//!
//! Values keep the type they have in the file. The accessors are forgiving where writers differ without harm (a count
//! may be stored signed or unsigned, 32 or 64 bits wide) and strict everywhere else; every error names the key and
//! what was found there.

use indexmap::IndexMap;

use super::value::{Array, StringArray, Value};
use crate::error::{Error, Result};

/// A file's metadata, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    values: IndexMap<String, Value>,
}

impl Metadata {
    /// The value of a key, whatever its type.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Sets a value; returns the one that was there.
    pub fn insert(&mut self, key: impl Into<String>, value: Value) -> Option<Value> {
        self.values.insert(key.into(), value)
    }

    /// All pairs in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `read(self, key)` if the key is there: `metadata.optional("llama.rope.scaling.factor", Metadata::f32)?`.
    ///
    /// # Errors
    /// If the key is there with a value that `read` refuses.
    pub fn optional<'a, T>(&'a self, key: &str, read: fn(&'a Self, &str) -> Result<T>) -> Result<Option<T>> {
        if self.contains(key) { read(self, key).map(Some) } else { Ok(None) }
    }

    fn require(&self, key: &str) -> Result<&Value> {
        self.get(key).ok_or_else(|| {
            Error::format("this metadata key is missing").in_field(key).help(
                "the file lacks something that a model of its kind must say; convert it again with a current tool",
            )
        })
    }

    fn wrong(key: &str, expected: &str, found: &Value) -> Error {
        let summary = found.summary();
        let kind = found.kind();
        let found = if summary == kind { kind } else { format!("{kind} {summary}") };
        Error::format(format!("expected {expected}, found {found}")).in_field(key)
    }

    fn integer<T: TryFrom<i128>>(&self, key: &str, expected: &str) -> Result<T> {
        let value = self.require(key)?;
        value.integer().and_then(|v| T::try_from(v).ok()).ok_or_else(|| Self::wrong(key, expected, value))
    }

    /// A number from 0 to 2³² − 1, stored as an integer of any width.
    ///
    /// # Errors
    /// If the key is missing or holds anything else; this goes for all accessors below.
    pub fn u32(&self, key: &str) -> Result<u32> {
        self.integer(key, "a whole number from 0 to 4294967295")
    }

    /// A whole number, stored as an integer of any width.
    pub fn i32(&self, key: &str) -> Result<i32> {
        self.integer(key, "a whole number of 32 bits")
    }

    /// A whole number from 0, stored as an integer of any width.
    pub fn u64(&self, key: &str) -> Result<u64> {
        self.integer(key, "a whole number from 0")
    }

    /// A count or size, stored as an integer of any width.
    pub fn usize(&self, key: &str) -> Result<usize> {
        self.integer(key, "a count")
    }

    /// A finite number, stored as a float of either width.
    pub fn f32(&self, key: &str) -> Result<f32> {
        let value = self.require(key)?;
        let number = match value {
            Value::F32(v) => *v,
            Value::F64(v) => *v as f32,
            _ => f32::NAN,
        };
        if number.is_finite() { Ok(number) } else { Err(Self::wrong(key, "a finite number", value)) }
    }

    /// A truth value.
    pub fn bool(&self, key: &str) -> Result<bool> {
        match self.require(key)? {
            Value::Bool(v) => Ok(*v),
            other => Err(Self::wrong(key, "true or false", other)),
        }
    }

    /// A text.
    pub fn str(&self, key: &str) -> Result<&str> {
        match self.require(key)? {
            Value::String(v) => Ok(v),
            other => Err(Self::wrong(key, "a string", other)),
        }
    }

    /// An array of any type.
    pub fn array(&self, key: &str) -> Result<&Array> {
        match self.require(key)? {
            Value::Array(v) => Ok(v),
            other => Err(Self::wrong(key, "an array", other)),
        }
    }

    /// An array of texts.
    pub fn string_array(&self, key: &str) -> Result<&StringArray> {
        match self.require(key)? {
            Value::Array(Array::String(v)) => Ok(v),
            other => Err(Self::wrong(key, "an array of strings", other)),
        }
    }

    /// An array of signed 32-bit integers.
    pub fn i32_array(&self, key: &str) -> Result<&[i32]> {
        match self.require(key)? {
            Value::Array(Array::I32(v)) => Ok(v),
            other => Err(Self::wrong(key, "an array of i32", other)),
        }
    }

    /// An array of 32-bit floats.
    pub fn f32_array(&self, key: &str) -> Result<&[f32]> {
        match self.require(key)? {
            Value::Array(Array::F32(v)) => Ok(v),
            other => Err(Self::wrong(key, "an array of f32", other)),
        }
    }
}

impl FromIterator<(String, Value)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self { values: pairs.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Metadata {
        let mut metadata = Metadata::default();
        metadata.insert("count", Value::I64(30));
        metadata.insert("negative", Value::I32(-1));
        metadata.insert("epsilon", Value::F32(1e-5));
        metadata.insert("infinite", Value::F32(f32::INFINITY));
        metadata.insert("name", Value::String("x".repeat(100)));
        metadata.insert("tokens", Value::Array(Array::String(["a", "", "ß"].iter().collect())));
        metadata.insert("types", Value::Array(Array::I32(vec![1, 3])));
        metadata
    }

    #[test]
    fn accessors_return_what_is_there() {
        let metadata = sample();
        assert_eq!(metadata.u32("count").unwrap(), 30);
        assert_eq!(metadata.usize("count").unwrap(), 30);
        assert_eq!(metadata.i32("negative").unwrap(), -1);
        assert_eq!(metadata.f32("epsilon").unwrap(), 1e-5);
        assert_eq!(metadata.i32_array("types").unwrap(), [1, 3]);
        assert_eq!(metadata.string_array("tokens").unwrap().iter().collect::<Vec<_>>(), ["a", "", "ß"]);
        assert_eq!(metadata.optional("absent", Metadata::u32).unwrap(), None);
        assert_eq!(metadata.optional("name", Metadata::str).unwrap().map(str::len), Some(100));
        assert!(metadata.optional("name", Metadata::u32).is_err());
    }

    #[test]
    fn errors_name_the_key_and_what_was_found() {
        let metadata = sample();
        let cases: [(&str, Error, &str); 8] = [
            ("absent", metadata.u32("absent").unwrap_err(), "missing"),
            ("negative", metadata.u32("negative").unwrap_err(), "found i32 -1"),
            ("infinite", metadata.f32("infinite").unwrap_err(), "found f32 inf"),
            ("name", metadata.u32("name").unwrap_err(), "(100 bytes)"),
            ("count", metadata.str("count").unwrap_err(), "found i64 30"),
            ("types", metadata.string_array("types").unwrap_err(), "found array of 2 × i32"),
            ("tokens", metadata.u32("tokens").unwrap_err(), "found array of 3 × string"),
            ("count", metadata.f32("count").unwrap_err(), "found i64 30"),
        ];
        for (key, error, expected) in cases {
            assert_eq!(error.field.as_deref(), Some(key));
            assert!(error.message.contains(expected), "{error}");
        }
    }
}
