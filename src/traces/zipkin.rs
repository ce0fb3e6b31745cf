//! Zipkin's JSON, version 2: a list of spans, read one at a time.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ids::{self, SpanId, TraceId};
use super::intake::SpanBatch;
use super::numbers::Unsigned;
use super::refusal::SpanRefusal;
use super::span::{self, CallSide, PATHS, ReceivedSpan};

/// Longest span, bytes.
const LONGEST: usize = 4 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinSpan<'j> {
    #[serde(borrow, default)]
    trace_id: Cow<'j, str>,
    #[serde(borrow, default)]
    id: Cow<'j, str>,
    #[serde(borrow, default)]
    parent_id: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    kind: Option<Cow<'j, str>>,
    /// Microseconds.
    timestamp: Option<Unsigned>,
    duration: Option<Unsigned>,
    #[serde(borrow, default)]
    local_endpoint: Option<ZipkinEndpoint<'j>>,
    #[serde(borrow, default)]
    tags: Option<HashMap<Cow<'j, str>, Cow<'j, str>>>,
    shared: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ZipkinEndpoint<'j> {
    #[serde(borrow, default)]
    service_name: Option<Cow<'j, str>>,
}

/// Adds all spans of a request.
///
/// # Errors
/// It is no list.
pub(super) fn read(bytes: &[u8], into: &mut SpanBatch) -> Result<(), serde_json::Error> {
    let spans: Vec<&RawValue> = serde_json::from_slice(bytes)?;
    spans.into_iter().for_each(|raw| into.add(one(raw)));
    Ok(())
}

fn one(raw: &RawValue) -> Result<ReceivedSpan, SpanRefusal> {
    if raw.get().len() > LONGEST {
        return Err(SpanRefusal::TooLarge);
    }
    let read: ZipkinSpan<'_> = serde_json::from_str(raw.get()).map_err(|_| SpanRefusal::Malformed)?;
    let parent = match read.parent_id.as_deref() {
        None | Some("") => None,
        Some(text) => ids::parent(SpanId::of_digits(text))?,
    };
    let tag = |key: &str| read.tags.as_ref()?.get(key).map(|value| &**value);
    let nanoseconds = |time: Option<Unsigned>| time.unwrap_or_default().0.checked_mul(1_000);
    let name = read.name.as_deref().unwrap_or_default();
    // Zipkin's libraries write names in lower case.
    let method = tag("http.method").filter(|method| method.eq_ignore_ascii_case(name));
    let path = PATHS.into_iter().chain(["http.path"]).find_map(tag);
    let service = read.local_endpoint.and_then(|endpoint| endpoint.service_name);
    Ok(ReceivedSpan {
        trace: TraceId::of_digits(&read.trace_id)?,
        id: SpanId::of_digits(&read.id)?,
        parent,
        service: span::service(service.as_deref().unwrap_or_default()),
        operation: span::operation(
            &method.map_or(Cow::Borrowed(name), |method| method.to_uppercase().into()),
            path,
        ),
        kind: CallSide::of_word(read.kind.as_deref().unwrap_or_default()),
        shared: read.shared == Some(true),
        start: nanoseconds(read.timestamp).ok_or(SpanRefusal::Malformed)?,
        duration: nanoseconds(read.duration).ok_or(SpanRefusal::Malformed)?,
        failed: tag("error").is_some_and(|error| error != "false"),
        message: tag("error")
            .filter(|error| *error != "true")
            .unwrap_or_default()
            .into(),
    })
}
