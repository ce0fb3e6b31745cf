//! Prometheus' Alertmanager, version 2 of its interface: for those whose routes and silences live there.
//!
//! Each listed incident is an alert. Alertmanager knows an alert by its labels alone, so they hold nothing that
//! changes while the incident lasts, but for the severity, which routes there depend on. When an incident may have
//! been sent with a lower one, the alerts with the lower severities are ended in the same request; to end an alert
//! that never was is harmless. Repeats carry the same labels and are therefore one alert.
//!
//! A firing alert says when it ends by itself: [`valid_for`](AlertmanagerReceiver::valid_for) from now. Without that
//! Alertmanager would call it resolved after its own few minutes, as it expects to be told all the time. While an
//! incident lasts its alert is sent again well before that, also when somebody has it
//! or a silence is over it here. Every incident is sent; daily notices are not.
//!
//! An alert that has ended says how in the annotation `outcome` (resolved, settled, gone or closed), and in `value` what
//! the value was then. They are no labels, for those would make another alert of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, header};

use skywatch_settings::{AlertmanagerReceiver, HttpUrl, Secret};

use super::http::{self, SenderClient};
use super::{Registration, Sender, SenderResources, Sent, link, required};
use crate::anomaly::Severity;
use crate::error::Error;
use crate::notice::{Content, NewsKind, Notice, NoticeItem};
use crate::state::Audience;
use crate::{render, text, units};

const KIND: &str = "alertmanager";
/// Labels whose values are ours, whatever tags and settings say.
const OWN: [&str; 9] = [
    "alertname",
    "component",
    "entity",
    "incident",
    "kind",
    "metric",
    "receiver",
    "severity",
    "trace",
];
/// Longest time between two sends of an alert that lasts.
const LONGEST_REFRESH: Duration = Duration::from_secs(30 * 60);
/// How long the alert of a test lasts, seconds.
const TEST_LASTS: f64 = 60.0;

/// Sends incidents as alerts.
pub struct AlertmanagerSender {
    http: SenderClient,
    address: HttpUrl,
    status: HttpUrl,
    headers: HeaderMap,
    labels: BTreeMap<String, String>,
    validity: f64,
}

impl fmt::Debug for AlertmanagerSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertmanagerSender")
            .field("address", &self.address)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// What an Alertmanager says of itself, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerStatus {
    version_info: AlertmanagerVersion,
}

#[derive(Deserialize)]
struct AlertmanagerVersion {
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

impl AlertmanagerSender {
    /// Reads the CA file. Nothing is said to the server yet.
    ///
    /// # Errors
    /// [`Error::Options`], [`Error::CaFile`], [`Error::CaFileContent`].
    pub fn new(receiver: &AlertmanagerReceiver) -> Result<Self, Error> {
        let refused = |reason: String| Error::Options { sender: KIND, reason };
        let mut labels = BTreeMap::new();
        for label in &receiver.labels {
            let name = &label.name;
            if OWN.contains(&name.as_str()) {
                return Err(refused(format!("the label `{name}` is set by Skywatch itself")));
            }
            labels.insert(name.clone(), label.value.clone());
        }
        let mut masked = Vec::new();
        let mut headers = HeaderMap::new();
        if let Some(token) = &receiver.token {
            headers.extend([http::bearer(KIND, token)?]);
            masked.push(token.clone());
        } else if let (Some(username), Some(password)) = (&receiver.username, &receiver.password) {
            if username.contains(':') {
                return Err(refused("the user name has a `:`".into()));
            }
            let login = BASE64_STANDARD.encode(format!("{username}:{}", password.expose()));
            let value = http::secret_header(KIND, "the login", &format!("Basic {login}"))?;
            headers.insert(header::AUTHORIZATION, value);
            masked.extend([Secret::new(login), password.clone()]);
        }
        let url = required(KIND, "url", receiver.url.as_ref())?;
        Ok(Self {
            http: SenderClient::new(receiver.timeout, receiver.ca_file.as_deref(), masked)?,
            address: url.join("/api/v2/alerts"),
            status: url.join("/api/v2/status"),
            headers,
            labels,
            validity: receiver.valid_for.as_secs_f64(),
        })
    }

    /// The alerts that a notice is, `now` in Unix seconds.
    fn alerts(&self, notice: &Notice, now: f64) -> Vec<Alert> {
        match &notice.content {
            Content::Incidents(news) => {
                let items = news.items.iter();
                items.flat_map(|item| self.of_item(notice, item, now)).collect()
            }
            Content::Silent(silent) => {
                let ends = if silent.metrics == 0 {
                    now
                } else {
                    now + self.validity
                };
                vec![self.of_notice(notice, "SkywatchSilent", Severity::Warning, ends)]
            }
            Content::Test { .. } => {
                vec![self.of_notice(notice, "SkywatchTest", Severity::Info, now + TEST_LASTS)]
            }
            Content::Daily(_) => Vec::new(),
        }
    }

    fn of_item(&self, notice: &Notice, item: &NoticeItem, now: f64) -> Vec<Alert> {
        let over = item.until.or(item.what.is_over().then_some(now));
        let starts = if item.since.is_finite() {
            item.since
        } else {
            notice.at
        };
        // An alert that ends before it starts is refused.
        let ends = over.unwrap_or(now.max(starts) + self.validity).max(starts);
        let alert = |severity: Severity, ends: f64| {
            let mut alert = Alert {
                labels: self.labels_of(item, severity),
                annotations: annotations(item),
                starts_at: units::rfc3339(starts),
                ends_at: units::rfc3339(ends),
                generator_url: link(notice, item),
            };
            alert.labels.insert("receiver".into(), notice.receiver.clone());
            alert
        };
        let lower = [Severity::Info, Severity::Warning];
        let lower = lower
            .into_iter()
            .filter(|lower| *lower < item.severity && item.what != NewsKind::Opened)
            .map(|severity| alert(severity, ends.min(now).max(starts)));
        std::iter::once(alert(item.severity, ends)).chain(lower).collect()
    }

    fn labels_of(&self, item: &NoticeItem, severity: Severity) -> BTreeMap<String, String> {
        let subject = &item.anomaly.subject;
        let mut labels = self.labels.clone();
        let found = &item.anomaly.labels;
        let found = found.iter().filter(|(name, value)| may_be_label(name, value));
        let found = found.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in tags(subject.name()).chain(found) {
            labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        labels.extend([
            ("alertname".to_owned(), "SkywatchAnomaly".to_owned()),
            ("kind".to_owned(), subject.kind().name.to_owned()),
            (subject.kind().name.to_owned(), subject.name().to_owned()),
            ("severity".to_owned(), severity.as_str().to_owned()),
            ("incident".to_owned(), item.incident.to_string()),
        ]);
        labels
    }

    /// One alert about the notice as a whole.
    fn of_notice(&self, notice: &Notice, name: &str, severity: Severity, ends: f64) -> Alert {
        let mut labels = self.labels.clone();
        labels.extend([
            ("alertname".to_owned(), name.to_owned()),
            ("severity".to_owned(), severity.as_str().to_owned()),
            ("receiver".to_owned(), notice.receiver.clone()),
        ]);
        Alert {
            labels,
            annotations: BTreeMap::from([("summary", render::summary(notice))]),
            starts_at: units::rfc3339(notice.at.min(ends)),
            ends_at: units::rfc3339(ends),
            generator_url: Some(notice.base_url.clone()).filter(|url| !url.is_empty()),
        }
    }
}

impl Registration for AlertmanagerReceiver {
    fn audience(&self) -> Audience {
        Audience::Machine {
            refresh: Some(refresh(self.valid_for).as_secs_f64()),
        }
    }

    fn sender(&self, _: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        Ok(Arc::new(AlertmanagerSender::new(self)?))
    }
}

/// How often alerts that last are to be sent again when they are valid for so long: often enough that one or two
/// sends may fail, and that an Alertmanager that was restarted and has forgotten them soon has them again.
fn refresh(valid_for: Duration) -> Duration {
    (valid_for / 4).min(LONGEST_REFRESH)
}

impl Sender for AlertmanagerSender {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        let alerts = self.alerts(notice, http::now());
        if !alerts.is_empty() {
            let body = http::json(KIND, &alerts)?;
            let attempt = self.http.begin();
            _ = attempt.post(&self.address, http::JSON, &self.headers, &body)?;
        }
        Ok(Sent::default())
    }

    fn probe(&self) -> Result<String, Error> {
        let answer: AlertmanagerStatus = self.http.begin().get(&self.status, &self.headers)?.json()?;
        Ok(format!(
            "Alertmanager {} at {}",
            answer.version_info.version,
            self.status.place()
        ))
    }
}

fn annotations(item: &NoticeItem) -> BTreeMap<&'static str, String> {
    let anomaly = &item.anomaly;
    let before = match item.before {
        0 => String::new(),
        1 => "1 earlier incident in 30 days".to_owned(),
        more => format!("{more} earlier incidents in 30 days"),
    };
    let flapping = render::flapping(item);
    let description: Vec<&str> = [anomaly.sentence.as_str(), &item.remark, &flapping, &before]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let mut annotations = BTreeMap::from([("summary", render::log_line(anomaly))]);
    if let Some(outcome) = item.outcome() {
        annotations.insert("outcome", outcome.as_str().to_owned());
        annotations.insert("summary", render::ended(item));
        if let Some(value) = item.ending.as_ref().and_then(|ending| ending.value) {
            annotations.insert("value", units::number(value));
        }
    }
    if !description.is_empty() {
        annotations.insert(
            "description",
            text::one_line(&description.join("; ")).into_owned(),
        );
    }
    annotations
}

/// The tags of `name;key=value;key=value` that can be labels and are none of ours.
fn tags(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.split(';')
        .skip(1)
        .filter_map(|tag| tag.split_once('='))
        .filter(|(name, value)| may_be_label(name, value))
}

/// Whether this can be a label beside ours.
fn may_be_label(name: &str, value: &str) -> bool {
    is_label(name) && !OWN.contains(&name) && !value.is_empty()
}

/// Whether Prometheus takes this as a label of a user.
fn is_label(name: &str) -> bool {
    !name.starts_with("__")
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn sender() -> AlertmanagerSender {
        let url = "http://localhost:9093".parse().unwrap();
        AlertmanagerSender::new(&AlertmanagerReceiver {
            url: Some(url),
            labels: vec![skywatch_settings::AlertLabel {
                name: "team".to_owned(),
                value: "web".to_owned(),
            }],
            ..AlertmanagerReceiver::default()
        })
        .unwrap()
    }

    #[test]
    fn only_tags_that_can_be_labels_are_and_none_of_ours_gives_way() {
        let name = "disk.used;host=a;team=b;severity=c;da-sh=d;__x=e;empty=;loose;alertname=f";
        let alerts = sender().alerts(
            &sample::notice(vec![sample::item(name, NewsKind::Opened)]),
            sample::AT,
        );
        let labels: Vec<String> = alerts[0].labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            labels,
            [
                "alertname=SkywatchAnomaly",
                "host=a",
                "incident=17",
                "kind=metric",
                &format!("metric={name}"),
                "receiver=ops",
                "severity=warning",
                "team=web",
            ]
        );
    }

    #[test]
    fn how_it_ended_is_an_annotation_and_makes_no_other_alert() {
        let of = |what| {
            let alerts = sender().alerts(&sample::notice(vec![sample::item("web1.cpu", what)]), sample::AT);
            (alerts[0].labels.clone(), alerts[0].annotations.clone())
        };
        let (labels, annotations) = of(NewsKind::Opened);
        assert_eq!(annotations.get("outcome"), None);
        for (what, outcome, value) in [
            (NewsKind::Resolved, "resolved", "31.4"),
            (NewsKind::Settled, "settled", "96.8"),
            (NewsKind::Gone, "gone", "97.2"),
            (NewsKind::Closed, "closed", "97.2"),
        ] {
            let (ended, annotations) = of(what);
            assert_eq!(ended, labels);
            assert_eq!(
                (annotations["outcome"].as_str(), annotations["value"].as_str()),
                (outcome, value)
            );
        }
        let (_, annotations) = of(NewsKind::Settled);
        assert_eq!(
            annotations["summary"],
            "web1.cpu settled at 96.8 (was 30.2) after 22 min"
        );
    }

    #[test]
    fn what_lasts_is_sent_anew_before_it_would_end() {
        let after = |seconds| refresh(Duration::from_secs(seconds)).as_secs();
        assert_eq!((after(60), after(3_600), after(86_400)), (15, 900, 1_800));
    }

    #[test]
    fn no_alert_ends_before_it_starts_or_lives_on_under_a_lower_severity() {
        for what in NewsKind::ALL {
            let mut item = sample::item("web1.cpu", what);
            item.severity = Severity::Critical;
            for since in [sample::AT, sample::AT + 86_400.0 * 3.0, f64::NAN] {
                item.since = since;
                let now = sample::AT + 600.0;
                let alerts = sender().alerts(&sample::notice(vec![item.clone()]), now);
                assert!(alerts.iter().all(|alert| alert.ends_at >= alert.starts_at));
                assert_eq!(alerts.len(), if what == NewsKind::Opened { 1 } else { 3 });
                let now = units::rfc3339(now);
                let lasts = alerts
                    .iter()
                    .filter(|alert| alert.ends_at > now && alert.starts_at <= now);
                if since == sample::AT && !what.is_over() {
                    assert_eq!(lasts.count(), 1, "{what:?}");
                }
            }
        }
    }
}
