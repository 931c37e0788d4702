//! A real socket, real bytes.

use super::*;

/// A site with a page, a WebAssembly file, a model beside it, and a secret next to both that must stay one.
fn site() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    for (name, content) in [
        ("dist/index.html", "<!doctype html>page"),
        ("dist/app.wasm", "\0asm"),
        ("dist/a b.txt", "spaced"),
        ("dist/sub/index.html", "sub"),
        ("models/tiny.gguf", "0123456789"),
        ("secret.txt", "secret"),
    ] {
        std::fs::create_dir_all(path(name).parent().expect("below the folder")).expect("a folder");
        std::fs::write(path(name), content).expect("a file");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(path("secret.txt"), path("dist/link.txt")).expect("a link");
    let server = Server::start(Site::new(path("dist")).mount("/models", path("models")), 0).expect("a free port");
    (folder, server)
}

/// Sends `head` lines (Host is added) and returns status, headers in lower case, and body.
fn ask(server: &Server, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(server.address).expect("the server listens");
    let host = if request.to_lowercase().contains("\r\nhost:") {
        String::new()
    } else {
        format!("Host: 127.0.0.1:{}\r\n", server.port())
    };
    stream.write_all(format!("{request}\r\n{host}\r\n").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

#[test]
fn files_come_with_their_type_and_the_isolating_headers() {
    let (_folder, server) = site();
    for (path, mime, body) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>page"),
        ("/index.html?v=2", "text/html; charset=utf-8", "<!doctype html>page"),
        ("/app.wasm", "application/wasm", "\0asm"),
        ("/a%20b.txt", "text/plain; charset=utf-8", "spaced"),
        ("/sub/", "text/html; charset=utf-8", "sub"),
        ("/models/tiny.gguf", "application/octet-stream", "0123456789"),
    ] {
        let (status, head, found) = ask(&server, &format!("GET {path} HTTP/1.1"));
        assert_eq!((status, found.as_str()), (200, body), "{path}");
        for header in [
            &format!("content-type: {mime}"),
            &format!("content-length: {}", body.len()),
            "cross-origin-opener-policy: same-origin",
            "cross-origin-embedder-policy: require-corp",
            "cross-origin-resource-policy: same-origin",
            "x-content-type-options: nosniff",
            "cache-control: no-cache",
        ] {
            assert!(head.contains(header), "{path}: {header} missing in {head}");
        }
    }
    assert_eq!(server.requests()[0], "GET / → 200");
}

#[test]
fn nothing_outside_the_folders_is_served() {
    let (_folder, server) = site();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/sub/../../secret.txt",
        "/models/../secret.txt",
        "/models/..%2fsecret.txt",
        "/models/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/link.txt",
        "/models",
        "/models/",
        "/index.html%00.txt",
    ] {
        let (status, _, body) = ask(&server, &format!("GET {path} HTTP/1.1"));
        assert!(matches!(status, 400 | 404), "{path}: {status}");
        assert!(!body.contains("secret"), "{path}");
    }
}

#[test]
fn ranges_resume_a_download() {
    let (_folder, server) = site();
    for (range, expected, body, content_range) in [
        ("bytes=4-", 206, "456789", "bytes 4-9/10"),
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
    ] {
        let (status, head, found) = ask(&server, &format!("GET /models/tiny.gguf HTTP/1.1\r\nRange: {range}"));
        assert_eq!((status, found.as_str()), (expected, body), "{range}");
        assert!(head.contains(&format!("content-range: {content_range}")), "{head}");
    }
    let (status, head, _) = ask(&server, "GET /models/tiny.gguf HTTP/1.1\r\nRange: bytes=10-");
    assert_eq!(status, 416);
    assert!(head.contains("content-range: bytes */10"), "{head}");
    let (status, _, body) = ask(&server, "GET /models/tiny.gguf HTTP/1.1\r\nRange: bytes=4-\r\nIf-Range: \"older\"");
    assert_eq!((status, body.as_str()), (200, "0123456789"), "a changed file is sent whole");
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let (_folder, server) = site();
    let (_, head, _) = ask(&server, "GET / HTTP/1.1");
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a validator");
    let (status, _, body) = ask(&server, &format!("GET / HTTP/1.1\r\nIf-None-Match: {tag}"));
    assert_eq!((status, body.as_str()), (304, ""));
}

#[test]
fn a_place_inside_the_app_is_the_page_but_a_missing_file_is_missing() {
    let (_folder, server) = site();
    let status = |path: &str, accept: &str| ask(&server, &format!("GET {path} HTTP/1.1\r\nAccept: {accept}")).0;
    assert_eq!(status("/evaluate", "text/html,*/*"), 200);
    assert_eq!(status("/evaluate", "application/json"), 404);
    assert_eq!(status("/missing.js", "text/html"), 404);
}

#[test]
fn other_methods_names_and_bytes_are_refused() {
    let (_folder, server) = site();
    assert_eq!(ask(&server, "POST / HTTP/1.1").0, 405);
    assert_eq!(ask(&server, "GET / HTTP/1.1\r\nHost: evil.example").0, 421);
    assert_eq!(ask(&server, "nonsense").0, 400);
    let (status, head, body) = ask(&server, "HEAD /models/tiny.gguf HTTP/1.1");
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains("content-length: 10"), "{head}");
}

#[test]
fn a_stopped_server_answers_nobody_and_frees_its_port() {
    let (folder, server) = site();
    let port = server.port();
    let waiting = TcpStream::connect(server.address).expect("the server listens");
    let taken = Server::start(Site::new(folder.path()), port).expect_err("the port is taken");
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    server.stop();
    drop(waiting);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}
