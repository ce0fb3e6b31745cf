//! What comes out of spans that come late and in disorder, and what is refused.

use std::io::Write as _;
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::world::{address, counter, kept, otlp, post, post_json, setup, span, tree, wait_for_counter};
use crate::common::skywatch::Skywatch;
use crate::common::{http, wait_for};

/// Unix nanoseconds.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

#[test]
fn services_and_their_calls_become_metrics() {
    let setup = setup();
    let server = setup.start(&["run"]);
    let http = address(&server, "OTLP over HTTP");
    let fresh = |mut span: Value, kind: u32| {
        span["kind"] = json!(kind);
        span["startTimeUnixNano"] = json!(now().to_string());
        span["endTimeUnixNano"] = json!((now() + 5_000_000).to_string());
        span
    };
    let mut request = otlp(&[fresh(span(5, 1, 0), 2), fresh(span(5, 2, 1), 3)]);
    let called = json!({
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my store"}}]},
        "scopeSpans": [{"spans": [fresh(span(5, 3, 2), 2)]}],
    });
    request["resourceSpans"].as_array_mut().unwrap().push(called);
    assert_eq!(post_json(http, "/v1/traces", &request).status, 200);
    kept(&server, &format!("{:032x}", 5));
    // At the stop, what was counted so far is handed over.
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let server = setup.start(&["run"]);
    for name in [
        "shop.requests",
        "my_store.errors",
        "shop.p99",
        "shop.calls.my_store.p50",
        "shop.spans",
        "shop.new",
        "my_store.missing",
    ] {
        let page = http::get(server.pages(), &format!("/metric?name=traces.{name}"));
        assert_eq!(page.status, 200, "{name}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn spans_in_disorder_come_out_as_a_trace() {
    let setup = setup();
    let server = setup.start(&["run"]);
    let http = address(&server, "OTLP over HTTP");
    let answer = post_json(http, "/v1/traces", &otlp(&[span(1, 3, 2), span(1, 2, 1)]));
    assert_eq!((answer.status, &*answer.body), (200, "{}"));
    // The root comes last, packed, and an orphan and one that cannot be with it.
    let rest = otlp(&[span(1, 1, 0), span(1, 4, 99), span(1, 5, 5), span(1, 3, 2)]);
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    let answer = post(http, "/v1/traces", &headers, &gzip(rest.to_string().as_bytes()));
    assert_eq!(
        answer.json(),
        json!({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 own_parent"}})
    );
    let trace = kept(&server, &format!("{:032x}", 1));
    let named = |name: &str, above: &str| (name.to_owned(), above.to_owned());
    assert_eq!(
        tree(&trace),
        [
            named("work 1", ""),
            named("work 2", "work 1"),
            named("work 3", "work 2"),
            named("work 4", ""),
        ]
    );
    assert_eq!(
        (&trace["service"], &trace["operation"]),
        (&"shop".into(), &"work 1".into())
    );
    assert_eq!(
        trace["defects"],
        json!({"duplicates": 1, "orphans": 1, "loops": 0, "partial": false})
    );
    // What comes after the trace was complete is late.
    let answer = post_json(http, "/v1/traces", &otlp(&[span(1, 6, 1)]));
    assert_eq!(answer.json()["partialSuccess"]["errorMessage"], "1 late");
    wait_for_counter(&server, "spans.dropped.late", 1);
    let text = http::get(server.pages(), "/metrics").body;
    let line = "skywatch_traces_listener_dropped_total{listener=\"otlp_http\",reason=\"own_parent\"} 1";
    assert!(text.contains(line), "{text}");
    let ended = server.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
}

#[test]
fn other_forms_of_spans_are_taken_too() {
    let setup = setup();
    let server = setup.start(&["run"]);
    let http = address(&server, "OTLP over HTTP");
    let zipkin = json!([{"traceId": "a1", "id": "1", "name": "zip", "timestamp": 1_700_000_000_000_000u64, "duration": 5,
                         "localEndpoint": {"serviceName": "shop"}}]);
    let answer = post_json(address(&server, "Zipkin spans"), "/api/v2/spans", &zipkin);
    assert_eq!((answer.status, &*answer.body), (202, ""));
    let jaeger = json!({"data": [{"spans": [{"traceID": "a2", "spanID": "1", "operationName": "jag", "startTime": 1_700_000_000_000_000u64,
                                              "duration": 5, "processID": "p"}], "processes": {"p": {"serviceName": "shop"}}}]});
    assert_eq!(post_json(http, "/api/traces", &jaeger).json()["rejected"], 0);
    let line = json!({"trace_id": "00000000000000000000000000000000a3".get(2..), "spans": [
        {"span_id": 1, "parent_id": null, "service": "shop", "operation": "line", "start_us": 1_700_000_000_000_000u64, "duration_us": 5}]});
    let answer = post(http, "/v1/lines", &[], format!("{line}\nno line\n").as_bytes());
    assert_eq!(answer.json(), json!({"rejected": 1, "why": "1 malformed"}));
    for (id, name) in [("a1", "zip"), ("a2", "jag"), ("a3", "line")] {
        let trace = kept(&server, &format!("{id:0>32}"));
        assert_eq!(trace["operation"], name);
    }
    // What a trace is kept as can be sent again as a line.
    let mut again = kept(&server, &format!("{:0>32}", "a1"));
    again["trace_id"] = json!(format!("{:0>32}", "b1"));
    assert_eq!(
        post(http, "/v1/lines", &[], again.to_string().as_bytes()).json()["rejected"],
        0
    );
    assert_eq!(kept(&server, &format!("{:0>32}", "b1"))["operation"], "zip");
    let listed = http::get(server.pages(), "/api/v1/traces?all=1").json();
    assert_eq!(listed["traces"].as_array().map(Vec::len), Some(4));
}

type Headers<'h> = &'h [(&'h str, &'h str)];

#[test]
fn what_cannot_be_read_is_refused_and_counted() {
    let setup = setup().with("traces.max_request_bytes", "100000");
    let server = setup.start(&["run"]);
    let http = address(&server, "OTLP over HTTP");
    let bomb = gzip(&vec![b' '; 10_000_000]);
    let json = ("Content-Type", "application/json");
    let packed = ("Content-Encoding", "gzip");
    let cases: [(Headers<'_>, &[u8], u16, &str); 7] = [
        (&[json, packed], &bomb, 413, "inflates_too_large"),
        (&[json], &[b' '; 200_000], 413, "too_large"),
        (&[json], b"{\"resourceSpans\": 7}", 400, "bad_request"),
        (
            &[("Content-Type", "application/x-protobuf")],
            b"\xff\xff",
            400,
            "bad_request",
        ),
        (&[("Content-Type", "text/plain")], b"{}", 415, "unknown_encoding"),
        (
            &[json, ("Content-Encoding", "br")],
            b"{}",
            415,
            "unknown_encoding",
        ),
        (
            &[json, ("Origin", "http://evil.example")],
            b"{}",
            403,
            "of_a_page",
        ),
    ];
    for (headers, body, status, reason) in cases {
        let answer = post(http, "/v1/traces", headers, body);
        assert_eq!(answer.status, status, "{reason}: {}", answer.body);
    }
    for (reason, times) in [
        ("inflates_too_large", 1),
        ("bad_request", 2),
        ("unknown_encoding", 2),
        ("too_large", 1),
    ] {
        wait_for_counter(&server, &format!("listener.otlp_http.refused.{reason}"), times);
    }
    assert_eq!(
        post_json(http, "/v1/traces", &json!({})).status,
        200,
        "it goes on"
    );
}

/// The text of `/metrics`.
fn figures(server: &Skywatch) -> String {
    http::get(server.pages(), "/metrics").body
}

#[test]
fn bad_spans_cost_only_themselves_and_stand_in_the_metrics() {
    let setup = setup().with("traces.max_spans", "1000");
    let server = setup.start(&["run"]);
    let http = address(&server, "OTLP over HTTP");
    let with = |number: u64, key: &str, value: Value| {
        let mut span = span(11, number, 1);
        span[key] = value;
        span
    };
    let request = otlp(&[
        span(11, 1, 0),
        with(2, "parentSpanId", json!(format!("{:016x}", 2))),
        with(3, "traceId", json!("0102")),
        with(4, "spanId", json!("b7")),
        with(5, "endTimeUnixNano", json!("1")),
        with(6, "startTimeUnixNano", json!(0)),
        // Each the parent of the other.
        span(12, 1, 2),
        span(12, 2, 1),
        span(12, 3, 0),
    ]);
    let answer = post_json(http, "/v1/traces", &request).json();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "5", "{answer}");
    let spans: Vec<_> = (1..=100_000)
        .map(|id| json!({"span_id": id, "parent_id": if id > 1 { Some(1) } else { None }, "service": "s", "operation": "o",
                         "start_us": 1_700_000_000_000_000u64, "duration_us": 5}))
        .collect();
    let line = json!({"trace_id": format!("{:032x}", 13), "spans": spans}).to_string();
    assert_eq!(
        post(http, "/v1/lines", &[], line.as_bytes()).json()["rejected"],
        99_000
    );
    assert_eq!(
        kept(&server, &format!("{:032x}", 11))["spans"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(kept(&server, &format!("{:032x}", 12))["defects"]["loops"], 1);
    assert_eq!(kept(&server, &format!("{:032x}", 13))["defects"]["partial"], true);
    let dropped = |reason: &str, times: u64| {
        format!("skywatch_traces_spans_dropped_total{{reason=\"{reason}\"}} {times}\n")
    };
    let expected = [
        dropped("own_parent", 1),
        dropped("bad_trace_id", 1),
        dropped("bad_span_id", 1),
        dropped("end_before_start", 1),
        dropped("no_start", 1),
        dropped("too_many_spans", 99_000),
        "skywatch_traces_span_loops_total 1\n".to_owned(),
    ];
    wait_for("them in the metrics", || {
        let text = figures(&server);
        expected
            .iter()
            .all(|line| text.contains(line.as_str()))
            .then_some(())
    });
}

/// A request of OTLP as far as a bomb needs one.
#[derive(Clone, PartialEq, prost::Message)]
struct BombRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    resource_spans: Vec<Vec<u8>>,
}

#[test]
fn a_bomb_over_grpc_is_refused_and_counted() {
    let setup = setup().with("traces.max_request_bytes", "100000");
    let server = setup.start(&["run"]);
    let to = address(&server, "OTLP over gRPC");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let refused = runtime.block_on(async {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{to}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        let mut client =
            tonic::client::Grpc::new(channel).send_compressed(tonic::codec::CompressionEncoding::Gzip);
        client.ready().await.unwrap();
        let bomb = BombRequest {
            resource_spans: vec![vec![0; 30_000_000]],
        };
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        );
        let codec = tonic_prost::ProstCodec::<BombRequest, BombRequest>::default();
        client
            .unary(tonic::Request::new(bomb), path, codec)
            .await
            .unwrap_err()
    });
    wait_for_counter(&server, "listener.otlp_grpc.refused.inflates_too_large", 1);
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused:?}");
    assert_eq!(counter(&server, "spans.received"), 0);
}

#[test]
fn a_sender_is_asked_to_come_again_when_there_is_no_room() {
    let setup = setup().with("traces.max_open", "2").with("traces.max_spans", "3");
    let server = setup.start(&["run"]);
    let http = address(&server, "OTLP over HTTP");
    let many: Vec<Value> = (1..=5).map(|number| span(7, number, number - 1)).collect();
    let answer = post_json(http, "/v1/traces", &otlp(&many));
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "2");
    assert_eq!(post_json(http, "/v1/traces", &otlp(&[span(8, 1, 0)])).status, 200);
    let answer = post_json(http, "/v1/traces", &otlp(&[span(9, 1, 0)]));
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(
        answer.head.to_lowercase().contains("retry-after: 5"),
        "{}",
        answer.head
    );
    assert!(
        kept(&server, &format!("{:032x}", 7))["defects"]["partial"]
            .as_bool()
            .unwrap()
    );
    assert_eq!(
        post_json(http, "/v1/traces", &otlp(&[span(9, 1, 0)])).status,
        200,
        "there is room again"
    );
    wait_for_counter(&server, "spans.dropped.too_many_spans", 2);
    assert_eq!(counter(&server, "listener.otlp_http.refused.turned_away"), 1);
}
