//! Metadata values: what types there are, how they are read, and how they are shown.
//!
//! Arrays are stored densely: a vocabulary is one string and one list of ends, so a header never takes much more
//! memory than it has bytes.

use std::io::{Read, Seek};

use super::source::Source;
use crate::error::{Error, Result};

/// How deep arrays may be nested.
const DEEPEST: usize = 4;
/// The most arrays inside one array.
const MOST_NESTED: u64 = 1 << 16;

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unsigned 8-bit integer.
    U8(u8),
    /// Signed 8-bit integer.
    I8(i8),
    /// Unsigned 16-bit integer.
    U16(u16),
    /// Signed 16-bit integer.
    I16(i16),
    /// Unsigned 32-bit integer.
    U32(u32),
    /// Signed 32-bit integer.
    I32(i32),
    /// 32-bit float.
    F32(f32),
    /// Truth value.
    Bool(bool),
    /// UTF-8 text.
    String(String),
    /// Values of one type.
    Array(Array),
    /// Unsigned 64-bit integer.
    U64(u64),
    /// Signed 64-bit integer.
    I64(i64),
    /// 64-bit float.
    F64(f64),
}

/// An array of values of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Unsigned 8-bit integers.
    U8(Vec<u8>),
    /// Signed 8-bit integers.
    I8(Vec<i8>),
    /// Unsigned 16-bit integers.
    U16(Vec<u16>),
    /// Signed 16-bit integers.
    I16(Vec<i16>),
    /// Unsigned 32-bit integers.
    U32(Vec<u32>),
    /// Signed 32-bit integers.
    I32(Vec<i32>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// Truth values.
    Bool(Vec<bool>),
    /// Texts.
    String(StringArray),
    /// Arrays.
    Array(Vec<Array>),
    /// Unsigned 64-bit integers.
    U64(Vec<u64>),
    /// Signed 64-bit integers.
    I64(Vec<i64>),
    /// 64-bit floats.
    F64(Vec<f64>),
}

/// Many strings in two allocations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringArray {
    text: String,
    ends: Vec<usize>,
}

impl StringArray {
    /// How many strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at an index.
    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text.get(start..end)
    }

    /// All strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }
}

impl<S: AsRef<str>> FromIterator<S> for StringArray {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut array = Self::default();
        for string in strings {
            array.text.push_str(string.as_ref());
            array.ends.push(array.text.len());
        }
        array
    }
}

impl Array {
    /// How many elements.
    pub fn len(&self) -> usize {
        match self {
            Array::U8(v) => v.len(),
            Array::I8(v) => v.len(),
            Array::U16(v) => v.len(),
            Array::I16(v) => v.len(),
            Array::U32(v) => v.len(),
            Array::I32(v) => v.len(),
            Array::F32(v) => v.len(),
            Array::Bool(v) => v.len(),
            Array::String(v) => v.len(),
            Array::Array(v) => v.len(),
            Array::U64(v) => v.len(),
            Array::I64(v) => v.len(),
            Array::F64(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the elements, in words.
    pub fn element_name(&self) -> &'static str {
        KINDS[self.element_id() as usize]
    }

    /// GGUF's id of the element type.
    pub(super) fn element_id(&self) -> u32 {
        match self {
            Array::U8(_) => 0,
            Array::I8(_) => 1,
            Array::U16(_) => 2,
            Array::I16(_) => 3,
            Array::U32(_) => 4,
            Array::I32(_) => 5,
            Array::F32(_) => 6,
            Array::Bool(_) => 7,
            Array::String(_) => 8,
            Array::Array(_) => 9,
            Array::U64(_) => 10,
            Array::I64(_) => 11,
            Array::F64(_) => 12,
        }
    }
}

/// Names of the value types, by GGUF's id.
const KINDS: [&str; 13] =
    ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"];

impl Value {
    /// GGUF's id of the type.
    pub(super) fn id(&self) -> u32 {
        match self {
            Value::U8(_) => 0,
            Value::I8(_) => 1,
            Value::U16(_) => 2,
            Value::I16(_) => 3,
            Value::U32(_) => 4,
            Value::I32(_) => 5,
            Value::F32(_) => 6,
            Value::Bool(_) => 7,
            Value::String(_) => 8,
            Value::Array(_) => 9,
            Value::U64(_) => 10,
            Value::I64(_) => 11,
            Value::F64(_) => 12,
        }
    }

    /// The value's type, in words, e.g. `u32` or `array of 3 strings`.
    pub fn kind(&self) -> String {
        match self {
            Value::Array(array) => format!("array of {} × {}", array.len(), array.element_name()),
            other => KINDS[other.id() as usize].to_string(),
        }
    }

    /// A short rendering for messages and listings: long strings and arrays are cut.
    pub fn summary(&self) -> String {
        match self {
            Value::U8(v) => v.to_string(),
            Value::I8(v) => v.to_string(),
            Value::U16(v) => v.to_string(),
            Value::I16(v) => v.to_string(),
            Value::U32(v) => v.to_string(),
            Value::I32(v) => v.to_string(),
            Value::U64(v) => v.to_string(),
            Value::I64(v) => v.to_string(),
            Value::F32(v) => v.to_string(),
            Value::F64(v) => v.to_string(),
            Value::Bool(v) => v.to_string(),
            Value::String(v) if v.chars().count() > 60 => {
                format!("{:?}… ({} bytes)", v.chars().take(60).collect::<String>(), v.len())
            }
            Value::String(v) => format!("{v:?}"),
            Value::Array(_) => self.kind(),
        }
    }

    /// The value as an integer, if it is one of any width.
    pub(super) fn integer(&self) -> Option<i128> {
        Some(match self {
            Value::U8(v) => i128::from(*v),
            Value::I8(v) => i128::from(*v),
            Value::U16(v) => i128::from(*v),
            Value::I16(v) => i128::from(*v),
            Value::U32(v) => i128::from(*v),
            Value::I32(v) => i128::from(*v),
            Value::U64(v) => i128::from(*v),
            Value::I64(v) => i128::from(*v),
            _ => return None,
        })
    }

    /// Reads a value: its type's id, then what that type holds.
    pub(super) fn read<R: Read + Seek>(source: &mut Source<R>) -> Result<Self> {
        let at = source.position();
        let id = source.u32("a value's type")?;
        Ok(match id {
            0 => Value::U8(u8::from_le_bytes(source.bytes("a u8")?)),
            1 => Value::I8(i8::from_le_bytes(source.bytes("an i8")?)),
            2 => Value::U16(u16::from_le_bytes(source.bytes("a u16")?)),
            3 => Value::I16(i16::from_le_bytes(source.bytes("an i16")?)),
            4 => Value::U32(u32::from_le_bytes(source.bytes("a u32")?)),
            5 => Value::I32(i32::from_le_bytes(source.bytes("an i32")?)),
            6 => Value::F32(f32::from_le_bytes(source.bytes("an f32")?)),
            7 => Value::Bool(boolean(source.bytes::<1>("a bool")?[0])?),
            8 => Value::String(source.string("a string")?),
            9 => Value::Array(Array::read(source, 1)?),
            10 => Value::U64(u64::from_le_bytes(source.bytes("a u64")?)),
            11 => Value::I64(i64::from_le_bytes(source.bytes("an i64")?)),
            12 => Value::F64(f64::from_le_bytes(source.bytes("an f64")?)),
            _ => return Err(unknown_type(id, at)),
        })
    }
}

impl Array {
    /// Reads the element type, the count and the elements; `depth` counts the arrays around and including this one.
    fn read<R: Read + Seek>(source: &mut Source<R>, depth: usize) -> Result<Self> {
        if depth > DEEPEST {
            return Err(Error::format(format!("arrays are nested more than {DEEPEST} deep")));
        }
        let at = source.position();
        let id = source.u32("an array's element type")?;
        let count = source.u64("an array's length")?;
        Ok(match id {
            0 => Array::U8(numbers(source, count, u8::from_le_bytes)?),
            1 => Array::I8(numbers(source, count, i8::from_le_bytes)?),
            2 => Array::U16(numbers(source, count, u16::from_le_bytes)?),
            3 => Array::I16(numbers(source, count, i16::from_le_bytes)?),
            4 => Array::U32(numbers(source, count, u32::from_le_bytes)?),
            5 => Array::I32(numbers(source, count, i32::from_le_bytes)?),
            6 => Array::F32(numbers(source, count, f32::from_le_bytes)?),
            7 => {
                let bytes: Vec<u8> = numbers(source, count, u8::from_le_bytes)?;
                Array::Bool(bytes.into_iter().map(boolean).collect::<Result<_>>()?)
            }
            8 => Array::String(strings(source, count)?),
            9 => Array::Array(arrays(source, count, depth)?),
            10 => Array::U64(numbers(source, count, u64::from_le_bytes)?),
            11 => Array::I64(numbers(source, count, i64::from_le_bytes)?),
            12 => Array::F64(numbers(source, count, f64::from_le_bytes)?),
            _ => return Err(unknown_type(id, at)),
        })
    }
}

fn unknown_type(id: u32, at: u64) -> Error {
    Error::format(format!("there is no value type {id} (at byte {at})"))
        .help("the file is damaged or of a newer format; GGUF 2 and 3 know the types 0 to 12")
}

fn boolean(byte: u8) -> Result<bool> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::format(format!("a bool is {other}; only 0 and 1 are allowed"))),
    }
}

fn numbers<R: Read + Seek, T, const N: usize>(
    source: &mut Source<R>,
    count: u64,
    convert: fn([u8; N]) -> T,
) -> Result<Vec<T>> {
    const CHUNK: usize = 8192;
    let mut left = source.claim_elements(count, N as u64)?;
    let (mut numbers, mut bytes) = (Vec::new(), Vec::new());
    while left > 0 {
        let now = left.min(CHUNK);
        bytes.clear();
        source.append(now * N, &mut bytes, "an array")?;
        numbers.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| convert(*chunk)));
        left -= now;
    }
    Ok(numbers)
}

fn strings<R: Read + Seek>(source: &mut Source<R>, count: u64) -> Result<StringArray> {
    // A string is at least its length of 8 bytes.
    let count = source.claim_elements(count, 8)?;
    let (mut text, mut ends) = (Vec::new(), Vec::new());
    for index in 0..count {
        source
            .append_string(&mut text, "a string")
            .map_err(|error| Error { message: format!("element {index} of {count}: {}", error.message), ..error })?;
        ends.push(text.len());
    }
    let text = String::from_utf8(text).map_err(|_| Error::internal("strings are UTF-8, but not together"))?;
    Ok(StringArray { text, ends })
}

fn arrays<R: Read + Seek>(source: &mut Source<R>, count: u64, depth: usize) -> Result<Vec<Array>> {
    if count > MOST_NESTED {
        return Err(Error::format(format!("an array of {count} arrays; at most {MOST_NESTED} are accepted")));
    }
    // An array is at least its type and length of 12 bytes.
    let count = source.claim_elements(count, 12)?;
    let mut arrays = Vec::new();
    for _ in 0..count {
        arrays.push(Array::read(source, depth + 1)?);
    }
    Ok(arrays)
}
