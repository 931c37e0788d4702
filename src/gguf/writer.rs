//! Writing GGUF version 3.
//!
//! The directory comes before the data, so everything but the tensors' bytes must be known at the start; the bytes
//! then stream through a plain `Write`, one tensor at a time and in order, and a model larger than memory can be
//! written.

use std::io::Write;

use super::header::{DEFAULT_ALIGNMENT, check_alignment};
use super::metadata::Metadata;
use super::quantized::QuantizedType;
use super::value::{Array, Value};
use crate::error::{Error, Result};

/// A tensor that will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorPlan {
    /// Name, e.g. `blk.0.attn_q.weight`.
    pub name: String,
    /// Extent of each dimension, innermost first.
    pub shape: Vec<usize>,
    /// Element type.
    pub kind: QuantizedType,
}

impl TensorPlan {
    /// A tensor's plan.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, kind: QuantizedType) -> Self {
        Self { name: name.into(), shape: shape.into(), kind }
    }

    /// How many bytes its data takes.
    ///
    /// # Errors
    /// If the shape is empty, has a zero, does not divide into blocks or does not fit.
    pub fn bytes(&self) -> Result<usize> {
        if !(1..=4).contains(&self.shape.len()) || self.shape.contains(&0) {
            return Err(Error::input(format!("{:?} is not a tensor's shape", self.shape)).in_field(&self.name));
        }
        let rows = self.shape[1..].iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent));
        let row_bytes = self.kind.row_bytes(self.shape[0]).map_err(|error| error.in_field(&self.name))?;
        rows.and_then(|rows| rows.checked_mul(row_bytes))
            .ok_or_else(|| Error::input(format!("{:?} is too large", self.shape)).in_field(&self.name))
    }
}

/// A file whose header is written and whose tensors are awaited in order.
#[derive(Debug)]
pub struct GgufWriter<W> {
    out: W,
    alignment: usize,
    /// Names and lengths still to come, last first.
    awaited: Vec<(String, usize)>,
}

impl<W: Write> GgufWriter<W> {
    /// Writes the header: all metadata, and the directory of all tensors.
    ///
    /// # Errors
    /// If a name is used twice, a shape does not fit its type, the alignment is not a valid one, or writing fails.
    pub fn new(mut out: W, metadata: &Metadata, tensors: &[TensorPlan]) -> Result<Self> {
        let alignment = metadata.optional("general.alignment", Metadata::u32)?.unwrap_or(DEFAULT_ALIGNMENT);
        let alignment = check_alignment(alignment)? as usize;
        let mut header = b"GGUF".to_vec();
        header.extend(3_u32.to_le_bytes());
        header.extend((tensors.len() as u64).to_le_bytes());
        header.extend((metadata.len() as u64).to_le_bytes());
        for (key, value) in metadata.iter() {
            push_string(key, &mut header);
            push_value(value, &mut header);
        }
        let mut offset = 0_u64;
        let mut awaited = Vec::new();
        for plan in tensors {
            if awaited.iter().any(|(name, _)| name == &plan.name) {
                return Err(Error::input("two tensors have this name").in_field(&plan.name));
            }
            let bytes = plan.bytes()?;
            push_string(&plan.name, &mut header);
            header.extend((plan.shape.len() as u32).to_le_bytes());
            plan.shape.iter().for_each(|extent| header.extend((*extent as u64).to_le_bytes()));
            header.extend(plan.kind.ggml_id().to_le_bytes());
            header.extend(offset.to_le_bytes());
            offset += (bytes as u64).next_multiple_of(alignment as u64);
            awaited.push((plan.name.clone(), bytes));
        }
        header.resize(header.len().next_multiple_of(alignment), 0);
        out.write_all(&header)?;
        awaited.reverse();
        Ok(Self { out, alignment, awaited })
    }

    /// Writes the next tensor's bytes, whose name is given so that a wrong order is noticed.
    ///
    /// # Errors
    /// If it is not this tensor's turn, the length is not what its plan takes, or writing fails.
    pub fn write_tensor(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        match self.awaited.pop() {
            Some((awaited, length)) if awaited == name && length == bytes.len() => {
                self.out.write_all(bytes)?;
                let padding = bytes.len().next_multiple_of(self.alignment) - bytes.len();
                self.out.write_all(&vec![0; padding])?;
                Ok(())
            }
            Some((awaited, length)) => Err(Error::internal(format!(
                "\"{awaited}\" with {length} bytes should come next, not \"{name}\" with {}",
                bytes.len()
            ))),
            None => Err(Error::internal(format!("\"{name}\" comes after all planned tensors"))),
        }
    }

    /// Flushes and returns what was written to.
    ///
    /// # Errors
    /// If a planned tensor was not written, or flushing fails.
    pub fn finish(mut self) -> Result<W> {
        if let Some((name, _)) = self.awaited.last() {
            return Err(Error::internal(format!("\"{name}\" was planned but not written")));
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

fn push_string(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn push_value(value: &Value, out: &mut Vec<u8>) {
    out.extend(value.id().to_le_bytes());
    match value {
        Value::U8(v) => out.push(*v),
        Value::I8(v) => out.extend(v.to_le_bytes()),
        Value::U16(v) => out.extend(v.to_le_bytes()),
        Value::I16(v) => out.extend(v.to_le_bytes()),
        Value::U32(v) => out.extend(v.to_le_bytes()),
        Value::I32(v) => out.extend(v.to_le_bytes()),
        Value::F32(v) => out.extend(v.to_le_bytes()),
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::String(v) => push_string(v, out),
        Value::Array(v) => push_array(v, out),
        Value::U64(v) => out.extend(v.to_le_bytes()),
        Value::I64(v) => out.extend(v.to_le_bytes()),
        Value::F64(v) => out.extend(v.to_le_bytes()),
    }
}

fn push_array(array: &Array, out: &mut Vec<u8>) {
    out.extend(array.element_id().to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(v) => out.extend(v),
        Array::I8(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::U16(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::I16(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::U32(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::I32(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::F32(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::Bool(v) => v.iter().for_each(|v| out.push(u8::from(*v))),
        Array::String(v) => v.iter().for_each(|v| push_string(v, out)),
        Array::Array(v) => v.iter().for_each(|v| push_array(v, out)),
        Array::U64(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::I64(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
        Array::F64(v) => v.iter().for_each(|v| out.extend(v.to_le_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::gguf::GgufFile;

    /// One value of every type, nested arrays included.
    fn every_value() -> Metadata {
        let arrays = vec![
            Array::U8(vec![1, 2]),
            Array::I8(vec![-1]),
            Array::U16(vec![1]),
            Array::I16(vec![-2]),
            Array::U32(vec![7; 3]),
            Array::I32(vec![-7]),
            Array::F32(vec![0.5]),
            Array::Bool(vec![true, false]),
            Array::String(["", "a", "ß→"].iter().collect()),
            Array::U64(vec![u64::MAX]),
            Array::I64(vec![i64::MIN]),
            Array::F64(vec![]),
            Array::Array(vec![Array::Array(vec![])]),
        ];
        let values = [
            Value::U8(1),
            Value::I8(-1),
            Value::U16(2),
            Value::I16(-2),
            Value::U32(3),
            Value::I32(-3),
            Value::F32(0.25),
            Value::Bool(true),
            Value::String("naïve".into()),
            Value::U64(4),
            Value::I64(-4),
            Value::F64(1e300),
            Value::Array(Array::Array(arrays)),
        ];
        values.into_iter().enumerate().map(|(i, value)| (format!("key.{i}"), value)).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        for alignment in [8, 32, 4096] {
            let mut metadata = every_value();
            metadata.insert("general.alignment", Value::U32(alignment));
            let plans = [
                TensorPlan::new("a", [3], QuantizedType::F32),
                TensorPlan::new("b", [32, 2, 1], QuantizedType::Q4_1),
                TensorPlan::new("c", [1], QuantizedType::F16),
            ];
            let data = [vec![1; 12], vec![2; 40], vec![3; 2]];
            let mut writer = GgufWriter::new(Vec::new(), &metadata, &plans).unwrap();
            for (plan, bytes) in plans.iter().zip(&data) {
                writer.write_tensor(&plan.name, bytes).unwrap();
            }
            let mut file = GgufFile::open(Cursor::new(writer.finish().unwrap())).unwrap();
            assert_eq!(file.version, 3);
            assert_eq!(file.metadata, metadata);
            assert_eq!(file.tensors.len(), 3);
            for (plan, bytes) in plans.iter().zip(&data) {
                let info = file.tensor(&plan.name).unwrap().clone();
                assert_eq!((&info.shape, info.kind), (&plan.shape, plan.kind));
                assert_eq!(info.offset % u64::from(alignment), 0);
                assert_eq!(&file.read_tensor(&plan.name).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn wrong_plans_and_orders_are_refused() {
        let empty = Metadata::default();
        for plan in [
            TensorPlan::new("a", [33], QuantizedType::Q4_1),
            TensorPlan::new("a", [], QuantizedType::F32),
            TensorPlan::new("a", [4, 0], QuantizedType::F32),
            TensorPlan::new("a", [usize::MAX, 3], QuantizedType::F32),
        ] {
            assert!(GgufWriter::new(Vec::new(), &empty, &[plan]).is_err());
        }
        let a = TensorPlan::new("a", [1], QuantizedType::F32);
        assert!(GgufWriter::new(Vec::new(), &empty, &[a.clone(), a.clone()]).is_err(), "the same name twice");
        let writer = || GgufWriter::new(Vec::new(), &empty, std::slice::from_ref(&a)).unwrap();
        assert!(writer().finish().is_err(), "a tensor is missing");
        assert!(writer().write_tensor("b", &[0; 4]).is_err(), "the wrong tensor");
        assert!(writer().write_tensor("a", &[0; 5]).is_err(), "the wrong length");
        let mut alignment = Metadata::default();
        alignment.insert("general.alignment", Value::U32(12));
        assert!(GgufWriter::new(Vec::new(), &alignment, &[]).is_err());
    }
}
