//! Messages as JavaScript values.
//!
//! gloo's worker wants a codec that cannot fail: its own one panics on a message it cannot read. But page and worker
//! are two files, and after an update an old one may meet a new one, so an unreadable message is an expected event.
//! Hence a [`Packet`]: what gloo encodes and decodes is only the wrapper, whose reading cannot fail; the message
//! inside is unpacked by whoever receives it, as a `Result`.
//!
//! Structured JavaScript values (serde-wasm-bindgen) rather than bytes: names of fields travel along, so that a field
//! that one side does not know is skipped instead of shifting everything after it.

use candor::error::{Error, Result};
use gloo::worker::Codec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

/// A message as the JavaScript value that crosses the line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Packet {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    message: JsValue,
}

impl Packet {
    /// Wraps a message.
    pub fn pack<T: Serialize>(message: &T) -> Result<Self> {
        let message = serde_wasm_bindgen::to_value(message)
            .map_err(|error| Error::internal(format!("a message could not be written: {error}")))?;
        Ok(Self { message })
    }

    /// Reads the message; an error if the other side speaks another version.
    pub fn unpack<T: DeserializeOwned>(self) -> Result<T> {
        serde_wasm_bindgen::from_value(self.message).map_err(|error| {
            Error::internal(format!("a message could not be read: {error}"))
                .help("page and engine are of different versions: reload the page")
        })
    }
}

/// gloo's envelope around a [`Packet`], as a JavaScript value.
#[derive(Debug)]
pub struct StructuredCodec;

impl Codec for StructuredCodec {
    fn encode<I: Serialize>(input: I) -> JsValue {
        serde_wasm_bindgen::to_value(&input).expect("the envelope holds only a number and a preserved value")
    }

    fn decode<O: for<'de> Deserialize<'de>>(input: JsValue) -> O {
        serde_wasm_bindgen::from_value(input).expect("only gloo's own envelopes are posted on this line")
    }
}
