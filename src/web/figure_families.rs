//! The families of figures that `/metrics` has. Names that people scrape stay.

/// One family of figures.
#[derive(Debug)]
pub(super) struct FigureFamily {
    /// Below `skywatch_`.
    pub(super) name: &'static str,
    pub(super) kind: FigureKind,
    /// The name that goes to Graphite, below the prefix; a part in braces is the label of that name.
    dotted: &'static str,
    /// What it is, in what unit.
    pub(super) help: &'static str,
}

/// What a figure does with time.
#[derive(Debug, Clone, Copy)]
pub(super) enum FigureKind {
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
pub(super) const FAMILIES: &[FigureFamily] = &[
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
    gauge("analyzer_shards", "analyzer.shards", "Virtual shards whose metrics the last pass looked at, of 256"),
    counter("analyzer_shards_acquired", "analyzer.shards_acquired", "Virtual shards this node has taken"),
    counter("analyzer_shards_lost", "analyzer.shards_lost", "Virtual shards this node has given back or lost"),
    gauge("analyzer_moved", "analyzer.moved", "Findings left to the node that had taken over their metrics"),
    gauge("analyzer_nodes", "analyzer.nodes", "Nodes that live"),
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
    counter("dispatch_notices_repeated", "dispatch.notices.repeated", "Notices that a node which led before may have sent, sent again under their ids"),
    counter("dispatch_notices_unmarked", "dispatch.notices.unmarked", "Notices sent without a mark for other nodes, as Redis did not answer"),
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

pub(super) type LabelPairs = Vec<(&'static str, String)>;

/// What a dotted name is, for people: what its family is, and its labels.
pub(super) fn describe(name: &str) -> Option<String> {
    let mut families = FAMILIES.iter();
    let (family, labels) = families.find_map(|family| Some((family, labels_of(family, name)?)))?;
    let labels: Vec<String> = labels.iter().map(|(_, value)| value.replace('_', " ")).collect();
    Some(match labels.is_empty() {
        true => family.help.to_owned(),
        false => format!("{}: {}", family.help, labels.join(", ")),
    })
}

/// The labels of a name, if it is of this family.
pub(super) fn labels_of(family: &FigureFamily, name: &str) -> Option<LabelPairs> {
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
