//! What several pages say of an anomaly, an incident, a window.

use std::path::Path;

use minijinja::{Value, context};
use skywatch_alerters::chart::Chart;
use skywatch_alerters::incident::Incident;
use skywatch_alerters::text::{percent_encode, shorten};
use skywatch_alerters::{Anomaly, Expected, Subject, units};
use skywatch_algorithms::Series;

use super::charts::{mark_of, on_both_screens};
use crate::clock::unix_now;
use crate::history::{HistoryError, HistoryReader};
use crate::windows::as_judged;

/// Widest name, characters: what fits beside the other columns on a wide screen.
const NAME_COLUMNS: usize = 120;

/// Reads from the history. Of one that nobody has written yet the answer is what nothing would give.
pub(super) fn of_history<T: Default>(
    path: &Path,
    read: impl FnOnce(&HistoryReader) -> Result<T, HistoryError>,
) -> (T, Option<String>) {
    match HistoryReader::open(path).and_then(|reader| read(&reader)) {
        Ok(found) => (found, None),
        Err(HistoryError::Missing { .. }) => (T::default(), None),
        Err(error) => (T::default(), Some(error.to_string())),
    }
}

/// The page of a subject, if its kind has pages.
pub(super) fn page_of(subject: &Subject) -> Option<String> {
    let page = subject.kind().page?;
    Some(format!("{page}{}", percent_encode(subject.name())))
}

/// A window as it was judged, in a size in px, with what was expected and the point that was judged.
pub(super) fn chart_of(
    anomaly: &Anomaly,
    expected: Option<Expected>,
    window: &Series,
    size: (u32, u32),
) -> Value {
    let judged = as_judged(window, anomaly.window().rate);
    on_both_screens(size, |(width, height)| {
        let judged = thinned(&judged, width as usize / 4);
        let mut chart = Chart::new(anomaly.name(), &judged.times, &judged.values)
            .rate(anomaly.window().rate)
            .size(width, height);
        if let Some(mark) = mark_of(anomaly) {
            chart = chart.mark(mark);
        }
        if let Some(expected) = expected {
            chart = chart.expected(expected);
        }
        chart.svg()
    })
}

/// The least and the largest point of each of `parts` equal stretches of time, so that no spike is lost; a series that is
/// no longer than that as it is. Times must rise.
pub(super) fn thinned(series: &Series, parts: usize) -> Series {
    let places = thinned_places(series, parts);
    let pick = |numbers: &[f64]| places.iter().map(|&place| numbers[place]).collect();
    Series {
        times: pick(&series.times),
        values: pick(&series.values),
    }
}

/// The places in the series of the points that [`thinned`] keeps, in order.
pub(super) fn thinned_places(series: &Series, parts: usize) -> Vec<usize> {
    let (Some(&first), Some(&last)) = (series.times.first(), series.times.last()) else {
        return Vec::new();
    };
    if series.len() <= 2 * parts || last <= first {
        return (0..series.len()).collect();
    }
    let length = (last - first) / parts as f64;
    let part_of = |time: f64| (((time - first) / length) as usize).min(parts - 1);
    let mut kept = Vec::with_capacity(2 * parts);
    let mut from = 0;
    while from < series.len() {
        let part = part_of(series.times[from]);
        let rest = series.times[from..].iter();
        let until = from + rest.take_while(|time| part_of(**time) == part).count().max(1);
        let places = from..until;
        let by_value = |a: &usize, b: &usize| series.values[*a].total_cmp(&series.values[*b]);
        let least = places.clone().min_by(by_value).unwrap_or(from);
        let largest = places.max_by(by_value).unwrap_or(from);
        let (earlier, later) = (least.min(largest), least.max(largest));
        kept.push(earlier);
        kept.extend((later > earlier).then_some(later));
        from = until;
    }
    kept
}

/// Every detector's answer.
pub(super) fn votes(anomaly: &Anomaly) -> Vec<Value> {
    let votes = anomaly.votes().iter().map(|vote| {
        let shown = |value: f64| value.is_finite().then(|| units::number(value));
        context! {
            detector => vote.detector.as_str(),
            answer => match vote.answer { Some(true) => "anomalous", Some(false) => "normal", None => "no vote" },
            anomalous => vote.answer == Some(true),
            measured => shown(vote.measured),
            limit => shown(vote.limit),
        }
    });
    votes.collect()
}

/// What lists say of an incident.
pub(super) fn incident_line(incident: &Incident) -> Value {
    let anomaly = &incident.anomaly;
    let value = match anomaly.sentence.as_str() {
        "" => units::number(anomaly.observed),
        sentence => sentence.to_owned(),
    };
    context! {
        id => incident.id,
        phase => incident.phase.as_str(),
        open => incident.phase.is_open(),
        severity => incident.severity.as_str(),
        name => shorten(incident.subject.name(), NAME_COLUMNS),
        link => page_of(&incident.subject),
        kind => incident.subject.kind().name,
        value,
        since => incident.since,
        lasted => units::length((incident.closed_at.unwrap_or_else(unix_now) - incident.since).max(0.0)),
        note => notes(incident).join(", "),
    }
}

/// What else is to be known of an incident, each in a few words.
pub(super) fn notes(incident: &Incident) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(ack) = &incident.ack {
        notes.push(format!("{} has it", shorten(&ack.by, 40)));
    }
    if let Some(silence) = incident.silenced_by {
        notes.push(format!("silence {silence}"));
    }
    if let Some(source) = incident.inhibited_by.filter(|_| incident.phase.is_open()) {
        notes.push(format!("held back, as it follows from incident {source}"));
    }
    if let Some(since) = incident.unknown_since.filter(|_| incident.phase.is_open()) {
        notes.push(format!("unknown since {}", units::time(since)));
    }
    if let Some(at) = incident.closed_at.filter(|_| !incident.phase.is_open()) {
        notes.push(format!("over {}", units::time(at)));
    }
    if let Some(ending) = &incident.ending {
        if let Some(value) = ending.value {
            let before = ending
                .before
                .map(|before| format!(" (was {})", units::number(before)));
            notes.push(format!(
                "at {}{}",
                units::number(value),
                before.unwrap_or_default()
            ));
        }
        if !ending.by.is_empty() {
            notes.push(format!("by {}", shorten(&ending.by, 40)));
        }
    }
    if let Some(times) = incident.flapping(unix_now()) {
        notes.push(format!("flapping, {times} times in an hour"));
    }
    notes
}

/// A pass's duration: milliseconds while it is short.
pub(super) fn took(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

/// What the tests of pages are about.
#[cfg(test)]
pub(super) mod testing {
    use skywatch_alerters::incident::Incident;
    use skywatch_alerters::sample;

    /// An open incident about a metric.
    pub(in crate::web) fn incident(name: &str) -> Incident {
        let at = sample::AT;
        let incident = serde_json::json!({
            "id": 17, "subject": { "kind": "metric", "name": name }, "phase": "open",
            "since": at, "opened_at": at, "closed_at": null, "looks": 1, "last_at": at, "last_anomalous": at,
            "quiet": 0.0, "unknown_since": at, "anomaly": sample::anomaly(name), "severity": "critical",
            "ack": null, "returns": 2, "told": {}, "value": 3.5,
        });
        serde_json::from_value(incident).expect("an incident")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_every_spike_and_the_order_of_time() {
        let mut series = Series::default();
        for minute in 0..1_440 {
            let value = match minute {
                100 => 500.0,
                700 => -500.0,
                _ => f64::from(minute % 7),
            };
            series.push(f64::from(minute) * 60.0, value);
        }
        let thin = thinned(&series, 50);
        assert!(thin.len() <= 100, "{}", thin.len());
        assert!(thin.times.is_sorted());
        assert!(thin.values.contains(&500.0) && thin.values.contains(&-500.0));
        assert_eq!(thinned(&series, 720).len(), 1_440, "nothing to thin");
        assert!(thinned(&Series::default(), 10).is_empty());
    }
}
