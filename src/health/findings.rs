//! What the plane finds wrong, handed to the dispatch as any role hands over what it finds: an incident about a component, with
//! the votes that decided in its sentence.
//!
//! A change is handed over at once. What fails is handed over again each few seconds, so that the dispatch knows whether it still
//! does: of a plane that has died nothing more is concluded. A subject that only the dispatch itself sees fail, such as a
//! receiver or a metric with an incident, is none: the dispatch knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::incident::{Observation, ObservedOutcome};
use skywatch_alerters::{Anomaly, Severity, Subject, units};
use skywatch_algorithms::verdicts::{HealthEvidence, HealthState, SECOND, Standing, observer_kind};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;

use super::clock::now;
use super::plane::{Plane, SubjectVerdict};
use super::server::HealthServer;
use crate::inlet::{FinderReport, Inlet, Observations};
use crate::status::Followed;

/// How often what fails is handed over again.
pub const FOUND_EACH: Duration = Duration::from_secs(5);
/// Subjects in one report; more are not told one by one.
const MOST: usize = 10_000;
/// Votes of either side that a sentence names.
const NAMED: usize = 3;
/// The kind of observer whose word is no news to the dispatch.
const DISPATCH: &str = "dispatch";
/// What names of components begin with that are watched by the dispatch and not here.
const OWN: &str = "skywatch.";

/// Where findings go.
pub struct PlaneFindings {
    /// The way to the dispatch.
    pub inlet: Inlet,
    /// Components whose incidents last: what became of them is told even when they are well.
    pub followed: Followed,
}

/// Hands over what is found until the server is no more.
pub(super) async fn hand_over(server: Arc<HealthServer>, findings: PlaneFindings) {
    let mut changes = server.watch();
    let mut rounds = tokio::time::interval(FOUND_EACH);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut changed = BTreeSet::new();
        let is_round = tokio::select! {
            change = changes.recv() => match change {
                Ok(change) => !changed.insert(Arc::clone(&change.subject)),
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            },
            _ = rounds.tick() => true,
        };
        while let Ok(change) = changes.try_recv() {
            changed.insert(Arc::clone(&change.subject));
        }
        let followed = findings.followed.current();
        let mut seen = server.look(|plane| {
            let mut seen: Vec<_> = changed.iter().filter_map(|name| found_of(plane, name)).collect();
            if is_round {
                seen.extend(all_failing(plane, &changed));
                let quiet = followed
                    .iter()
                    .filter(|name| !name.starts_with(OWN) && !changed.contains(&***name));
                seen.extend(quiet.filter_map(|name| quiet_of(plane, name)));
            }
            seen
        });
        if seen.len() > MOST {
            tracing::warn!(
                "health :: {} subjects fail :: {MOST} of them are told",
                seen.len()
            );
            seen.truncate(MOST);
        }
        if !seen.is_empty() {
            let report = FinderReport::Seen(Box::new(Observations {
                seen,
                ..Observations::default()
            }));
            let inlet = findings.inlet.clone();
            // It waits for a dispatch that is busy.
            let _ = tokio::task::spawn_blocking(move || inlet.report(report)).await;
        }
    }
}

fn all_failing(plane: &Plane, but: &BTreeSet<Arc<str>>) -> Vec<Observation> {
    let failing = plane.verdicts(HealthState::Overdue, now()).into_iter();
    failing
        .filter(|(name, _)| !but.contains(name))
        .filter_map(|(name, found)| observation(&name, &found, now()))
        .collect()
}

fn found_of(plane: &Plane, name: &str) -> Option<Observation> {
    observation(name, &plane.verdict(name, now())?, now())
}

/// What is known of a component whose incident lasts, unless it fails: then it is told already.
fn quiet_of(plane: &Plane, name: &str) -> Option<Observation> {
    match plane.verdict(name, now()) {
        Some(found) if found.state.is_failing() => None,
        Some(found) => observation(name, &found, now()),
        None => Some(outcome(name, ObservedOutcome::Unknown)),
    }
}

fn outcome(name: &str, outcome: ObservedOutcome) -> Observation {
    Observation {
        subject: Subject::Component(name.to_owned()),
        outcome,
    }
}

/// What a verdict at `at`, Unix nanoseconds, is to the dispatch; nothing where it decides nothing.
fn observation(name: &str, found: &SubjectVerdict, at: i64) -> Option<Observation> {
    let seconds = at as f64 / SECOND as f64;
    match found.state {
        HealthState::Healthy => Some(outcome(
            name,
            ObservedOutcome::Normal {
                at: seconds,
                value: f64::NAN,
            },
        )),
        HealthState::Unknown => Some(outcome(name, ObservedOutcome::Unknown)),
        // Somebody doubts: no reason to wake anybody, and none to say that it is well again.
        HealthState::Suspected => None,
        HealthState::Overdue | HealthState::Gray | HealthState::Unhealthy => {
            let first = failing(found).find(|vote| observer_kind(&vote.observer) != DISPATCH)?;
            let anomaly = Anomaly::new(Subject::Component(name.to_owned()), Severity::Critical, seconds)
                .with_sentence(sentence(found, first, at))
                .with_label("health", found.state.name())
                .with_label("metric", &*first.metric);
            Some(outcome(name, ObservedOutcome::Anomalous(Box::new(anomaly))))
        }
    }
}

fn failing(found: &SubjectVerdict) -> impl Iterator<Item = &HealthEvidence> {
    let evidence = found.assessment.evidence.iter();
    evidence.filter(|vote| matches!(vote.standing, Standing::Failing | Standing::Overdue))
}

/// `cannot be written: no answer to ingest@a for 4 s; ping works for ingest@a, analyzer@a`.
fn sentence(found: &SubjectVerdict, first: &HealthEvidence, at: i64) -> String {
    let problem = match &*first.metric {
        "write" => "cannot be written".to_owned(),
        "read" => "cannot be read".to_owned(),
        "ping" => "does not answer".to_owned(),
        "push" => "takes no points".to_owned(),
        "deliver" => "takes no notices".to_owned(),
        "bind" => "cannot be listened on".to_owned(),
        "arrival" => "sends nothing".to_owned(),
        metric => format!("`{metric}` fails"),
    };
    let same = failing(found).filter(|vote| vote.metric == first.metric);
    let seen: Vec<String> = same.take(NAMED).map(|vote| seen_by(vote, at)).collect();
    let mut sentence = format!("{problem}: {}", seen.join(", "));
    let others: BTreeSet<&str> = failing(found)
        .filter(|vote| vote.metric != first.metric)
        .map(|vote| &*vote.metric)
        .collect();
    if !others.is_empty() {
        sentence += &format!("; {} fails, too", Vec::from_iter(others).join(", "));
    }
    let evidence = found.assessment.evidence.iter();
    let working: Vec<String> = evidence
        .filter(|vote| vote.standing == Standing::Working)
        .take(NAMED)
        .map(|vote| format!("{} for {}", vote.metric, vote.observer))
        .collect();
    if !working.is_empty() {
        sentence += &format!("; works: {}", working.join(", "));
    }
    sentence
}

fn seen_by(vote: &HealthEvidence, at: i64) -> String {
    let seconds = (at - vote.at).max(0) as f64 / SECOND as f64;
    match vote.standing {
        Standing::Overdue => format!("no answer to {} for {}", vote.observer, units::length(seconds)),
        _ => format!(
            "{} of {}, {} ago",
            vote.status.name(),
            vote.observer,
            units::length(seconds)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::plane::{Incoming, Options};
    use skywatch_algorithms::verdicts::Status;

    const START: i64 = 1_795_000_000 * SECOND;

    /// A plane that was told by these observers of `redis:main`, at these seconds.
    fn plane(reports: &[(&str, &str, Status, i64)]) -> Plane {
        let mut plane = Plane::new(Options::default());
        for (observer, metric, status, second) in reports {
            let handle = plane.register("test", observer, START).unwrap();
            let report = Incoming {
                observer,
                subject: "redis:main",
                at: START + second * SECOND,
                metrics: vec![(metric, *status, 0.0)],
            };
            plane.submit(handle, &report, START + second * SECOND).unwrap();
        }
        plane.tick(START + 100 * SECOND);
        plane
    }

    fn at(plane: &Plane, second: i64) -> Option<ObservedOutcome> {
        let now = START + second * SECOND;
        let found = plane.verdict("redis:main", now).unwrap();
        Some(observation("redis:main", &found, now)?.outcome)
    }

    #[test]
    fn a_gray_failure_is_an_anomaly_whose_sentence_names_the_votes() {
        let plane = plane(&[
            ("analyzer@a", "ping", Status::Healthy, 92),
            ("ingest@a", "write", Status::Pending, 90),
        ]);
        let Some(ObservedOutcome::Anomalous(anomaly)) = at(&plane, 100) else {
            panic!("it fails");
        };
        assert_eq!(
            anomaly.sentence,
            "cannot be written: no answer to ingest@a for 10 s; works: ping for analyzer@a"
        );
        assert_eq!(anomaly.labels["health"], "gray");
    }

    #[test]
    fn what_is_well_or_unknown_or_only_doubted_is_no_anomaly() {
        let healthy = plane(&[("analyzer@a", "ping", Status::Healthy, 90)]);
        assert!(matches!(at(&healthy, 100), Some(ObservedOutcome::Normal { .. })));
        let doubted = plane(&[("analyzer@a", "ping", Status::MaybeUnhealthy, 90)]);
        assert_eq!(at(&doubted, 100), None);
        let waiting = plane(&[("analyzer@a", "ping", Status::Na, 90)]);
        assert!(matches!(at(&waiting, 100), Some(ObservedOutcome::Unknown)));
    }

    #[test]
    fn what_only_the_dispatch_sees_fail_is_no_news_to_it() {
        let plane = plane(&[("dispatch@a", "deliver", Status::Unhealthy, 90)]);
        assert_eq!(at(&plane, 100), None);
    }
}
