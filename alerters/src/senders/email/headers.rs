//! The headers of a mail that are ours or that lettre has not.

use lettre::message::header::{Header, HeaderName, HeaderValue};

use crate::notice::Notice;

/// Most incidents named in the header.
const MOST_NAMED: usize = 50;

/// `text` as part of a name in a header: letters, digits and `-`.
fn label(text: &str) -> String {
    let label: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    match label.trim_matches('-') {
        "" => "all".to_owned(),
        label => label.to_owned(),
    }
}

/// `List-Id: <ops.skywatch.example.org>` (RFC 2919), to sort mail by.
#[derive(Clone)]
pub(super) struct ListId(String);

impl ListId {
    pub(super) fn of(receiver: &str, domain: &str) -> Self {
        Self(format!("<{}.skywatch.{domain}>", label(receiver)))
    }
}

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(value.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// `X-Skywatch-Incident: 17, 18`: the numbers of the incidents a mail tells of.
#[derive(Clone)]
pub(super) struct IncidentNumbers(String);

impl IncidentNumbers {
    pub(super) fn of(notice: &Notice) -> Option<Self> {
        let numbers: Vec<String> = notice
            .news()?
            .items
            .iter()
            .filter(|item| item.incident > 0)
            .take(MOST_NAMED)
            .map(|item| item.incident.to_string())
            .collect();
        (!numbers.is_empty()).then(|| Self(numbers.join(", ")))
    }
}

impl Header for IncidentNumbers {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Skywatch-Incident")
    }

    fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(value.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834): keeps well-behaved robots from answering.
#[derive(Clone)]
pub(super) struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// The same for Exchange, which does not know RFC 3834.
#[derive(Clone)]
pub(super) struct AutoResponseSuppress;

impl Header for AutoResponseSuppress {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Auto-Response-Suppress")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "All".into())
    }
}
