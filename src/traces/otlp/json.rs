//! Requests of OTLP as JSON: names in lowerCamelCase, ids in hexadecimal digits (base64 is taken, too), numbers of 64 bits as
//! texts or numbers, enumerations as numbers (their names are taken, too), unknown keys skipped. Read one element at a time.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::LONGEST_ELEMENT;
use crate::traces::idl::otlp::otlp_value::Value;
use crate::traces::idl::otlp::{OtlpAttribute, OtlpValue};
use crate::traces::ids::{self, SpanId, TraceId};
use crate::traces::intake::SpanBatch;
use crate::traces::numbers::{Float, Signed, Unsigned};
use crate::traces::refusal::SpanRefusal;
use crate::traces::span::{self, CallSide, PATHS, ReceivedSpan};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TracesJson<'j> {
    #[serde(borrow, default)]
    resource_spans: Vec<&'j RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpansJson<'j> {
    #[serde(default)]
    resource: Option<ResourceJson>,
    #[serde(borrow, default)]
    scope_spans: Vec<&'j RawValue>,
}

#[derive(Deserialize)]
struct ScopeSpansJson<'j> {
    #[serde(borrow, default)]
    spans: Vec<&'j RawValue>,
}

#[derive(Deserialize)]
pub(super) struct ResourceJson {
    #[serde(default)]
    pub(super) attributes: Vec<AttributeJson>,
}

#[derive(Deserialize)]
pub(super) struct AttributeJson {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Option<ValueJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValueJson {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Signed>,
    double_value: Option<Float>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'j> {
    #[serde(borrow, default)]
    trace_id: Cow<'j, str>,
    #[serde(borrow, default)]
    span_id: Cow<'j, str>,
    #[serde(borrow, default)]
    parent_span_id: Option<Cow<'j, str>>,
    #[serde(borrow, default)]
    name: Cow<'j, str>,
    #[serde(default)]
    kind: Named,
    #[serde(default)]
    start_time_unix_nano: Unsigned,
    #[serde(default)]
    end_time_unix_nano: Unsigned,
    #[serde(default)]
    attributes: Vec<AttributeJson>,
    #[serde(borrow, default)]
    status: Option<StatusJson<'j>>,
}

#[derive(Deserialize, Default)]
struct StatusJson<'j> {
    #[serde(borrow, default)]
    message: Cow<'j, str>,
    #[serde(default)]
    code: Named,
}

impl From<AttributeJson> for OtlpAttribute {
    fn from(attribute: AttributeJson) -> Self {
        let value = attribute.value.and_then(|value| {
            let text = value.string_value.map(Value::StringValue);
            let flag = value.bool_value.map(Value::BoolValue);
            let whole = value.int_value.map(|number| Value::IntValue(number.0));
            let float = value.double_value.map(|number| Value::DoubleValue(number.0));
            text.or(flag).or(whole).or(float)
        });
        Self {
            key: attribute.key,
            value: Some(OtlpValue { value }),
        }
    }
}

/// An enumeration: a number, or the name of one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Named {
    Number(i32),
    Name(String),
}

impl Default for Named {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Named {
    fn side(&self) -> CallSide {
        match self {
            Self::Number(number) => CallSide::of_number(*number),
            Self::Name(name) => CallSide::of_word(name.trim_start_matches("SPAN_KIND_")),
        }
    }

    pub(super) fn is(&self, number: i32, name: &str) -> bool {
        match self {
            Self::Number(given) => *given == number,
            Self::Name(given) => given == name,
        }
    }
}

/// Adds all spans of a request.
///
/// # Errors
/// It is no such request.
pub(in crate::traces) fn read_spans(bytes: &[u8], into: &mut SpanBatch) -> Result<(), serde_json::Error> {
    let request: TracesJson<'_> = serde_json::from_slice(bytes)?;
    for of_resource in request.resource_spans {
        let Ok(of_resource) = serde_json::from_str::<ResourceSpansJson<'_>>(of_resource.get()) else {
            into.add(Err(SpanRefusal::Malformed));
            continue;
        };
        let attributes = of_resource
            .resource
            .map_or_else(Vec::new, |resource| resource.attributes);
        let service = span::service(text(&attributes, "service.name").unwrap_or_default());
        for of_scope in of_resource.scope_spans {
            match serde_json::from_str::<ScopeSpansJson<'_>>(of_scope.get()) {
                Ok(of_scope) => of_scope
                    .spans
                    .into_iter()
                    .for_each(|raw| into.add(one(raw, &service))),
                Err(_) => into.add(Err(SpanRefusal::Malformed)),
            }
        }
    }
    Ok(())
}

fn text<'a>(attributes: &'a [AttributeJson], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value.as_ref()?.string_value.as_deref()
}

fn one(raw: &RawValue, service: &Arc<str>) -> Result<ReceivedSpan, SpanRefusal> {
    if raw.get().len() > LONGEST_ELEMENT {
        return Err(SpanRefusal::TooLarge);
    }
    let read: SpanJson<'_> = serde_json::from_str(raw.get()).map_err(|_| SpanRefusal::Malformed)?;
    let parent = match read.parent_span_id.as_deref() {
        None | Some("") => None,
        Some(text) => ids::parent(SpanId::of_json(text))?,
    };
    let path = PATHS.iter().find_map(|key| text(&read.attributes, key));
    let status = read.status.unwrap_or_default();
    Ok(ReceivedSpan {
        trace: TraceId::of_json(&read.trace_id)?,
        id: SpanId::of_json(&read.span_id)?,
        parent,
        service: Arc::clone(service),
        operation: span::operation(&read.name, path),
        kind: read.kind.side(),
        shared: false,
        start: read.start_time_unix_nano.0,
        duration: span::between(read.start_time_unix_nano.0, read.end_time_unix_nano.0)?,
        failed: status.code.is(2, "STATUS_CODE_ERROR"),
        message: (&*status.message).into(),
    })
}
