//! Span templates: the symbols that traces are sequences of.
//!
//! A template is a service, an operation with its variable parts masked, and whether the span failed: a call that fails
//! where calls succeed is another symbol, so every structural detector sees it. The service is never masked, since the same
//! operation in another service is another thing.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::TraceSpan;

/// Number of a template.
pub type TemplateId = u32;

/// The id of templates that were never learnt.
pub const UNKNOWN_TEMPLATE: TemplateId = u32::MAX;

/// Templates that are told apart at most; an instrumentation that writes ids into names in a way no mask knows would
/// otherwise grow without bound. Further ones stay unknown.
const MOST_TEMPLATES: usize = 65_536;

/// What stands for a masked part.
const MASK: &str = "<*>";

/// All templates that were learnt.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<KnownTemplate>", into = "Vec<KnownTemplate>")]
pub struct SpanTemplates {
    known: Vec<KnownTemplate>,
    by_name: HashMap<String, TemplateId>,
    services: HashMap<String, u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownTemplate {
    name: String,
    /// Bytes of the name that are the service.
    service: usize,
    seen: u64,
}

impl From<Vec<KnownTemplate>> for SpanTemplates {
    fn from(known: Vec<KnownTemplate>) -> Self {
        let mut all = Self::default();
        for template in known {
            let service = template
                .name
                .get(..template.service)
                .unwrap_or_default()
                .to_owned();
            let id = all.add(&service, template.name);
            if let Some(new) = all.known.get_mut(id as usize) {
                new.seen = template.seen;
            }
        }
        all
    }
}

impl From<SpanTemplates> for Vec<KnownTemplate> {
    fn from(all: SpanTemplates) -> Self {
        all.known
    }
}

impl SpanTemplates {
    /// How many templates there are; their ids are below this.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none was learnt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The template of a span, if it was learnt.
    #[must_use]
    pub fn find(&self, span: &TraceSpan) -> TemplateId {
        self.by_name
            .get(name(span).as_str())
            .copied()
            .unwrap_or(UNKNOWN_TEMPLATE)
    }

    /// The template of a span, learnt if it is new, and counted as seen once more.
    pub fn learn(&mut self, span: &TraceSpan) -> TemplateId {
        let name = name(span);
        let id = match self.by_name.get(&name) {
            Some(id) => *id,
            None if self.known.len() < MOST_TEMPLATES => self.add(&span.service, name),
            None => return UNKNOWN_TEMPLATE,
        };
        self.known[id as usize].seen += 1;
        id
    }

    fn add(&mut self, service: &str, name: String) -> TemplateId {
        let id = self.known.len() as TemplateId;
        let next = self.services.len() as u32;
        self.services.entry(service.to_owned()).or_insert(next);
        self.by_name.insert(name.clone(), id);
        self.known.push(KnownTemplate {
            name,
            service: service.len(),
            seen: 0,
        });
        id
    }

    /// Its text, `service operation`; `?` for one that is unknown.
    #[must_use]
    pub fn text(&self, id: TemplateId) -> &str {
        self.known.get(id as usize).map_or("?", |template| &template.name)
    }

    /// How often it was seen.
    #[must_use]
    pub fn seen(&self, id: TemplateId) -> u64 {
        self.known.get(id as usize).map_or(0, |template| template.seen)
    }

    /// The number of a service, if a template of it was learnt.
    pub(super) fn service(&self, name: &str) -> u32 {
        self.services.get(name).copied().unwrap_or(UNKNOWN_TEMPLATE)
    }
}

/// The text of a span's template.
pub(super) fn name(span: &TraceSpan) -> String {
    let operation = masked(&span.operation);
    let failed = if span.failed { " (error)" } else { "" };
    format!("{} {operation}{failed}", span.service)
}

/// The operation with every part masked that is a number, or hexadecimal digits as ids have them. Parts are what letters,
/// digits and nothing else make up, so `v1`, `path12` and `ts-order2-service` stay; a UUID becomes five masks and their
/// hyphens, and these one.
fn masked(operation: &str) -> Cow<'_, str> {
    let whole = operation.trim();
    if !whole.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(whole);
    }
    let mut text = String::with_capacity(whole.len());
    for part in whole.split_inclusive(|letter: char| !letter.is_alphanumeric()) {
        let word = part.trim_end_matches(|letter: char| !letter.is_alphanumeric());
        if is_variable(word) {
            text.push_str(MASK);
            text.push_str(&part[word.len()..]);
        } else {
            text.push_str(part);
        }
    }
    while text.contains("<*>-<*>") {
        text = text.replace("<*>-<*>", MASK);
    }
    Cow::Owned(text)
}

/// Fewest hexadecimal digits, one of them a decimal one, that are taken for an id and not for a word such as `b2b` or `cafe1`.
const ID_DIGITS: usize = 8;

fn is_variable(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hexadecimal = bytes.iter().all(u8::is_ascii_hexdigit);
    digits > 0 && (digits == bytes.len() || (hexadecimal && (bytes.len() >= ID_DIGITS || bytes.len() == 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_parts_are_masked_and_words_with_digits_are_not() {
        for (operation, expected) in [
            ("GET /api/v1/orders/12345", "GET /api/v1/orders/<*>"),
            (
                "/users/7f9c24e8-3b1a-4c5d-9e0f-112233445566/cart",
                "/users/<*>/cart",
            ),
            ("SELECT db0.orders", "SELECT db0.orders"),
            ("path12", "path12"),
            ("GET /o/deadbeef00", "GET /o/<*>"),
            ("/api/{accountId}", "/api/{accountId}"),
            ("HTTP GET", "HTTP GET"),
        ] {
            assert_eq!(masked(operation), expected, "{operation}");
        }
    }

    #[test]
    fn templates_come_back_as_they_were_kept() {
        let mut templates = SpanTemplates::default();
        let span = |service: &str, failed| TraceSpan {
            service: service.to_owned(),
            operation: "GET /x/1".to_owned(),
            failed,
            ..TraceSpan::default()
        };
        let ids = [
            span("a", false),
            span("b", false),
            span("a", true),
            span("a", false),
        ]
        .map(|s| templates.learn(&s));
        assert_eq!(ids, [0, 1, 2, 0]);
        let text = serde_json::to_string(&templates).unwrap();
        let back: SpanTemplates = serde_json::from_str(&text).unwrap();
        assert_eq!(back.find(&span("a", true)), 2);
        assert_eq!(back.text(2), "a GET /x/<*> (error)");
        assert_eq!((back.seen(0), back.seen(1)), (2, 1));
        assert_eq!(back.service("b"), templates.service("b"));
        assert_eq!(back.find(&span("c", false)), UNKNOWN_TEMPLATE);
    }
}
