//! The content of files that a person picked or dropped, which cross as `blob:` addresses.

use candor::error::{Error, Kind, Result};
use candor::protocol::DataFile;
use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Response, WorkerGlobalScope};

use crate::store::exception;

/// The whole content of a picked file of at most so many bytes.
///
/// # Errors
/// [`Kind::Resource`] for a larger one; a file that the browser does not give any more.
pub async fn bytes_of(file: &DataFile, most: u64) -> Result<Vec<u8>> {
    let named = |error: Error| error.at_file(&file.name).help("pick the file again");
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_str(&file.url)).await;
    let response: Response = response.map_err(|thrown| named(exception("reading", &thrown)))?.unchecked_into();
    let length = response.headers().get("Content-Length").ok().flatten().and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(Error::new(Kind::Resource, "the file is larger than a tab can read at once")
            .at_file(&file.name)
            .help("cut it into files of less than 1 GB; the command line reads any size"));
    }
    let buffer = response.array_buffer().map_err(|thrown| named(exception("reading", &thrown)))?;
    let buffer = JsFuture::from(buffer).await.map_err(|thrown| named(exception("reading", &thrown)))?;
    Ok(Uint8Array::new(&buffer).to_vec())
}
