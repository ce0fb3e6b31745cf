//! What is found of kinds of requests, handed over to the dispatch as anomalies like any other.

use skywatch_alerters::incident::{Observation, ObservedOutcome};
use skywatch_alerters::{
    Anomaly, Contributor, Evidence, Expected, Severity, SpanEvidence, Strength, Subject, TraceEvidence,
};

use super::trace::AssembledTrace;
use super::watch::{RequestFinding, UnusualTrace};
use crate::inlet::{FinderReport, Inlet, Observations};
use crate::status::Followed;

/// Spans of a trace that go along with an anomaly; all of them are on its page.
const SPANS_SHOWN: usize = 200;
/// Share of anomalous traces, and number of them, from which on it is worth getting up for.
const CRITICAL_SHARE: f64 = 0.5;
const CRITICAL_TRACES: u64 = 20;

/// The way of findings to the dispatch.
pub struct TraceReporter {
    /// Where reports are handed over.
    pub inlet: Inlet,
    /// Whose incidents live.
    pub followed: Followed,
}

impl TraceReporter {
    /// Hands over how kinds of requests did until `now`, Unix seconds. Of those that did well only what is followed is said; of
    /// `settled` ones that they did well as a change is usual now.
    pub(super) fn report(&self, findings: Vec<RequestFinding>, settled: &[String], now: f64) {
        let followed = self.followed.current();
        let seen = findings.into_iter().filter_map(|finding| {
            let is_anomalous = finding.strength >= 1.0;
            (is_anomalous || followed.contains(&finding.kind)).then(|| observation(finding, settled, now))
        });
        let observations = Observations {
            seen: seen.collect(),
            // Of a kind nobody has asked for nothing is known.
            all_of: Some(Subject::TRACE.to_owned()),
            shards: None,
            pass: None,
        };
        if !observations.seen.is_empty() || !followed.is_empty() {
            self.inlet.report(FinderReport::Seen(Box::new(observations)));
        }
    }
}

fn observation(finding: RequestFinding, settled: &[String], now: f64) -> Observation {
    let subject = Subject::Trace(finding.kind.clone());
    let share = finding.share();
    let outcome = match finding.worst.as_ref().filter(|_| finding.strength >= 1.0) {
        Some(worst) => ObservedOutcome::Anomalous(Box::new(anomaly(&subject, &finding, worst, now))),
        None if settled.contains(&finding.kind) => ObservedOutcome::Settled {
            at: now,
            value: share,
            before: f64::NAN,
        },
        None => ObservedOutcome::Normal {
            at: now,
            value: share,
        },
    };
    Observation { subject, outcome }
}

fn anomaly(subject: &Subject, finding: &RequestFinding, worst: &UnusualTrace, now: f64) -> Anomaly {
    let share = finding.share();
    let severity = match share >= CRITICAL_SHARE && finding.anomalous >= CRITICAL_TRACES {
        true => Severity::Critical,
        false => Severity::Warning,
    };
    let expected = Expected {
        low: 0.0,
        high: finding.limit,
        centre: finding.usual,
    };
    let blamed: u64 = finding.services.iter().map(|(_, traces)| traces).sum();
    let contributors = finding.services.iter().map(|(service, traces)| Contributor {
        name: service.clone(),
        weight: *traces as f64 / blamed.max(1) as f64,
    });
    let RequestFinding {
        anomalous, judged, ..
    } = finding;
    let sentence = format!(
        "{anomalous} of {judged} traces are unusual; trace {}: {}",
        worst.id, worst.sentence
    );
    Anomaly::new(subject.clone(), severity, now)
        .with_value(share, Some(expected))
        .with_evidence(Evidence::Trace(evidence(&worst.trace, &worst.guilty)))
        .with_contributors(contributors.collect())
        .with_label("trace", worst.id.to_string())
        .with_sentence(sentence)
        .with_strength(Strength {
            score: finding.strength,
            opens: true,
        })
}

/// The spans to blame, those above them, and as many others as are shown.
fn evidence(trace: &AssembledTrace, guilty: &[usize]) -> TraceEvidence {
    let mut shown = vec![trace.spans.len() <= SPANS_SHOWN; trace.spans.len()];
    for place in guilty.iter().take(SPANS_SHOWN) {
        let mut next = Some(*place);
        while let Some(place) = next.filter(|place| !std::mem::replace(&mut shown[*place], true)) {
            next = trace.spans[place].above;
        }
    }
    let spans = trace.spans.iter().enumerate().filter(|(place, _)| shown[*place]);
    let spans = spans.take(SPANS_SHOWN).map(|(place, linked)| SpanEvidence {
        service: linked.span.service.to_string(),
        operation: linked.span.operation.to_string(),
        start: linked.span.start as f64 / 1e9,
        seconds: linked.span.duration as f64 / 1e9,
        is_anomalous: guilty.contains(&place),
    });
    TraceEvidence {
        id: trace.id.to_string(),
        spans: spans.collect(),
    }
}
