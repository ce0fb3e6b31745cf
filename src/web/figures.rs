//! `/metrics`: the self-metrics in the OpenMetrics text format.
//!
//! The same figures that go to Graphite, with labels in place of dotted parts. [`FAMILIES`] says which dotted name is which
//! family; names that people scrape stay.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::status::{
    AnalyzerStatus, DispatchStatus, EntitiesStatus, EventsStatus, HealthStatus, IngestStatus, OutliersStatus,
    TracesStatus,
};

/// Seconds for which verdicts in a report of the health plane count: it makes one each five.
const VERDICTS_COUNT_FOR: f64 = 60.0;

/// One family of figures.
#[derive(Debug)]
struct FigureFamily {
    /// Below `skywatch_`.
    name: &'static str,
    kind: FigureKind,
    /// The name that goes to Graphite, below the prefix; a part in braces is the label of that name.
    dotted: &'static str,
    /// What it is, in what unit.
    help: &'static str,
}

/// What a figure does with time.
#[derive(Debug, Clone, Copy)]
enum FigureKind {
    /// Goes up and down.
    Gauge,
    /// Only grows until its process starts again. The format adds `_total`.
    Counter,
}

const fn gauge(name: &'static str, dotted: &'static str, help: &'static str) -> FigureFamily {
    let kind = FigureKind::Gauge;
    FigureFamily {
        name,
        kind,
        dotted,
        help,
    }
}

const fn counter(name: &'static str, dotted: &'static str, help: &'static str) -> FigureFamily {
    let kind = FigureKind::Counter;
    FigureFamily {
        name,
        kind,
        dotted,
        help,
    }
}

/// All families there are. Dotted names begin with the process they come from.
#[rustfmt::skip] // A table, a family a line.
const FAMILIES: &[FigureFamily] = &[
    gauge("analyzer_run_time", "analyzer.run_time", "Seconds the last pass took"),
    gauge("analyzer_total_analyzed", "analyzer.total_analyzed", "Metrics with a verdict"),
    gauge("analyzer_total_anomalies", "analyzer.total_anomalies", "Anomalous metrics"),
    gauge("analyzer_total_metrics", "analyzer.total_metrics", "Known metrics"),
    gauge("analyzer_duration", "analyzer.duration", "Hours in the canary metric's window"),
    gauge("analyzer_projected", "analyzer.projected", "Seconds a pass would take over full windows"),
    gauge("analyzer_refetched", "analyzer.refetched", "Cached windows that were read whole"),
    gauge("analyzer_unfinished", "analyzer.unfinished", "Metrics the deadline or a lost store left over"),
    gauge("analyzer_retried", "analyzer.retried", "Questions asked of the store once more"),
    gauge("analyzer_unusable_points", "analyzer.unusable_points", "Stored points no window can use"),
    gauge("analyzer_late_points", "analyzer.late_points", "Points that came behind later ones"),
    gauge("analyzer_cached_bytes", "analyzer.cached_bytes", "Bytes of cached windows"),
    gauge("analyzer_without_room", "analyzer.without_room", "Windows read whole for want of room in the cache"),
    gauge("analyzer_warming", "analyzer.warming", "Metrics with too few points to be judged"),
    gauge("analyzer_unlearnt", "analyzer.unlearnt", "Metrics judged by classic votes until they are learnt"),
    counter("analyzer_memory_dropped", "analyzer.memory_dropped", "Records of the baseline that were damaged"),
    counter("analyzer_memory_failed", "analyzer.memory_failed", "Failed reads and writes of the baseline"),
    gauge("analyzer_held", "analyzer.held", "Metrics of which the store holds enough to judge them"),
    gauge("analyzer_troubles", "analyzer.troubles", "What is wrong with the store and what it holds"),
    gauge("analyzer_exceptions", "analyzer.exceptions.{exception}", "Metrics without a verdict"),
    gauge("analyzer_anomaly_breakdown", "analyzer.anomaly_breakdown.{detector}", "Votes among the anomalies"),
    gauge("analyzer_detector_times_run", "analyzer.algorithm_breakdown.{detector}.timing.times_run", "Times asked in the last pass"),
    gauge("analyzer_detector_total_time", "analyzer.algorithm_breakdown.{detector}.timing.total_time", "Seconds it took in all"),
    gauge("analyzer_detector_median_time", "analyzer.algorithm_breakdown.{detector}.timing.median_time", "Seconds it took for a metric, median"),
    gauge("analyzer_last_pass_timestamp_seconds", "analyzer.last_pass", "The last pass, Unix seconds"),
    gauge("analyzer_in_trouble", "analyzer.in_trouble", "1 if something is wrong"),
    counter("ingest_received", "ingest.received", "Points that reached us"),
    counter("ingest_accepted", "ingest.accepted", "Points put into the queue"),
    counter("ingest_written", "ingest.written", "Points the store has taken"),
    counter("ingest_retried", "ingest.retried", "Points sent to the store once more"),
    counter("ingest_connections", "ingest.connections", "Connections that came"),
    counter("ingest_connections_refused", "ingest.connections_refused", "Connections turned away"),
    counter("ingest_connections_evicted", "ingest.connections_evicted", "Connections closed for another one"),
    counter("ingest_accepts_failed", "ingest.accepts_failed", "Connections that could not be accepted"),
    counter("ingest_binds_failed", "ingest.binds_failed", "Addresses that could not be bound"),
    counter("ingest_dropped", "ingest.dropped.{reason}", "Points that were not stored"),
    counter("ingest_trim", "ingest.trim.{reason}", "What trimming has done"),
    gauge("ingest_waiting", "ingest.waiting", "Points in the queue and with the writer"),
    gauge("ingest_oldest_waiting_ms", "ingest.oldest_waiting_ms", "Age of the oldest of them, milliseconds"),
    // Families of their own, so that nobody adds sums to what they are sums of.
    counter("ingest_listener_received", "ingest.listener.{listener}.received", "Points that reached us"),
    counter("ingest_listener_accepted", "ingest.listener.{listener}.accepted", "Points put into the queue"),
    counter("ingest_listener_written", "ingest.listener.{listener}.written", "Points the store has taken"),
    counter("ingest_listener_retried", "ingest.listener.{listener}.retried", "Points sent to the store once more"),
    counter("ingest_listener_connections", "ingest.listener.{listener}.connections", "Connections that came"),
    counter("ingest_listener_connections_refused", "ingest.listener.{listener}.connections_refused", "Connections turned away"),
    counter("ingest_listener_connections_evicted", "ingest.listener.{listener}.connections_evicted", "Connections closed for another one"),
    counter("ingest_listener_accepts_failed", "ingest.listener.{listener}.accepts_failed", "Connections that could not be accepted"),
    counter("ingest_listener_binds_failed", "ingest.listener.{listener}.binds_failed", "Times its address could not be bound"),
    counter("ingest_listener_dropped", "ingest.listener.{listener}.dropped.{reason}", "Points that were not stored"),
    counter("health_accepted", "health.accepted", "Reports taken of observers of this server"),
    counter("health_learned", "health.learned", "Reports taken from peers"),
    counter("health_ignored", "health.ignored", "Reports of peers about subjects nobody here is interested in"),
    counter("health_repeated", "health.repeated", "Reports of peers that had come before"),
    counter("health_unkept", "health.unkept", "Answers given while the disk took nothing"),
    counter("health_sent", "health.sent", "Reports that peers have taken"),
    counter("health_unsent", "health.unsent", "Reports given up on their way to a peer"),
    counter("health_refused", "health.refused.{reason}", "Reports and questions refused"),
    counter("health_unheld", "health.unheld", "Reports given up while they were held"),
    counter("health_rows_written", "health.rows_written", "Rows put into the file"),
    counter("health_rows_lost", "health.rows_lost", "Rows given up, as the disk took nothing for too long"),
    counter("health_write_failures", "health.write_failures", "Times the disk took nothing"),
    gauge("health_subjects", "health.subjects", "Subjects with a report or a watcher"),
    gauge("health_observers", "health.observers", "Observers with a handle"),
    gauge("health_observations", "health.observations", "Observations in views"),
    gauge("health_memory_bytes", "health.memory_bytes", "Estimated bytes of them"),
    gauge("health_held", "health.held", "Reports held of what is not watched"),
    gauge("health_states", "health.states.{state}", "Watched subjects in this state"),
    gauge("health_verdict", "health.verdict.{subject}", "0 healthy, 1 unknown, 2 suspected, 3 overdue, 4 gray, 5 unhealthy"),
    gauge("health_score", "health.verdict.{subject}.{metric}", "Score of the worst vote that counts, 0 to 100"),
    gauge("health_peer_waiting", "health.peer.{peer}.waiting", "Reports that wait for a peer"),
    gauge("health_last_report_timestamp_seconds", "health.last_report", "The last report, Unix seconds"),
    counter("outliers_requests", "outliers.requests", "Requests to the outlier service"),
    counter("outliers_answered", "outliers.answered", "Requests that were answered"),
    counter("outliers_by_model", "outliers.by_model", "Requests a model has judged"),
    counter("outliers_by_detector", "outliers.by_detector", "Requests a detector without a model has judged"),
    counter("outliers_unknown_sensors", "outliers.unknown_sensors", "Requests about sensors without a model"),
    counter("outliers_unknown_models", "outliers.unknown_models", "Requests for models that are not there"),
    counter("outliers_points", "outliers.points", "Points that were judged"),
    counter("outliers_outliers", "outliers.outliers", "Points that were outliers"),
    counter("outliers_druid_queries", "outliers.druid_queries", "Queries that went to Druid"),
    counter("outliers_address_requests", "outliers.address_requests", "Requests for the addresses behind an outlier"),
    counter("outliers_refused", "outliers.refused.{reason}", "Requests that were not answered"),
    counter("outliers_rows", "outliers.rows.{reason}", "Rows that were left out of what was judged"),
    counter("traces_spans_received", "traces.spans.received", "Spans that reached us"),
    counter("traces_spans_taken", "traces.spans.taken", "Spans of traces that were, or will be, looked at"),
    counter("traces_spans_dropped", "traces.spans.dropped.{reason}", "Spans that were not taken"),
    counter("traces_normal", "traces.normal", "Traces that are as others were"),
    counter("traces_anomalous", "traces.anomalous", "Traces that are not"),
    counter("traces_unjudged", "traces.unjudged", "Traces nobody could judge"),
    counter("traces_completed", "traces.completed", "Traces that were complete"),
    counter("traces_partial", "traces.partial", "Traces that were closed while spans were missing"),
    counter("traces_duplicate_spans", "traces.duplicate_spans", "Spans that came more than once"),
    counter("traces_orphan_spans", "traces.orphan_spans", "Spans whose parent did not come"),
    counter("traces_span_loops", "traces.span_loops", "Loops of spans that are each other's ancestors"),
    counter("traces_kept", "traces.kept", "Traces written to the disk"),
    counter("traces_not_kept", "traces.not_kept", "Traces the disk did not take"),
    counter("traces_malformed_points", "traces.malformed_points", "Points or metrics of OTLP that cannot be read"),
    counter("traces_unsupported_points", "traces.unsupported_points", "Points of exponential histograms"),
    counter("traces_uncounted_calls", "traces.uncounted_calls", "Requests and calls of services for whose rates there is no room"),
    counter("traces_uncounted_spans", "traces.uncounted_spans", "Spans of services for whose operations there is no room"),
    counter("traces_old", "traces.old", "Traces too long ago to be counted in rates"),
    counter("traces_lost_rate_points", "traces.lost_rate_points", "Points of rates the store did not take in time"),
    gauge("traces_open", "traces.open", "Traces that are not complete yet"),
    gauge("traces_open_bytes", "traces.open_bytes", "Bytes of their spans"),
    counter("traces_points_received", "traces.points.received", "Points that came along or were made of traces"),
    counter("traces_points_accepted", "traces.points.accepted", "Points put into the queue"),
    counter("traces_points_written", "traces.points.written", "Points the store has taken"),
    counter("traces_points_retried", "traces.points.retried", "Points sent to the store once more"),
    counter("traces_points_dropped", "traces.points.dropped.{reason}", "Points that were not stored"),
    gauge("traces_points_waiting", "traces.points.waiting", "Points in the queue and with the writer"),
    gauge("traces_points_oldest_waiting_ms", "traces.points.oldest_waiting_ms", "Age of the oldest of them, milliseconds"),
    counter("traces_listener_requests", "traces.listener.{listener}.requests", "Requests that came"),
    counter("traces_listener_received", "traces.listener.{listener}.received", "Spans that reached us"),
    counter("traces_listener_taken", "traces.listener.{listener}.taken", "Spans that were taken"),
    counter("traces_listener_connections", "traces.listener.{listener}.connections", "Connections that came"),
    counter("traces_listener_connections_refused", "traces.listener.{listener}.connections_refused", "Connections turned away"),
    counter("traces_listener_connections_evicted", "traces.listener.{listener}.connections_evicted", "Connections closed for another one"),
    counter("traces_listener_accepts_failed", "traces.listener.{listener}.accepts_failed", "Connections that could not be accepted"),
    counter("traces_listener_dropped", "traces.listener.{listener}.dropped.{reason}", "Spans that were not taken"),
    counter("traces_listener_refused", "traces.listener.{listener}.refused.{reason}", "Requests that were not taken"),
    counter("entities_values", "entities.values", "Values that were taken"),
    counter("entities_too_old", "entities.too_old", "Values for steps that are not held any more"),
    counter("entities_left_out", "entities.left_out", "Parts of answers that could not be read, values that are no numbers among them"),
    counter("entities_answers", "entities.answers", "Questions that were answered"),
    counter("entities_no_answer", "entities.no_answer", "Questions that were not"),
    counter("entities_no_data", "entities.no_data", "Answers without a series"),
    counter("entities_refused", "entities.refused_entities", "Series of entities beyond the most"),
    counter("entities_without_room", "entities.without_room", "Series, or what was learnt, without memory"),
    counter("entities_rows_judged", "entities.rows_judged", "Rows that were judged"),
    counter("entities_rows_unjudged", "entities.rows_unjudged", "Rows of which nothing could be said"),
    counter("entities_fits", "entities.fits", "Entities learnt"),
    counter("entities_failed_fits", "entities.failed_fits", "Entities that could not be learnt"),
    counter("entities_restored", "entities.restored", "Entities whose detector came from the model store"),
    counter("entities_looks", "entities.looks", "Looks at all entities"),
    counter("entities_blind_looks", "entities.blind_looks", "Looks at which no source answered"),
    gauge("entities_states", "entities.states.{state}", "Entities in this state"),
    counter("events_published", "events.published", "Events that were put into the outbox"),
    counter("events_repeats", "events.repeats", "Events that were not, as the same was said a moment before"),
    counter("dispatch_causes_searched", "dispatch.causes.searched", "Incidents of which it was looked for what moved with them"),
    counter("dispatch_causes_skipped", "dispatch.causes.skipped.{reason}", "Incidents of which it was not"),
    counter("events_without_form", "events.without_form", "Events of normal entities, for which the old form has no words"),
    counter("events_dropped", "events.dropped.{reason}", "Events given up: too old, too many, or no room in memory"),
    counter("events_sent", "events.sink.{sink}.sent", "Events a sink has taken"),
    counter("events_refused", "events.sink.{sink}.refused", "Events a sink has refused for good"),
    counter("events_failures", "events.sink.{sink}.failures", "Times a sink took nothing"),
    gauge("events_waiting", "events.sink.{sink}.waiting", "Events that wait for a sink"),
    gauge("events_oldest_waiting_ms", "events.sink.{sink}.oldest_waiting_ms", "Age of the oldest of them, milliseconds"),
    counter("events_metadata_read", "events.metadata.read", "Messages of the metadata topic"),
    counter("events_metadata_malformed", "events.metadata.malformed", "Messages of it that say nothing of entities"),
    counter("events_metadata_unreadable", "events.metadata.unreadable", "Messages of it in a compression that is not read"),
    gauge("ingest_last_report_timestamp_seconds", "ingest.last_report", "The last report, Unix seconds"),
    gauge("ingest_last_point_timestamp_seconds", "ingest.last_point", "The last accepted point, Unix seconds"),
];

type LabelPairs = Vec<(&'static str, String)>;

/// The labels of a name, if it is of this family.
fn labels_of(family: &FigureFamily, name: &str) -> Option<LabelPairs> {
    let (mut pattern, mut parts) = (family.dotted.split('.'), name.split('.'));
    let mut labels = LabelPairs::new();
    loop {
        match (pattern.next(), parts.next()) {
            (None, None) => return Some(labels),
            (Some(wanted), Some(part)) => {
                match wanted.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
                    Some(label) => labels.push((label, part.to_owned())),
                    None if wanted == part => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}

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
