//! One request as a stream of chunks, from an offset on.
//!
//! The browser's `fetch`, nothing kept in its cache (the file goes to our own storage), no referrer. A continued
//! download asks for a plain range and compares what identifies the file in the answer, instead of sending
//! `If-Range`: other hosts would have to allow that header first, and most do not.

use candor::error::{Error, Kind, Result};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, ReadableStreamDefaultReader, ReferrerPolicy, Request, RequestCache, RequestInit, Response,
    WorkerGlobalScope,
};

use super::exception;

/// A download on its way.
#[derive(Debug)]
pub struct Download {
    reader: ReadableStreamDefaultReader,
    address: String,
    /// Where in the file its first chunk lies: the offset that was asked for, or 0 where the server starts anew.
    pub offset: u64,
    /// Bytes of the whole file, where the server says.
    pub total: Option<u64>,
    /// What identifies this version of the file, where the server says.
    pub validator: Option<String>,
}

impl Download {
    /// Asks for a file from an offset on.
    ///
    /// # Errors
    /// [`Kind::Network`] with the address and the status or reason; [`Kind::Cancelled`].
    pub async fn start(address: &str, from: u64, signal: &AbortSignal) -> Result<Self> {
        let init = RequestInit::new();
        init.set_signal(Some(signal));
        init.set_cache(RequestCache::NoStore);
        init.set_referrer_policy(ReferrerPolicy::NoReferrer);
        let request = Request::new_with_str_and_init(address, &init)
            .map_err(|_| Error::input(format!("{address} is no address")).help("begin with https://"))?;
        if from > 0 {
            let _ = request.headers().set("Range", &format!("bytes={from}-"));
        }
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response = JsFuture::from(scope.fetch_with_request(&request)).await;
        let response: Response = response.map_err(|thrown| unreachable(address, &thrown))?.unchecked_into();
        let header = |name: &str| response.headers().get(name).ok().flatten();
        let length = header("Content-Length").and_then(|length| length.parse::<u64>().ok());
        let (offset, total) = match response.status() {
            200 if header("Content-Encoding").is_some() => (0, None),
            200 => (0, length),
            206 => match header("Content-Range").as_deref().map(parse_content_range) {
                Some(Some((first, total))) if first == from => (first, total),
                Some(_) => return Err(refused(address, "its server sent another part than was asked for")),
                // Another host need not show this header; a 206 answers what was asked.
                None => (from, length.map(|rest| from + rest)),
            },
            status => return Err(refused(address, &format!("{status} {}", response.status_text()))),
        };
        let reader = response
            .body()
            .ok_or_else(|| refused(address, "its server sent nothing"))
            .and_then(|body| ReadableStreamDefaultReader::new(&body).map_err(|thrown| exception(address, &thrown)))?;
        Ok(Self { reader, address: address.to_owned(), offset, total, validator: header("ETag") })
    }

    /// The next chunk; nothing at the end.
    ///
    /// # Errors
    /// [`Kind::Network`] when the line breaks; [`Kind::Cancelled`].
    pub async fn next(&self) -> Result<Option<Uint8Array>> {
        let step = JsFuture::from(self.reader.read()).await.map_err(|thrown| broken(&self.address, &thrown))?;
        let field = |key: &str| Reflect::get(&step, &key.into()).unwrap_or_default();
        Ok((!field("done").is_truthy()).then(|| field("value").unchecked_into()))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // Ends the request if it has not come to its end; what that says does not matter any more, but has to be heard.
        let ended = JsFuture::from(self.reader.cancel());
        wasm_bindgen_futures::spawn_local(async move {
            let _ = ended.await;
        });
    }
}

fn unreachable(address: &str, thrown: &JsValue) -> Error {
    let error = exception(address, thrown);
    if error.kind == Kind::Cancelled {
        return error;
    }
    let reason = Error { kind: Kind::Network, ..error };
    match address.starts_with("blob:") {
        true => reason.help("pick the file again"),
        false => reason.help(
            "check the network; a file on another host also needs that host's consent (CORS) and yours (the page asks)",
        ),
    }
}

fn broken(address: &str, thrown: &JsValue) -> Error {
    match exception(address, thrown) {
        error if error.kind == Kind::Cancelled => error,
        error => Error { kind: Kind::Network, ..error }.help("try again: it goes on where it stopped"),
    }
}

fn refused(address: &str, why: &str) -> Error {
    Error::new(Kind::Network, format!("{address}: {}", why.trim())).help("check the address")
}

/// First byte and whole size of `bytes 5-9/10`.
fn parse_content_range(header: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        for (header, expected) in [
            ("bytes 5-9/10", Some((5, Some(10)))),
            ("bytes 0-9/*", Some((0, None))),
            ("bytes */10", None),
            ("5-9/10", None),
        ] {
            assert_eq!(parse_content_range(header), expected, "{header}");
        }
    }
}
