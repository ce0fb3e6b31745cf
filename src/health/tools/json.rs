//! Answers as JSON, for programs: names of the protocol, times as text in UTC, statuses by name.

use serde_json::{Value, json};

use super::text::{rfc3339, state_name, status_name};
use crate::health::idl::panorama::{Inference, Observation, Panorama, Report, View};
use crate::health::idl::verdicts;

pub(super) fn observation(seen: Option<&Observation>) -> Value {
    let Some(seen) = seen else { return Value::Null };
    let metrics = seen.metrics.iter().map(|(name, metric)| {
        let value = metric.value.unwrap_or_default();
        (
            name.clone(),
            json!({"status": status_name(value.status), "score": value.score}),
        )
    });
    json!({
        "ts": seen.ts.as_ref().map(rfc3339),
        "metrics": metrics.collect::<serde_json::Map<_, _>>(),
    })
}

pub(super) fn report(report: &Report) -> Value {
    json!({
        "observer": report.observer,
        "subject": report.subject,
        "observation": observation(report.observation.as_ref()),
    })
}

pub(super) fn view(view: &View) -> Value {
    let seen: Vec<_> = view
        .observations
        .iter()
        .map(|seen| observation(Some(seen)))
        .collect();
    json!({"observer": view.observer, "subject": view.subject, "observations": seen})
}

pub(super) fn panorama(panorama: &Panorama) -> Value {
    let views: Vec<_> = panorama.views.values().map(view).collect();
    json!({"subject": panorama.subject, "views": views})
}

pub(super) fn inference(inference: &Inference) -> Value {
    json!({
        "subject": inference.subject,
        "observers": inference.observers,
        "observation": observation(inference.observation.as_ref()),
    })
}

fn evidence(votes: &[verdicts::Evidence]) -> Vec<Value> {
    let votes = votes.iter().map(|vote| {
        json!({
            "observer": vote.observer,
            "metric": vote.metric,
            "status": status_name(vote.status),
            "score": vote.score,
            "ts": vote.ts.as_ref().map(rfc3339),
            "standing": vote.standing().as_str_name().to_lowercase(),
            "kind": vote.kind,
        })
    });
    votes.collect()
}

pub(in crate::health) fn verdict(verdict: &verdicts::Verdict) -> Value {
    json!({
        "subject": verdict.subject,
        "state": state_name(verdict.state()),
        "since": verdict.since.as_ref().map(rfc3339),
        "worst": status_name(verdict.worst),
        "flapping": verdict.flapping,
        "evidence": evidence(&verdict.evidence),
    })
}

pub(in crate::health) fn transition(change: &verdicts::Transition) -> Value {
    json!({
        "subject": change.subject,
        "from": state_name(change.from()),
        "to": state_name(change.to()),
        "ts": change.ts.as_ref().map(rfc3339),
        "flapping": change.flapping,
        "evidence": evidence(&change.evidence),
    })
}
