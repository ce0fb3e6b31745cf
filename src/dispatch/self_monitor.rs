//! What is wrong with Skywatch itself, and what is to be told that is no incident: silent metrics, a day.
//!
//! Each trouble is a component that is ill or well, so that it is told once, with its recovery, along the same routes,
//! under the same silences as any other incident: `skywatch.data`, `skywatch.store`, `skywatch.passes`,
//! `skywatch.ingest`, `skywatch.history`, `skywatch.receiver.NAME`, `skywatch.events.SINK`, and what passes find wrong with the store and what it
//! holds: `skywatch.metrics`, `skywatch.store.writes`, `skywatch.store.evictions`, `skywatch.store.policy`. Silent metrics go where `skywatch.silent` would go,
//! the daily digest where `skywatch.daily` would.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use skywatch_alerters::incident::{Observation, ObservedOutcome};
use skywatch_alerters::notice::Silent;
use skywatch_alerters::{Anomaly, Severity, Subject, units};

use crate::inlet::PassNews;
use crate::status::{DATA_COMPONENTS, IngestStatus, METRICS_COMPONENT, StatusFile};

/// What the names of components begin with that are watched here; others are those of the health plane.
pub(crate) const OWN_COMPONENTS: &str = "skywatch.";
/// Seconds without any new point from which there is no data.
const NO_DATA_AFTER: f64 = 300.0;
/// Seconds after the start from which no metric at all is worth telling.
const NO_METRIC_AFTER: f64 = 900.0;
/// Seconds without an answer of the store from which it is told: two passes, but no longer and no shorter than this.
const NO_STORE_AFTER: [f64; 2] = [10.0, 30.0];
/// Seconds for which an ingest whose points the store does not take may wait before it is told.
const HELD_UP_AFTER: f64 = 10.0;
/// Passes in a row that take too long before it is told.
const OVERRUNS: u32 = 5;
/// Seconds without a report of the ingest from which it counts as stopped.
const NO_INGEST_AFTER: f64 = 90.0;
/// Seconds between two notices about silent metrics: as long as a metric is listed as silent.
const SILENT_EACH: f64 = 500.0;
/// Seconds after which a metric that stays silent is not waited for any more.
const SILENT_FORGOTTEN: f64 = 86_400.0;

/// What is watched of ourselves.
#[derive(Debug, Clone)]
pub struct SelfMonitorOptions {
    /// A pass that takes longer overruns.
    pub optimum_run_duration: Duration,
    /// The folder with the ingest's status, when this machine takes points.
    pub ingest: Option<PathBuf>,
    /// The folder with the status of the role that sends events, when there is one.
    pub events: Option<PathBuf>,
    /// Whether silent metrics are told of.
    pub stale_digest: bool,
    /// When the daily digest is due, and in which zone.
    pub daily: Option<(Time, TimeZone)>,
}

/// What is known of ourselves.
pub(super) struct SelfMonitor {
    options: SelfMonitorOptions,
    began: f64,
    /// Since when the store does not answer.
    store_lost: Option<f64>,
    overruns: u32,
    /// Silent metrics that were told of, and when.
    told_silent: HashMap<String, f64>,
    /// Silent metrics that were held back, and when they fell silent.
    held_silent: HashMap<String, f64>,
    /// How many of those that were told of have spoken since the last notice.
    back: u64,
    silent_at: f64,
    /// The end of the last day that was told of, Unix seconds.
    daily_at: f64,
}

impl SelfMonitor {
    /// Watches by other settings from here on.
    pub(super) fn change(&mut self, options: SelfMonitorOptions) {
        self.options = options;
    }

    pub(super) fn new(options: SelfMonitorOptions, daily_at: Option<f64>, now: f64) -> Self {
        Self {
            options,
            began: now,
            store_lost: None,
            overruns: 0,
            told_silent: HashMap::new(),
            held_silent: HashMap::new(),
            back: 0,
            silent_at: f64::NEG_INFINITY,
            daily_at: daily_at.unwrap_or(now),
        }
    }

    /// What a pass shows.
    pub(super) fn pass(&mut self, news: &PassNews) -> Vec<Observation> {
        let summary = &news.summary;
        let now = summary.at;
        let is_whole = news.cut_short.is_none();
        if is_whole {
            self.store_lost = None;
        }
        let optimum = self.options.optimum_run_duration.as_secs_f64();
        self.overruns = if summary.seconds.total > optimum {
            self.overruns + 1
        } else {
            0
        };
        let age = now - news.newest;
        let mut data_known = true;
        let no_data = if summary.metrics == 0 {
            (now - self.began > NO_METRIC_AFTER).then(|| "there is no metric in the store".to_owned())
        } else {
            // A pass that judged hardly anything has not seen every metric's last point.
            data_known = news.newest > 0.0 && summary.unfinished == 0;
            (data_known && age > NO_DATA_AFTER)
                .then(|| format!("no metric has had a new point for {}", units::length(age)))
        };
        let overrun = (self.overruns >= OVERRUNS).then(|| {
            format!(
                "{} passes in a row took longer than {}, the last {}",
                self.overruns,
                units::length(optimum),
                units::length(summary.seconds.total)
            )
        });
        let mut observations = Vec::new();
        if is_whole {
            observations.push(observation("skywatch.store", None, now));
        }
        for component in DATA_COMPONENTS {
            let trouble = summary
                .troubles
                .iter()
                .find(|trouble| trouble.component == component);
            observations.push(match trouble {
                None if component == METRICS_COMPONENT && summary.loss_accepted => gone(component),
                None => observation(component, None, now),
                Some(trouble) if trouble.is_warning => warning(component, trouble.why.clone(), now),
                Some(trouble) => observation(component, Some(trouble.why.clone()), now),
            });
        }
        if data_known {
            observations.push(observation("skywatch.data", no_data, now));
        }
        // Well is only what a pass has shown: after a restart, four that overran say nothing yet.
        if overrun.is_some() || self.overruns == 0 {
            observations.push(observation("skywatch.passes", overrun, now));
        }
        observations
    }

    /// The store has not let a pass run since then.
    pub(super) fn trouble(&mut self, why: &str, since: f64, now: f64) -> Option<Observation> {
        let since = self.store_lost.map_or(since, |known| known.min(since));
        self.store_lost = Some(since);
        let [least, most] = NO_STORE_AFTER;
        let patience = (2.0 * self.options.optimum_run_duration.as_secs_f64()).clamp(least, most);
        (now - since >= patience).then(|| {
            let sentence = format!("no pass could run for {}: {why}", units::length(now - since));
            observation("skywatch.store", Some(sentence), now)
        })
    }

    /// The store answers, though no pass has ended since it did not.
    pub(super) fn answers(&mut self) {
        self.store_lost = None;
    }

    /// Whether the ingest still reports, and gets rid of its points.
    pub(super) fn ingest(&self, now: f64) -> Option<Observation> {
        let status: IngestStatus = StatusFile::ingest(self.options.ingest.as_deref()?).read()?;
        // One that never ran here, or not since the start, is not missed.
        let age = now - status.at.max(self.began);
        if age <= NO_INGEST_AFTER && now - status.at > NO_INGEST_AFTER {
            // Excused by our own start only.
            return None;
        }
        let held_up = || {
            let (since, why) = status.held_up.as_ref()?;
            (now - since >= HELD_UP_AFTER)
                .then(|| format!("points have waited for {}: {why}", units::length(now - since)))
        };
        let sentence = if age > NO_INGEST_AFTER {
            Some(format!(
                "the ingest has not reported for {}: points may not be taken",
                units::length(age)
            ))
        } else {
            held_up()
        };
        Some(observation("skywatch.ingest", sentence, now))
    }

    /// Where the status of the role is that sends events, and when we began, Unix seconds.
    pub(super) fn events(&self) -> Option<(&Path, f64)> {
        Some((self.options.events.as_deref()?, self.began))
    }

    /// Keeps metrics that have fallen silent for later, as that follows from something that is told: those that are silent
    /// still are told when nothing holds them back any more.
    pub(super) fn hold_silent(&mut self, news: &PassNews) {
        self.note_speakers(news);
        let silent = news.silent.iter().filter(|_| self.options.stale_digest);
        self.held_silent
            .extend(silent.map(|name| (name.clone(), news.summary.at)));
    }

    /// Notes which silent metrics have spoken again.
    fn note_speakers(&mut self, news: &PassNews) {
        for known in [&mut self.told_silent, &mut self.held_silent] {
            known.retain(|_, at| news.summary.at - *at < SILENT_FORGOTTEN);
        }
        for name in &news.back {
            self.held_silent.remove(name);
            self.back += u64::from(self.told_silent.remove(name).is_some());
        }
    }

    /// Metrics that have fallen silent since the last notice about such; nothing when it is not time, or when so many
    /// have that the cause is elsewhere.
    pub(super) fn silent(&mut self, news: &PassNews) -> Option<Silent> {
        self.note_speakers(news);
        let now = news.summary.at;
        if !self.options.stale_digest || now - self.silent_at < SILENT_EACH {
            return None;
        }
        let of = news.summary.metrics;
        let held = std::mem::take(&mut self.held_silent);
        let all: BTreeSet<&String> = news.silent.iter().chain(held.keys()).collect();
        let silent = all.len() as u64;
        if silent * 5 > of {
            tracing::warn!("{silent} of {of} metrics have fallen silent at once :: not told one by one");
            return None;
        }
        let new: Vec<&String> = all
            .into_iter()
            .filter(|name| !self.told_silent.contains_key(*name))
            .collect();
        let all_back = self.back > 0 && self.told_silent.is_empty();
        if new.is_empty() && !all_back {
            return None;
        }
        let mut namespaces: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in &new {
            let namespace = name.split(['.', ';']).next().unwrap_or_default();
            namespaces.entry(namespace).or_default().push(name);
        }
        let mut namespaces: Vec<(String, u64, Vec<String>)> = namespaces
            .into_iter()
            .map(|(namespace, mut names)| {
                names.sort_unstable();
                let count = names.len() as u64;
                let names = names.into_iter().map(str::to_owned).collect();
                (namespace.to_owned(), count, names)
            })
            .collect();
        namespaces.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        self.silent_at = now;
        let metrics = new.len() as u64;
        self.told_silent
            .extend(new.into_iter().map(|name| (name.clone(), now)));
        Some(Silent {
            metrics,
            of,
            namespaces,
            back: std::mem::take(&mut self.back),
        })
    }

    /// From when to when the day was that is to be told of now, Unix seconds.
    pub(super) fn day(&self, now: f64) -> Option<(f64, f64)> {
        let (time, zone) = self.options.daily.as_ref()?;
        let local = Timestamp::from_second(now as i64).ok()?.to_zoned(zone.clone());
        let today = local.date().to_datetime(*time).to_zoned(zone.clone()).ok()?;
        let due = if today <= local {
            today
        } else {
            today.checked_sub(1.day()).ok()?
        };
        let before = due.checked_sub(1.day()).ok()?;
        let end = due.timestamp().as_second() as f64;
        if self.daily_at >= end {
            return None;
        }
        Some((before.timestamp().as_second() as f64, end))
    }

    /// The day that ends then, Unix seconds, was told of.
    pub(super) fn told_day(&mut self, end: f64) {
        self.daily_at = end;
    }
}

/// A component as it looks: ill, and how, or well.
pub(super) fn observation(component: &str, ill: Option<String>, now: f64) -> Observation {
    let subject = Subject::Component(component.to_owned());
    let outcome = match ill {
        None => ObservedOutcome::Normal {
            at: now,
            value: f64::NAN,
        },
        Some(sentence) => {
            let anomaly = Anomaly::new(subject.clone(), Severity::Critical, now);
            ObservedOutcome::Anomalous(Box::new(anomaly.with_sentence(sentence)))
        }
    };
    Observation { subject, outcome }
}

/// A component that may become ill.
fn warning(component: &str, sentence: String, now: f64) -> Observation {
    let mut observation = observation(component, Some(sentence), now);
    if let ObservedOutcome::Anomalous(anomaly) = &mut observation.outcome {
        anomaly.severity = Severity::Warning;
    }
    observation
}

/// A component of which nothing more is to be said.
fn gone(component: &str) -> Observation {
    Observation {
        subject: Subject::Component(component.to_owned()),
        outcome: ObservedOutcome::Deleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::PassSummary;

    fn self_monitor(daily: Option<&str>) -> SelfMonitor {
        let options = SelfMonitorOptions {
            optimum_run_duration: Duration::from_secs(60),
            ingest: None,
            events: None,
            stale_digest: true,
            daily: daily.map(|time| (time.parse().unwrap(), TimeZone::get("Europe/Berlin").unwrap())),
        };
        SelfMonitor::new(options, None, 1_000.0)
    }

    fn pass(at: f64, seconds: f64, newest: f64) -> PassNews {
        let mut summary = PassSummary {
            at,
            metrics: 100,
            ..PassSummary::default()
        };
        summary.seconds.total = seconds;
        PassNews {
            summary,
            newest,
            ..PassNews::default()
        }
    }

    /// The sentences of the components that are ill.
    fn ill(observations: &[Observation]) -> Vec<String> {
        let sentence = |observation: &Observation| match &observation.outcome {
            ObservedOutcome::Anomalous(anomaly) => Some(format!("{}: {}", anomaly.name(), anomaly.sentence)),
            _ => None,
        };
        observations.iter().filter_map(sentence).collect()
    }

    #[test]
    fn no_data_overruns_and_a_lost_store_are_said_in_sentences() {
        let mut self_monitor = self_monitor(None);
        assert_eq!(ill(&self_monitor.pass(&pass(2_000.0, 1.0, 1_900.0))), [""; 0]);
        assert_eq!(
            ill(&self_monitor.pass(&pass(2_301.0, 1.0, 2_000.0))),
            ["skywatch.data: no metric has had a new point for 5 min 1 s"]
        );
        for _ in 0..4 {
            assert_eq!(ill(&self_monitor.pass(&pass(2_400.0, 61.0, 2_400.0))), [""; 0]);
        }
        assert_eq!(
            ill(&self_monitor.pass(&pass(2_400.0, 75.0, 2_400.0))),
            ["skywatch.passes: 5 passes in a row took longer than 1 min, the last 1 min 15 s"]
        );
        assert_eq!(ill(&self_monitor.pass(&pass(2_400.0, 59.0, 2_400.0))), [""; 0]);
        assert!(self_monitor.trouble("no route", 3_000.0, 3_000.0).is_none());
        let lost = self_monitor.trouble("no route", 3_030.0, 3_030.0).unwrap();
        assert_eq!(
            ill(&[lost]),
            ["skywatch.store: no pass could run for 30 s: no route"]
        );
    }

    #[test]
    fn an_ingest_that_reports_no_more_is_said_and_one_that_never_did_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let mut self_monitor = self_monitor(None);
        self_monitor.options.ingest = Some(folder.path().to_owned());
        assert!(self_monitor.ingest(9_000.0).is_none());
        // Of long before our own start: it has as long to report as one that has just done so.
        let report = |at: f64| {
            StatusFile::ingest(folder.path()).write(&IngestStatus {
                at,
                ..IngestStatus::default()
            });
        };
        report(10.0);
        assert_eq!(ill(&Vec::from_iter(self_monitor.ingest(1_090.0))), [""; 0]);
        assert_eq!(
            ill(&Vec::from_iter(self_monitor.ingest(1_091.0))),
            ["skywatch.ingest: the ingest has not reported for 1 min 31 s: points may not be taken"]
        );
        report(1_100.0);
        assert_eq!(ill(&Vec::from_iter(self_monitor.ingest(1_101.0))), [""; 0]);
    }

    #[test]
    fn silent_metrics_are_told_once_and_not_when_a_fifth_goes_at_once() {
        let mut self_monitor = self_monitor(None);
        let silent = |at: f64, names: &[&str]| PassNews {
            silent: names.iter().map(|&name| name.to_owned()).collect(),
            ..pass(at, 1.0, at)
        };
        let told = self_monitor
            .silent(&silent(2_000.0, &["web.2", "web.1", "db.1"]))
            .unwrap();
        assert_eq!((told.metrics, told.of), (3, 100));
        assert_eq!(
            told.namespaces[0],
            ("web".into(), 2, vec!["web.1".into(), "web.2".into()])
        );
        assert!(
            self_monitor.silent(&silent(2_060.0, &["web.3"])).is_none(),
            "not before its time"
        );
        assert!(
            self_monitor.silent(&silent(2_550.0, &["web.1"])).is_none(),
            "told before"
        );
        let many: Vec<String> = (0..21).map(|i| format!("m.{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(self_monitor.silent(&silent(2_600.0, &many)).is_none());
        assert!(self_monitor.silent(&silent(2_660.0, &many[..20])).is_some());
        let recent_sends = |at: f64, names: &[&str]| PassNews {
            back: names.iter().map(|&name| name.to_owned()).collect(),
            ..pass(at, 1.0, at)
        };
        assert!(
            self_monitor.silent(&recent_sends(3_200.0, &many[..20])).is_none(),
            "three are still silent"
        );
        let told = self_monitor
            .silent(&recent_sends(3_260.0, &["web.1", "web.2", "db.1"]))
            .unwrap();
        assert_eq!((told.metrics, told.back), (0, 23));
    }

    #[test]
    fn silence_that_is_held_back_is_told_later_if_it_lasts() {
        let mut self_monitor = self_monitor(None);
        let news = |at: f64, silent: &[&str], back: &[&str]| PassNews {
            silent: silent.iter().map(|&name| name.to_owned()).collect(),
            back: back.iter().map(|&name| name.to_owned()).collect(),
            ..pass(at, 1.0, at)
        };
        self_monitor.hold_silent(&news(2_000.0, &["web.1", "web.2"], &[]));
        self_monitor.hold_silent(&news(2_600.0, &["web.3"], &["web.2"]));
        // By now none of them is new.
        let told = self_monitor.silent(&news(2_700.0, &[], &["web.3"])).unwrap();
        assert_eq!(told.namespaces, [("web".into(), 1, vec!["web.1".into()])]);
        assert!(
            self_monitor.silent(&news(3_300.0, &[], &[])).is_none(),
            "it is told once"
        );
    }

    #[test]
    fn a_day_is_told_of_once_at_its_hour() {
        let mut self_monitor = self_monitor(Some("08:00"));
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second() as f64;
        self_monitor.daily_at = at("2026-11-20T12:00:00Z");
        assert_eq!(self_monitor.day(at("2026-11-21T06:59:59Z")), None);
        let day = (at("2026-11-20T07:00:00Z"), at("2026-11-21T07:00:00Z"));
        assert_eq!(self_monitor.day(at("2026-11-21T07:00:10Z")), Some(day));
        self_monitor.told_day(day.1);
        assert_eq!(self_monitor.day(at("2026-11-21T07:01:00Z")), None);
        // Asleep for two days: only the last one is told of.
        let day = self_monitor.day(at("2026-11-24T05:00:00Z")).unwrap();
        self_monitor.told_day(day.1);
        assert_eq!(self_monitor.day(at("2026-11-24T05:00:01Z")), None);
    }
}
