//! Any bytes as a GGUF file: refused, or every tensor readable and every row of a computable type unpackable.
#![no_main]

use std::io::Cursor;

use candor::gguf::{GgufFile, Header, dequantize_row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let described = Header::read(Cursor::new(data));
    let Ok(mut file) = GgufFile::open(Cursor::new(data)) else { return };
    let header = described.expect("a file that opens has a header");
    assert_eq!(header.tensors.len(), file.tensors.len());
    let tensors: Vec<_> = file.tensors.values().cloned().collect();
    for tensor in tensors {
        let bytes = file.read_tensor(&tensor.name).expect("a checked tensor is readable");
        assert_eq!(bytes.len(), tensor.bytes);
        let mut row = Vec::new();
        file.read_tensor_rows(&tensor.name, tensor.rows() - 1, 1, &mut row).expect("the last row is there");
        assert_eq!(row, bytes[bytes.len() - tensor.row_bytes()..]);
        dequantize_row(tensor.kind, &row, &mut vec![0.0; tensor.columns()]).expect("a row is whole blocks");
    }
});
