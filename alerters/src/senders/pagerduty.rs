//! PagerDuty by its Events API v2, and whatever else speaks it.
//!
//! A thread is one alert there: its dedup key is made of the thread, so a repeat after a lost answer changes
//! nothing. What a notice becomes:
//!
//! | notice | event |
//! |---|---|
//! | something fires | trigger |
//! | everything the thread was about is over | resolve, with how it ended in summary and details |
//! | all its incidents are acknowledged | acknowledge |
//! | some are over, others of the thread last | none: to trigger with good news would page again whoever has closed the alert by hand |
//! | metrics are silent | trigger, a warning |
//! | no metric is silent any more | resolve |
//! | a test | trigger as info, and at once a resolve |
//! | a day | none |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};
use ureq::http::HeaderMap;

use skywatch_settings::{HttpUrl, PagerDutyReceiver, Secret};

use super::http::{self, SenderClient};
use super::{Registration, Sender, SenderResources, Sent, link, required};
use crate::anomaly::Severity;
use crate::error::Error;
use crate::incident::Phase;
use crate::notice::{Content, News, NewsKind, Notice, NoticeItem};
use crate::state::Audience;
use crate::{render, text, units};

const KIND: &str = "pagerduty";
/// Who says so, as the alert's source.
const SOURCE: &str = "skywatch";
/// Longest summary PagerDuty takes, in characters.
const SUMMARY: usize = 1_024;
/// Longest dedup key PagerDuty takes, in characters.
const DEDUP_KEY: usize = 255;
/// Incidents that get a link beside the text.
const LINKS: usize = 5;

/// Sends notices as events.
pub struct PagerDutySender {
    http: SenderClient,
    address: HttpUrl,
    routing_key: Secret,
}

impl fmt::Debug for PagerDutySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDutySender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct PagerDutyEvent<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<PagerDutyLink>,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: &'a str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct PagerDutyLink {
    href: String,
    text: String,
}

/// What the alert's page shows as a table.
#[derive(Serialize)]
struct Details<'a> {
    firing: u64,
    resolved: u64,
    acknowledged: u64,
    still_open: u64,
    #[serde(skip_serializing_if = "is_zero")]
    held_back: u64,
    /// Those of the notice that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    not_listed: u64,
    incidents: Vec<PagerDutyIncident<'a>>,
}

#[derive(Serialize)]
struct PagerDutyIncident<'a> {
    incident: u64,
    name: &'a str,
    what: NewsKind,
    severity: Severity,
    value: f64,
    /// `20.1 to 40.3`
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// `2 of 3 detectors: grubbs, ks_test`, or the score where one decides
    votes: String,
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// `resolved`, `settled`, `gone` or `closed`
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_at_end: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_before: Option<f64>,
    /// `flapping, 4 times in an hour`
    #[serde(skip_serializing_if = "String::is_empty")]
    flapping: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    remark: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    /// `db.latency 70 %, cart.errors 20 %`
    #[serde(skip_serializing_if = "String::is_empty")]
    contributors: String,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl PagerDutySender {
    /// Reads the CA file. Nothing is said to the service yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::CaFile`], [`Error::CaFileContent`].
    pub fn new(receiver: &PagerDutyReceiver) -> Result<Self, Error> {
        let key = required(KIND, "routing_key", receiver.routing_key.as_ref())?;
        Ok(Self {
            http: SenderClient::new(receiver.timeout, receiver.ca_file.as_deref(), vec![key.clone()])?,
            address: receiver.api_url.join("/v2/enqueue"),
            routing_key: key.clone(),
        })
    }

    fn trigger<'a>(&'a self, notice: &'a Notice, key: &'a str, severity: Severity) -> PagerDutyEvent<'a> {
        let news = notice.news();
        let worst = news.and_then(|news| news.items.iter().find(|item| item.what.is_firing()));
        PagerDutyEvent {
            event_action: "trigger",
            client: Some("Skywatch"),
            client_url: Some(notice.base_url.as_str()).filter(|url| !url.is_empty()),
            payload: Some(Payload {
                summary: text::shorten(&render::summary(notice), SUMMARY).into_owned(),
                source: SOURCE,
                severity: severity.as_str(),
                timestamp: units::rfc3339(worst.map_or(notice.at, |item| item.since)),
                component: worst.map(|item| text::shorten(item.anomaly.name(), SUMMARY).into_owned()),
                group: news
                    .map(|news| news.group.as_str())
                    .filter(|group| !group.is_empty()),
                class: worst.map(|item| item.anomaly.subject.kind().name),
                custom_details: news.map(Details::of),
            }),
            links: links(notice),
            ..self.event("trigger", key)
        }
    }

    /// The end of an alert, with how it ended: there is one kind of end only, and it looks like a recovery.
    fn resolve<'a>(&'a self, notice: &'a Notice, key: &'a str) -> PagerDutyEvent<'a> {
        PagerDutyEvent {
            payload: Some(Payload {
                summary: text::shorten(&render::summary(notice), SUMMARY).into_owned(),
                source: SOURCE,
                severity: Severity::Info.as_str(),
                timestamp: units::rfc3339(notice.at),
                component: None,
                group: None,
                class: None,
                custom_details: notice.news().map(Details::of),
            }),
            ..self.event("resolve", key)
        }
    }

    /// An event that says no more than its name.
    fn event<'a>(&'a self, action: &'static str, key: &'a str) -> PagerDutyEvent<'a> {
        PagerDutyEvent {
            routing_key: self.routing_key.expose(),
            event_action: action,
            dedup_key: key,
            client: None,
            client_url: None,
            payload: None,
            links: Vec::new(),
        }
    }
}

impl Registration for PagerDutyReceiver {
    /// A pager wakes people, one alert a conversation.
    fn audience(&self) -> Audience {
        Audience::People
    }

    fn sender(&self, _: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        Ok(Arc::new(PagerDutySender::new(self)?))
    }
}

impl Sender for PagerDutySender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        let key = dedup_key(&notice.thread);
        let events = match &notice.content {
            Content::Incidents(news) if news.counts.firing > 0 => {
                let severity = notice.severity().unwrap_or_default();
                vec![self.trigger(notice, &key, severity)]
            }
            Content::Incidents(_) if notice.is_all_over() => vec![self.resolve(notice, &key)],
            Content::Incidents(news) if news.counts.acknowledged > 0 && news.counts.resolved == 0 => {
                vec![self.event("acknowledge", &key)]
            }
            Content::Silent(silent) if silent.metrics == 0 => vec![self.event("resolve", &key)],
            Content::Silent(_) => vec![self.trigger(notice, &key, Severity::Warning)],
            Content::Test { .. } => vec![
                self.trigger(notice, &key, Severity::Info),
                self.event("resolve", &key),
            ],
            Content::Incidents(_) | Content::Daily(_) => Vec::new(),
        };
        let attempt = self.http.begin();
        for event in events {
            let body = http::json(KIND, &event)?;
            _ = attempt.post(&self.address, http::JSON, &HeaderMap::new(), &body)?;
        }
        Ok(Sent::default())
    }

    /// The key is not tried: PagerDuty looks at it only when an event comes.
    fn probe(&self) -> Result<String, Error> {
        self.http.begin().knock(&self.address, &HeaderMap::new())?;
        Ok(format!(
            "{} answers; `skywatch alert-test` tries the key",
            self.address.place()
        ))
    }
}

impl<'a> Details<'a> {
    fn of(news: &'a News) -> Self {
        Self {
            firing: news.counts.firing,
            resolved: news.counts.resolved,
            acknowledged: news.counts.acknowledged,
            still_open: news.still_open,
            held_back: news.held_back,
            not_listed: news.counts.total().saturating_sub(news.items.len() as u64),
            incidents: news.items.iter().map(PagerDutyIncident::of).collect(),
        }
    }
}

impl<'a> PagerDutyIncident<'a> {
    fn of(item: &'a NoticeItem) -> Self {
        let anomaly = &item.anomaly;
        let ending = item.ending.as_ref();
        Self {
            incident: item.incident,
            name: anomaly.name(),
            what: item.what,
            severity: item.severity,
            value: anomaly.observed,
            expected: anomaly.expected.map(|expected| expected.to_string()),
            votes: render::judged(anomaly),
            since: units::rfc3339(item.since),
            until: item.until.and_then(units::rfc3339),
            outcome: item.outcome(),
            value_at_end: ending.and_then(|ending| ending.value),
            value_before: ending.and_then(|ending| ending.before),
            flapping: render::flapping(item),
            remark: &item.remark,
            labels: &anomaly.labels,
            contributors: render::contributors(anomaly),
        }
    }
}

fn links(notice: &Notice) -> Vec<PagerDutyLink> {
    let items = notice.news().map_or(&[][..], |news| &news.items);
    items
        .iter()
        .filter_map(|item| {
            Some(PagerDutyLink {
                href: link(notice, item)?,
                text: text::shorten(item.anomaly.name(), 100).into_owned(),
            })
        })
        .take(LINKS)
        .collect()
}

/// The alert's key: the thread's id, or a digest of one that is too long for the service.
fn dedup_key(thread: &str) -> String {
    let key = format!("skywatch/{thread}");
    if key.len() <= DEDUP_KEY {
        return key;
    }
    let digest = Sha256::digest(thread.as_bytes());
    digest
        .iter()
        .fold("skywatch/".to_owned(), |key, byte| format!("{key}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_one_key_however_long_it_is() {
        assert_eq!(dedup_key("7f3a.17"), "skywatch/7f3a.17");
        let long = "x".repeat(300);
        assert_eq!(dedup_key(&long).len(), 73);
        assert_eq!(dedup_key(&long), dedup_key(&long));
        assert_ne!(dedup_key(&long), dedup_key(&"x".repeat(301)));
    }
}
