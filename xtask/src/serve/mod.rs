//! A small static server for the built page: the demo serves people with it, the browser tests serve Chromium with it.
//!
//! It listens on 127.0.0.1 only, answers GET and HEAD only, and sends what a page that computes in workers needs:
//! cross-origin isolation, exact MIME types (a browser refuses to stream WebAssembly under another), byte ranges (a
//! model is resumed, not begun again), and validators instead of lifetimes, so that a rebuilt page is seen at once.
//! One thread a connection and one request a connection: a browser opens a handful, and a server that has stopped has
//! then no connection left that still answers. It is no public web server and knows nothing of TLS or compression.

mod answer;
mod request;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use answer::Answer;
use request::Request;

/// The longest request head that is read; a browser's is about a kilobyte.
const LONGEST_HEAD: usize = 32 * 1024;
/// How long a connection may keep silent; Chromium opens some ahead of need and leaves them so.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which folder answers for which path: the first mount that has the file wins.
#[derive(Debug, Clone, Default)]
pub struct Site {
    mounts: Vec<(String, PathBuf)>,
}

impl Site {
    /// A site that serves `folder` at `/`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::default().mount("/", folder)
    }

    /// Adds `folder` at `prefix`, for example `/models/`, asked after the mounts that are there already.
    #[must_use]
    pub fn mount(mut self, prefix: &str, folder: impl Into<PathBuf>) -> Self {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        self.mounts.push((prefix, folder.into()));
        self
    }

    /// The file for a decoded path, or none; never a file outside the mounted folders, not even through a link.
    fn find(&self, path: &str) -> Option<PathBuf> {
        self.mounts.iter().find_map(|(prefix, folder)| file_below(folder, path.strip_prefix(prefix.as_str())?))
    }
}

/// The file `relative` names below `folder`; a folder means its `index.html`.
fn file_below(folder: &Path, relative: &str) -> Option<PathBuf> {
    let plain = |part: &str| part != ".." && !part.contains(['\\', ':', '\0']);
    if !relative.split('/').all(plain) {
        return None;
    }
    let root = folder.canonicalize().ok()?;
    let mut file = root.clone();
    file.extend(relative.split('/').filter(|part| !part.is_empty() && *part != "."));
    if file.is_dir() {
        file.push("index.html");
    }
    let file = file.canonicalize().ok()?;
    (file.starts_with(&root) && file.is_file()).then_some(file)
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    site: Site,
    port: u16,
    stopping: AtomicBool,
    log: Mutex<Vec<String>>,
}

impl Server {
    /// Serves `site` on 127.0.0.1 at `port`; 0 takes any free one.
    ///
    /// # Errors
    /// When the port is taken ([`io::ErrorKind::AddrInUse`]) or may not be used.
    pub fn start(site: Site, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { site, port: address.port(), stopping: AtomicBool::new(false), log: Mutex::default() });
        let for_thread = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &for_thread));
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where the site begins, with a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Every request so far, in order of arrival: `GET /path → 200`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.log().clone()
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }

    /// Stops: the port is free when this returns.
    pub fn stop(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The accepting thread waits for a connection; this one wakes it.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &Request) -> Answer {
        // A page on another name that resolves to 127.0.0.1 must not read this site.
        if !request.is_for_this_machine(self.port) {
            return Answer::text(421, "This server answers for 127.0.0.1 and localhost only.");
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Answer::text(405, "Only GET and HEAD are answered here.");
        }
        let Some(path) = &request.path else { return Answer::text(400, "The path is not valid.") };
        let found = self.site.find(path).or_else(|| {
            // A place inside the app (`/evaluate`) is drawn by the page itself, so a reload gets the page.
            let place = !path.rsplit('/').next().unwrap_or_default().contains('.');
            (place && request.wants_html).then(|| self.site.find("/index.html")).flatten()
        });
        match found {
            Some(file) => Answer::file(&file, request).unwrap_or_else(|error| Answer::text(500, &error.to_string())),
            None => Answer::text(404, "There is no such file here."),
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A browser that goes away in the middle of an answer is its own business.
            let _ = converse(stream, &shared);
        });
    }
}

/// One request, one answer.
fn converse(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let request = match read_head(&mut stream)? {
        Some(head) => Request::parse(&head),
        None => return Ok(()),
    };
    if shared.stopping.load(Ordering::SeqCst) {
        return Ok(());
    }
    let (line, answer, only_head) = match &request {
        Some(request) => (request.line(), shared.answer(request), request.method == "HEAD"),
        None => ("?".to_owned(), Answer::text(400, "That is not an HTTP/1 request."), false),
    };
    shared.log().push(format!("{line} → {}", answer.status()));
    answer.write(&mut stream, only_head)?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// The bytes up to the empty line, or none if the other side sent nothing or too much.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        head.extend_from_slice(&chunk[..count]);
        if head.len() > LONGEST_HEAD {
            let _ = stream.write_all(b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n");
            return Ok(None);
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests;
