//! Spans over OTLP into the real binary: spans a second from the first byte sent until all are acknowledged, and until all traces
//! are judged, and the processor time a span that server and load had.
//!
//! `cargo bench --bench trace_intake`, or `scripts/bench traces`. Sized by environment variables: `TRACE_COUNT` (20,000), `SPANS` of each
//! (20), `REQUEST` (500 spans), `CLIENTS` (2), `PROTOCOL` (`grpc` or `http`). The spans are packed before the clock starts; what the
//! load costs beside the server is sending them and reading answers. The store is the embedded one. The last line is JSON.

#[path = "harness/processor.rs"]
mod processor;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use processor::processor_seconds;
use prost::Message;
use prost::bytes::Bytes;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;

/// How long the binary may take to answer, and to judge all that it has taken.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks.
const LOOK_EACH: Duration = Duration::from_millis(50);
/// A trace is complete after so much quiet; no part of the figures.
const QUIET: Duration = Duration::from_secs(1);

/// The part of OTLP's request that a load needs.
#[derive(Clone, PartialEq, Message)]
struct LoadRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<LoadResource>,
}

#[derive(Clone, PartialEq, Message)]
struct LoadResource {
    #[prost(message, optional, tag = "1")]
    resource: Option<LoadAttributes>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<LoadScope>,
}

#[derive(Clone, PartialEq, Message)]
struct LoadAttributes {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<LoadAttribute>,
}

#[derive(Clone, PartialEq, Message)]
struct LoadAttribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<LoadText>,
}

#[derive(Clone, PartialEq, Message)]
struct LoadText {
    #[prost(string, tag = "1")]
    string_value: String,
}

#[derive(Clone, PartialEq, Message)]
struct LoadScope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<LoadSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct LoadSpan {
    #[prost(bytes = "bytes", tag = "1")]
    trace_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    span_id: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    parent_span_id: Bytes,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<LoadAttribute>,
}

/// The answer: empty if every span was taken.
#[derive(Clone, PartialEq, Message)]
struct LoadAnswer {
    #[prost(bytes = "bytes", tag = "1")]
    partial_success: Bytes,
}

fn main() {
    let number = |name: &str, default: usize| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (traces, spans) = (number("TRACE_COUNT", 20_000), number("SPANS", 20));
    let (in_request, clients) = (number("REQUEST", 500), number("CLIENTS", 2));
    let protocol = std::env::var("PROTOCOL").unwrap_or_else(|_| "grpc".to_owned());
    let loads: Vec<_> = (0..clients)
        .map(|client| load((0..traces).skip(client).step_by(clients), spans, in_request))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path(), &protocol);
    let used = [server.child.id(), std::process::id()].map(processor_seconds);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for requests in &loads {
            let (port, protocol) = (server.port, protocol.as_str());
            scope.spawn(move || match protocol {
                "grpc" => send_grpc(port, requests),
                _ => send_http(port, requests),
            });
        }
    });
    let acknowledged = begun.elapsed().as_secs_f64();
    wait_for("all traces to be judged", || server.judged() == traces as u64);
    let judged = (begun.elapsed() - QUIET).as_secs_f64();
    let after = [server.child.id(), std::process::id()].map(processor_seconds);
    let total = (traces * spans) as f64;
    let [own, load] = [0, 1].map(|process| (after[process] - used[process]) * 1e6 / total);
    server.stop();
    eprintln!(
        "{total} spans of {traces} traces by {protocol}, {in_request} a request, from {clients} clients: {:.0} a second until \
         acknowledged, {:.0} until judged; processor time a span: server {own:.2} µs, load {load:.2} µs",
        total / acknowledged,
        total / judged
    );
    #[expect(clippy::print_stdout, reason = "the figures are what it is run for")]
    {
        println!(
            "{{\"bench\":\"trace_intake\",\"protocol\":\"{protocol}\",\"traces\":{traces},\"spans\":{total},\
             \"acknowledged_per_second\":{:.0},\"judged_per_second\":{:.0},\"server_us\":{own:.3},\"load_us\":{load:.3}}}",
            total / acknowledged,
            total / judged
        );
    }
}

/// `skywatch run` that does nothing but take traces in.
struct Server {
    child: Child,
    port: u16,
    state: std::path::PathBuf,
}

impl Server {
    fn start(folder: &Path, protocol: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a port").port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_skywatch"));
        command
            .args(["run", "--store", "embedded", "--state-dir"])
            .arg(folder);
        for listener in ["grpc", "http"] {
            let address = if listener == protocol {
                format!("127.0.0.1:{port}")
            } else {
                String::new()
            };
            command.args(["--set", &format!("traces.otlp_{listener}_listen={address}")]);
        }
        let options = [
            "traces.enabled=true".to_owned(),
            "traces.zipkin_listen=".to_owned(),
            format!("traces.quiet={}s", QUIET.as_secs()),
            "analyzer.enabled=false".to_owned(),
            "ingest.enabled=false".to_owned(),
            "web.enabled=false".to_owned(),
        ];
        options.iter().for_each(|option| {
            command.args(["--set", option]);
        });
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("the binary runs");
        let server = Self {
            child,
            port,
            state: folder.to_owned(),
        };
        wait_for("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    /// Traces that somebody has looked at, as the status file says.
    fn judged(&self) -> u64 {
        let text = std::fs::read(self.state.join("status/traces.json")).unwrap_or_default();
        let status: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let counters = status["counters"].as_array().cloned().unwrap_or_default();
        let looked_at = |counter: &&serde_json::Value| {
            ["normal", "anomalous", "unjudged"]
                .iter()
                .any(|name| counter[0] == *name)
        };
        counters
            .iter()
            .filter(looked_at)
            .filter_map(|counter| counter[1].as_u64())
            .sum()
    }

    fn stop(&mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(
            told.is_ok_and(|told| told.success()) && self.child.wait().is_ok_and(|ended| ended.success())
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended, unless something above has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_there() {
        assert!(Instant::now() < until, "waited for {what}");
        std::thread::sleep(LOOK_EACH);
    }
}

/// Packed requests with these traces: of ten kinds, each a root with calls of five services.
fn load(traces: impl Iterator<Item = usize>, spans: usize, in_request: usize) -> Vec<Bytes> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_nanos() as u64;
    let all: Vec<LoadSpan> = traces
        .flat_map(|trace| (0..spans).map(move |span| load_span(trace, span, now)))
        .collect();
    all.chunks(in_request).map(|part| pack(part).into()).collect()
}

fn load_span(trace: usize, number: usize, now: u64) -> LoadSpan {
    // Ids are random where they are made; SplitMix64's constant spreads them.
    let id = (trace as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let own = |number: usize| Bytes::from(((number as u64 + 1) ^ id).to_be_bytes().to_vec());
    let attribute = |key: &str, value: &str| LoadAttribute {
        key: key.to_owned(),
        value: Some(LoadText {
            string_value: value.to_owned(),
        }),
    };
    let (start, took) = (number as u64 * 100_000, 1_000_000 + id % 500_000);
    LoadSpan {
        trace_id: [id.to_be_bytes(), id.rotate_left(17).to_be_bytes()]
            .concat()
            .into(),
        span_id: own(number),
        parent_span_id: if number == 0 {
            Bytes::new()
        } else {
            own(number / 4)
        },
        name: match number {
            0 => format!("GET /kind{}/{trace}", trace % 10),
            _ => format!("shop.Service{}/Call{}", number % 5, trace % 10),
        },
        kind: if number == 0 { 2 } else { 3 },
        start_time_unix_nano: now + start,
        end_time_unix_nano: now + start + took,
        attributes: vec![
            attribute("http.request.method", "GET"),
            attribute("server.address", "shop.example"),
            attribute("thread.name", "worker-7"),
        ],
    }
}

fn pack(spans: &[LoadSpan]) -> Vec<u8> {
    let service = |number: usize| LoadResource {
        resource: Some(LoadAttributes {
            attributes: vec![LoadAttribute {
                key: "service.name".to_owned(),
                value: Some(LoadText {
                    string_value: format!("service{number}"),
                }),
            }],
        }),
        scope_spans: vec![LoadScope {
            spans: spans.iter().skip(number).step_by(5).cloned().collect(),
        }],
    };
    LoadRequest {
        resource_spans: (0..5).map(service).collect(),
    }
    .encode_to_vec()
}

fn send_grpc(port: u16, requests: &[Bytes]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).expect("an address");
        let mut client = Grpc::new(endpoint.connect().await.expect("the listener"));
        let path = PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        for request in requests {
            client.ready().await.expect("the connection");
            // What is sent is the packed request: one that is unpacked into its parts, and those not further.
            let request = PackedRequest::decode(request.clone()).expect("what was packed");
            let codec = ProstCodec::<PackedRequest, LoadAnswer>::default();
            let answer = client
                .unary(tonic::Request::new(request), path.clone(), codec)
                .await;
            let answer = answer.expect("the listener takes it").into_inner();
            assert!(answer.partial_success.is_empty(), "spans were dropped");
        }
    });
}

/// A request whose parts stay packed, so that sending one copies bytes and nothing else.
#[derive(Clone, PartialEq, Message)]
struct PackedRequest {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    resource_spans: Vec<Bytes>,
}

fn send_http(port: u16, requests: &[Bytes]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the listener");
    let mut answer = [0; 4_096];
    for body in requests {
        let length = body.len();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: {length}\r\n\r\n"
        );
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .expect("the listener reads");
        let read = stream.read(&mut answer).expect("an answer");
        let text = String::from_utf8_lossy(&answer[..read]).to_lowercase();
        // An answer without a body: nothing was dropped.
        assert!(
            text.starts_with("http/1.1 200") && text.contains("content-length: 0"),
            "{text}"
        );
    }
}
