//! Jaeger's JSON, as its pages and `/api/traces` hand it out: `{"data":[{"spans":[…],"processes":{…}}]}`, or one such trace.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::ids::{self, SpanId, TraceId};
use super::intake::SpanBatch;
use super::numbers::Unsigned;
use super::refusal::SpanRefusal;
use super::span::{self, CallSide, PATHS, ReceivedSpan};

/// Longest span, bytes.
const LONGEST: usize = 4 << 20;

#[derive(Deserialize)]
struct JaegerFile<'j> {
    #[serde(borrow)]
    data: Option<Vec<&'j RawValue>>,
}

/// `spans` must be there: without, any object would be a trace without spans, and whoever sent it be told that all is well.
#[derive(Deserialize)]
struct JaegerTrace<'j> {
    #[serde(borrow)]
    spans: Vec<&'j RawValue>,
    #[serde(borrow, default)]
    processes: HashMap<Cow<'j, str>, JaegerProcess<'j>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerProcess<'j> {
    #[serde(borrow, default)]
    service_name: Cow<'j, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerSpan<'j> {
    #[serde(borrow, default, rename = "traceID")]
    trace_id: Cow<'j, str>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Cow<'j, str>,
    #[serde(borrow, default, rename = "parentSpanID")]
    parent_span_id: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    operation_name: Cow<'j, str>,
    #[serde(borrow, default)]
    references: Option<Vec<JaegerReference<'j>>>,
    /// Microseconds.
    #[serde(default)]
    start_time: Unsigned,
    #[serde(default)]
    duration: Unsigned,
    #[serde(borrow, default)]
    tags: Option<Vec<JaegerTag<'j>>>,
    #[serde(borrow, default, rename = "processID")]
    process_id: Cow<'j, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JaegerReference<'j> {
    #[serde(borrow, default)]
    ref_type: Cow<'j, str>,
    #[serde(borrow, default, rename = "traceID")]
    trace_id: Cow<'j, str>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Cow<'j, str>,
}

#[derive(Deserialize)]
struct JaegerTag<'j> {
    #[serde(borrow, default)]
    key: Cow<'j, str>,
    #[serde(default)]
    value: Value,
}

/// Adds all spans of a file or request.
///
/// # Errors
/// It is none of the two forms.
pub(super) fn read(bytes: &[u8], into: &mut SpanBatch) -> Result<(), serde_json::Error> {
    let file: JaegerFile<'_> = serde_json::from_slice(bytes)?;
    let Some(traces) = file.data else {
        trace(&serde_json::from_slice(bytes)?, into);
        return Ok(());
    };
    for raw in traces {
        match serde_json::from_str(raw.get()) {
            Ok(one) => trace(&one, into),
            Err(_) => into.add(Err(SpanRefusal::Malformed)),
        }
    }
    Ok(())
}

fn trace(trace: &JaegerTrace<'_>, into: &mut SpanBatch) {
    let named = trace.processes.iter();
    let services: HashMap<&str, Arc<str>> = named
        .map(|(id, process)| (&**id, span::service(&process.service_name)))
        .collect();
    for raw in &trace.spans {
        into.add(one(raw, &services));
    }
}

fn one(raw: &RawValue, services: &HashMap<&str, Arc<str>>) -> Result<ReceivedSpan, SpanRefusal> {
    if raw.get().len() > LONGEST {
        return Err(SpanRefusal::TooLarge);
    }
    let read: JaegerSpan<'_> = serde_json::from_str(raw.get()).map_err(|_| SpanRefusal::Malformed)?;
    let tags = read.tags.as_deref().unwrap_or_default();
    let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value);
    let text = |key: &str| tag(key).and_then(Value::as_str);
    let says_error = tag("error").is_some_and(|value| *value == Value::Bool(true) || *value == "true");
    let nanoseconds = |time: Unsigned| time.0.checked_mul(1_000).ok_or(SpanRefusal::Malformed);
    Ok(ReceivedSpan {
        trace: TraceId::of_digits(&read.trace_id)?,
        id: SpanId::of_digits(&read.span_id)?,
        parent: parent(&read)?,
        service: services
            .get(&*read.process_id)
            .cloned()
            .unwrap_or_else(|| span::service("")),
        operation: span::operation(&read.operation_name, PATHS.into_iter().find_map(text)),
        kind: CallSide::of_word(text("span.kind").unwrap_or_default()),
        shared: false,
        start: nanoseconds(read.start_time)?,
        duration: nanoseconds(read.duration)?,
        failed: says_error || text("otel.status_code").is_some_and(|code| code == "ERROR"),
        message: text("otel.status_description").unwrap_or_default().into(),
    })
}

/// The span that waits for this one, or else the one it follows, within the same trace; in old files a key of its own.
fn parent(read: &JaegerSpan<'_>) -> Result<Option<SpanId>, SpanRefusal> {
    let references = read.references.as_deref().unwrap_or_default();
    let of_type = |kind: &str| {
        let mut own = references
            .iter()
            .filter(|reference| reference.trace_id == read.trace_id);
        own.find(|reference| reference.ref_type == kind)
            .map(|reference| &*reference.span_id)
    };
    let named = of_type("CHILD_OF").or_else(|| of_type("FOLLOWS_FROM"));
    match named.or(read.parent_span_id.as_deref()) {
        None | Some("") => Ok(None),
        Some(text) => ids::parent(SpanId::of_digits(text)),
    }
}
