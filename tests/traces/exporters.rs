//! OpenTelemetry's own SDK and exporters as the client.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use super::world::{address, counter, kept, setup, tree, wait_for_counter};
use crate::common::python::python;
use crate::common::skywatch::Skywatch;

fn export(protocol: &str, to: SocketAddr, more: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/exporters.py");
    let mut command = Command::new(python());
    command.arg(script).arg(protocol).arg(to.to_string()).args(more);
    command.output().unwrap()
}

fn id(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .trim()
        .to_owned()
}

fn is_the_trace(server: &Skywatch, id: &str) {
    let trace = kept(server, id);
    let named = |name: &str, above: &str| (name.to_owned(), above.to_owned());
    assert_eq!(
        tree(&trace),
        [
            named("GET /cart", ""),
            named("call", "GET /cart"),
            named("GET /items/{id}", "call"),
        ]
    );
    let last = &trace["spans"][2];
    assert_eq!(
        (&last["service"], &last["kind"], &last["status"], &last["message"]),
        (
            &"back".into(),
            &"server".into(),
            &"ERROR".into(),
            &"no such item".into()
        )
    );
}

#[test]
fn traces_and_metrics_of_both_exporters_come_out() {
    let setup = setup()
        .with("traces.metric_labels", "service.name")
        .with("traces.max_services", "0")
        .with("traces.max_edges", "0");
    let server = setup.start(&["run"]);
    for (number, (protocol, what)) in [("grpc", "OTLP over gRPC"), ("http", "OTLP over HTTP")]
        .into_iter()
        .enumerate()
    {
        let id = id(&export(protocol, address(&server, what), &[]));
        is_the_trace(&server, &id);
        // Two exports of one point of each but the histogram, of which come count and sum; quantiles with its second point.
        let points = (number as u64 + 1) * (2 * 5 + 3);
        wait_for_counter(&server, "points.written", points);
        assert_eq!(counter(&server, "points.received"), points);
    }
    for name in [
        "orders;service.name=front;shop=a%20b",
        "carts;service.name=front",
        "temperature;service.name=front",
        "latency.count;service.name=front",
        "latency.sum;service.name=front",
        "latency.p99;service.name=front",
    ] {
        let page = crate::common::http::get(
            server.pages(),
            &format!("/metric?name={}", name.replace('%', "%25")),
        );
        assert_eq!(page.status, 200, "{name}");
    }
    assert_eq!(counter(&server, "orphan_spans"), 0);
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
}

#[test]
fn without_the_token_nothing_gets_in() {
    let setup = setup().with("traces.token", "hunter2");
    let server = setup.start(&["run"]);
    for (protocol, what) in [("grpc", "OTLP over gRPC"), ("http", "OTLP over HTTP")] {
        let to = address(&server, what);
        assert!(!export(protocol, to, &["wrong"]).status.success(), "{protocol}");
        is_the_trace(&server, &id(&export(protocol, to, &["hunter2"])));
    }
    assert_eq!(counter(&server, "spans.received"), 6);
}
