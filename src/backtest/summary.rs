//! What a replay amounts to, for people and as JSON.

use std::fmt;

use serde::Serialize;

use super::labels::{Measure, ReplayLabels};
use super::profile::ReplayProfile;
use super::record::MetricRecord;

/// Metrics named as the noisiest.
const NOISIEST: usize = 10;

/// One replay through one profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplaySummary {
    /// The profile.
    pub profile: ReplayProfile,
    /// Seconds of rest between two alerts.
    pub rest: f64,
    /// Metrics, or files.
    pub metrics: usize,
    /// Rows, whatever they held.
    pub rows: u64,
    /// Rows that were a later point than those before, with a number.
    pub points: u64,
    /// Days from first to last point, over all metrics.
    pub metric_days: f64,
    /// Rows with an alarm.
    pub alarms: u64,
    /// Alarms less than half an hour apart are one.
    pub incidents: u64,
    /// `None` without a day.
    pub incidents_per_1000_metric_days: Option<f64>,
    /// Times somebody would have been told, after the rest.
    pub alerts: u64,
    /// The same, a metric and day; `None` without a day.
    pub alerts_a_day: Option<f64>,
    /// Metrics with the most incidents, those first.
    pub noisiest: Vec<Noisy>,
    /// All labelled metrics together; `None` without labels.
    pub labelled: Option<Measure>,
    /// Each labelled metric.
    pub by_metric: Vec<Measured>,
    /// Metrics without a single row that has a time and a number.
    pub unusable: Vec<String>,
    /// Files that could not be read, and why.
    pub failures: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// A metric and its incidents.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noisy {
    /// Its name.
    pub metric: String,
    /// How many.
    pub incidents: u64,
    /// In so many days.
    pub days: f64,
}

/// A metric held against its labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Its name.
    pub metric: String,
    /// How well it went.
    #[serde(flatten)]
    pub measure: Measure,
}

impl ReplaySummary {
    /// Sums up.
    pub(super) fn of(
        profile: ReplayProfile,
        rest: f64,
        mut records: Vec<MetricRecord>,
        labels: Option<&ReplayLabels>,
    ) -> Self {
        records.sort_by(|a, b| a.name.cmp(&b.name));
        let sum = |of: fn(&MetricRecord) -> u64| records.iter().map(of).sum::<u64>();
        let (incidents, alerts) = (
            sum(|record| record.incidents.len() as u64),
            sum(|record| record.alerts.len() as u64),
        );
        let metric_days: f64 = records.iter().map(MetricRecord::days).sum();
        let a_day = |count: u64| (metric_days > 0.0).then(|| count as f64 / metric_days);
        let mut noisiest: Vec<Noisy> = records
            .iter()
            .filter(|record| !record.incidents.is_empty())
            .map(|record| Noisy {
                metric: record.name.clone(),
                incidents: record.incidents.len() as u64,
                days: record.days(),
            })
            .collect();
        noisiest.sort_by_key(|noisy| std::cmp::Reverse(noisy.incidents));
        noisiest.truncate(NOISIEST);
        let by_metric: Vec<Measured> = records
            .iter()
            .filter_map(|record| {
                Some(Measured {
                    metric: record.name.clone(),
                    measure: labels?.measure(record)?,
                })
            })
            .collect();
        let labelled = labels.map(|_| {
            let mut all = Measure::default();
            by_metric.iter().for_each(|one| all.add(&one.measure));
            all
        });
        let unusable = records.iter().filter(|record| record.points == 0);
        Self {
            profile,
            rest,
            metrics: records.len(),
            rows: sum(|record| record.rows),
            points: sum(|record| record.points),
            metric_days,
            alarms: sum(|record| record.alarms),
            incidents,
            incidents_per_1000_metric_days: a_day(incidents).map(|rate| 1_000.0 * rate),
            alerts,
            alerts_a_day: a_day(alerts),
            noisiest,
            labelled,
            by_metric,
            unusable: unusable.map(|record| record.name.clone()).collect(),
            failures: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Two replays of the same metrics side by side, with the difference.
    #[must_use]
    pub fn compare(&self, other: &Self) -> String {
        let mut text = format!(
            "{:<34}{:>12}{:>12}{:>12}\n",
            "",
            self.profile.as_str(),
            other.profile.as_str(),
            "difference"
        );
        let mut row = |title: &str, of: &dyn Fn(&Self) -> Option<f64>, places: usize| {
            let (ours, theirs) = (of(self), of(other));
            let difference = ours.zip(theirs).map(|(ours, theirs)| theirs - ours);
            let shown = |number: Option<f64>| {
                number.map_or_else(|| "-".to_owned(), |number| format!("{number:.places$}"))
            };
            let signed = difference.map_or_else(|| "-".to_owned(), |number| format!("{number:+.places$}"));
            text.push_str(&format!(
                "{title:<34}{:>12}{:>12}{signed:>12}\n",
                shown(ours),
                shown(theirs)
            ));
        };
        row("alarms", &|one| Some(one.alarms as f64), 0);
        row("incidents", &|one| Some(one.incidents as f64), 0);
        row(
            "incidents per 1,000 metric-days",
            &|one| one.incidents_per_1000_metric_days,
            1,
        );
        row("alerts a metric-day", &|one| one.alerts_a_day, 4);
        if self.labelled.is_some() {
            let labelled = |of: fn(&Measure) -> Option<f64>| move |one: &Self| of(one.labelled.as_ref()?);
            row("precision", &labelled(|measure| measure.precision), 3);
            row("recall", &labelled(|measure| measure.recall), 3);
            row("F1", &labelled(|measure| measure.f1), 3);
            row(
                "median delay, minutes",
                &labelled(|measure| measure.delay.map(|delay| delay / 60.0)),
                1,
            );
        }
        row("seconds", &|one| Some(one.seconds), 1);
        text
    }
}

impl fmt::Display for ReplaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = match self.rest {
            rest if rest > 0.0 => format!("after a rest of {} h", rest / 3_600.0),
            _ => "without a rest".to_owned(),
        };
        writeln!(f, "profile    {}", self.profile.as_str())?;
        writeln!(
            f,
            "metrics    {}, {} rows, {} points, {:.1} metric-days",
            self.metrics, self.rows, self.points, self.metric_days
        )?;
        write!(f, "incidents  {}", self.incidents)?;
        if let Some(rate) = self.incidents_per_1000_metric_days {
            write!(f, ", {rate:.1} per 1,000 metric-days")?;
        }
        writeln!(f, " ({} rows with an alarm)", self.alarms)?;
        write!(f, "alerts     {}", self.alerts)?;
        if let Some(rate) = self.alerts_a_day {
            write!(f, ", {rate:.4} a metric-day")?;
        }
        writeln!(f, ", {rest}")?;
        for (position, noisy) in self.noisiest.iter().enumerate() {
            let title = if position == 0 { "noisiest" } else { "" };
            writeln!(
                f,
                "{title:<11}{:>5} in {:.1} days  {}",
                noisy.incidents, noisy.days, noisy.metric
            )?;
        }
        let Some(all) = &self.labelled else { return Ok(()) };
        writeln!(
            f,
            "\nwindows  found  right  wrong  precision  recall     F1  delay min  alerts/day"
        )?;
        for (name, measure) in self
            .by_metric
            .iter()
            .map(|one| (one.metric.as_str(), &one.measure))
            .chain([("all", all)])
        {
            let share = |share: Option<f64>, places: usize| {
                share.map_or_else(|| "-".to_owned(), |share| format!("{share:.places$}"))
            };
            writeln!(
                f,
                "{:>7}  {:>5}  {:>5}  {:>5}  {:>9}  {:>6}  {:>5}  {:>9}  {:>10}  {name}",
                measure.windows,
                measure.found,
                measure.right,
                measure.wrong,
                share(measure.precision, 3),
                share(measure.recall, 3),
                share(measure.f1, 3),
                share(measure.delay.map(|delay| delay / 60.0), 0),
                share(measure.alerts_a_day, 3),
            )?;
        }
        Ok(())
    }
}
