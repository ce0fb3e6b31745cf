//! What is found of entities, handed over to the dispatch as anomalies like any other.

use std::collections::HashSet;
use std::sync::Arc;

use skywatch_alerters::incident::{Observation, ObservedOutcome};
use skywatch_alerters::{
    Anomaly, Contributor, Evidence, Expected, JudgedWindow, Severity, Strength, Subject,
};

use super::detector_jobs::{JobFinding, JobFound};
use super::population::EntityPopulation;
use super::root_causes::EntityRootCauses;
use super::rules::EntityRules;
use super::watched::{EntityState, RowVerdict, WatchedEntity};
use crate::inlet::{FinderReport, Inlet, Observations};
use crate::status::Followed;

/// Metrics that go along with an anomaly, and those that its sentence names.
const CONTRIBUTORS: usize = 20;
const NAMED: usize = 3;

/// Multiple of the limit from which on an anomaly is critical, as with metrics.
const CRITICAL: f64 = 2.0;

/// The way of findings to the dispatch.
pub struct EntityReporter {
    /// Where reports are handed over.
    pub inlet: Inlet,
    /// Whose incidents live.
    pub followed: Followed,
}

impl EntityReporter {
    /// Hands over how entities are. Of those that are well only what is followed is said, of `gone` ones that they are.
    pub(super) fn report(
        &self,
        population: &mut EntityPopulation,
        jobs: &[JobFinding],
        gone: &[Arc<str>],
        causes: &EntityRootCauses,
        rules: &EntityRules,
    ) {
        let followed = self.followed.current();
        let mut seen: Vec<Observation> = population
            .entities
            .values_mut()
            .filter_map(|entity| observation(entity, &followed, causes, rules))
            .collect();
        seen.extend(jobs.iter().filter_map(|finding| of_job(finding, &followed)));
        let gone = gone.iter().filter(|name| followed.contains(&***name));
        seen.extend(gone.map(|name| Observation {
            subject: Subject::Entity(name.to_string()),
            outcome: ObservedOutcome::Deleted,
        }));
        self.hand_over(seen, &followed);
    }

    /// Says that nobody knows how any entity is.
    pub(super) fn report_blind(&self) {
        self.hand_over(Vec::new(), &self.followed.current());
    }

    fn hand_over(&self, seen: Vec<Observation>, followed: &HashSet<String>) {
        if seen.is_empty() && followed.is_empty() {
            return;
        }
        self.inlet.report(FinderReport::Seen(Box::new(Observations {
            seen,
            // Of one that is not among them nothing is known.
            all_of: Some(Subject::ENTITY.to_owned()),
            shards: None,
            pass: None,
        })));
    }
}

fn observation(
    entity: &mut WatchedEntity,
    followed: &HashSet<String>,
    causes: &EntityRootCauses,
    rules: &EntityRules,
) -> Option<Observation> {
    let is_followed = followed.contains(&*entity.name);
    let last = entity.verdicts().next_back().copied()?;
    let (at, value) = (rules.time(last.step), last.score);
    let outcome = match entity.state {
        EntityState::Anomalous => {
            let mut anomaly = anomaly(entity, last, rules);
            if let Some(causes) = causes.of(&entity.name) {
                causes.add_to(&mut anomaly, rules);
            }
            ObservedOutcome::Anomalous(Box::new(anomaly))
        }
        EntityState::Normal if is_followed && std::mem::take(&mut entity.has_settled) => {
            ObservedOutcome::Settled {
                at,
                value,
                before: f64::NAN,
            }
        }
        EntityState::Normal if is_followed => ObservedOutcome::Normal { at, value },
        _ => return None,
    };
    Some(Observation {
        subject: Subject::Entity(entity.name.to_string()),
        outcome,
    })
}

/// What a job has found of one machine.
fn of_job(finding: &JobFinding, followed: &HashSet<String>) -> Option<Observation> {
    let outcome = match (finding.is_anomalous, followed.contains(&finding.subject)) {
        (true, _) => ObservedOutcome::Anomalous(Box::new(job_anomaly(finding))),
        (false, true) => ObservedOutcome::Normal {
            at: finding.at,
            value: finding.score,
        },
        (false, false) => return None,
    };
    Some(Observation {
        subject: Subject::Entity(finding.subject.clone()),
        outcome,
    })
}

fn job_anomaly(finding: &JobFinding) -> Anomaly {
    let total: f64 = finding.found.iter().map(|found| found.score).sum();
    let contributor = |found: &JobFound| Contributor {
        name: found.metric.clone(),
        weight: if total > 0.0 { found.score / total } else { 0.0 },
    };
    let named = finding.found.iter().take(NAMED).map(|found| {
        let labels = found
            .labels
            .iter()
            .map(|(label, value)| format!("{label}={value}"));
        format!(
            "`{}` of {} ({:.2})",
            found.metric,
            labels.collect::<Vec<_>>().join(" "),
            found.score
        )
    });
    let sentence = format!(
        "found by the job `{}`: {}",
        finding.job,
        named.collect::<Vec<_>>().join(", ")
    );
    let anomaly = Anomaly::new(
        Subject::Entity(finding.subject.clone()),
        finding.severity,
        finding.at,
    )
    .with_value(finding.score, None)
    .with_sentence(sentence)
    .with_contributors(finding.found.iter().take(CONTRIBUTORS).map(contributor).collect())
    .with_label("job", &finding.job)
    .with_label("machine", &finding.machine)
    .with_strength(Strength {
        // A job says whether, not how far beyond its limit.
        score: 1.0,
        opens: true,
    });
    if finding.causes.is_empty() {
        return anomaly;
    }
    let total: f64 = finding.causes.iter().map(|cause| cause.score).sum();
    let ranked = finding.causes.iter().map(|cause| Contributor {
        name: cause.metric.clone(),
        weight: cause.score / total.max(f64::MIN_POSITIVE),
    });
    anomaly.with_evidence(Evidence::Ranking {
        of: "root causes".to_owned(),
        ranked: ranked.collect(),
    })
}

fn anomaly(entity: &WatchedEntity, last: RowVerdict, rules: &EntityRules) -> Anomaly {
    let drivers = entity.drivers();
    let contributors = drivers
        .iter()
        .take(CONTRIBUTORS)
        .map(|(metric, share)| Contributor {
            name: metric.to_string(),
            weight: *share,
        });
    let contributors: Vec<_> = contributors.collect();
    let expected = Expected {
        low: 0.0,
        high: 1.0,
        centre: 0.0,
    };
    let strongest = entity
        .verdicts()
        .rev()
        .take_while(|verdict| verdict.step > last.step - rules.window)
        .map(|verdict| verdict.score)
        .fold(last.score, f64::max);
    let window = JudgedWindow {
        times: entity
            .verdicts()
            .map(|verdict| rules.time(verdict.step))
            .collect(),
        values: entity.verdicts().map(|verdict| verdict.score).collect(),
        rate: false,
    };
    let mut anomaly = Anomaly::new(
        Subject::Entity(entity.name.to_string()),
        severity(entity, last, rules),
        rules.time(last.step),
    )
    .with_value(last.score, Some(expected))
    .with_window(window)
    .with_evidence(Evidence::Ranking {
        of: "metrics".to_owned(),
        ranked: contributors.clone(),
    })
    .with_sentence(sentence(&drivers))
    .with_contributors(contributors)
    .with_strength(Strength {
        // A row of the window may be below the limit while the entity is anomalous.
        score: strongest.max(1.0),
        opens: true,
    });
    for (label, value) in entity.labels.iter().filter(|(_, value)| !value.is_empty()) {
        anomaly = anomaly.with_label(label, value);
    }
    anomaly
}

/// Critical where the rows that make it anomalous are twice their limit, on average: one row that is far out is no more than a warning.
fn severity(entity: &WatchedEntity, last: RowVerdict, rules: &EntityRules) -> Severity {
    let flagged = entity
        .verdicts()
        .filter(|verdict| verdict.is_anomalous && verdict.step > last.step - rules.window);
    let (sum, count) = flagged.fold((0.0, 0.0), |(sum, count), verdict| {
        (sum + verdict.score, count + 1.0)
    });
    if sum >= CRITICAL * f64::max(count, 1.0) {
        Severity::Critical
    } else {
        Severity::Warning
    }
}

/// The metrics that have most to do with it.
fn sentence(drivers: &[(Arc<str>, f64)]) -> String {
    let named = drivers.iter().take(NAMED);
    let named: Vec<_> = named
        .map(|(metric, share)| format!("`{metric}` ({:.0} %)", share * 100.0))
        .collect();
    match named.as_slice() {
        [] => "its metrics are together as they have not been before".to_owned(),
        named => format!("not as usual: {}", named.join(", ")),
    }
}
