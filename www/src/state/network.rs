//! The requests this page has made since it was loaded: what the privacy badge counts and lists.
//!
//! The page's own program, style and icon files are not counted, even where the browser fetches one late: they are the
//! page, and the list shows them apart. Everything else is counted, the model's download included. Addresses that
//! never leave the browser (`blob:`, `data:`) are no requests.

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The whole address.
    pub url: String,
    /// Host, or `this site`.
    pub host: String,
    /// The path's last part.
    pub file: String,
    /// Seconds after the page was opened.
    pub at: f64,
    /// Bytes that came over the network, where the browser says.
    pub bytes: Option<u64>,
}

/// All requests since the page was ready.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestLog {
    requests: Vec<Request>,
    own_files: Vec<Request>,
}

/// Endings of the files that the page itself is made of.
const OWN_FILES: [&str; 6] = [".js", ".wasm", ".css", ".html", ".svg", ".webmanifest"];

impl RequestLog {
    /// Takes a request that the browser reports; `origin` is the page's own.
    pub fn note(&mut self, url: &str, origin: &str, at: f64, bytes: Option<u64>) {
        if !(url.starts_with("http:") || url.starts_with("https:")) {
            return;
        }
        let address = url.split(['?', '#']).next().unwrap_or(url);
        let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
        let (host, path) = after_scheme.split_once('/').unwrap_or((after_scheme, ""));
        let own = url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
        let file = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("/");
        let request = Request {
            url: url.to_owned(),
            host: if own { "this site".to_owned() } else { host.to_owned() },
            file: file.to_owned(),
            at,
            bytes,
        };
        if own && OWN_FILES.iter().any(|ending| file.ends_with(ending)) && !url.contains('?') {
            self.own_files.push(request);
        } else {
            self.requests.push(request);
        }
    }

    /// The requests, the oldest first.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.requests.len()
    }

    /// Files of the page itself that came after it was ready, such as the engine's program.
    pub fn own_files(&self) -> &[Request] {
        &self.own_files
    }

    /// How many went to another host than the page's own.
    pub fn elsewhere(&self) -> usize {
        self.requests.iter().filter(|request| request.host != "this site").count()
    }
}

/// The host of an address, if it is one a model can be fetched from: `https`, or `http` on this machine.
pub fn model_host(url: &str) -> Result<String, &'static str> {
    let url = url.trim();
    let rest = if let Some(rest) = url.strip_prefix("https://") {
        rest
    } else if let Some(rest) = url.strip_prefix("http://") {
        let host = rest.split(['/', ':']).next().unwrap_or("");
        if !matches!(host, "localhost" | "127.0.0.1") {
            return Err("An unencrypted address (http://) is only possible on this machine. Use https://.");
        }
        rest
    } else {
        return Err("Give the whole address, beginning with https://.");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    if host.contains('@') {
        return Err("Leave name and password out of the address: a page cannot send them.");
    }
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err("This address has no host.");
    }
    Ok(host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_leaves_the_browser_and_nothing_else() {
        let mut log = RequestLog::default();
        let origin = "https://candor.example";
        log.note("blob:https://candor.example/123", origin, 1.0, None);
        log.note("data:text/plain,x", origin, 1.0, None);
        assert_eq!(log.count(), 0);
        log.note("https://candor.example/models/tiny.gguf?x=1", origin, 2.0, Some(98));
        log.note("https://candor.example.evil.org/a/b/", origin, 3.0, None);
        log.note("https://other.org", origin, 4.0, None);
        assert_eq!((log.count(), log.elsewhere()), (3, 2));
        let seen: Vec<(&str, &str)> =
            log.requests().iter().map(|request| (request.host.as_str(), request.file.as_str())).collect();
        assert_eq!(seen, [("this site", "tiny.gguf"), ("candor.example.evil.org", "b"), ("other.org", "/")]);
    }

    #[test]
    fn the_page_s_own_program_is_listed_apart() {
        let mut log = RequestLog::default();
        let origin = "https://candor.example";
        log.note("https://candor.example/app/worker_bg.wasm", origin, 0.2, Some(5));
        log.note("https://candor.example/app/worker.js", origin, 0.2, Some(5));
        assert_eq!((log.count(), log.own_files().len()), (0, 2));
        // Nothing can be carried out under the name of a program file: another host or a query counts.
        log.note("https://other.example/worker.js", origin, 0.3, None);
        log.note("https://candor.example/app/worker.js?text=secret", origin, 0.3, None);
        assert_eq!((log.count(), log.own_files().len()), (2, 2));
    }

    #[test]
    fn model_addresses_are_checked() {
        for (url, expected) in [
            ("https://huggingface.co/a/b.gguf", Ok("huggingface.co")),
            (" https://HOST.example:8443/x ", Ok("host.example:8443")),
            ("http://127.0.0.1:8000/x.gguf", Ok("127.0.0.1:8000")),
        ] {
            assert_eq!(model_host(url), expected.map(str::to_owned), "{url}");
        }
        for url in [
            "",
            "huggingface.co/x",
            "http://host.example/x",
            "ftp://x/y",
            "https:///x",
            "https://a b/x",
            "https://user:pw@host.example/x",
        ] {
            assert!(model_host(url).is_err(), "{url}");
        }
    }
}
