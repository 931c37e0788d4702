//! What may be asked and what is answered: requests to JSON and back, with a limit on everything.
//!
//! A page of another site can send requests to this machine too, so a request must be meant for here: its `Host` must be
//! this machine while only this machine is listened on (a name that somebody else controls may resolve to it) or a name
//! that was allowed, and its `Origin`, where there is one, this server's own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::desk::{Desk, Refused};
use super::{openapi, web};
use crate::error::{Error, Kind};
use crate::platform;
use crate::protocol::{Classification, Prediction, Truncation};

/// Any body that is sent.
pub type BoxBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
/// Any answer.
pub type Answer = Response<BoxBody>;

/// Of a body that is too long, so much is read and thrown away: a client that is still sending would not see the
/// answer.
const THROWN_AWAY: usize = 16 << 20;

/// What is served.
#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    pub model: String,
    pub task: String,
    pub labels: Vec<String>,
    /// Whether there is a calibrator.
    pub calibrated: bool,
    pub backend: String,
}

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub body_bytes: usize,
    pub queue_texts: usize,
    pub body_seconds: Duration,
}

/// Everything that answering needs.
pub struct Service {
    pub facts: Facts,
    pub limits: Limits,
    /// Set when no further texts are let in.
    pub stopping: AtomicBool,
    desk: Desk,
    app: web::App,
    address: SocketAddr,
    /// Names that this machine is asked by, besides its own.
    hosts: Vec<String>,
    started: f64,
}

impl Service {
    /// A service that answers at `address`, for `hosts` too.
    pub fn new(
        facts: Facts,
        limits: Limits,
        desk: Desk,
        app: web::App,
        (address, hosts): (SocketAddr, Vec<String>),
    ) -> Self {
        Self { facts, limits, desk, app, address, hosts, stopping: AtomicBool::new(false), started: platform::now() }
    }

    /// How it is, and the status that says so.
    fn state(&self) -> (StatusCode, &'static str) {
        match (self.desk.is_abandoned(), self.stopping.load(Ordering::SeqCst)) {
            (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
            (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            (false, false) => (StatusCode::OK, "ok"),
        }
    }
}

/// What `POST /classify` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    text: Option<String>,
    texts: Option<Vec<String>>,
    calibrated: Option<bool>,
}

/// What it gives for a text.
#[derive(Debug, Serialize)]
struct Answered {
    #[serde(flatten)]
    prediction: Prediction,
    /// Whether `confidence` is calibrated.
    calibrated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<Truncation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Something that went wrong, with the status that says so.
struct Wrong(StatusCode, Box<Error>);

impl Wrong {
    fn new(status: StatusCode, error: Error) -> Self {
        Self(status, Box::new(error))
    }

    fn bad(error: Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn answer(self) -> Answer {
        let mut answer = json(self.0, &serde_json::json!({ "error": self.1 }));
        let headers = answer.headers_mut();
        if matches!(self.0, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

/// Answers one request.
///
/// # Errors
/// Never: whatever is wrong is an answer too.
pub async fn answer(service: Arc<Service>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    Ok(route(&service, request).await.unwrap_or_else(Wrong::answer))
}

async fn route(service: &Service, request: Request<Incoming>) -> Result<Answer, Wrong> {
    meant_for_here(service, &request)?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/classify" if request.method() == Method::POST => classify(service, request).await,
        "/health" if reads => Ok(health(service)),
        "/openapi.json" if reads => Ok(json(StatusCode::OK, &openapi::document(&service.facts, &service.limits))),
        "/api" if reads => Ok(page(service)),
        "/" if reads && !service.app.has_pages() => Ok(page(service)),
        path @ ("/classify" | "/health" | "/openapi.json" | "/api") => {
            let allowed = if path == "/classify" { "POST" } else { "GET, HEAD" };
            let error = Error::usage(format!("{path} does not answer {}", request.method()));
            let mut answer = Wrong::new(StatusCode::METHOD_NOT_ALLOWED, error.help(format!("use {allowed}"))).answer();
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
            Ok(answer)
        }
        path => {
            let error = Error::usage(format!("there is nothing at {path}")).help("/api lists what is answered here");
            let nothing = Wrong::new(StatusCode::NOT_FOUND, error);
            match service.app.answer(request).await {
                Some(found) if found.status() != StatusCode::NOT_FOUND => Ok(found),
                _ => Err(nothing),
            }
        }
    }
}

/// Whether a request means this server, and not one that a foreign page takes it for.
fn meant_for_here(service: &Service, request: &Request<Incoming>) -> Result<(), Wrong> {
    let text = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let host = text(header::HOST).or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if service.address.ip().is_loopback() && !host.is_some_and(|host| is_this_machine(host, &service.hosts)) {
        let own = ["127.0.0.1", "localhost"].into_iter().chain(service.hosts.iter().map(String::as_str));
        let names = own.collect::<Vec<_>>().join(", ");
        let error = Error::usage(format!("this server answers for {names} only")).in_field("Host").help(
            "start it with --allow-host NAME behind a proxy that passes this name on, or with --host to let others in",
        );
        return Err(Wrong::new(StatusCode::MISDIRECTED_REQUEST, error));
    }
    match text(header::ORIGIN) {
        Some(origin) if origin.split_once("://").map(|(_, host)| host) != host => {
            let error = Error::usage("a page of another origin may not ask here");
            Err(Wrong::new(StatusCode::FORBIDDEN, error.in_field("Origin")))
        }
        _ => Ok(()),
    }
}

fn is_this_machine(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let own = ["localhost", "127.0.0.1", "[::1]"].into_iter();
    own.chain(allowed.iter().map(String::as_str)).any(|known| name.eq_ignore_ascii_case(known))
}

async fn classify(service: &Service, request: Request<Incoming>) -> Result<Answer, Wrong> {
    if service.stopping.load(Ordering::SeqCst) {
        let error = Error::new(Kind::Resource, "the server is stopping");
        return Err(Wrong::new(StatusCode::SERVICE_UNAVAILABLE, error));
    }
    let body = body(request, &service.limits).await?;
    let (texts, calibrated, single) = question(&body, service.facts.calibrated).map_err(Wrong::bad)?;
    let promise = service.desk.hand_in(texts, calibrated).map_err(|refused| refusal(&refused, &service.limits))?;
    let results = match promise.await {
        Ok(Ok(results)) => results,
        Ok(Err(error)) if matches!(error.kind, Kind::Input | Kind::Usage) => {
            return Err(Wrong::new(StatusCode::UNPROCESSABLE_ENTITY, error));
        }
        Ok(Err(error)) => return Err(Wrong::new(StatusCode::INTERNAL_SERVER_ERROR, error)),
        Err(_) => {
            let error = Error::internal("the classifying thread has ended").help("start the server anew");
            return Err(Wrong::new(StatusCode::INTERNAL_SERVER_ERROR, error));
        }
    };
    let mut answers: Vec<Answered> = results.into_iter().map(|result| answered(result, calibrated)).collect();
    match (single, answers.pop()) {
        (true, Some(only)) => Ok(json(StatusCode::OK, &only)),
        (_, last) => {
            answers.extend(last);
            Ok(json(StatusCode::OK, &serde_json::json!({ "predictions": answers })))
        }
    }
}

fn answered(result: Classification, calibrated: bool) -> Answered {
    let Classification { prediction, truncated, warnings, .. } = result;
    Answered { prediction, calibrated, truncated, warnings }
}

/// The texts of a question, whether their confidence is to be calibrated, and whether it was asked for one text.
fn question(body: &[u8], calibrator: bool) -> Result<(Vec<String>, bool, bool), Error> {
    let shape = "send {\"text\": \"…\"} or {\"texts\": [\"…\", …]}, and \"calibrated\": false for raw confidence";
    let question: Question = serde_json::from_slice(body).map_err(|error| {
        let wrong = match error.classify() {
            serde_json::error::Category::Data => Error::input(error.to_string()),
            _ => Error::format(format!("the body is no JSON: {error}")),
        };
        wrong.help(shape)
    })?;
    let calibrated = question.calibrated.unwrap_or(calibrator);
    if calibrated && !calibrator {
        return Err(Error::usage("there is no calibrator here")
            .in_field("calibrated")
            .help("start the server with --calibrator FILE, or leave the field out"));
    }
    match (question.text, question.texts) {
        (Some(text), None) => Ok((vec![text], calibrated, true)),
        (None, Some(texts)) if !texts.is_empty() => Ok((texts, calibrated, false)),
        (None, Some(_)) => Err(Error::input("there are no texts").in_field("texts").help(shape)),
        (Some(_), Some(_)) => Err(Error::input("both text and texts are given").help(shape)),
        (None, None) => Err(Error::input("there is neither text nor texts").help(shape)),
    }
}

fn refusal(refused: &Refused, limits: &Limits) -> Wrong {
    match refused {
        Refused::TooMany => {
            let error = Error::new(Kind::Resource, format!("more than {} texts in one request", limits.queue_texts));
            let error = error.in_field("texts").help("send them in several requests");
            Wrong::new(StatusCode::PAYLOAD_TOO_LARGE, error)
        }
        Refused::Full => {
            let error = Error::new(Kind::Resource, format!("the queue of {} texts is full", limits.queue_texts));
            Wrong::new(StatusCode::TOO_MANY_REQUESTS, error.help("try again in a moment"))
        }
    }
}

/// The whole body, if it is short enough and comes in time.
async fn body(request: Request<Incoming>, limits: &Limits) -> Result<Vec<u8>, Wrong> {
    let most = limits.body_bytes;
    let announced = request.body().size_hint().lower();
    let mut body = request.into_body();
    let reading = async {
        let (mut kept, mut seen) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| Wrong::bad(Error::new(Kind::Io, format!("the body could not be read: {error}"))))?;
            let Some(data) = frame.data_ref() else { continue };
            seen += data.len();
            if seen <= most && announced <= most as u64 {
                kept.extend_from_slice(data);
            } else if seen > most.saturating_add(THROWN_AWAY) {
                break;
            }
        }
        if seen > most || announced > most as u64 {
            let error = Error::new(Kind::Resource, format!("the body is longer than {most} bytes"));
            let error =
                error.help("send the texts in several requests, or start the server with a larger --body-limit");
            return Err(Wrong::new(StatusCode::PAYLOAD_TOO_LARGE, error));
        }
        Ok(kept)
    };
    tokio::time::timeout(limits.body_seconds, reading).await.unwrap_or_else(|_| {
        let error = Error::new(Kind::Io, "the body did not come in time");
        Err(Wrong::new(StatusCode::REQUEST_TIMEOUT, error.help("send it faster, or raise --body-seconds")))
    })
}

fn health(service: &Service) -> Answer {
    let (status, state) = service.state();
    let facts = &service.facts;
    json(
        status,
        &serde_json::json!({
            "status": state,
            "model": facts.model,
            "task": facts.task,
            "labels": facts.labels,
            "calibrated": facts.calibrated,
            "backend": facts.backend,
            "waiting": service.desk.waiting(),
            "queue_limit": service.limits.queue_texts,
            "classified": service.desk.classified(),
            "seconds": platform::now() - service.started,
            "version": env!("CARGO_PKG_VERSION"),
        }),
    )
}

fn page(service: &Service) -> Answer {
    let html = openapi::page(&service.facts, &service.limits, service.address, service.app.has_pages());
    let mut answer = full(StatusCode::OK, "text/html; charset=utf-8", html.into_bytes());
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'");
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    answer
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            full(status, "application/json", bytes)
        }
        Err(error) => full(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", error.to_string().into()),
    }
}

fn full(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Answer {
    let body = Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_wrong_ones_explained() {
        let read = |body: &str, calibrator| question(body.as_bytes(), calibrator);
        assert_eq!(read(r#"{"text": "a"}"#, false).unwrap(), (vec!["a".into()], false, true));
        assert_eq!(read(r#"{"texts": ["a", "b"]}"#, true).unwrap(), (vec!["a".into(), "b".into()], true, false));
        assert!(!read(r#"{"text": "a", "calibrated": false}"#, true).unwrap().1);
        for (body, words) in [
            ("", "no JSON"),
            ("[", "no JSON"),
            ("\u{0}\u{1}", "no JSON"),
            (r#"{"text": 1}"#, "integer"),
            (r#"{"txt": "a"}"#, "txt"),
            ("{}", "neither"),
            (r#"{"texts": []}"#, "no texts"),
            (r#"{"text": "a", "texts": ["a"]}"#, "both"),
            (r#"{"text": "a", "calibrated": true}"#, "no calibrator"),
            (&"[".repeat(100_000), "sequence"),
            (&format!("{{\"texts\": {}", "[".repeat(100_000)), "sequence"),
        ] {
            let error = read(body, false).expect_err(body);
            assert!(error.message.contains(words) && error.help.is_some(), "{body:.40}: {error}");
        }
    }

    #[test]
    fn health_was_good_with_nobody_left_to_compute() {
        let facts =
            Facts { model: "m".into(), task: "t".into(), labels: Vec::new(), calibrated: false, backend: "CPU".into() };
        let limits = Limits { body_bytes: 10, queue_texts: 5, body_seconds: Duration::from_secs(1) };
        let (desk, queue) = Desk::new(limits.queue_texts);
        let place = (SocketAddr::from(([127, 0, 0, 1], 1)), Vec::new());
        let service = Service::new(facts, limits, desk, web::App::default(), place);
        assert_eq!(service.state(), (StatusCode::OK, "ok"));
        service.stopping.store(true, Ordering::SeqCst);
        assert_eq!(service.state(), (StatusCode::SERVICE_UNAVAILABLE, "stopping"));
        drop(queue);
        assert_eq!(service.state(), (StatusCode::SERVICE_UNAVAILABLE, "failed"));
        assert_eq!(health(&service).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "127.0.0.1", "[::1]:8000", "[::1]"] {
            assert!(is_this_machine(host, &[]), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil:1", "::1", "a:b"]
        {
            assert!(!is_this_machine(host, &[]), "{host}");
        }
        let allowed = ["candor.example".to_owned()];
        for (host, meant) in [("candor.example", true), ("Candor.Example:443", true), ("b.candor.example", false)] {
            assert_eq!(is_this_machine(host, &allowed), meant, "{host}");
        }
    }
}
