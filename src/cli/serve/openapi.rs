//! The interface described: OpenAPI 3.1 for programs, a plain page for people.
//!
//! <https://spec.openapis.org/oas/v3.1.0>. The page is written out here rather than drawn by a script: it has four
//! entries, and a script from elsewhere has no place on a server that keeps texts to itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::{Value, json};

use super::api::{Facts, Limits};
use crate::chart::escape;

/// What every error looks like, by status.
const ERRORS: [(&str, &str); 10] = [
    ("400", "The body is no JSON, or not of the shape that is asked for."),
    ("403", "A page of another origin asked."),
    ("405", "This path does not answer this method."),
    ("408", "The body did not come in time."),
    ("413", "The body is too long, or holds more texts than the queue."),
    ("421", "The request was meant for another host."),
    ("422", "A text cannot be classified, for example because the task alone fills the context."),
    ("429", "The queue is full; try again after the seconds in Retry-After."),
    ("500", "Something went wrong here, which is no fault of the request; the message says what."),
    ("503", "The server is stopping."),
];

/// The description for programs.
pub fn document(facts: &Facts, limits: &Limits) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let body = |schema: Value, what: &str| {
        json!({
            "description": what, "content": { "application/json": { "schema": schema } },
        })
    };
    let mut responses = serde_json::Map::new();
    let either = json!({ "oneOf": [schema("Prediction"), schema("Predictions")] });
    responses.insert("200".into(), body(either, "A prediction for text, a list of them for texts, in order."));
    for (status, what) in ERRORS {
        responses.insert(status.into(), body(schema("Error"), what));
    }
    let get = |what: &str, kind: &str| {
        json!({ "get": {
        "summary": what, "responses": { "200": { "description": what, "content": { kind: {} } } },
    } })
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Candor: {}", facts.task),
            "description": format!("Texts to one of {} labels, with the confidence of {}.", facts.labels.len(), facts.model),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": {
            "/classify": { "post": {
                "summary": "Classify one text or several",
                "requestBody": { "required": true, "content": { "application/json": { "schema": schema("Question") } } },
                "responses": responses,
            } },
            "/health": health(),
            "/openapi.json": get("This description", "application/json"),
            "/api": get("This description for people", "text/html"),
        },
        "components": { "schemas": schemas(facts, limits) },
    })
}

fn health() -> Value {
    let answer = |what: &str| json!({ "description": what, "content": { "application/json": {} } });
    json!({ "get": {
        "summary": "Whether it answers, what it serves and how much waits",
        "responses": {
            "200": answer("It answers: status is ok."),
            "503": answer("It does not: status is stopping, or failed where the classifying thread has ended."),
        },
    } })
}

fn schemas(facts: &Facts, limits: &Limits) -> Value {
    let probability = |what: &str| json!({ "type": "number", "minimum": 0, "maximum": 1, "description": what });
    let text = json!({ "type": "string" });
    json!({
        "Question": {
            "type": "object",
            "additionalProperties": false,
            "description": format!("Either text or texts; at most {} bytes in all.", limits.body_bytes),
            "properties": {
                "text": text,
                "texts": { "type": "array", "items": text, "minItems": 1, "maxItems": limits.queue_texts },
                "calibrated": { "type": "boolean", "default": facts.calibrated },
            },
        },
        "Prediction": {
            "type": "object",
            "required": ["id", "text", "label", "labels", "total_probability", "share", "other_mass", "confidence"],
            "properties": {
                "id": text,
                "text": text,
                "label": { "type": "string", "enum": facts.labels },
                "labels": { "type": "object", "additionalProperties": { "type": "object", "properties": {
                    "logprob": { "type": ["number", "null"], "description": "natural logarithm of its probability" },
                    "share": probability("its probability among the labels"),
                } } },
                "confidence": probability("how sure it is; calibrated where calibrated is true"),
                "calibrated": { "type": "boolean" },
                "total_probability": probability("the winner's probability over the whole vocabulary"),
                "share": probability("the winner's probability among the labels"),
                "other_mass": probability("probability on no label"),
                "interval": { "type": "array", "items": probability("an end"), "description": "Venn–Abers interval" },
                "set": { "type": "array", "items": text, "description": "labels that cannot be ruled out" },
                "truncated": { "type": "object", "description": "set where the text was cut to fit" },
                "warnings": { "type": "array", "items": text },
            },
        },
        "Predictions": {
            "type": "object",
            "required": ["predictions"],
            "properties": { "predictions": { "type": "array", "items": { "$ref": "#/components/schemas/Prediction" } } },
        },
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": { "error": {
                "type": "object",
                "required": ["kind", "message"],
                "properties": { "kind": text, "message": text, "field": text, "help": text },
            } },
        },
    })
}

/// The description for people; `address` is what is listened on.
pub fn page(facts: &Facts, limits: &Limits, address: SocketAddr, app: bool) -> String {
    let labels: Vec<String> = facts.labels.iter().map(|label| format!("<code>{}</code>", escape(label))).collect();
    let rows = |rows: &[(&str, &str)]| -> String {
        rows.iter().map(|(name, what)| format!("<tr><th scope=\"row\">{name}</th><td>{what}</td></tr>\n")).collect()
    };
    let home = if app { "<p><a href=\"/\">The web app</a> classifies in your browser.</p>\n" } else { "" };
    let confidence = if facts.calibrated { "calibrated" } else { "not calibrated" };
    let fields = rows(&[
        ("text", "one text; the answer is one prediction"),
        ("texts", "a list of texts; the answer is <code>{\"predictions\": […]}</code>, in order"),
        ("calibrated", "<code>false</code> for the raw confidence, where there is a calibrator"),
    ]);
    let paths = rows(&[
        ("POST /classify", "classify"),
        ("GET /health", "whether it answers, what it serves, how many texts wait"),
        ("GET /openapi.json", "<a href=\"/openapi.json\">the description for programs</a>"),
    ]);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Candor: {task}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<main>\n<h1>{task}</h1>\n\
         <p>{model} on {backend}; labels {labels}; confidence is {confidence}.</p>\n{home}\
         <h2>Ask</h2>\n<pre>curl -s http://{address}/classify -d '{{\"text\": \"I love this movie!\"}}'</pre>\n\
         <table>\n{fields}</table>\n\
         <h2>Answer</h2>\n<p><code>label</code>, <code>confidence</code>, and how they came about: \
         <code>labels</code> with each label's log-probability and share, <code>total_probability</code>, \
         <code>share</code>, <code>other_mass</code>.</p>\n\
         <h2>Paths</h2>\n<table>\n{paths}</table>\n\
         <h2>When something is wrong</h2>\n<p>The answer is \
         <code>{{\"error\": {{\"kind\", \"message\", \"help\"}}}}</code>.</p>\n<table>\n{errors}</table>\n\
         <p>A body has at most {bytes} bytes; at most {queue} texts wait at a time.</p>\n</main>\n</body>\n</html>\n",
        address = reachable(address),
        task = escape(&facts.task),
        model = escape(&facts.model),
        backend = escape(&facts.backend),
        labels = labels.join(", "),
        errors = rows(&ERRORS),
        bytes = limits.body_bytes,
        queue = limits.queue_texts,
    )
}

/// An address to connect to: one that stands for all of a machine's is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:1rem}\
    main{max-width:44rem;margin:0 auto}h1{line-height:1.2}\
    pre{overflow-x:auto;padding:.75rem;border:1px solid;border-radius:.5rem}\
    table{border-collapse:collapse;width:100%}\
    th,td{text-align:left;vertical-align:top;padding:.4rem .75rem .4rem 0;border-top:1px solid color-mix(in srgb,currentColor 25%,transparent)}\
    th{font-weight:600;white-space:nowrap}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let facts = Facts {
            model: "m".into(),
            task: "<b>t</b>".into(),
            labels: vec!["yes".into(), "no".into()],
            calibrated: false,
            backend: "CPU".into(),
        };
        let limits = Limits { body_bytes: 10, queue_texts: 5, body_seconds: std::time::Duration::from_secs(1) };
        let document = document(&facts, &limits);
        let text = document.to_string();
        for name in text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
        let page = page(&facts, &limits, SocketAddr::from(([0, 0, 0, 0], 8123)), true);
        assert!(page.contains("http://127.0.0.1:8123/classify"), "{page}");
        assert!(!page.contains("<b>t") && !page.contains("<script") && page.contains("&lt;b"), "{page}");
    }
}
