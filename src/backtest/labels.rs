//! Labels: when something was wrong, and how well a replay found it.
//!
//! Two forms are read. `{"path": [[start, end], …]}`, as the Numenta benchmark has it, says what counts as found; an
//! incident outside is wrong. A `truth.json` of planted anomalies says besides which aftermath is nobody's fault and how
//! long the warm-up is. A metric that the labels do not name is not measured; one they name without a window should
//! be quiet.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::BacktestError;
use super::record::MetricRecord;
use crate::sources::row;

/// Seconds of warm-up in a `truth.json` (the first week, as its README says), and after the end of an effect (an hour in
/// which the metric comes back), that are not judged.
const WARM_UP: f64 = 7.0 * 86_400.0;
const AFTERMATH: f64 = 3_600.0;

/// A time in a label: a date, or Unix seconds.
#[derive(Deserialize)]
#[serde(untagged)]
enum When {
    Number(f64),
    Text(String),
}

impl When {
    fn seconds(&self) -> Option<f64> {
        match self {
            Self::Number(seconds) => Some(*seconds),
            Self::Text(text) => row::time(text),
        }
    }
}

#[derive(Deserialize)]
struct Truth {
    start: f64,
    metrics: BTreeMap<String, PlantedMetric>,
}

#[derive(Deserialize)]
struct PlantedMetric {
    planted: Vec<Planted>,
}

#[derive(Deserialize)]
struct Planted {
    start: f64,
    hit_until: f64,
    until: f64,
    effect_from: Option<f64>,
    effect_until: Option<f64>,
}

/// One stretch in which something was wrong, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LabelledWindow {
    /// An alarm from here …
    start: f64,
    /// … up to this finds it.
    end: f64,
    /// Incidents between these do not count against the replay.
    forgiven: (f64, f64),
}

/// What is known of all metrics.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReplayLabels {
    metrics: BTreeMap<String, Vec<LabelledWindow>>,
    /// Incidents before this are not judged, Unix seconds.
    judged_from: f64,
}

/// How well a replay found what was labelled.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Measure {
    /// Labelled windows.
    pub windows: u64,
    /// Those with an alarm in them.
    pub found: u64,
    /// Incidents that touch a window.
    pub right: u64,
    /// Incidents outside of all windows.
    pub wrong: u64,
    /// `right` of all incidents; `None` without an incident.
    pub precision: Option<f64>,
    /// `found` of all windows; `None` without a window.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Median seconds from the start of a window to its first alarm.
    pub delay: Option<f64>,
    /// Alerts, after the rest, a metric and day.
    pub alerts_a_day: Option<f64>,
    #[serde(skip)]
    delays: Vec<f64>,
    #[serde(skip)]
    alerts: u64,
    #[serde(skip)]
    days: f64,
}

impl Measure {
    /// Adds another metric's.
    pub(super) fn add(&mut self, other: &Self) {
        self.windows += other.windows;
        self.found += other.found;
        self.right += other.right;
        self.wrong += other.wrong;
        self.delays.extend_from_slice(&other.delays);
        self.alerts += other.alerts;
        self.days += other.days;
        self.settle();
    }

    /// Works out the shares from what was counted.
    fn settle(&mut self) {
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        self.precision = share(self.right as f64, (self.right + self.wrong) as f64);
        self.recall = share(self.found as f64, self.windows as f64);
        self.f1 = match (self.precision, self.recall) {
            (Some(precision), Some(recall)) if precision + recall > 0.0 => {
                Some(2.0 * precision * recall / (precision + recall))
            }
            (_, Some(_)) => Some(0.0),
            _ => None,
        };
        self.delays.sort_by(f64::total_cmp);
        let middle = self.delays.len() / 2;
        self.delay = match self.delays.len() {
            0 => None,
            length if length % 2 == 1 => Some(self.delays[middle]),
            _ => Some((self.delays[middle - 1] + self.delays[middle]) / 2.0),
        };
        self.alerts_a_day = share(self.alerts as f64, self.days);
    }
}

impl ReplayLabels {
    /// Reads a file of either form.
    pub(super) fn read(path: &Path) -> Result<Self, BacktestError> {
        let text = std::fs::read(path).map_err(|source| BacktestError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text).map_err(|reason| BacktestError::Labels {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        if let Ok(truth) = serde_json::from_slice::<Truth>(text) {
            let metrics = truth.metrics.into_iter();
            return Ok(Self {
                metrics: metrics
                    .map(|(name, metric)| (name, metric.planted.iter().map(wrong_of).collect()))
                    .collect(),
                judged_from: truth.start + WARM_UP,
            });
        }
        let windows: BTreeMap<String, Vec<(When, When)>> =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let mut metrics = BTreeMap::new();
        for (name, windows) in windows {
            let mut wrongs = Vec::with_capacity(windows.len());
            for (start, end) in &windows {
                let (Some(start), Some(end)) = (start.seconds(), end.seconds()) else {
                    return Err(format!("a window of `{name}` has no time"));
                };
                if start > end {
                    return Err(format!("a window of `{name}` ends before it starts"));
                }
                wrongs.push(LabelledWindow {
                    start,
                    end,
                    forgiven: (start, end),
                });
            }
            metrics.insert(name, wrongs);
        }
        Ok(Self {
            metrics,
            judged_from: f64::NEG_INFINITY,
        })
    }

    /// What is known of a metric, with or without the ending of its file.
    fn of(&self, name: &str) -> Option<&[LabelledWindow]> {
        let bare = name.strip_suffix(".csv").unwrap_or(name);
        let known = self.metrics.get(name).or_else(|| self.metrics.get(bare));
        known
            .or_else(|| self.metrics.get(&format!("{name}.csv")))
            .map(Vec::as_slice)
    }

    /// Whether the metric is measured.
    pub(super) fn name(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    /// Holds a record against what is known of its metric; `None` for one that is not labelled.
    pub(super) fn measure(&self, record: &MetricRecord) -> Option<Measure> {
        let wrongs = self.of(&record.name)?;
        let alarms = record.alarm_times.as_deref()?;
        let mut measure = Measure {
            windows: wrongs.len() as u64,
            alerts: record.alerts.iter().filter(|&&at| at >= self.judged_from).count() as u64,
            days: (record.last - record.first.max(self.judged_from)).max(0.0) / 86_400.0,
            ..Measure::default()
        };
        for wrong in wrongs {
            let first = alarms.partition_point(|&at| at < wrong.start);
            if let Some(&at) = alarms.get(first).filter(|&&at| at <= wrong.end) {
                measure.found += 1;
                measure.delays.push(at - wrong.start);
            }
        }
        for &(begun, ended) in record
            .incidents
            .iter()
            .filter(|incident| incident.1 >= self.judged_from)
        {
            let touches = |from: f64, to: f64| begun <= to && ended >= from;
            if wrongs.iter().any(|wrong| touches(wrong.start, wrong.end)) {
                measure.right += 1;
            } else if !wrongs
                .iter()
                .any(|wrong| touches(wrong.forgiven.0, wrong.forgiven.1))
            {
                measure.wrong += 1;
            }
        }
        measure.settle();
        Some(measure)
    }
}

fn wrong_of(planted: &Planted) -> LabelledWindow {
    let over = planted
        .until
        .max(planted.hit_until)
        .max(planted.effect_until.unwrap_or(0.0));
    LabelledWindow {
        start: planted.start,
        end: planted.hit_until,
        forgiven: (
            planted.effect_from.unwrap_or(planted.start).min(planted.start),
            over + AFTERMATH,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::player::RowScore;
    use super::*;

    fn record(alarms: &[f64]) -> MetricRecord {
        let mut record = MetricRecord::new("a/b.csv".to_owned(), true);
        for minute in 0..20_000 {
            let time = f64::from(minute) * 60.0;
            let is_alarm = alarms.contains(&time);
            let heard = if is_alarm { 2.0 } else { 0.0 };
            record.row(
                time,
                RowScore {
                    heard,
                    is_alarm,
                    is_taken: true,
                },
            );
        }
        record
    }

    #[test]
    fn windows_as_the_numenta_benchmark_has_them() {
        let labels = r#"{"a/b.csv": [["1970-01-01 01:00:00.000000", "1970-01-01 02:00:00"], [36000, 39600]], "other.csv": []}"#;
        let labels = ReplayLabels::parse(labels.as_bytes()).expect("labels");
        assert!(labels.name("other.csv") && labels.name("other") && !labels.name("b.csv"));
        // In the first window, ten minutes late; a second incident outside of all.
        let measure = labels
            .measure(&record(&[4_200.0, 4_260.0, 100_020.0]))
            .expect("labelled");
        assert_eq!(
            (measure.windows, measure.found, measure.right, measure.wrong),
            (2, 1, 1, 1)
        );
        assert_eq!(
            (measure.precision, measure.recall, measure.f1),
            (Some(0.5), Some(0.5), Some(0.5))
        );
        assert_eq!(measure.delay, Some(600.0));
        let quiet = labels.measure(&record(&[])).expect("labelled");
        assert_eq!(
            (quiet.precision, quiet.recall, quiet.f1),
            (None, Some(0.0), Some(0.0))
        );
        let mut sum = measure.clone();
        sum.add(&quiet);
        assert_eq!((sum.windows, sum.recall), (4, Some(0.25)));
    }

    #[test]
    fn planted_anomalies_have_a_warm_up_and_an_aftermath() {
        let planted =
            r#"{"kind": "shift60", "start": 700000, "hit_until": 701000, "until": 702000, "nominal": 6}"#;
        let truth = format!(
            r#"{{"start": 0, "days": 16, "metrics": {{"a/b": {{"family": "ar1", "planted": [{planted}]}}}}}}"#
        );
        let labels = ReplayLabels::parse(truth.as_bytes()).expect("labels");
        // In the warm-up; in the aftermath; after it.
        let measure = labels
            .measure(&record(&[60_000.0, 705_000.0, 780_000.0]))
            .expect("labelled");
        assert_eq!(
            (measure.windows, measure.found, measure.right, measure.wrong),
            (1, 0, 0, 1)
        );
    }

    #[test]
    fn what_is_no_label_is_said() {
        assert!(ReplayLabels::parse(b"[]").is_err());
        let message = ReplayLabels::parse(br#"{"a": [["soon", 1]]}"#).expect_err("no time");
        assert_eq!(message, "a window of `a` has no time");
        assert!(
            ReplayLabels::parse(br#"{"a": [[2, 1]]}"#).is_err_and(|why| why.contains("before it starts"))
        );
    }
}
