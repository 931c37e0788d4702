//! What the server says: status, headers, and a text or a part of a file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::request::{Part, Request};

/// Sent with everything. The first three isolate the page, so that workers get exact clocks and shared memory.
const ALWAYS: &str = "Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Embedder-Policy: require-corp\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cache-Control: no-cache\r\n\
    Connection: close\r\n";

#[derive(Debug)]
enum Body {
    Empty,
    Text(String),
    Part { file: File, length: u64 },
}

/// An answer that is ready to be written.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    headers: String,
    body: Body,
}

impl Answer {
    /// A plain sentence.
    pub(super) fn text(status: u16, sentence: &str) -> Self {
        let headers = "Content-Type: text/plain; charset=utf-8\r\n".to_owned();
        Self { status, headers, body: Body::Text(format!("{sentence}\n")) }
    }

    /// The file, or the part that was asked for, or that nothing changed.
    pub(super) fn file(path: &Path, request: &Request) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let whole = metadata.len();
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let tag = format!("\"{whole:x}-{changed:x}\"");
        let mut headers = format!("ETag: {tag}\r\nAccept-Ranges: bytes\r\n");

        if request.if_none_match.as_deref().is_some_and(|tags| tags.contains(&tag)) {
            return Ok(Self { status: 304, headers, body: Body::Empty });
        }
        let unchanged = request.if_range.as_deref().is_none_or(|known| known == tag);
        let part = Part::parse(request.range.as_deref().filter(|_| unchanged), whole);
        let _ = write!(headers, "Content-Type: {}\r\n", mime(path));
        let (status, first, length) = match part {
            Part::Whole => (200, 0, whole),
            Part::Bytes(first, last) => {
                let _ = write!(headers, "Content-Range: bytes {first}-{last}/{whole}\r\n");
                (206, first, last - first + 1)
            }
            Part::Unsatisfiable => {
                let mut answer = Self::text(416, "The range begins behind the end of the file.");
                let _ = write!(answer.headers, "Content-Range: bytes */{whole}\r\n");
                return Ok(answer);
            }
        };
        file.seek(SeekFrom::Start(first))?;
        Ok(Self { status, headers, body: Body::Part { file, length } })
    }

    /// The status code.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Writes head and body; the head alone for a HEAD request.
    pub(super) fn write(self, to: &mut impl Write, only_head: bool) -> io::Result<()> {
        let length = match &self.body {
            Body::Empty => 0,
            Body::Text(text) => text.len() as u64,
            Body::Part { length, .. } => *length,
        };
        let (status, reason, headers) = (self.status, reason(self.status), self.headers);
        let length_line = if status == 304 { String::new() } else { format!("Content-Length: {length}\r\n") };
        to.write_all(format!("HTTP/1.1 {status} {reason}\r\n{ALWAYS}{headers}{length_line}\r\n").as_bytes())?;
        match self.body {
            _ if only_head => Ok(()),
            Body::Empty => Ok(()),
            Body::Text(text) => to.write_all(text.as_bytes()),
            Body::Part { file, length } => io::copy(&mut file.take(length), to).map(drop),
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        _ => "Internal Server Error",
    }
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "toml" => "application/toml",
        "csv" => "text/csv; charset=utf-8",
        "tsv" => "text/tab-separated-values; charset=utf-8",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
