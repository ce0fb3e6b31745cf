//! What must hold for any bytes from outside at all; the body of a fuzz target and of property tests.

use prost::Message as _;
use serde_json::Value;

use super::assembler::Assembler;
use super::idl::trace_service::ExportTraceServiceRequest;
use super::intake::SpanBatch;
use super::otlp::metrics::MetricBatch;
use super::otlp::quantiles::CumulativeHistograms;
use super::otlp::{json as otlp_json, protobuf};
use super::span::ReceivedSpan;
use super::trace::AssembledTrace;
use super::{jaeger, lines, zipkin};

/// Panics if reading `bytes` as spans or metrics breaks a law, in whatever protocol: reading ends, every span is taken or refused
/// with a reason, what was taken is what a span must be, and all of it comes out of the assembly.
pub fn spans(bytes: &[u8]) {
    if let Ok(request) = ExportTraceServiceRequest::decode(bytes) {
        check(None, |batch| {
            protobuf::read(request.resource_spans, batch);
            true
        });
    }
    let read: Option<Value> = serde_json::from_slice(bytes).ok();
    let written = |count: fn(&Value) -> u64| read.as_ref().map(count);
    check(written(of_otlp), |batch| {
        otlp_json::read_spans(bytes, batch).is_ok()
    });
    check(written(of_zipkin), |batch| zipkin::read(bytes, batch).is_ok());
    check(written(of_jaeger), |batch| jaeger::read(bytes, batch).is_ok());
    check(None, |batch| {
        lines::read(bytes, batch);
        true
    });
    points(bytes);
}

/// How long a list is; what is none has nothing in it.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn of_otlp(request: &Value) -> u64 {
    let scopes = list(&request["resourceSpans"])
        .iter()
        .flat_map(|of_resource| list(&of_resource["scopeSpans"]));
    scopes.map(|scope| list(&scope["spans"]).len() as u64).sum()
}

fn of_zipkin(request: &Value) -> u64 {
    list(request).len() as u64
}

fn of_jaeger(request: &Value) -> u64 {
    let spans = |trace: &Value| list(&trace["spans"]).len() as u64;
    match &request["data"] {
        Value::Null => spans(request),
        traces => list(traces).iter().map(spans).sum(),
    }
}

/// Reads, and holds what was read against how many spans are written there, where somebody else could tell. `read` says whether
/// the request as a whole could be read; if not, it is refused as a whole and counted as such.
fn check(written: Option<u64>, read: impl FnOnce(&mut SpanBatch) -> bool) {
    let mut batch = SpanBatch::default();
    if !read(&mut batch) {
        return;
    }
    let (spans, refused) = batch.into_parts();
    let dropped: u64 = refused.iter().map(|(_, times)| times).sum();
    // A list that cannot be read counts as one malformed span, whatever it holds.
    let is_torn = refused.iter().any(|(reason, _)| *reason == "malformed");
    if let Some(written) = written.filter(|_| !is_torn) {
        // More where lists stand for objects, as serde allows.
        assert!(spans.len() as u64 + dropped >= written, "{written} {refused:?}");
    }
    for span in &spans {
        assert!(
            span.start > 0 && span.start.checked_add(span.duration).is_some(),
            "{span:?}"
        );
        assert!(
            span.parent != Some(span.id) && !span.service.is_empty(),
            "{span:?}"
        );
        assert!(span.trace.bytes() != [0; 16], "{span:?}");
    }
    assemble(spans);
}

fn assemble(spans: Vec<ReceivedSpan>) {
    let settings = skywatch_settings::Traces {
        max_spans: 50,
        ..skywatch_settings::Traces::default()
    };
    let mut assembler = Assembler::new(settings);
    let mut taken = 0;
    for span in spans {
        taken += u64::from(assembler.add(span, std::time::Duration::ZERO).is_ok());
    }
    let mut out = 0;
    for closed in assembler.close_any(usize::MAX) {
        let trace = AssembledTrace::assemble(closed);
        out += trace.spans.len() as u64 + trace.defects.duplicates;
        for (place, linked) in trace.spans.iter().enumerate() {
            assert!(
                linked.above.is_none_or(|above| above < place),
                "a parent behind its child"
            );
        }
    }
    assert_eq!((out, assembler.held()), (taken, (0, 0)));
}

/// Metrics of OTLP come the same way.
fn points(bytes: &[u8]) {
    let mut histograms = CumulativeHistograms::default();
    let labels = ["service.name".to_owned()];
    let mut batch = MetricBatch::new(&mut histograms, &labels);
    let _ = batch.read_json(bytes);
    if let Ok(request) = super::idl::metrics_service::ExportMetricsServiceRequest::decode(bytes) {
        batch.read(request.resource_metrics);
    }
    assert!(batch.points.iter().all(|point| !point.metric.is_empty()));
}
