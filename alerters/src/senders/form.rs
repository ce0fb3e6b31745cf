//! The JSON a webhook receives, version 1: a form of its own, so that what is inside can change.
//!
//! Times are Unix seconds and numbers are numbers. A number that is not finite is `null`: JSON knows none, and for
//! a bound it means that there is no bound. Names are as they came in, control characters and all; whoever shows
//! them escapes them. Fields may be added within a version, none is renamed or removed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::link;
use crate::anomaly::{Contributor, Direction, Severity};
use crate::causes::IncidentCauses;
use crate::incident::Phase;
use crate::notice::{Content, Daily, NewsKind, Notice, NoticeItem};
use crate::render;

/// The version written into every message.
const SCHEMA: u32 = 1;

/// One notice. Exactly one of `incidents`, `silent`, `daily` and `test` is there, the one `kind` names.
#[derive(Serialize)]
pub(super) struct WebhookNotice<'a> {
    schema: u32,
    /// Names this notice and no other; a repeat has the same.
    id: &'a str,
    /// The notice that began this conversation.
    thread: &'a str,
    receiver: &'a str,
    route: &'a str,
    at: f64,
    kind: &'static str,
    /// The whole in one line for people.
    summary: String,
    links: WebhookLinks<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incidents: Option<WebhookIncidents<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    silent: Option<WebhookSilent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    daily: Option<WebhookDaily<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<WebhookTest<'a>>,
}

#[derive(Serialize)]
struct WebhookLinks<'a> {
    /// Where the pages are; `null` when they have no public address.
    pages: Option<&'a str>,
}

#[derive(Serialize)]
struct WebhookIncidents<'a> {
    /// The worst among what still fires; `null` when nothing does.
    severity: Option<Severity>,
    /// Whether everything the thread was about is over.
    all_over: bool,
    group: &'a str,
    firing: u64,
    resolved: u64,
    acknowledged: u64,
    critical: u64,
    still_open: u64,
    held_back: u64,
    /// All of them; what is too much for one notice is in the next.
    items: Vec<WebhookIncident<'a>>,
}

#[derive(Serialize)]
struct WebhookIncident<'a> {
    incident: u64,
    what: NewsKind,
    severity: Severity,
    subject: WebhookSubject<'a>,
    since: f64,
    until: Option<f64>,
    /// How it ended: `resolved` is back to what was expected, `settled` a new level that was accepted, `gone` a metric that
    /// was deleted, `closed` somebody's word; `null` while it lasts.
    outcome: Option<Phase>,
    /// The newest value when it ended, where it is known.
    value_at_end: Option<f64>,
    /// The level before, of one that settled.
    value_before: Option<f64>,
    /// Who closed it.
    #[serde(skip_serializing_if = "str::is_empty")]
    closed_by: &'a str,
    /// How often it has begun within an hour, of one that is flapping.
    flapping: Option<u32>,
    /// Time of the judged point.
    at: f64,
    value: f64,
    expected: Option<WebhookExpected>,
    direction: Option<Direction>,
    /// Whether values are differences from one step to the next.
    rate: bool,
    sentence: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    contributors: &'a [Contributor],
    votes: Vec<WebhookVote<'a>>,
    before: u64,
    last_before: Option<f64>,
    not_before: Option<f64>,
    remark: &'a str,
    /// What moved with it, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<&'a IncidentCauses>,
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WebhookWindow<'a>>,
}

#[derive(Serialize)]
struct WebhookSubject<'a> {
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct WebhookExpected {
    low: f64,
    high: f64,
    centre: f64,
}

#[derive(Serialize)]
struct WebhookVote<'a> {
    detector: &'a str,
    /// `null` when it cast no vote.
    anomalous: Option<bool>,
    measured: f64,
    limit: f64,
}

#[derive(Serialize)]
struct WebhookWindow<'a> {
    times: &'a [f64],
    values: &'a [f64],
}

#[derive(Serialize)]
struct WebhookSilent<'a> {
    metrics: u64,
    of: u64,
    back: u64,
    namespaces: Vec<WebhookNamespace<'a>>,
}

#[derive(Serialize)]
struct WebhookNamespace<'a> {
    name: &'a str,
    metrics: u64,
    first: &'a [String],
}

#[derive(Serialize)]
struct WebhookDaily<'a> {
    from: f64,
    to: f64,
    metrics: u64,
    passes: u64,
    opened: u64,
    resolved: u64,
    open: u64,
    notices: u64,
    dead: u64,
    busiest: Vec<WebhookBusy<'a>>,
}

#[derive(Serialize)]
struct WebhookBusy<'a> {
    name: &'a str,
    incidents: u64,
}

#[derive(Serialize)]
struct WebhookTest<'a> {
    by: &'a str,
}

impl<'a> WebhookNotice<'a> {
    /// The form of a notice; with the judged points of each item that has them when `windows` is set.
    pub(super) fn of(notice: &'a Notice, windows: bool) -> Self {
        let mut form = Self {
            schema: SCHEMA,
            id: &notice.id,
            thread: &notice.thread,
            receiver: &notice.receiver,
            route: &notice.route,
            at: notice.at,
            kind: "",
            summary: render::summary(notice),
            links: WebhookLinks {
                pages: Some(notice.base_url.as_str()).filter(|url| !url.is_empty()),
            },
            incidents: None,
            silent: None,
            daily: None,
            test: None,
        };
        match &notice.content {
            Content::Incidents(news) => {
                form.kind = "incidents";
                form.incidents = Some(WebhookIncidents {
                    severity: notice.severity(),
                    all_over: notice.is_all_over(),
                    group: &news.group,
                    firing: news.counts.firing,
                    resolved: news.counts.resolved,
                    acknowledged: news.counts.acknowledged,
                    critical: news.counts.critical,
                    still_open: news.still_open,
                    held_back: news.held_back,
                    items: news
                        .items
                        .iter()
                        .map(|item| WebhookIncident::of(notice, item, windows))
                        .collect(),
                });
            }
            Content::Silent(silent) => {
                form.kind = "silent";
                let namespaces = silent.namespaces.iter();
                form.silent = Some(WebhookSilent {
                    metrics: silent.metrics,
                    of: silent.of,
                    back: silent.back,
                    namespaces: namespaces
                        .map(|(name, metrics, first)| WebhookNamespace {
                            name,
                            metrics: *metrics,
                            first,
                        })
                        .collect(),
                });
            }
            Content::Daily(daily) => {
                form.kind = "daily";
                form.daily = Some(WebhookDaily::of(daily));
            }
            Content::Test { by } => {
                form.kind = "test";
                form.test = Some(WebhookTest { by });
            }
        }
        form
    }
}

impl<'a> WebhookIncident<'a> {
    fn of(notice: &Notice, item: &'a NoticeItem, windows: bool) -> Self {
        let anomaly = &item.anomaly;
        let window = anomaly.window();
        Self {
            incident: item.incident,
            what: item.what,
            severity: item.severity,
            subject: WebhookSubject {
                kind: anomaly.subject.kind().name,
                name: anomaly.name(),
            },
            since: item.since,
            until: item.until,
            outcome: item.outcome(),
            value_at_end: item.ending.as_ref().and_then(|ending| ending.value),
            value_before: item.ending.as_ref().and_then(|ending| ending.before),
            closed_by: item.ending.as_ref().map_or("", |ending| ending.by.as_str()),
            flapping: item.flapping,
            at: anomaly.at,
            value: anomaly.observed,
            expected: anomaly.expected.map(|expected| WebhookExpected {
                low: expected.low,
                high: expected.high,
                centre: expected.centre,
            }),
            direction: anomaly.direction(),
            rate: window.rate,
            sentence: &anomaly.sentence,
            labels: &anomaly.labels,
            contributors: &anomaly.contributors,
            votes: anomaly
                .votes()
                .iter()
                .map(|vote| WebhookVote {
                    detector: &vote.detector,
                    anomalous: vote.answer,
                    measured: vote.measured,
                    limit: vote.limit,
                })
                .collect(),
            before: item.before,
            last_before: item.last_before,
            not_before: item.not_before,
            remark: &item.remark,
            causes: item.causes.as_deref(),
            link: link(notice, item),
            window: (windows && !window.times.is_empty()).then_some(WebhookWindow {
                times: &window.times,
                values: &window.values,
            }),
        }
    }
}

impl<'a> WebhookDaily<'a> {
    fn of(daily: &'a Daily) -> Self {
        Self {
            from: daily.from,
            to: daily.to,
            metrics: daily.metrics,
            passes: daily.passes,
            opened: daily.opened,
            resolved: daily.resolved,
            open: daily.open,
            notices: daily.notices,
            dead: daily.dead,
            busiest: daily
                .busiest
                .iter()
                .map(|(name, incidents)| WebhookBusy {
                    name,
                    incidents: *incidents,
                })
                .collect(),
        }
    }
}
