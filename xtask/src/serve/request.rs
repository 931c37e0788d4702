//! What a browser asks, reduced to what a static server looks at.

/// A request's parts that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    target: String,
    /// The decoded path without its query; none if it is not valid UTF-8 after decoding.
    pub(super) path: Option<String>,
    pub(super) wants_html: bool,
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    pub(super) if_none_match: Option<String>,
    host: Option<String>,
}

impl Request {
    /// Reads a whole request head; none if it is not one.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Request::new(&mut headers);
        if !matches!(parsed.parse(head), Ok(httparse::Status::Complete(_))) {
            return None;
        }
        let header = |name: &str| {
            let found = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(String::from_utf8_lossy(found.value).trim().to_owned())
        };
        let target = parsed.path?.to_owned();
        Some(Self {
            method: parsed.method?.to_owned(),
            path: decode(target.split(['?', '#']).next().unwrap_or_default()),
            wants_html: header("accept").is_some_and(|accept| accept.contains("text/html")),
            range: header("range"),
            if_range: header("if-range"),
            if_none_match: header("if-none-match"),
            host: header("host"),
            target,
        })
    }

    /// Method and target, for the log.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Whether the browser believes to be talking to this machine.
    pub(super) fn is_for_this_machine(&self, port: u16) -> bool {
        let Some(host) = self.host.as_deref() else { return false };
        let (name, given) = host.rsplit_once(':').unwrap_or((host, "80"));
        matches!(name, "127.0.0.1" | "localhost") && given == port.to_string()
    }
}

/// Percent-decodes a path that begins with a slash.
fn decode(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The part of a file that a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it: no range, or one that this server does not serve (several parts, another unit).
    Whole,
    /// First and last byte, both included.
    Bytes(u64, u64),
    /// It begins behind the end.
    Unsatisfiable,
}

impl Part {
    /// Reads `bytes=first-last`, `bytes=first-` and `bytes=-count` for a file of `length` bytes.
    pub(super) fn parse(range: Option<&str>, length: u64) -> Self {
        let Some(spec) = range.and_then(|range| range.strip_prefix("bytes=")) else { return Self::Whole };
        let Some((first, last)) = spec.split_once('-') else { return Self::Whole };
        let number = |text: &str| text.trim().parse::<u64>().ok();
        match (first.trim(), last.trim()) {
            ("", count) => match number(count) {
                Some(0) => Self::Unsatisfiable,
                Some(_) if length == 0 => Self::Unsatisfiable,
                Some(count) => Self::Bytes(length.saturating_sub(count), length - 1),
                None => Self::Whole,
            },
            (first, last) => match (number(first), number(last)) {
                (Some(first), Some(last)) if first > last => Self::Whole,
                (Some(first), _) if first >= length => Self::Unsatisfiable,
                (Some(first), None) if last.is_empty() => Self::Bytes(first, length - 1),
                (Some(first), Some(last)) => Self::Bytes(first, last.min(length - 1)),
                _ => Self::Whole,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_or_refused() {
        for (target, expected) in [
            ("/", Some("/")),
            ("/a%20b", Some("/a b")),
            ("/caf%C3%A9", Some("/café")),
            ("/%2e%2e/secret", Some("/../secret")),
            ("/a?b=/../c", Some("/a")),
            ("http://elsewhere/", None),
            ("*", None),
            ("/%", None),
            ("/%4", None),
            ("/%zz", None),
            ("/%ff", None),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: localhost:1\r\n\r\n");
            let request = Request::parse(head.as_bytes()).expect("a valid head");
            assert_eq!(request.path.as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn ranges() {
        for (range, length, expected) in [
            (None, 10, Part::Whole),
            (Some("bytes=0-0"), 10, Part::Bytes(0, 0)),
            (Some("bytes=2-5"), 10, Part::Bytes(2, 5)),
            (Some("bytes=2-"), 10, Part::Bytes(2, 9)),
            (Some("bytes=2-99"), 10, Part::Bytes(2, 9)),
            (Some("bytes=-3"), 10, Part::Bytes(7, 9)),
            (Some("bytes=-30"), 10, Part::Bytes(0, 9)),
            (Some("bytes=10-"), 10, Part::Unsatisfiable),
            (Some("bytes=-0"), 10, Part::Unsatisfiable),
            (Some("bytes=0-"), 0, Part::Unsatisfiable),
            (Some("bytes=-1"), 0, Part::Unsatisfiable),
            (Some("bytes=5-2"), 10, Part::Whole),
            (Some("bytes=0-1,4-5"), 10, Part::Whole),
            (Some("bytes=x-y"), 10, Part::Whole),
            (Some("bytes=1-y"), 10, Part::Whole),
            (Some("rows=0-1"), 10, Part::Whole),
            (Some("bytes=99999999999999999999-"), 10, Part::Whole),
        ] {
            assert_eq!(Part::parse(range, length), expected, "{range:?} of {length}");
        }
    }

    #[test]
    fn a_head_that_is_not_one_is_no_request() {
        for head in ["", "\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nbroken\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"] {
            assert_eq!(Request::parse(head.as_bytes()), None, "{head:?}");
        }
    }
}
