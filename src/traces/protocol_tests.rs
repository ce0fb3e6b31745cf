//! One trace in every protocol, and what must be refused in each.

use prost::Message as _;
use serde_json::{Value, json};

use super::idl::otlp::{
    OtlpAttribute, OtlpResource, OtlpSpan, OtlpStatus, OtlpValue, ResourceSpans, ScopeSpans, otlp_value,
};
use super::intake::SpanBatch;
use super::otlp::{json as otlp_json, protobuf};
use super::span::{CallSide, ReceivedSpan};
use super::{jaeger, lines, zipkin};

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const START: u64 = 1_700_000_000_000_000_000;

/// What each protocol must make of its form of the same span.
fn expected() -> Vec<ReceivedSpan> {
    let id = |digits: &str| super::ids::SpanId::of_digits(digits).unwrap();
    vec![ReceivedSpan {
        trace: super::ids::TraceId::of_digits(TRACE).unwrap(),
        id: id("00000000000000b7"),
        parent: Some(id("00000000000000a1")),
        service: "shop".into(),
        operation: "GET /cart".into(),
        kind: CallSide::Server,
        shared: false,
        start: START,
        duration: 5_000_000,
        failed: true,
        message: "no cart".into(),
    }]
}

type Parts = (Vec<ReceivedSpan>, Vec<(&'static str, u64)>);

fn parts(read: impl FnOnce(&mut SpanBatch)) -> Parts {
    let mut batch = SpanBatch::default();
    read(&mut batch);
    batch.into_parts()
}

fn otlp_span() -> Value {
    json!({
        "traceId": TRACE, "spanId": "00000000000000b7", "parentSpanId": "00000000000000a1",
        "name": "GET", "kind": 2, "startTimeUnixNano": START.to_string(), "endTimeUnixNano": START + 5_000_000,
        "attributes": [{"key": "http.route", "value": {"stringValue": "/cart"}}, {"key": "n", "value": {"intValue": "7"}}],
        "status": {"code": 2, "message": "no cart"}, "unknown": [{"deep": {}}], "droppedEventsCount": 0
    })
}

fn otlp_of(spans: &[Value]) -> Vec<u8> {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let request = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]});
    request.to_string().into_bytes()
}

fn of_json(spans: &[Value]) -> Parts {
    parts(|batch| otlp_json::read_spans(&otlp_of(spans), batch).unwrap())
}

fn protobuf_span() -> OtlpSpan {
    let id = |digit: u8| vec![0, 0, 0, 0, 0, 0, 0, digit].into();
    OtlpSpan {
        trace_id: (1..=16).collect::<Vec<u8>>().into(),
        span_id: id(0xb7),
        parent_span_id: id(0xa1),
        name: "GET".to_owned(),
        kind: 2,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 5_000_000,
        attributes: vec![text("http.route", "/cart")],
        status: Some(OtlpStatus {
            message: "no cart".to_owned(),
            code: 2,
        }),
    }
}

fn text(key: &str, text: &str) -> OtlpAttribute {
    let value = Some(otlp_value::Value::StringValue(text.to_owned()));
    OtlpAttribute {
        key: key.to_owned(),
        value: Some(OtlpValue { value }),
    }
}

fn of_protobuf(spans: Vec<Vec<u8>>) -> Parts {
    let scope = ScopeSpans {
        spans: spans.into_iter().map(Into::into).collect(),
    };
    let of_resource = ResourceSpans {
        resource: Some(OtlpResource {
            attributes: vec![text("service.name", "shop")],
        }),
        scope_spans: vec![b"\xff".to_vec().into(), scope.encode_to_vec().into()],
    };
    let whole = vec![of_resource.encode_to_vec().into(), b"\x0a\x7f".to_vec().into()];
    parts(|batch| protobuf::read(whole, batch))
}

#[test]
fn the_same_span_is_read_from_every_protocol() {
    assert_eq!(of_json(&[otlp_span()]), (expected(), vec![]));
    let base64 = json!({
        "traceId": "AQIDBAUGBwgJCgsMDQ4PEA==", "spanId": "AAAAAAAAALc=", "parentSpanId": "AAAAAAAAAKE=",
        "name": "GET /cart", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": START, "endTimeUnixNano": (START + 5_000_000).to_string(),
        "status": {"code": "STATUS_CODE_ERROR", "message": "no cart"}
    });
    assert_eq!(of_json(&[base64]).0, expected());
    let (spans, refused) = of_protobuf(vec![protobuf_span().encode_to_vec()]);
    // A scope and a resource that cannot be read cost only themselves.
    assert_eq!((spans, refused), (expected(), vec![("malformed", 2)]));
    let zipkin = json!([{
        "traceId": TRACE, "id": "b7", "parentId": "a1", "name": "get", "kind": "SERVER", "timestamp": START / 1_000,
        "duration": 5_000, "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1"},
        "tags": {"http.method": "GET", "http.path": "/cart", "error": "no cart"}
    }]);
    assert_eq!(
        parts(|batch| zipkin::read(zipkin.to_string().as_bytes(), batch).unwrap()).0,
        expected()
    );
    let trace = json!({
        "traceID": TRACE,
        "spans": [{
            "traceID": TRACE, "spanID": "b7", "operationName": "GET", "startTime": START / 1_000, "duration": 5_000,
            "references": [
                {"refType": "FOLLOWS_FROM", "traceID": TRACE, "spanID": "c3"},
                {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "a1"},
            ],
            "tags": [
                {"key": "span.kind", "type": "string", "value": "server"}, {"key": "http.route", "value": "/cart"},
                {"key": "error", "type": "bool", "value": true}, {"key": "otel.status_description", "value": "no cart"}
            ],
            "processID": "p1", "logs": []
        }],
        "processes": {"p1": {"serviceName": "shop", "tags": []}}
    });
    let file = json!({"data": [trace], "total": 0, "errors": null});
    for jaeger in [&file, &trace] {
        assert_eq!(
            parts(|batch| jaeger::read(jaeger.to_string().as_bytes(), batch).unwrap()).0,
            expected()
        );
    }
    let line = json!({
        "trace_id": TRACE, "label": 0,
        "spans": [{"span_id": 0xb7, "parent_id": 0xa1, "service": "shop", "operation": "GET /cart", "kind": "server",
                   "start_us": START / 1_000, "duration_us": 5_000, "status": "ERROR"}]
    });
    let otlp = String::from_utf8(otlp_of(&[otlp_span()])).unwrap();
    let text = format!("{line}\n\n{otlp}\n{trace}\nno line\n{{}}\n{{\"span\": []}}");
    let (spans, refused) = parts(|batch| lines::read(text.as_bytes(), batch));
    assert_eq!(
        (spans.len(), &spans[1..]),
        (3, &[expected(), expected()].concat()[..])
    );
    assert_eq!(
        (&spans[0].operation, spans[0].id),
        (&"GET /cart".into(), spans[1].id)
    );
    assert_eq!(refused, [("malformed", 3)]);
    // What is no trace is not a trace without spans.
    for (request, is_read) in [
        ("{}", false),
        ("{\"data\": null}", false),
        ("{\"data\": []}", true),
    ] {
        let mut batch = SpanBatch::default();
        assert_eq!(
            jaeger::read(request.as_bytes(), &mut batch).is_ok(),
            is_read,
            "{request}"
        );
    }
}

/// The span with some of its keys replaced.
fn with(changes: Value) -> Value {
    let mut span = otlp_span();
    let Value::Object(changes) = changes else {
        panic!("an object")
    };
    for (key, value) in changes {
        span[key] = value;
    }
    span
}

#[test]
fn a_bad_span_is_named_and_costs_only_itself() {
    for (changes, reason) in [
        (json!({"traceId": "0102"}), "bad_trace_id"),
        (json!({"traceId": "0".repeat(32)}), "zero_trace_id"),
        (json!({"traceId": "z".repeat(32)}), "bad_trace_id"),
        (json!({"spanId": ""}), "bad_span_id"),
        (json!({"spanId": "0".repeat(16)}), "zero_span_id"),
        (json!({"parentSpanId": "b7"}), "bad_parent_id"),
        (json!({"parentSpanId": "00000000000000b7"}), "own_parent"),
        (json!({"startTimeUnixNano": 0}), "no_start"),
        (json!({"endTimeUnixNano": START - 1}), "end_before_start"),
        (json!({"startTimeUnixNano": "soon"}), "malformed"),
        (json!({"startTimeUnixNano": -1}), "malformed"),
        (json!({"name": 7}), "malformed"),
    ] {
        let (spans, refused) = of_json(&[otlp_span(), with(changes.clone()), otlp_span()]);
        assert_eq!((spans.len(), refused), (2, vec![(reason, 1)]), "{changes}");
    }
    let huge = with(json!({"name": "x".repeat(5 << 20)}));
    assert_eq!(of_json(&[huge]).1, [("too_large", 1)]);
    let bytes = |change: fn(&mut OtlpSpan)| {
        let mut span = protobuf_span();
        change(&mut span);
        span.encode_to_vec()
    };
    for (bad, reason) in [
        (bytes(|span| span.trace_id = vec![1; 15].into()), "bad_trace_id"),
        (bytes(|span| span.span_id = vec![0; 8].into()), "zero_span_id"),
        (
            bytes(|span| span.parent_span_id = vec![1; 3].into()),
            "bad_parent_id",
        ),
        (bytes(|span| span.end_time_unix_nano = 1), "end_before_start"),
        (b"\x2a\x02\xff\xfe".to_vec(), "malformed"),
    ] {
        let (spans, refused) = of_protobuf(vec![bad, protobuf_span().encode_to_vec()]);
        assert_eq!(spans.len(), 1, "{reason}");
        assert!(refused.iter().any(|(name, _)| *name == reason), "{refused:?}");
    }
    for (change, reason) in [
        (json!({"span_id": 0}), "zero_span_id"),
        (json!({"parent_id": 0xb7}), "own_parent"),
        (json!({"duration_us": -1}), "end_before_start"),
        (json!({"start_us": 0}), "no_start"),
        (json!({"start_us": u64::MAX}), "malformed"),
        (json!({"span_id": "shop"}), "bad_span_id"),
        (json!({"parent_id": "x"}), "bad_parent_id"),
        (json!({"span_id": [7]}), "malformed"),
    ] {
        let mut span =
            json!({"span_id": 0xb7, "service": "shop", "operation": "o", "start_us": 1, "duration_us": 1});
        for (key, value) in change.as_object().unwrap() {
            span[key] = value.clone();
        }
        let line = json!({"trace_id": "t", "spans": [span]}).to_string();
        let (spans, refused) = parts(|batch| lines::read(line.as_bytes(), batch));
        assert_eq!((spans.len(), refused), (0, vec![(reason, 1)]), "{change}");
    }
    // Zeros as a parent are none; long texts are cut.
    let (spans, _) = of_json(&[with(
        json!({"parentSpanId": "0".repeat(16), "name": "x".repeat(5_000)}),
    )]);
    assert!(spans[0].parent.is_none() && spans[0].operation.chars().count() <= 300);
}
