//! JSON lines: a trace a line in the form of `skywatch traces`, or a request of OTLP as the collector's file exporter writes
//! it, or a trace in Jaeger's form.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use super::ids::{self, SpanId, TraceId};
use super::intake::SpanBatch;
use super::jaeger;
use super::numbers::{Signed, Unsigned};
use super::otlp::json as otlp_json;
use super::refusal::SpanRefusal;
use super::span::{self, CallSide, ReceivedSpan};

/// What a line is, by the keys it has.
#[derive(Deserialize)]
struct LineKeys<'j> {
    #[serde(borrow, default)]
    trace_id: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    spans: Option<Vec<&'j RawValue>>,
    #[serde(borrow, default, rename = "resourceSpans")]
    resource_spans: Option<&'j RawValue>,
}

/// A span of `skywatch traces`, numbered within its trace.
#[derive(Deserialize)]
struct LineSpan<'j> {
    #[serde(borrow)]
    span_id: LineSpanId<'j>,
    #[serde(borrow)]
    parent_id: Option<LineSpanId<'j>>,
    #[serde(borrow, default)]
    service: Cow<'j, str>,
    #[serde(borrow, default)]
    operation: Cow<'j, str>,
    #[serde(default)]
    start_us: Unsigned,
    #[serde(default)]
    duration_us: Signed,
    #[serde(borrow, default)]
    status: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'j, str>>,
}

/// A number, or up to 16 hexadecimal digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum LineSpanId<'j> {
    Number(u64),
    #[serde(borrow)]
    Digits(Cow<'j, str>),
}

impl LineSpanId<'_> {
    fn id(&self) -> Result<SpanId, SpanRefusal> {
        match self {
            Self::Number(number) => SpanId::of_bytes(&number.to_be_bytes()),
            Self::Digits(digits) => SpanId::of_digits(digits),
        }
    }
}

/// Adds all spans of all lines; a line that cannot be read counts as a malformed span.
pub(super) fn read(bytes: &[u8], into: &mut SpanBatch) {
    let lines = bytes.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        if one(line, into).is_err() {
            into.add(Err(SpanRefusal::Malformed));
        }
    }
}

fn one(line: &[u8], into: &mut SpanBatch) -> Result<(), serde_json::Error> {
    let keys: LineKeys<'_> = serde_json::from_slice(line)?;
    match (keys.trace_id, keys.spans) {
        (Some(id), Some(spans)) => {
            let trace = trace_id(&id);
            spans.into_iter().for_each(|raw| into.add(span_of(trace, raw)));
            Ok(())
        }
        _ if keys.resource_spans.is_some() => otlp_json::read_spans(line, into),
        _ => jaeger::read(line, into),
    }
}

/// The id of a trace of a file: of 32 digits it is that, of anything else a hash of it.
fn trace_id(text: &str) -> Result<TraceId, SpanRefusal> {
    TraceId::of_json(text).or_else(|_| TraceId::of_bytes(&xxh3_128(text.as_bytes()).to_be_bytes()))
}

fn span_of(trace: Result<TraceId, SpanRefusal>, raw: &RawValue) -> Result<ReceivedSpan, SpanRefusal> {
    let read: LineSpan<'_> = serde_json::from_str(raw.get()).map_err(|_| SpanRefusal::Malformed)?;
    let nanoseconds = |time: u64| time.checked_mul(1_000).ok_or(SpanRefusal::Malformed);
    let duration = u64::try_from(read.duration_us.0).map_err(|_| SpanRefusal::EndBeforeStart)?;
    let parent = match read.parent_id {
        None => None,
        // How some exporters say none.
        Some(LineSpanId::Digits(digits)) if digits.is_empty() => None,
        Some(parent) => ids::parent(parent.id())?,
    };
    Ok(ReceivedSpan {
        trace: trace?,
        id: read.span_id.id()?,
        parent,
        service: span::service(&read.service),
        operation: (&*read.operation).into(),
        kind: CallSide::of_word(read.kind.as_deref().unwrap_or_default()),
        shared: false,
        start: nanoseconds(read.start_us.0)?,
        duration: nanoseconds(duration)?,
        failed: read.status.is_some_and(|status| status == "ERROR"),
        message: "".into(),
    })
}
