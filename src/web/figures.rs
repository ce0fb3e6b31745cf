//! `/metrics`: the self-metrics in the OpenMetrics text format.
//!
//! The same figures that go to Graphite, with labels in place of dotted parts. [`FAMILIES`] says which dotted name is which
//! family.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::figure_families::{FAMILIES, FigureFamily, FigureKind, LabelPairs, labels_of};
use crate::status::{
    AnalyzerStatus, DispatchStatus, EntitiesStatus, EventsStatus, HealthStatus, IngestStatus, OutliersStatus,
    TracesStatus,
};

/// Seconds for which verdicts in a report of the health plane count: it makes one each five.
const VERDICTS_COUNT_FOR: f64 = 60.0;

/// Values with their labels, by the place of their family in the table.
#[derive(Debug, Default)]
struct Figures(BTreeMap<usize, Vec<(LabelPairs, f64)>>);

impl Figures {
    fn add(&mut self, name: &str, value: f64) {
        let mut families = FAMILIES.iter().enumerate();
        let found = families.find_map(|(place, family)| Some((place, labels_of(family, name)?)));
        match found {
            Some((place, labels)) => self.0.entry(place).or_default().push((labels, value)),
            // A status file of another version of ours.
            None => tracing::debug!("the figure `{name}` is of no family"),
        }
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (place, values) in &self.0 {
            let FigureFamily { name, kind, help, .. } = FAMILIES[*place];
            let metric_type = match kind {
                FigureKind::Gauge => MetricType::Gauge,
                FigureKind::Counter => MetricType::Counter,
            };
            for_each_value(
                encoder.encode_descriptor(name, help, None, metric_type)?,
                kind,
                values,
            )?;
        }
        Ok(())
    }
}

fn for_each_value(
    mut encoder: MetricEncoder<'_>,
    kind: FigureKind,
    values: &[(LabelPairs, f64)],
) -> fmt::Result {
    let write = |value: f64, encoder: MetricEncoder<'_>| match kind {
        FigureKind::Gauge => ConstGauge::new(value).encode(encoder),
        // Counts of a few quintillions are not reached.
        FigureKind::Counter => ConstCounter::new(value as u64).encode(encoder),
    };
    match values {
        [(labels, value)] if labels.is_empty() => write(*value, encoder),
        _ => values
            .iter()
            .try_for_each(|(labels, value)| write(*value, encoder.encode_family(labels)?)),
    }
}

/// What each role last said.
#[derive(Debug, Default)]
pub(super) struct RoleReports {
    pub(super) analyzer: AnalyzerStatus,
    pub(super) ingest: IngestStatus,
    pub(super) health: HealthStatus,
    pub(super) traces: TracesStatus,
    pub(super) entities: EntitiesStatus,
    pub(super) events: EventsStatus,
    pub(super) outliers: OutliersStatus,
    pub(super) dispatch: DispatchStatus,
}

/// All figures as text, as of `now`, Unix seconds.
///
/// # Errors
/// The encoder's, which writes to memory and has no reason to fail.
pub(super) fn text(reports: &RoleReports, now: f64) -> Result<String, fmt::Error> {
    let RoleReports {
        analyzer,
        ingest,
        health,
        traces,
        entities,
        events,
        outliers,
        dispatch,
    } = reports;
    let mut figures = Figures::default();
    if let Some(pass) = &analyzer.pass {
        for (name, value) in pass.self_metrics() {
            figures.add(&format!("analyzer.{name}"), value);
        }
        figures.add("analyzer.last_pass", pass.at);
    }
    let in_trouble = !analyzer.ailments(now).is_empty();
    figures.add("analyzer.in_trouble", f64::from(u8::from(in_trouble)));
    for (name, value) in &ingest.counters {
        figures.add(&format!("ingest.{name}"), *value as f64);
    }
    for (name, value) in &traces.counters {
        figures.add(&format!("traces.{name}"), *value as f64);
    }
    for (name, value) in &entities.counters {
        figures.add(&format!("entities.{name}"), *value as f64);
    }
    for (name, value) in &events.counters {
        figures.add(&format!("events.{name}"), *value as f64);
    }
    for (name, value) in &outliers.counters {
        figures.add(&format!("outliers.{name}"), *value as f64);
    }
    for (name, value) in &dispatch.counters {
        figures.add(&format!("dispatch.{name}"), *value as f64);
    }
    // A report that was never written has no age.
    if ingest.at > 0.0 {
        figures.add("ingest.last_report", ingest.at);
    }
    if let Some(at) = ingest.last_point {
        figures.add("ingest.last_point", at);
    }
    for (name, value) in &health.counters {
        figures.add(&format!("health.{name}"), *value as f64);
    }
    // What an old report says of now is nothing.
    if now - health.at < VERDICTS_COUNT_FOR {
        for (name, value) in &health.verdicts {
            figures.add(&format!("health.{name}"), *value);
        }
    }
    if health.at > 0.0 {
        figures.add("health.last_report", health.at);
    }
    let mut registry = Registry::with_prefix("skywatch");
    registry.register_collector(Box::new(figures));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{DialOptions, HealthServer, Options, Retention, ServerOptions};
    use crate::ingest::Counters;
    use crate::net::listeners::Service;
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
        let health = HealthStatus {
            at: 0.0,
            counters: vec![("refused.time".to_owned(), 3), ("peer.b.waiting".to_owned(), 4)],
            verdicts: vec![
                ("verdict.redis_main".to_owned(), 4.0),
                ("verdict.redis_main.write".to_owned(), 0.5),
            ],
        };
        let reports = RoleReports {
            analyzer,
            ingest,
            health,
            ..RoleReports::default()
        };
        let text = text(&reports, 0.0).expect("encodes");
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
            "skywatch_health_refused_total{reason=\"time\"} 3",
            "skywatch_health_peer_waiting{peer=\"b\"} 4.0",
            "skywatch_health_verdict{subject=\"redis_main\"} 4.0",
            "skywatch_health_score{subject=\"redis_main\",metric=\"write\"} 0.5",
            "skywatch_analyzer_in_trouble 0.0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} not in\n{text}");
        }
    }

    /// Those of a health plane with a file and a peer.
    fn health_figures() -> Vec<(String, u64)> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = ServerOptions {
            id: "a".to_owned(),
            address: String::new(),
            peers: [("b".to_owned(), "127.0.0.1:1".to_owned())].into(),
            dial: DialOptions::default(),
            subjects: Vec::new(),
            file: Some(folder.path().join("health.sqlite")),
            retention: Retention::default(),
            collection: None,
            plane: Options::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let _context = runtime.as_ref().expect("a runtime").enter();
        HealthServer::start(options).expect("a server").figures()
    }

    #[test]
    fn every_figure_has_a_family_and_none_has_two() {
        let one = || [("one".to_owned(), 1)].into();
        let pass = PassSummary {
            exceptions: one(),
            breakdown: one(),
            timings: [("one".to_owned(), crate::status::Timing::default())].into(),
            ..PassSummary::default()
        };
        let analyzer = pass
            .self_metrics()
            .into_iter()
            .map(|(name, _)| format!("analyzer.{name}"));
        let services: Vec<_> = Service::ALL
            .iter()
            .copied()
            .filter(|service| service.takes_points)
            .collect();
        let counters = Counters::default().snapshot(&services, 0.0);
        let ingest = counters.into_iter().map(|(name, _)| format!("ingest.{name}"));
        let health = health_figures();
        let health = health.into_iter().map(|(name, _)| format!("health.{name}"));
        let traces = crate::traces::every_counter().into_iter();
        let traces = traces.map(|name| format!("traces.{name}"));
        let entities = crate::entities::every_counter().into_iter();
        let entities = entities.map(|name| format!("entities.{name}"));
        let events = crate::events::every_counter().into_iter();
        let events = events.map(|name| format!("events.{name}"));
        #[cfg(feature = "learned")]
        let outliers = crate::outliers::every_counter().into_iter();
        #[cfg(not(feature = "learned"))]
        let outliers = Vec::new().into_iter();
        let outliers = outliers.map(|name: String| format!("outliers.{name}"));
        let dispatch = crate::dispatch::every_counter().into_iter();
        let dispatch = dispatch.map(|name| format!("dispatch.{name}"));
        let all = analyzer
            .chain(outliers)
            .chain(ingest)
            .chain(health)
            .chain(traces)
            .chain(entities)
            .chain(events)
            .chain(dispatch);
        for name in all {
            let families = FAMILIES
                .iter()
                .filter(|family| labels_of(family, &name).is_some());
            assert_eq!(families.count(), 1, "{name}");
        }
    }

    #[test]
    fn what_never_was_has_no_time() {
        let text = text(&RoleReports::default(), 0.0).expect("encodes");
        assert!(!text.contains("timestamp"), "{text}");
    }
}
