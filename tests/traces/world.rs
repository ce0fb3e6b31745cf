//! A role that takes traces in, and requests to it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::common::http::{self, Answer};
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::{PATIENCE, wait_for};

/// Takes traces in on ports of the system's choice, and keeps all of them after a second of quiet.
pub(super) fn setup() -> Setup {
    Setup::new()
        .with("traces.enabled", "true")
        .with("traces.otlp_grpc_listen", "127.0.0.1:0")
        .with("traces.otlp_http_listen", "127.0.0.1:0")
        .with("traces.zipkin_listen", "127.0.0.1:0")
        .with("traces.quiet", "1s")
        .with("traces.keep_normal", "1")
}

/// Where one of the listeners is, by what it takes.
pub(super) fn address(server: &Skywatch, what: &str) -> SocketAddr {
    let words = format!("taking {what} on ");
    let line = server.line(&words);
    let (_, rest) = line.split_once(&words).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

/// Posts a body.
pub(super) fn post(to: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Whoever is refused early may find the other side closed.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Posts OTLP as JSON.
pub(super) fn post_json(to: SocketAddr, path: &str, body: &Value) -> Answer {
    post(
        to,
        path,
        &[("Content-Type", "application/json")],
        body.to_string().as_bytes(),
    )
}

/// A request of OTLP with spans of the service `shop`.
pub(super) fn otlp(spans: &[Value]) -> Value {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

/// A span of OTLP by the number of its trace and its own, below the span with number `parent`; 0 is none.
pub(super) fn span(trace: u64, number: u64, parent: u64) -> Value {
    let start = 1_700_000_000_000_000_000 + number * 1_000_000;
    let parent = if parent == 0 {
        String::new()
    } else {
        format!("{parent:016x}")
    };
    json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{number:016x}"), "parentSpanId": parent,
        "name": format!("work {number}"), "kind": 1, "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": (start + 5_000_000).to_string(),
    })
}

/// The kept trace of this id, once it is there.
pub(super) fn kept(server: &Skywatch, id: &str) -> Value {
    wait_for(&format!("trace {id} to be kept"), || {
        let answer = http::get(server.pages(), &format!("/api/v1/traces/{id}"));
        (answer.status == 200).then(|| answer.json())
    })
}

/// One of the role's counters, now.
pub(super) fn counter(server: &Skywatch, name: &str) -> u64 {
    let counters = server.status()["traces"]["counters"].clone();
    let found = counters
        .as_array()
        .into_iter()
        .flatten()
        .find(|pair| pair[0] == name);
    found.and_then(|pair| pair[1].as_u64()).unwrap_or(0)
}

/// Waits until a counter is this.
pub(super) fn wait_for_counter(server: &Skywatch, name: &str, value: u64) {
    wait_for(&format!("`{name}` to be {value}"), || {
        (counter(server, name) == value).then_some(())
    });
}

/// Each span of a kept trace: its operation and that of its parent.
pub(super) fn tree(trace: &Value) -> Vec<(String, String)> {
    let spans = trace["spans"].as_array().unwrap();
    let name = |span: &Value| span["operation"].as_str().unwrap().to_owned();
    let above = |span: &Value| {
        let parent = span["parent_id"].as_u64()?;
        Some(name(&spans[parent as usize - 1]))
    };
    spans
        .iter()
        .map(|span| (name(span), above(span).unwrap_or_default()))
        .collect()
}
