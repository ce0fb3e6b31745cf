//! `/metrics`: the self-metrics in the OpenMetrics text format.
//!
//! The same figures that go to Graphite, with labels in place of dotted parts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::status::{AnalyzerStatus, IngestStatus};

type Labels = Vec<(String, String)>;
type Figure = Family<Labels, Gauge<f64, AtomicU64>>;
type Counted = Family<Labels, Counter<u64>>;
/// Values with their labels, by the name of their family.
type Families = BTreeMap<String, Vec<(Labels, f64)>>;

/// All figures as text, as of `now`, Unix seconds.
///
/// # Errors
/// The encoder's, which writes to memory and has no reason to fail.
pub(super) fn text(analyzer: &AnalyzerStatus, ingest: &IngestStatus, now: f64) -> Result<String, fmt::Error> {
    let mut families = Families::new();
    let mut add = |family: String, labels: Labels, value: f64| {
        families.entry(family).or_default().push((labels, value));
    };
    if let Some(pass) = &analyzer.pass {
        for (name, value) in pass.self_metrics() {
            let (family, labels) = of_analyzer(&name);
            add(format!("analyzer_{family}"), labels, value);
        }
        add(
            "analyzer_last_pass_timestamp_seconds".to_owned(),
            Vec::new(),
            pass.at,
        );
    }
    add(
        "analyzer_in_trouble".to_owned(),
        Vec::new(),
        f64::from(u8::from(!analyzer.ailments(now).is_empty())),
    );
    for (name, value) in &ingest.counters {
        let (family, labels) = of_ingest(name);
        add(format!("ingest_{family}"), labels, *value as f64);
    }
    // A report that was never written has no age.
    let report = Some(ingest.at).filter(|at| *at > 0.0);
    for (what, at) in [("report", report), ("point", ingest.last_point)] {
        if let Some(at) = at {
            add(format!("ingest_last_{what}_timestamp_seconds"), Vec::new(), at);
        }
    }
    let mut registry = Registry::with_prefix("skywatch");
    for (name, values) in families {
        let help = name.replace('_', " ");
        if is_counter(&name) {
            // The encoder adds `_total`, as the format asks.
            let counted = Counted::default();
            let plain = Counter::<u64>::default();
            let mut labelled = false;
            for (labels, value) in &values {
                // Counts of a few quintillions are not reached.
                let count = *value as u64;
                if labels.is_empty() {
                    plain.inc_by(count);
                } else {
                    labelled = true;
                    counted.get_or_create(labels).inc_by(count);
                }
            }
            if labelled {
                registry.register(name, help, counted);
            } else {
                registry.register(name, help, plain);
            }
            continue;
        }
        match values.as_slice() {
            [(labels, value)] if labels.is_empty() => {
                let figure = Gauge::<f64, AtomicU64>::default();
                figure.set(*value);
                registry.register(name, help, figure);
            }
            values => {
                let figure = Figure::default();
                for (labels, value) in values {
                    figure.get_or_create(labels).set(*value);
                }
                registry.register(name, help, figure);
            }
        }
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Whether a figure only ever grows until its process starts anew. Those of a pass are about that pass.
fn is_counter(family: &str) -> bool {
    match family.strip_prefix("ingest_") {
        Some(rest) => {
            !rest.starts_with("last_") && !matches!(rest, "waiting" | "oldest_waiting_ms" | "waiting_bytes")
        }
        None => matches!(family, "analyzer_memory_dropped" | "analyzer_memory_failed"),
    }
}

/// `exceptions.Boring` becomes `exceptions` with a label, and so on.
fn of_analyzer(name: &str) -> (String, Labels) {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["exceptions", which] => ("exceptions".to_owned(), label("exception", which)),
        ["anomaly_breakdown", detector] => ("anomaly_breakdown".to_owned(), label("detector", detector)),
        ["algorithm_breakdown", detector, "timing", figure] => {
            (format!("detector_{figure}"), label("detector", detector))
        }
        _ => (name.to_owned(), Vec::new()),
    }
}

/// `dropped.malformed` becomes `dropped` with a reason, and `listener.carbon.dropped.malformed` `listener_dropped` with both:
/// families of their own, so that nobody adds sums to what they are sums of.
fn of_ingest(name: &str) -> (String, Labels) {
    let with_reason = |name: &str| match name.split_once('.') {
        Some((kind, reason)) => (kind.to_owned(), label("reason", reason)),
        None => (name.to_owned(), Vec::new()),
    };
    let Some((listener, name)) = name
        .strip_prefix("listener.")
        .and_then(|rest| rest.split_once('.'))
    else {
        return with_reason(name);
    };
    let (family, reason) = with_reason(name);
    let mut labels = label("listener", listener);
    labels.extend(reason);
    (format!("listener_{family}"), labels)
}

fn label(key: &str, value: &str) -> Labels {
    vec![(key.to_owned(), value.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::PassSummary;

    #[test]
    fn dotted_names_become_labels() {
        let pass = PassSummary {
            exceptions: [("Boring".to_owned(), 3), ("Stale".to_owned(), 1)].into(),
            ..PassSummary::default()
        };
        let analyzer = AnalyzerStatus {
            pass: Some(pass),
            ..AnalyzerStatus::default()
        };
        let ingest = IngestStatus {
            counters: vec![
                ("dropped.malformed".to_owned(), 2),
                ("waiting".to_owned(), 7),
                ("listener.pickle.received".to_owned(), 5),
                ("listener.pickle.dropped.malformed".to_owned(), 2),
            ],
            at: 1_700_000_000.5,
            last_point: Some(1_699_999_999.25),
            held_up: None,
        };
        let text = text(&analyzer, &ingest, 0.0).expect("encodes");
        for line in [
            "skywatch_analyzer_exceptions{exception=\"Boring\"} 3.0",
            "skywatch_analyzer_exceptions{exception=\"Stale\"} 1.0",
            "skywatch_ingest_dropped_total{reason=\"malformed\"} 2",
            "# TYPE skywatch_ingest_dropped counter",
            "# TYPE skywatch_ingest_waiting gauge",
            "skywatch_ingest_waiting 7.0",
            "skywatch_ingest_listener_received_total{listener=\"pickle\"} 5",
            "skywatch_ingest_listener_dropped_total{listener=\"pickle\",reason=\"malformed\"} 2",
            "skywatch_ingest_last_report_timestamp_seconds 1700000000.5",
            "skywatch_ingest_last_point_timestamp_seconds 1699999999.25",
            "skywatch_analyzer_in_trouble 0.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} not in\n{text}");
        }
    }

    #[test]
    fn what_never_was_has_no_time() {
        let text = text(&AnalyzerStatus::default(), &IngestStatus::default(), 0.0).expect("encodes");
        assert!(!text.contains("timestamp"), "{text}");
    }
}
