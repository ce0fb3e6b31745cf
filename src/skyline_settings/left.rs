//! Names of which nothing becomes, and why.

use super::conversion::SkylineConversion;
use super::python::PythonValue;

const NO_SECOND_LOOK: &str =
    "there is no second look at a longer window; the adaptive profile knows each metric's days and weeks";
const NO_TRAINING: &str = "single windows are not trained as normal; a level that lasts is accepted, `skywatch close` and `silence` quiet one metric";
const NO_DATABASE: &str =
    "incidents are kept in `history.sqlite` in the state folder, for `alerts.keep_history`";
const BY_POINTS: &str = "queues are bounded by points and bytes, see [ingest]";
const NO_PROCESSES: &str =
    "there is one process a role, with a thread a core; `analyzer.workers` limits those";
const OWN_LOG: &str = "the log goes to standard error, and what is kept to `state_dir`";
const NO_PULL: &str = "windows come from the store; `skywatch backfill --graphite URL` fetches the past";
const NO_THRESHOLDS: &str = "limits for single metrics are not judged here; a route's `min_value` and `min_change` say what is worth a notice";
const OTHER_INGEST: &str = "points come in as carbon lines, pickles, msgpack and remote write, see [ingest]";
const OWN_HEALTH: &str =
    "what is wrong with Skywatch itself is told without settings, by the route `skywatch itself`";
const NOT_NEEDED: &str = "there is nothing here that it could set";
const STEP: &str = "a metric is judged at its own step, whatever its gaps";

/// Whole names first, then beginnings; the first that fits counts.
#[rustfmt::skip] // A table, a name a line.
const REASONS: &[(&str, &str)] = &[
    ("LOG_PATH", OWN_LOG),
    ("PID_PATH", OWN_LOG),
    ("SKYLINE_TMP_DIR", OWN_LOG),
    ("SKYLINE_DIR", OWN_LOG),
    ("ANALYZER_PROCESSES", NO_PROCESSES),
    ("WORKER_PROCESSES", NO_PROCESSES),
    ("ROOMBA_PROCESSES", NO_PROCESSES),
    ("CHUNK_SIZE", BY_POINTS),
    ("MAX_QUEUE_SIZE", BY_POINTS),
    ("ROOMBA_", "metrics are trimmed one by one and seldom, see `ingest.trim`"),
    ("HORIZON_SHARD", "shards over several machines are not here yet"),
    ("OTHER_SKYLINE_INSTANCES", "shards over several machines are not here yet"),
    ("REMOTE_SKYLINE_INSTANCES", "shards over several machines are not here yet"),
    ("SYNC_CLUSTER_FILES", "shards over several machines are not here yet"),
    ("HORIZON_", OTHER_INGEST),
    ("LISTEN_FOR_", OTHER_INGEST),
    ("BOUNDARY_", NO_THRESHOLDS),
    ("MIRAGE_", NO_SECOND_LOOK),
    ("ENABLE_MIRAGE", NO_SECOND_LOOK),
    ("NEGATE_ANALYZER_ALERTS", NO_SECOND_LOOK),
    ("ENABLE_FULL_DURATION_ALERTS", NO_SECOND_LOOK),
    ("SECOND_ORDER_RESOLUTION", NO_SECOND_LOOK),
    ("IONOSPHERE_", NO_TRAINING),
    ("ENABLE_IONOSPHERE", NO_TRAINING),
    ("TSFRESH", NO_TRAINING),
    ("PANORAMA_", NO_DATABASE),
    ("MEMCACHE", NO_DATABASE),
    ("NUMBER_OF_ANOMALIES", NO_DATABASE),
    ("LUMINOSITY_", "what moved with an incident is looked for without settings (docs/causes.md)"),
    ("CORRELAT", "what moved with an incident is looked for without settings (docs/causes.md)"),
    ("FLUX_", OTHER_INGEST),
    ("PROMETHEUS_", OTHER_INGEST),
    ("VISTA_", "other servers are not polled; a Prometheus sends by remote write, and `skywatch backfill` fetches the past"),
    ("SNAB_", "`skywatch backtest` replays past points through any profile"),
    ("CRUCIBLE_", "`skywatch backtest` replays past points through any profile"),
    ("ENABLE_CRUCIBLE", "`skywatch backtest` replays past points through any profile"),
    ("VORTEX_", "`skywatch votes` and `skywatch backtest` judge series of your own"),
    ("THUNDER_", OWN_HEALTH),
    ("EXTERNAL_ALERTS", "rules are not fetched from elsewhere; write them as `[[routes]]`"),
    ("CUSTOM_ALERT_OPTS", "messages are changed by templates (docs/templates.md)"),
    ("CUSTOM_STALE_PERIOD", "a metric is stale after `analyzer.stale_period`; in the adaptive profile after three of its own steps, if those are longer"),
    ("DO_NOT_ALERT_ON_STALE", "silent metrics are told in one digest; `skywatch silence add` leaves some out"),
    ("ALERT_ON_STALE_PERIOD", "a metric is silent after 300 s or three of its own steps"),
    ("CUSTOM_ALGORITHMS", "algorithms are not loaded from files"),
    ("DEBUG_CUSTOM_ALGORITHMS", "algorithms are not loaded from files"),
    ("RUN_OPTIMIZED_WORKFLOW", "always so: cheapest first, and no further than consensus needs"),
    ("ENABLE_ALGORITHM_RUN_METRICS", "always so: see /metrics"),
    ("ENABLE_SECOND_ORDER", "it has no effect in the original either"),
    ("ENABLE_ALL_FUNCTIONS_RUN_METRICS", "always so: see /metrics"),
    ("PLOT_REDIS_DATA", "every message has its picture"),
    ("GRAPH_URL", "messages have their own picture, and a link to the page with `alerts.base_url`"),
    ("GRAPHITE_", NO_PULL),
    ("CARBON_PICKLE_PORT", NO_PULL),
    ("CARBON_", NO_PULL),
    ("VERIFY_SSL", "certificates are always verified"),
    ("FULLY_POPULATED", STEP),
    ("SPARSELY_POPULATED", STEP),
    ("CHECK_DATA_SPARSITY", STEP),
    ("SKIP_CHECK_DATA_SPARSITY", STEP),
    ("IDENTIFY_AIRGAPS", STEP),
    ("MAX_AIRGAP_PERIOD", STEP),
    ("CHECK_AIRGAPS", STEP),
    ("SKIP_AIRGAPS", STEP),
    ("IDENTIFY_UNORDERED", "windows are always put in order"),
    ("BATCH_", "points that come in bursts are judged when they come; see `ingest.max_age`"),
    ("METRICS_INACTIVE_AFTER", "a metric is gone when it is deleted from the store"),
    ("SLACK_", "messages to Slack are laid out by templates (docs/templates.md)"),
    ("PAGERDUTY_", "see the receiver `pagerduty`"),
    ("SMTP_", "see [email]"),
    ("SYSLOG_", "see the receiver `syslog`"),
    ("HTTP_ALERTERS", "see the receivers of type `webhook`"),
    ("AWS_", "text messages are not sent; ntfy, PagerDuty or a webhook reach a telephone"),
    ("SMS_", "text messages are not sent; ntfy, PagerDuty or a webhook reach a telephone"),
    ("HIPCHAT_", "HipChat is no more"),
    ("OCULUS_", "Oculus is no more; what moved together is found without it (docs/causes.md)"),
    ("MINI_", "Oculus is no more; what moved together is found without it (docs/causes.md)"),
    ("ANALYZER_ANALYZE_LOW_PRIORITY", "every metric is judged in every pass"),
    ("ANALYZER_MAD_LOW_PRIORITY", "every metric is judged in every pass"),
    ("ANALYZER_DYNAMICALLY", "every metric is judged in every pass"),
    ("ANALYZER_SKIP", "what is taken in is judged; `ingest.skip` leaves metrics out, routes and silences keep them quiet"),
    ("ANALYZER_", NOT_NEEDED),
    ("ANALYZE_", NOT_NEEDED),
    ("ENABLE_", NOT_NEEDED),
    ("WEBAPP_", "see [web]: pages listen on this machine, or ask for a token, or are said to be open"),
    ("GUNICORN", "see [web]"),
    ("REDIS_", "see [store]"),
    ("OTEL_", "Skywatch sends no traces of its own"),
    ("MEMRAY", "Skywatch sends no traces of its own"),
    ("DOCKER", NOT_NEEDED),
    ("LOCAL_EXTERNAL_STORE", "models and history lie in the state folder"),
    ("RUSTFS", "models and history lie in the state folder"),
    ("RUNNING_IN_", NOT_NEEDED),
    ("KNOWN_NEGATIVE_METRICS", "direction is learnt, or said in [adaptive]"),
    ("ZERO_FILL", STEP),
    ("LAST_KNOWN_VALUE", STEP),
    ("NON_DERIVATIVE", "`analyzer.counters_as_rates` judges counters by their rate; there is no list of exceptions"),
    ("NON_MONOTONIC", "`analyzer.counters_as_rates` judges counters by their rate; there is no list of exceptions"),
    ("USER_ACCESS_TOKEN", "see [web]"),
    ("SERVER_PYTZ", "see `alerts.zone`"),
];

/// Says of every name of which nothing was said yet why that is so.
pub(super) fn convert(conversion: &mut SkylineConversion) {
    if let Some(rules) = conversion.value("BOUNDARY_METRICS").and_then(PythonValue::items) {
        let rules: Vec<String> = rules.iter().map(boundary_rule).collect();
        for (at, rule) in rules.iter().enumerate() {
            conversion.left(&format!("BOUNDARY_METRICS[{at}]"), rule);
        }
    }
    for name in conversion.names() {
        if !conversion.is_said(&name) {
            let why = reason(conversion, &name);
            conversion.left(&name, &why);
        }
    }
}

fn reason(conversion: &SkylineConversion, name: &str) -> String {
    let value = conversion.value(name);
    if let Some(computed) = value.and_then(PythonValue::computed) {
        let place = format!(
            "in line {} it is computed, not written: `{}`",
            computed.line, computed.shown
        );
        return match known_reason(name) {
            Some(why) => format!("{why} ({place})"),
            None => place,
        };
    }
    match known_reason(name) {
        Some(why) => why.to_owned(),
        None if super::scalars::is_carried(name) => "it is empty, or the original's example".to_owned(),
        None => "no Skyline that is known here has this setting".to_owned(),
    }
}

fn known_reason(name: &str) -> Option<&'static str> {
    if super::scalars::is_carried(name) {
        return None;
    }
    let whole = REASONS.iter().find(|(known, _)| *known == name);
    let beginning = || REASONS.iter().find(|(known, _)| name.starts_with(known));
    whole.or_else(beginning).map(|(_, why)| *why)
}

/// What a rule of Boundary asked for: `(metric, algorithm, expiration, minimum average, its seconds, trigger value, …)`.
fn boundary_rule(rule: &PythonValue) -> String {
    let items = rule.items().unwrap_or_default();
    let text = |at: usize| items.get(at).and_then(PythonValue::text).unwrap_or("?");
    let trigger = match items.get(5) {
        Some(PythonValue::Int(number)) => number.to_string(),
        Some(PythonValue::Float(number)) => number.to_string(),
        _ => String::new(),
    };
    let (metric, algorithm) = (text(0), text(1));
    match algorithm {
        "detect_drop_off_cliff" => {
            format!(
                "`{metric}`: the adaptive profile tells of a drop without a rule (detectors `zero` and `shift`)"
            )
        }
        _ => format!("`{metric}` {algorithm} {trigger}: {NO_THRESHOLDS}"),
    }
}
