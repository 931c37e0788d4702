//! Any bytes as an adapter in both formats: refused, or one that fits the model and is written and read back the same.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use candor::engine::ModelConfig;
use candor::engine::adapter::{gguf, peft};
use candor::gguf::GgufFile;
use libfuzzer_sys::fuzz_target;

static MODEL: LazyLock<ModelConfig> = LazyLock::new(|| {
    let file = GgufFile::open(Cursor::new(include_bytes!("../../models/tiny.gguf"))).expect("the tiny model is right");
    ModelConfig::from_gguf(&file.metadata).expect("the tiny model is supported")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(adapter) = gguf::read(Cursor::new(data), &MODEL.architecture) {
        let _ = adapter.check_shapes(&MODEL);
        if let Ok(bytes) = gguf::write(&adapter, &MODEL.architecture, "", Vec::new()) {
            assert_eq!(gguf::read(Cursor::new(bytes), &MODEL.architecture).expect("just written").parts().len(), adapter.parts().len());
        }
    }
    // The two files of the other format: a length, the configuration, the numbers.
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (config, weights) = rest.split_at(length);
    if let Ok(adapter) = peft::read(config, weights, &MODEL) {
        adapter.check_shapes(&MODEL).expect("the reader checks shapes");
        if let Ok((config, weights)) = peft::write(&adapter, &MODEL, "", 0.0) {
            assert_eq!(peft::read(&config, &weights, &MODEL).expect("just written").parts().len(), adapter.parts().len());
        }
    }
});
