//! ntfy: pushes to telephones and desktops, by its JSON publishing (<https://docs.ntfy.sh/publish/#publish-as-json>).
//!
//! The severity becomes ntfy's priority, on which it depends whether a telephone rings; what is over comes silently. The
//! title is the summary, the message the notice's one line, and a click leads to the incident's page.
//!
//! ntfy knows no idempotency key: a repeat after a lost answer is a second message.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use skywatch_settings::{BaseUrl, HttpUrl, NtfyReceiver, Secret};
use ureq::http::HeaderMap;

use super::http::{self, SenderClient};
use super::{Registration, Sender, SenderResources, Sent, link, required};
use crate::anomaly::Severity;
use crate::error::Error;
use crate::notice::{Content, Notice};
use crate::render::{Templates, summary};
use crate::state::Audience;
use crate::text;

const KIND: &str = "ntfy";
/// Longest title, in characters: more no telephone shows.
const LONGEST_TITLE: usize = 150;
/// Longest message, in characters. A server makes an attachment of more than 4,096 bytes, and a character has at most four.
const LONGEST_MESSAGE: usize = 1_000;

/// Pushes notices to a topic of ntfy.
pub struct NtfySender {
    http: SenderClient,
    server: BaseUrl,
    address: HttpUrl,
    headers: HeaderMap,
    topic: Secret,
    templates: Arc<Templates>,
}

impl fmt::Debug for NtfySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NtfySender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Push<'a> {
    topic: &'a str,
    title: &'a str,
    message: &'a str,
    /// 1 is silent and at the bottom, 3 the usual, 5 rings until it is seen.
    priority: u8,
    /// Names of emoji, shown before the title.
    tags: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<String>,
}

impl NtfySender {
    /// Reads the CA file. Nothing is said to the server yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::CaFile`], [`Error::CaFileContent`].
    pub fn new(receiver: &NtfyReceiver, templates: Arc<Templates>) -> Result<Self, Error> {
        let topic = required(KIND, "topic", receiver.topic.as_ref())?.clone();
        let mut headers = HeaderMap::new();
        let mut masked = vec![topic.clone()];
        if let Some(token) = &receiver.token {
            headers.extend([http::bearer(KIND, token)?]);
            masked.push(token.clone());
        }
        Ok(Self {
            http: SenderClient::new(receiver.timeout, receiver.ca_file.as_deref(), masked)?,
            // The topic is part of the message; the address is that of the server itself.
            address: receiver.url.join("/"),
            server: receiver.url.clone(),
            headers,
            topic,
            templates,
        })
    }
}

impl Registration for NtfyReceiver {
    fn audience(&self) -> Audience {
        Audience::People
    }

    fn sender(&self, shared: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        Ok(Arc::new(NtfySender::new(self, Arc::clone(&shared.templates))?))
    }
}

impl Sender for NtfySender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        let (priority, tag) = urgency(notice);
        let title = summary(notice);
        let line = self.templates.line(notice)?;
        let page = match notice.single() {
            Some(item) => link(notice, item),
            None => Some(notice.base_url.clone()).filter(|url| !url.is_empty()),
        };
        let push = Push {
            topic: self.topic.expose(),
            // On a telephone the app's name stands above it already.
            title: &text::shorten(title.trim_start_matches("[skywatch] "), LONGEST_TITLE),
            message: &text::shorten(&line, LONGEST_MESSAGE),
            priority,
            tags: [tag],
            click: page,
        };
        let body = http::json(KIND, &push)?;
        let attempt = self.http.begin();
        _ = attempt.post(&self.address, http::JSON, &self.headers, &body)?;
        Ok(Sent::default())
    }

    /// Asks whether the topic may be used, which every ntfy answers at `/TOPIC/auth`.
    fn probe(&self) -> Result<String, Error> {
        let topic = text::percent_encode(self.topic.expose());
        let asked = self.server.join(&format!("/{topic}/auth"));
        _ = self.http.begin().get(&asked, &self.headers)?;
        Ok(format!("{} knows the topic", asked.place()))
    }
}

/// The priority and the emoji of a notice.
fn urgency(notice: &Notice) -> (u8, &'static str) {
    match (&notice.content, notice.severity()) {
        (_, Some(Severity::Critical)) => (5, "rotating_light"),
        (_, Some(Severity::Warning)) => (4, "warning"),
        (_, Some(Severity::Info)) => (3, "information_source"),
        (Content::Silent(silent), None) if silent.metrics > 0 => (4, "zzz"),
        (Content::Test { .. }, None) => (3, "test_tube"),
        (Content::Daily(_), None) => (2, "newspaper"),
        (Content::Incidents(news), None) if news.counts.acknowledged > 0 => (2, "eyes"),
        (_, None) => (2, "white_check_mark"),
    }
}
