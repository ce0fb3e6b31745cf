//! Verdicts as self-metrics: a figure a subject, and one a metric of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use skywatch_algorithms::verdicts::{HealthState, Standing};

use super::clock::now;
use super::plane::SubjectVerdict;
use super::server::HealthServer;

/// Subjects with figures, the worst first: each is several series.
const SUBJECTS: usize = 1_000;

/// `verdict.redis_main` with its state, `verdict.redis_main.write` with its score; of the worst subjects if there are too many.
pub(super) fn verdict_figures(server: &HealthServer) -> Vec<(String, f64)> {
    of(server.look(|plane| plane.verdicts(HealthState::Healthy, now())))
}

fn of(mut verdicts: Vec<(Arc<str>, SubjectVerdict)>) -> Vec<(String, f64)> {
    if verdicts.len() > SUBJECTS {
        verdicts.sort_by_key(|(_, found)| std::cmp::Reverse(found.state));
        verdicts.truncate(SUBJECTS);
    }
    let mut figures = BTreeMap::new();
    for (name, found) in &verdicts {
        let subject = format!("verdict.{}", element(name));
        for vote in &found.assessment.evidence {
            let score = match vote.standing {
                Standing::Waiting | Standing::Expired => continue,
                // Its score is that of a request of which nothing is known yet.
                Standing::Overdue => 0.0,
                _ => f64::from(vote.score),
            };
            let worst = figures
                .entry(format!("{subject}.{}", element(&vote.metric)))
                .or_insert(score);
            *worst = score.min(*worst);
        }
        figures.insert(subject, f64::from(found.state as u8));
    }
    figures.into_iter().collect()
}

/// A name as one element of a dotted one.
fn element(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    name.chars()
        .map(|letter| if plain(letter) { letter } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::plane::{Incoming, Options, Plane};
    use skywatch_algorithms::verdicts::{SECOND, Status};

    #[test]
    fn a_subject_has_its_state_and_the_worst_score_of_each_metric() {
        let at = 1_795_000_000 * SECOND;
        let mut plane = Plane::new(Options::default());
        for (observer, metric, status, score) in [
            ("ingest@a", "write", Status::Healthy, 100.0),
            ("analyzer@a", "write", Status::Unhealthy, 7.0),
            ("analyzer@a", "ping", Status::Healthy, 100.0),
        ] {
            let handle = plane.register("test", observer, at).unwrap();
            let report = Incoming {
                observer,
                subject: "redis:main",
                at,
                metrics: vec![(metric, status, score)],
            };
            plane.submit(handle, &report, at).unwrap();
        }
        let mut found = of(plane.verdicts(HealthState::Healthy, at));
        // Observers are subjects, too, of whom nothing is known here.
        found.retain(|(name, _)| name.starts_with("verdict.redis"));
        let expected = [
            ("verdict.redis_main", 4.0),
            ("verdict.redis_main.ping", 100.0),
            ("verdict.redis_main.write", 7.0),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
