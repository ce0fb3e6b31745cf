//! What a Prometheus is asked for: one question a metric, for all entities at once.

use std::fmt::Write as _;
use std::sync::Arc;

use skywatch_settings::{Entities, EntityMetricForm};

/// Steps over which the growth of a counter is measured, and seconds at least: some samples must lie in it.
const RATE_STEPS: u64 = 4;
const LEAST_RATE_SECONDS: u64 = 120;

/// The label by which gala-gopher, and readers of its events, tell machines apart.
pub(super) const MACHINE_ID: &str = "machine_id";

/// A metric and the question for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityQuery {
    pub(super) metric: Arc<str>,
    pub(super) promql: String,
}

/// The questions that settings ask.
pub(super) fn queries(settings: &Entities) -> Vec<EntityQuery> {
    let by = settings.labels.join(", ");
    let matchers = matchers(settings);
    let rate = (settings.step.as_secs() * RATE_STEPS).max(LEAST_RATE_SECONDS);
    let question = |name: &str, form: EntityMetricForm<'_>| match form {
        EntityMetricForm::Aggregated(how) => format!("{how} by ({by}) ({name}{matchers})"),
        EntityMetricForm::Rate => format!("sum by ({by}) (rate({name}{matchers}[{rate}s]))"),
        EntityMetricForm::Expression(expression) => expression.to_owned(),
    };
    let all = settings.metrics().map(|metric| EntityQuery {
        metric: metric.name.into(),
        promql: question(metric.name, metric.form),
    });
    all.collect()
}

/// The question for a metric of all machines.
pub(super) fn of_machines(settings: &Entities, metric: &str) -> EntityQuery {
    let matchers = matchers(settings);
    EntityQuery {
        metric: metric.into(),
        promql: format!("avg by ({MACHINE_ID}) ({metric}{matchers})"),
    }
}

/// Exact matchers, whatever their values hold; nothing for none.
pub(super) fn matchers(settings: &Entities) -> String {
    matchers_and(settings, None)
}

/// The same with one label more.
pub(super) fn matchers_and(settings: &Entities, label: Option<(&String, &String)>) -> String {
    let mut text = String::new();
    let label = label.map(|(label, value)| (label.as_str(), value.as_str()));
    for (label, value) in settings.matchers().chain(label) {
        let begin = if text.is_empty() { '{' } else { ',' };
        // Prometheus reads Go's texts, whose escapes for these are JSON's. Writing to a string cannot fail.
        let _ = write!(text, "{begin}{label}={}", serde_json::Value::from(value));
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_matched_exactly_whatever_they_hold() {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        let settings = Entities {
            metrics: texts(&["load", "max(temp)", "rate(bytes_total)", "up=max by (pod) (up)"]),
            labels: texts(&["namespace", "pod"]),
            matchers: texts(&["job=no.de|\"}", "dc=\\a\n"]),
            ..Entities::default()
        };
        let asked: Vec<_> = queries(&settings).into_iter().map(|query| query.promql).collect();
        let matchers = r#"{job="no.de|\"}",dc="\\a\n"}"#;
        assert_eq!(
            asked,
            [
                format!("avg by (namespace, pod) (load{matchers})"),
                format!("max by (namespace, pod) (temp{matchers})"),
                format!("sum by (namespace, pod) (rate(bytes_total{matchers}[240s]))"),
                "max by (pod) (up)".to_owned(),
            ]
        );
        let bare = Entities {
            metrics: texts(&["load"]),
            ..Entities::default()
        };
        assert_eq!(queries(&bare)[0].promql, "avg by (instance) (load)");
    }
}
