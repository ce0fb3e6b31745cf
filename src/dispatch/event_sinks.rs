//! Whether events reach other programs: a component `skywatch.events.SINK` for each sink, and `skywatch.events` for the role that
//! sends them.

use std::path::Path;

use skywatch_alerters::incident::Observation;
use skywatch_alerters::units;

use super::self_monitor::observation;
use crate::status::{EventsStatus, StatusFile};

/// Seconds for which an event may wait for its sink before that is told: a broker that is started again takes less.
const WAITS_AFTER: f64 = 300.0;
/// Seconds without a report of the role from which it counts as stopped.
const SILENT_AFTER: f64 = 90.0;

/// What is wrong with sinks at `now`; `began` is when we did, both Unix seconds. Nothing of a role that has never reported.
pub(super) fn check(state_dir: &Path, began: f64, now: f64) -> Vec<Observation> {
    let status: Option<EventsStatus> = StatusFile::events(state_dir).read();
    status.map_or_else(Vec::new, |status| observations(&status, began, now))
}

fn observations(status: &EventsStatus, began: f64, now: f64) -> Vec<Observation> {
    if now - status.at > SILENT_AFTER {
        let silent = now - status.at.max(began);
        // After our own start it has as long to report.
        let sentence = format!(
            "nothing has been sent for {}: events wait in the outbox",
            units::length(silent)
        );
        return (silent > SILENT_AFTER)
            .then(|| observation("skywatch.events", Some(sentence), now))
            .into_iter()
            .collect();
    }
    let mut all = vec![observation("skywatch.events", None, now)];
    for (name, oldest) in &status.counters {
        let sink = name
            .strip_prefix("sink.")
            .and_then(|rest| rest.strip_suffix(".oldest_waiting_ms"));
        let Some(sink) = sink else { continue };
        let waiting = format!("sink.{sink}.waiting");
        let waiting = status
            .counters
            .iter()
            .find(|(name, _)| *name == waiting)
            .map_or(0, |(_, n)| *n);
        let seconds = *oldest as f64 / 1_000.0;
        let ill = (seconds > WAITS_AFTER).then(|| {
            format!(
                "{waiting} events wait for it, the oldest for {}",
                units::length(seconds)
            )
        });
        all.push(observation(&format!("skywatch.events.{sink}"), ill, now));
    }
    all
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::incident::ObservedOutcome;

    use super::*;

    fn said(status: &EventsStatus, began: f64, now: f64) -> Vec<String> {
        let all = observations(status, began, now);
        let words = |observation: &Observation| match &observation.outcome {
            ObservedOutcome::Anomalous(anomaly) => format!("{}: {}", anomaly.name(), anomaly.sentence),
            _ => format!("{} is well", observation.subject.name()),
        };
        all.iter().map(words).collect()
    }

    #[test]
    fn a_sink_that_is_away_and_a_role_that_is_silent_are_told_of() {
        let status = |oldest: u64| EventsStatus {
            at: 1_000.0,
            counters: [
                ("published", 9),
                ("sink.kafka.waiting", 7),
                ("sink.kafka.oldest_waiting_ms", oldest),
            ]
            .map(|(name, n)| (name.to_owned(), n))
            .to_vec(),
        };
        let well = ["skywatch.events is well", "skywatch.events.kafka is well"];
        assert_eq!(said(&status(300_000), 0.0, 1_001.0), well);
        assert_eq!(
            said(&status(330_000), 0.0, 1_001.0)[1],
            "skywatch.events.kafka: 7 events wait for it, the oldest for 5 min 30 s"
        );
        assert_eq!(
            said(&status(0), 0.0, 1_100.0),
            ["skywatch.events: nothing has been sent for 1 min 40 s: events wait in the outbox"]
        );
        assert!(
            said(&status(0), 1_050.0, 1_100.0).is_empty(),
            "we have only begun"
        );
    }
}
