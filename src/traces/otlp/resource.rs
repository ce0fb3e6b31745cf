//! Who sent something, by its attributes.

use std::sync::Arc;

use crate::traces::idl::otlp::otlp_value::Value;
use crate::traces::idl::otlp::{OtlpAttribute, OtlpResource};
use crate::traces::span;

/// The service of a resource.
pub(super) fn service(resource: Option<&OtlpResource>) -> Arc<str> {
    let name = resource.and_then(|resource| text(&resource.attributes, "service.name"));
    span::service(name.unwrap_or_default())
}

/// The text under a key, if there is one.
pub(super) fn text<'a>(attributes: &'a [OtlpAttribute], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A value as a label has it; `None` for lists, maps and bytes.
pub(super) fn label(attribute: &OtlpAttribute) -> Option<String> {
    Some(match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(flag) => flag.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
    })
}
