//! `candor serve` as a client sees it: right answers, clear refusals, and nothing that brings it down.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny.gguf");

/// A running server; ended when dropped.
struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    fn start(more: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_candor")), more)
    }

    fn start_by(mut command: Command, more: &[&str]) -> Self {
        let mut process = command
            .args(["serve", "--model", MODEL, "--task", "sentiment", "--port", "0", "--json"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        let port = said["port"].as_u64().unwrap() as u16;
        Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Sends bytes as they are; gives what comes back until the server closes.
    fn raw(&self, request: &[u8]) -> String {
        self.sent(request, false)
    }

    /// The same from a client that goes away once it has sent them.
    fn sent(&self, request: &[u8], leaving: bool) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // The server may answer and close before all of it is written.
        let _ = stream.write_all(request);
        if leaving {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn request(&self, method: &str, path: &str, more: &str, body: &str) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n{body}",
            self.address,
            body.len()
        );
        parts(&self.raw(head.as_bytes()))
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path, "", "")
    }

    fn classify(&self, body: &Value) -> (u16, Value) {
        let (status, text) = self.request("POST", "/classify", "", &body.to_string());
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?}: {error}")))
    }

    fn is_well(&self) {
        let (status, health) = self.get("/health");
        let health: Value = serde_json::from_str(&health).unwrap();
        assert_eq!((status, &health["status"], &health["task"]), (200, &json!("ok"), &json!("sentiment")));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Status and body of an answer.
fn parts(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[test]
fn answers_are_those_of_the_command_line() {
    let served = Served::start(&[]);
    let texts = ["I love this movie!", "The worst meal I have ever paid for.", "ok"];
    let output = Command::new(env!("CARGO_BIN_EXE_candor"))
        .args(["classify", "--model", MODEL, "--task", "sentiment", "--json"])
        .args(texts)
        .output()
        .unwrap();
    let known: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (status, answer) = served.classify(&json!({ "texts": texts }));
    assert_eq!(status, 200, "{answer}");
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), texts.len());
    for (one, known) in predictions.iter().zip(&known) {
        for (field, value) in known.as_object().unwrap() {
            assert_eq!(&one[field], value, "{field}");
        }
        assert_eq!(one["calibrated"], json!(false));
    }
    let (status, single) = served.classify(&json!({ "text": texts[1] }));
    assert_eq!((status, &single["confidence"]), (200, &known[1]["confidence"]));
}

#[test]
fn a_server_with_one_thread_to_compute_with_never_answered() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_candor"));
    command.env("RAYON_NUM_THREADS", "1");
    let served = Served::start_by(command, &[]);
    for texts in [1, 70] {
        let texts: Vec<String> = (0..texts).map(|i| format!("text {i}")).collect();
        let (status, answer) = served.classify(&json!({ "texts": texts }));
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["predictions"].as_array().unwrap().len(), texts.len());
    }
}

#[test]
fn a_proxys_name_is_answered_for_where_it_is_allowed() {
    let served = Served::start(&["--allow-host", "candor.example", "--allow-host", "other.example"]);
    for (host, origin, expected) in [
        ("candor.example", "https://candor.example", 200),
        ("OTHER.example:8443", "https://OTHER.example:8443", 200),
        ("candor.example", "https://elsewhere.example", 403),
        ("elsewhere.example", "https://elsewhere.example", 421),
    ] {
        let request = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n");
        assert_eq!(parts(&served.raw(request.as_bytes())).0, expected, "{host} {origin}");
    }
    let refused = Command::new(env!("CARGO_BIN_EXE_candor"))
        .args(["serve", "--model", MODEL, "--task", "sentiment", "--allow-host", "https://candor.example"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn confidence_is_calibrated_where_a_calibrator_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..200)
        .map(|i| format!("{{\"confidence\": {}, \"correct\": {}}}\n", 0.5 + f64::from(i) / 400.0, i % 3 == 0))
        .collect();
    let [rows_path, calibrator] = ["rows.jsonl", "c.json"].map(|name| folder.path().join(name));
    std::fs::write(&rows_path, rows).unwrap();
    let fitted = Command::new(env!("CARGO_BIN_EXE_candor"))
        .arg("calibrate")
        .arg(&rows_path)
        .args(["--method", "platt", "--out"])
        .arg(&calibrator)
        .output()
        .unwrap();
    assert!(fitted.status.success(), "{}", String::from_utf8_lossy(&fitted.stderr));
    let served = Served::start(&["--calibrator", calibrator.to_str().unwrap()]);
    let (status, calibrated) = served.classify(&json!({ "text": "fine" }));
    assert_eq!((status, &calibrated["calibrated"]), (200, &json!(true)));
    let (_, raw) = served.classify(&json!({ "text": "fine", "calibrated": false }));
    assert_eq!(raw["confidence"], raw["total_probability"]);
    assert_ne!(calibrated["confidence"], raw["confidence"]);
}

#[test]
fn what_is_wrong_is_said_in_json() {
    let served = Served::start(&["--body-limit", "2000", "--queue-limit", "5", "--body-seconds", "1"]);
    let long = "x".repeat(3000);
    let cases = [
        ("POST", "/classify", "", "{", 400),
        ("POST", "/classify", "", "", 400),
        ("POST", "/classify", "", r#"{"text": 3}"#, 400),
        ("POST", "/classify", "", "{\"text\": \"\u{1}\"}", 400),
        ("POST", "/classify", "", r#"{"text": "a", "calibrated": true}"#, 400),
        ("POST", "/classify", "", long.as_str(), 413),
        ("POST", "/classify", "", r#"{"texts": ["1","2","3","4","5","6"]}"#, 413),
        ("GET", "/classify", "", "", 405),
        ("DELETE", "/health", "", "", 405),
        ("GET", "/nothing", "", "", 404),
        ("GET", "/../../etc/passwd", "", "", 404),
        ("POST", "/classify", "Origin: http://elsewhere.example\r\n", r#"{"text": "a"}"#, 403),
    ];
    for (method, path, more, body, expected) in cases {
        let (status, answer) = served.request(method, path, more, body);
        assert_eq!(status, expected, "{method} {path} {body:.40}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{answer:?}: {error}"));
        assert!(answer["error"]["message"].is_string() && answer["error"]["kind"].is_string(), "{answer}");
    }
    let foreign = b"GET /health HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n";
    assert_eq!(parts(&served.raw(foreign)).0, 421);
    served.is_well();
}

#[test]
fn a_body_that_never_ends_and_one_that_never_comes_are_refused() {
    let served = Served::start(&["--body-limit", "2000", "--body-seconds", "1"]);
    let head = format!("POST /classify HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", served.address);
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", "3e8\r\n".to_owned() + &"x".repeat(1000) + "\r\n");
    let mut endless = chunked.clone();
    (0..100).for_each(|_| endless.push_str(&("3e8\r\n".to_owned() + &"x".repeat(1000) + "\r\n")));
    endless.push_str("0\r\n\r\n");
    assert_eq!(parts(&served.raw(endless.as_bytes())).0, 413);

    let mut stream = TcpStream::connect(served.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(format!("{head}Content-Length: 100\r\n\r\n{{\"te").as_bytes()).unwrap();
    let started = Instant::now();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert_eq!(parts(&answer).0, 408, "{answer}");
    assert!(started.elapsed() < Duration::from_secs(10));
    served.is_well();
}

#[test]
fn no_bytes_bring_it_down() {
    let served = Served::start(&["--body-seconds", "1"]);
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let seeds: [&[u8]; 4] = [
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 13\r\n\r\n{\"text\": \"a\"}",
        b"GET /%2e%2e/%00?a=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n{\"t\":",
        b"GET /models/..%2f..%2fx HTTP/1.1\r\nHost: localhost\r\nRange: bytes=9-1,,-\r\nConnection: close\r\n\r\n",
    ];
    for round in 0..200 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..random.random_range(0..6) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        bytes.truncate(random.random_range(1..=bytes.len()));
        served.sent(&bytes, true);
    }
    served.is_well();
}

#[test]
fn many_at_once_are_all_answered_rightly() {
    let served = Served::start(&[]);
    let (_, alone) = served.classify(&json!({ "text": "text 7" }));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..40)
            .map(|client| {
                let served = &served;
                scope.spawn(move || served.classify(&json!({ "texts": [format!("text {client}"), "text 7"] })))
            })
            .collect();
        for (client, answered) in clients.into_iter().enumerate() {
            let (status, answer) = answered.join().unwrap();
            assert_eq!(status, 200, "{answer}");
            assert_eq!(answer["predictions"][0]["text"], json!(format!("text {client}")));
            assert_eq!(answer["predictions"][1]["confidence"], alone["confidence"]);
        }
    });
    let (_, health) = served.get("/health");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((&health["classified"], &health["waiting"]), (&json!(81), &json!(0)));
}

#[test]
fn a_full_queue_refuses_and_recovers() {
    let served = Served::start(&["--queue-limit", "400"]);
    let texts: Vec<String> = (0..400).map(|i| format!("a somewhat longer text with the number {i}")).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| served.classify(&json!({ "texts": texts })).0)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert_eq!(served.classify(&json!({ "texts": texts })).0, 200);
}

#[cfg(unix)]
#[test]
fn a_stop_finishes_what_was_accepted() {
    let mut served = Served::start(&[]);
    let texts: Vec<String> =
        (0..300).map(|i| format!("a text with the number {i}, long enough to take time")).collect();
    let address = served.address;
    let body = json!({ "texts": texts }).to_string();
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head =
            format!("POST /classify HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        parts(&answer)
    });
    let waiting = || {
        let health: Value = serde_json::from_str(&served.get("/health").1).unwrap();
        health["waiting"].as_u64().unwrap()
    };
    let started = Instant::now();
    while waiting() == 0 && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let asked = Command::new("kill").args(["-TERM", &served.process.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let (status, answer) = client.join().unwrap();
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["predictions"].as_array().unwrap().len(), texts.len());
    assert!(served.process.wait().unwrap().success());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_web_app_is_served_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    std::fs::create_dir(&app).unwrap();
    std::fs::write(app.join("index.html"), "<p>the page").unwrap();
    std::fs::write(app.join("part.wasm"), b"\0asm").unwrap();
    std::fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let served = Served::start(&["--app", app.to_str().unwrap()]);
    assert_eq!(served.get("/"), (200, "<p>the page".to_owned()));
    let wasm = served.raw(
        format!("GET /part.wasm HTTP/1.1\r\nHost: {}\r\nRange: bytes=1-3\r\nConnection: close\r\n\r\n", served.address)
            .as_bytes(),
    );
    let lower = wasm.to_lowercase();
    assert!(wasm.starts_with("HTTP/1.1 206") && wasm.ends_with("asm"), "{wasm}");
    for header in ["content-type: application/wasm", "cross-origin-embedder-policy: require-corp"] {
        assert!(lower.contains(header), "{header}: {wasm}");
    }
    for path in ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/models/../../secret.txt"] {
        let (status, body) = served.get(path);
        assert!(status >= 400 && !body.contains("secret\""), "{path}: {status} {body}");
    }
    let (status, page) = served.get("/api");
    assert!(status == 200 && page.contains("POST /classify"));
    assert!(page.contains(&format!("http://{}/classify", served.address)), "{page}");
    let (status, document) = served.get("/openapi.json");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    assert_eq!(
        document["components"]["schemas"]["Prediction"]["properties"]["label"]["enum"],
        json!(["positive", "negative"])
    );
}
