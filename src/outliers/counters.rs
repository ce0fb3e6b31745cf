//! What the service counts. Every request ends as answered or as refused with a reason; every row that was left out has one,
//! too.

use std::sync::atomic::{AtomicU64, Ordering};

use super::failure::FailureReason;
use crate::sources::LeftOut;

/// What happens to requests that are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum OutlierEvent {
    /// A request came.
    Request,
    /// It was answered.
    Answered,
    /// A model judged.
    ByModel,
    /// A detector without a model judged.
    ByDetector,
    /// There was no model of the sensor of the query.
    UnknownSensor,
    /// There was no model of the name that was asked for.
    UnknownModel,
    /// A point was judged.
    Point,
    /// One was found to be an outlier.
    Outlier,
    /// A query went to Druid.
    DruidQuery,
    /// Addresses were asked for that caused an outlier.
    Addresses,
}

impl OutlierEvent {
    const ALL: [Self; 10] = [
        Self::Request,
        Self::Answered,
        Self::ByModel,
        Self::ByDetector,
        Self::UnknownSensor,
        Self::UnknownModel,
        Self::Point,
        Self::Outlier,
        Self::DruidQuery,
        Self::Addresses,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Request => "requests",
            Self::Answered => "answered",
            Self::ByModel => "by_model",
            Self::ByDetector => "by_detector",
            Self::UnknownSensor => "unknown_sensors",
            Self::UnknownModel => "unknown_models",
            Self::Point => "points",
            Self::Outlier => "outliers",
            Self::DruidQuery => "druid_queries",
            Self::Addresses => "address_requests",
        }
    }
}

/// Why rows are left out; all others are counted as malformed.
const ROWS: [&str; 4] = ["malformed_row", "duplicate", "unsorted", "without_number"];

/// Counters since start. Relaxed: they are read for people, and nothing hangs on their order.
#[derive(Debug, Default)]
pub(super) struct OutlierCounters {
    events: [AtomicU64; OutlierEvent::ALL.len()],
    refused: [AtomicU64; FailureReason::ALL.len()],
    rows: [AtomicU64; ROWS.len()],
}

impl OutlierCounters {
    /// Something happened, so many times.
    pub(super) fn count(&self, event: OutlierEvent, times: u64) {
        self.events[event as usize].fetch_add(times, Ordering::Relaxed);
    }

    /// A request was not answered.
    pub(super) fn refused(&self, reason: FailureReason) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Rows were left out of what was judged.
    pub(super) fn left_out(&self, rows: &LeftOut) {
        for (reason, times) in rows {
            let place = ROWS.iter().position(|known| known == reason).unwrap_or(0);
            self.rows[place].fetch_add(*times, Ordering::Relaxed);
        }
    }

    /// Name and value of every counter, in a stable order.
    pub(super) fn snapshot(&self) -> Vec<(String, u64)> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let events = OutlierEvent::ALL.iter().zip(&self.events);
        let events = events.map(|(event, n)| (event.name().to_owned(), read(n)));
        let refused = FailureReason::ALL.iter().zip(&self.refused);
        let refused = refused.map(|(reason, n)| (format!("refused.{}", reason.name()), read(n)));
        let rows = ROWS.iter().zip(&self.rows);
        let rows = rows.map(|(reason, n)| (format!("rows.{reason}"), read(n)));
        events.chain(refused).chain(rows).collect()
    }

    /// The same in the OpenMetrics text format, with the names that `/metrics` of the pages has.
    pub(super) fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let mut last = String::new();
        for (name, value) in self.snapshot() {
            let (family, label) = match name.split_once('.') {
                Some((family, reason)) => (family, format!("{{reason=\"{reason}\"}}")),
                None => (name.as_str(), String::new()),
            };
            if family != last {
                let _ = writeln!(text, "# TYPE skywatch_outliers_{family} counter");
                family.clone_into(&mut last);
            }
            let _ = writeln!(text, "skywatch_outliers_{family}_total{label} {value}");
        }
        text.push_str("# EOF\n");
        text
    }
}

/// The name of every counter there can be.
#[cfg(test)]
pub(crate) fn every_counter() -> Vec<String> {
    let names = OutlierCounters::default().snapshot().into_iter();
    names.map(|(name, _)| name).collect()
}
