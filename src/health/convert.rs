//! Between messages and what the plane keeps. Whatever comes in is checked here, before anything is changed.

use prost_types::Timestamp;
use skywatch_algorithms::verdicts::{
    Assessment, HealthEvidence, HealthObservation, HealthState, HealthView, Inference, SECOND, Standing,
    Status, observer_kind,
};

use super::idl::{panorama, verdicts};
use super::limits::{HealthLimits, HealthRefusal};
use super::plane::{Incoming, PlaneChange, Views};

/// A report as it came, checked; its names are those of the message.
pub(crate) fn incoming<'m>(
    report: Option<&'m panorama::Report>,
    limits: &HealthLimits,
    now: i64,
) -> Result<Incoming<'m>, HealthRefusal> {
    let report = report.ok_or(HealthRefusal::Missing("the report"))?;
    let observation = report
        .observation
        .as_ref()
        .ok_or(HealthRefusal::Missing("the observation"))?;
    let at = nanoseconds(
        observation
            .ts
            .as_ref()
            .ok_or(HealthRefusal::Missing("the time"))?,
    )?;
    let ahead = at.saturating_sub(now);
    if ahead > limits.ahead {
        return Err(HealthRefusal::Future {
            seconds: ahead / SECOND,
        });
    }
    if observation.metrics.len() > limits.metrics {
        return Err(HealthRefusal::TooManyMetrics {
            given: observation.metrics.len(),
            limit: limits.metrics,
        });
    }
    let mut metrics = Vec::with_capacity(observation.metrics.len());
    for (name, metric) in &observation.metrics {
        let value = metric.value.as_ref().ok_or(HealthRefusal::Missing("a value"))?;
        let status = Status::from_number(value.status).filter(|status| *status != Status::Invalid);
        let status = status.ok_or(HealthRefusal::Status(value.status))?;
        if !value.score.is_finite() {
            return Err(HealthRefusal::Score);
        }
        metrics.push((name_of("a metric", name, limits)?, status, value.score));
    }
    Ok(Incoming {
        observer: name_of("an observer", &report.observer, limits)?,
        subject: name_of("a subject", &report.subject, limits)?,
        at,
        metrics,
    })
}

/// A name, if it is one.
pub(crate) fn name_of<'m>(
    what: &'static str,
    name: &'m str,
    limits: &HealthLimits,
) -> Result<&'m str, HealthRefusal> {
    if name.is_empty() {
        return Err(HealthRefusal::Missing(what));
    }
    if name.len() > limits.name {
        return Err(HealthRefusal::NameTooLong {
            what,
            length: name.len(),
            limit: limits.name,
        });
    }
    Ok(name)
}

/// Unix nanoseconds of a time, if they fit 64 bits: 1678 to 2262.
pub(crate) fn nanoseconds(time: &Timestamp) -> Result<i64, HealthRefusal> {
    if !(0..SECOND).contains(&i64::from(time.nanos)) {
        return Err(HealthRefusal::Time);
    }
    let whole = time.seconds.checked_mul(SECOND);
    whole
        .and_then(|whole| whole.checked_add(i64::from(time.nanos)))
        .ok_or(HealthRefusal::Time)
}

/// The time of Unix nanoseconds.
#[must_use]
pub fn timestamp(at: i64) -> Timestamp {
    Timestamp {
        seconds: at.div_euclid(SECOND),
        // Below a second, so it fits.
        nanos: at.rem_euclid(SECOND) as i32,
    }
}

pub(crate) fn observation(seen: &HealthObservation) -> panorama::Observation {
    metrics_at(seen.at(), seen.metrics())
}

fn metrics_at(at: i64, metrics: &[skywatch_algorithms::verdicts::HealthMetric]) -> panorama::Observation {
    let metrics = metrics.iter().map(|metric| {
        let value = panorama::Value {
            status: metric.status as i32,
            score: metric.score,
        };
        let message = panorama::Metric {
            name: metric.name.to_string(),
            value: Some(value),
        };
        (metric.name.to_string(), message)
    });
    panorama::Observation {
        ts: Some(timestamp(at)),
        metrics: metrics.collect(),
    }
}

pub(crate) fn report(subject: &str, observer: &str, seen: &HealthObservation) -> panorama::Report {
    panorama::Report {
        observer: observer.to_owned(),
        subject: subject.to_owned(),
        observation: Some(observation(seen)),
    }
}

pub(crate) fn view(subject: &str, observer: &str, view: &HealthView) -> panorama::View {
    panorama::View {
        observer: observer.to_owned(),
        subject: subject.to_owned(),
        observations: view.iter().map(observation).collect(),
    }
}

pub(crate) fn panorama(subject: &str, views: &Views) -> panorama::Panorama {
    let views = views
        .iter()
        .map(|(observer, kept)| (observer.to_string(), view(subject, observer, kept)));
    panorama::Panorama {
        subject: subject.to_owned(),
        views: views.collect(),
    }
}

pub(crate) fn inference(subject: &str, inferred: &Inference) -> panorama::Inference {
    panorama::Inference {
        subject: subject.to_owned(),
        observers: inferred.observers.iter().map(ToString::to_string).collect(),
        observation: Some(metrics_at(inferred.at, &inferred.metrics)),
    }
}

pub(crate) fn state(state: HealthState) -> verdicts::State {
    match state {
        HealthState::Healthy => verdicts::State::Healthy,
        HealthState::Unknown => verdicts::State::Unknown,
        HealthState::Suspected => verdicts::State::Suspected,
        HealthState::Overdue => verdicts::State::Overdue,
        HealthState::Gray => verdicts::State::Gray,
        HealthState::Unhealthy => verdicts::State::Unhealthy,
    }
}

pub(crate) fn evidence(vote: &HealthEvidence) -> verdicts::Evidence {
    let standing = match vote.standing {
        Standing::Failing => verdicts::Standing::Failing,
        Standing::Overdue => verdicts::Standing::OverdueRequest,
        Standing::Doubt => verdicts::Standing::Doubt,
        Standing::Working => verdicts::Standing::Working,
        Standing::Waiting => verdicts::Standing::Waiting,
        Standing::Expired => verdicts::Standing::Expired,
    };
    verdicts::Evidence {
        observer: vote.observer.to_string(),
        metric: vote.metric.to_string(),
        status: vote.status as i32,
        score: vote.score,
        ts: Some(timestamp(vote.at)),
        standing: standing.into(),
        kind: observer_kind(&vote.observer).to_owned(),
    }
}

pub(crate) fn verdict(subject: &str, found: &super::plane::SubjectVerdict) -> verdicts::Verdict {
    let assessment: &Assessment = &found.assessment;
    verdicts::Verdict {
        subject: subject.to_owned(),
        state: state(found.state).into(),
        since: Some(timestamp(found.since)),
        worst: assessment.worst as i32,
        evidence: assessment.evidence.iter().map(evidence).collect(),
        flapping: found.flapping,
    }
}

pub(crate) fn transition(change: &PlaneChange) -> verdicts::Transition {
    verdicts::Transition {
        subject: change.subject.to_string(),
        from: state(change.transition.from).into(),
        to: state(change.transition.to).into(),
        ts: Some(timestamp(change.transition.at)),
        flapping: change.transition.flapping,
        evidence: change.evidence.iter().map(evidence).collect(),
    }
}
