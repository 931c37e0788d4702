//! Any bytes as blocks of any type: as many numbers as promised, none of them wild unless a scale is; and what was
//! unpacked can be packed again without harm.
#![no_main]

use candor::gguf::{QuantizedType, dequantize_row, quantize_row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let kinds: Vec<_> = QuantizedType::all().collect();
    let kind = kinds[usize::from(*first) % kinds.len()];
    let blocks = bytes.len() / kind.block_bytes();
    let whole = &bytes[..blocks * kind.block_bytes()];
    let mut values = vec![f32::NAN; blocks * kind.block_size()];
    dequantize_row(kind, whole, &mut values).expect("whole blocks");
    if whole.len() < bytes.len() {
        dequantize_row(kind, bytes, &mut values).expect_err("a part of a block");
    }
    for target in kinds {
        let mut packed = Vec::new();
        if quantize_row(target, &values, &mut packed).is_ok() {
            let mut again = vec![0.0; values.len()];
            dequantize_row(target, &packed, &mut again).expect("what was packed is whole blocks");
            assert!(again.iter().all(|value| value.is_finite()), "{kind} to {target}: {values:?} became {again:?}");
        } else {
            assert!(packed.is_empty());
        }
    }
});
