//! A pass as the dispatch takes it.

use std::sync::Arc;

use skywatch_alerters::Subject;
use skywatch_alerters::incident::{Observation, ObservedOutcome};

use crate::cluster::ShardSet;
use crate::inlet::{FinderReport, Observations, PassNews};
use crate::status::{Findings, FollowedOutcome};

/// What a pass over the metrics of these virtual shards found, as the dispatch takes it.
pub(super) fn observed(findings: Findings, shards: ShardSet) -> FinderReport {
    let wrong = findings.findings.into_iter().map(|finding| Observation {
        subject: finding.anomaly.subject.clone(),
        outcome: ObservedOutcome::Anomalous(Box::new(finding.anomaly)),
    });
    let others = findings.outcomes.into_iter().map(|(name, outcome)| Observation {
        subject: Subject::Metric(name.to_string()),
        outcome: match outcome {
            FollowedOutcome::Normal { at, value } => ObservedOutcome::Normal { at, value },
            FollowedOutcome::Settled { at, value, before } => ObservedOutcome::Settled { at, value, before },
            FollowedOutcome::Deleted => ObservedOutcome::Deleted,
        },
    });
    let names = |names: Vec<Arc<str>>| names.iter().map(|name| name.to_string()).collect();
    FinderReport::Seen(Box::new(Observations {
        seen: wrong.chain(others).collect(),
        all_of: Some(Subject::METRIC.to_owned()),
        shards: Some(shards),
        pass: Some(Box::new(PassNews {
            summary: findings.summary,
            silent: names(findings.silent),
            back: names(findings.back),
            newest: findings.newest,
            cut_short: findings.cut_short,
        })),
    }))
}
