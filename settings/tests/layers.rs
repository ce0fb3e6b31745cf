//! Which layer wins, and that each value remembers its layer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use skywatch_settings::{
    EmailSecurity, Flavour, HostPort, LogFormat, LogLevel, Origin, Profile, Sources, StoreUrl, load,
};

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn flags(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    list.iter()
        .map(|(key, value, flag)| (key.to_string(), value.to_string(), flag.to_string()))
        .collect()
}

fn file(dir: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("skywatch.toml");
    std::fs::write(&path, text).expect("a temporary folder can be written");
    path
}

#[test]
fn later_layers_win_and_every_value_remembers_its_layer() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(
        &dir,
        "state_dir = \"/from/file\"\n\n[analyzer]\nconsensus = 5\nworkers = 2\nstale_period = \"400s\"\n",
    );
    let loaded = load(Sources {
        file: Some(path.clone()),
        env: pairs(&[
            ("SKYWATCH__ANALYZER__CONSENSUS", "7"),
            ("SKYWATCH__ANALYZER__WORKERS", "3"),
            ("SKYWATCH__ANALYZER__OPTIMUM_RUN_DURATION", "20s"),
        ]),
        flags: flags(&[("analyzer.workers", "4", "--workers")]),
    })
    .unwrap();
    let analyzer = &loaded.settings.analyzer;
    assert_eq!((analyzer.consensus, analyzer.workers), (7, 4));
    assert_eq!(analyzer.stale_period, Duration::from_secs(400));
    assert_eq!(analyzer.optimum_run_duration, Duration::from_secs(20));
    assert_eq!(loaded.settings.state_dir, PathBuf::from("/from/file"));

    let origin = |key| loaded.origin(key).unwrap().clone();
    assert_eq!(
        origin("state_dir"),
        Origin::File {
            path: path.clone(),
            line: 1
        }
    );
    assert_eq!(
        origin("analyzer.stale_period"),
        Origin::File {
            path: path.clone(),
            line: 6
        }
    );
    assert_eq!(
        origin("analyzer.consensus"),
        Origin::Environment("SKYWATCH__ANALYZER__CONSENSUS".to_owned())
    );
    assert_eq!(origin("analyzer.workers"), Origin::Flag("--workers".to_owned()));
    assert_eq!(origin("analyzer.cache"), Origin::Default);
    assert_eq!(loaded.origin("analyzer.cash"), None);

    assert_eq!(origin("state_dir").to_string(), format!("{}:1", path.display()));
    assert_eq!(
        origin("analyzer.consensus").to_string(),
        "environment SKYWATCH__ANALYZER__CONSENSUS"
    );
    assert_eq!(origin("analyzer.workers").to_string(), "flag --workers");
    assert_eq!(origin("analyzer.cache").to_string(), "default");
}

#[test]
fn every_option_can_be_set_by_its_variable() {
    let dir = tempfile::tempdir().unwrap();
    let secret = file(&dir, "hunter2\n");
    let secret = secret.to_str().unwrap();
    let heartbeat = dir.path().join("heartbeat");
    std::fs::write(&heartbeat, "https://hc/ping\n").unwrap();
    let heartbeat = heartbeat.to_str().unwrap();
    // Option, value in the variable, value in the table if that differs. All of them differ from the defaults.
    let quoted = |text: &str| format!("\"{text}\"");
    let samples: BTreeMap<&str, (&str, String)> = [
        ("state_dir", "/x", quoted("/x")),
        ("store.url", "rediss://redis:6380", quoted("rediss://redis:6380")),
        ("store.name", "other", quoted("other")),
        ("store.username", "u", quoted("u")),
        ("store.password", "hunter2", "***".to_owned()),
        ("store.password_file", secret, quoted(secret)),
        (
            "store.sentinels",
            "10.0.0.1:26379",
            "[\"10.0.0.1:26379\"]".to_owned(),
        ),
        ("store.sentinel_primary", "points", quoted("points")),
        ("store.sentinel_username", "u", quoted("u")),
        ("store.sentinel_password", "hunter2", "***".to_owned()),
        ("store.sentinel_password_file", secret, quoted(secret)),
        ("store.cluster", "10.0.0.1:6379", "[\"10.0.0.1:6379\"]".to_owned()),
        ("store.tls_ca_file", "/ca.pem", quoted("/ca.pem")),
        ("store.namespace", "m.", quoted("m.")),
        ("store.full_duration", "12h", quoted("12h")),
        ("store.grace", "20m", quoted("20m")),
        ("store.connect_timeout", "1s", quoted("1s")),
        ("store.response_timeout", "2s", quoted("2s")),
        ("ingest.enabled", "false", "false".to_owned()),
        ("ingest.carbon_listen", "", quoted("")),
        (
            "ingest.carbon_udp_listen",
            "127.0.0.1:2023",
            quoted("127.0.0.1:2023"),
        ),
        ("ingest.pickle_listen", "127.0.0.1:2024", quoted("127.0.0.1:2024")),
        (
            "ingest.msgpack_listen",
            "127.0.0.1:2025",
            quoted("127.0.0.1:2025"),
        ),
        ("ingest.remote_write_listen", "[::]:2026", quoted("[::]:2026")),
        ("ingest.insecure_listen", "true", "true".to_owned()),
        ("ingest.batch_points", "1_000", "1000".to_owned()),
        ("ingest.flush_interval", "1s", quoted("1s")),
        ("ingest.queue_points", "1000", "1000".to_owned()),
        ("ingest.queue_bytes", "1048576", "1048576".to_owned()),
        ("ingest.idle_timeout", "1s", quoted("1s")),
        ("ingest.max_connections", "1", "1".to_owned()),
        ("ingest.max_name_bytes", "100", "100".to_owned()),
        ("ingest.max_frame_bytes", "2000", "2000".to_owned()),
        ("ingest.max_request_bytes", "2000", "2000".to_owned()),
        ("ingest.max_age", "1000s", quoted("1000s")),
        ("ingest.max_future", "60s", quoted("60s")),
        ("ingest.skip", "a.b, /^c{2}/", "[\"a.b\", \"/^c{2}/\"]".to_owned()),
        ("ingest.do_not_skip", "", "[]".to_owned()),
        ("ingest.max_metrics", "100", "100".to_owned()),
        ("ingest.trim", "off", quoted("off")),
        ("analyzer.enabled", "false", "false".to_owned()),
        ("analyzer.profile", "skyline", quoted("skyline")),
        ("analyzer.flavour", "etsy", quoted("etsy")),
        ("analyzer.workers", "2", "2".to_owned()),
        ("analyzer.optimum_run_duration", "20s", quoted("20s")),
        ("analyzer.pass_deadline", "30s", quoted("30s")),
        ("analyzer.stale_period", "300s", quoted("300s")),
        ("analyzer.min_tolerable_length", "9", "9".to_owned()),
        ("analyzer.max_tolerable_boredom", "10", "10".to_owned()),
        ("analyzer.boredom_set_size", "2", "2".to_owned()),
        ("analyzer.consensus", "9", "9".to_owned()),
        ("analyzer.canary_metric", "a.b", quoted("a.b")),
        ("analyzer.up_key", "analyzer", quoted("analyzer")),
        ("analyzer.counters_as_rates", "false", "false".to_owned()),
        ("analyzer.cache", "false", "false".to_owned()),
        ("analyzer.cache_bytes", "1000000", "1000000".to_owned()),
        ("adaptive.sensitivity", "2", "2.0".to_owned()),
        ("adaptive.direction", "down", quoted("down")),
        ("adaptive.min_relative_change", "0.25", "0.25".to_owned()),
        ("adaptive.min_absolute_change", "5", "5.0".to_owned()),
        ("adaptive.rest", "6h", quoted("6h")),
        ("adaptive.learned", "true", "true".to_owned()),
        (
            "adaptive.overrides",
            "*.queue direction=up rest=60m, db sensitivity=2",
            "[\"*.queue direction=up rest=60m\", \"db sensitivity=2.0\"]".to_owned(),
        ),
        ("cluster.enabled", "false", "false".to_owned()),
        ("cluster.lease", "5s", quoted("5s")),
        ("cluster.snapshot_each", "20m", quoted("20m")),
        ("graphite.address", "graphite:2003", quoted("graphite:2003")),
        ("graphite.prefix", "skyline.{host}", quoted("skyline.{host}")),
        ("graphite.timeout", "1s", quoted("1s")),
        ("alerts.log", "false", "false".to_owned()),
        ("alerts.base_url", "https://sky/", quoted("https://sky/")),
        ("alerts.seen", "3", "3".to_owned()),
        ("alerts.of", "5", "5".to_owned()),
        ("alerts.resolve_after", "20m", quoted("20m")),
        ("alerts.return_within", "60m", quoted("60m")),
        ("alerts.cooldown", "15m", quoted("15m")),
        ("alerts.repeat", "0s", quoted("0s")),
        ("alerts.direction", "up", quoted("up")),
        ("alerts.min_value", "-0.5", "-0.5".to_owned()),
        ("alerts.min_change", "10", "10.0".to_owned()),
        ("alerts.min_relative_change", "1e-3", "0.001".to_owned()),
        ("alerts.group_depth", "0", "0".to_owned()),
        ("alerts.group_wait", "30s", quoted("30s")),
        ("alerts.group_interval", "5m", quoted("300s")),
        ("alerts.digest_from", "9", "9".to_owned()),
        ("alerts.templates", "/templates", quoted("/templates")),
        ("alerts.stale_digest", "false", "false".to_owned()),
        ("alerts.daily_digest", "08:00", quoted("08:00")),
        ("alerts.zone", "Europe/Berlin", quoted("Europe/Berlin")),
        ("alerts.heartbeat_url", "https://hc/ping", "***".to_owned()),
        ("alerts.heartbeat_url_file", heartbeat, quoted(heartbeat)),
        ("alerts.keep_history", "30d", quoted("30d")),
        ("email.server", "mail", quoted("mail")),
        ("email.port", "465", "465".to_owned()),
        ("email.security", "tls", quoted("tls")),
        ("email.username", "u", quoted("u")),
        ("email.password", "hunter2", "***".to_owned()),
        ("email.password_file", secret, quoted(secret)),
        ("email.ca_file", "/ca.pem", quoted("/ca.pem")),
        ("email.from", "Sky <a@b>", quoted("Sky <a@b>")),
        ("email.to", "a@b, c@d", "[\"a@b\", \"c@d\"]".to_owned()),
        ("email.timeout", "1s", quoted("1s")),
        ("models.place", "s3://b/p", quoted("s3://b/p")),
        ("models.endpoint", "http://s3:9000", quoted("http://s3:9000")),
        ("models.region", "eu-west-1", quoted("eu-west-1")),
        ("models.access_key", "k", quoted("k")),
        ("models.secret_key", "hunter2", "***".to_owned()),
        ("models.secret_key_file", secret, quoted(secret)),
        ("models.ca_file", "/ca.pem", quoted("/ca.pem")),
        ("models.timeout", "1s", quoted("1s")),
        ("models.refresh", "5s", quoted("5s")),
        ("jobs.prefix", "j", quoted("j")),
        ("jobs.lease", "5s", quoted("5s")),
        ("jobs.tries", "2", "2".to_owned()),
        ("jobs.backoff", "1s", quoted("1s")),
        ("jobs.backoff_max", "2s", quoted("2s")),
        ("jobs.keep", "12h", quoted("12h")),
        ("training.enabled", "true", "true".to_owned()),
        ("training.schedule", "30  3 * * *", quoted("30 3 * * *")),
        ("training.max_metrics", "10", "10".to_owned()),
        ("training.max_families", "2", "2".to_owned()),
        ("training.epochs", "5", "5".to_owned()),
        ("training.batch", "16", "16".to_owned()),
        ("training.holdout", "0.3", "0.3".to_owned()),
        ("training.seed", "7", "7".to_owned()),
        ("training.rule", "peaks", quoted("peaks")),
        ("training.k_sigma", "4.5", "4.5".to_owned()),
        ("training.robust", "true", "true".to_owned()),
        ("training.risk", "0.001", "0.001".to_owned()),
        ("training.nice", "19", "19".to_owned()),
        ("health.enabled", "true", "true".to_owned()),
        ("health.listen", "[::1]:80", quoted("[::1]:80")),
        ("health.insecure_listen", "true", "true".to_owned()),
        ("health.token", "hunter2", "***".to_owned()),
        ("health.token_file", secret, quoted(secret)),
        ("health.tls_cert_file", "/cert.pem", quoted("/cert.pem")),
        ("health.tls_key_file", "/key.pem", quoted("/key.pem")),
        ("health.peer_token", "hunter2", "***".to_owned()),
        ("health.peer_token_file", secret, quoted(secret)),
        ("health.peer_ca_file", "/ca.pem", quoted("/ca.pem")),
        ("ingest.remote_write_token", "hunter2", "***".to_owned()),
        ("ingest.remote_write_token_file", secret, quoted(secret)),
        (
            "ingest.remote_write_tls_cert_file",
            "/cert.pem",
            quoted("/cert.pem"),
        ),
        ("ingest.remote_write_tls_key_file", "/key.pem", quoted("/key.pem")),
        ("health.max_connections", "20", "20".to_owned()),
        ("health.id", "a", quoted("a")),
        (
            "health.peers",
            "b=10.0.0.2:6688",
            "[\"b=10.0.0.2:6688\"]".to_owned(),
        ),
        ("health.subjects", "redis:main", "[\"redis:main\"]".to_owned()),
        ("health.filter", "true", "true".to_owned()),
        ("health.sources", "true", "true".to_owned()),
        (
            "health.dependents",
            "source:web1=servers.web1.**",
            "[\"source:web1=servers.web1.**\"]".to_owned(),
        ),
        ("health.pending_deadline", "5s", quoted("5s")),
        ("health.max_subjects", "10", "10".to_owned()),
        ("health.max_bytes", "2000000", "2000000".to_owned()),
        ("health.keep", "2h", quoted("2h")),
        ("health.keep_reports", "10", "10".to_owned()),
        ("templates.grouping", "drain", quoted("drain")),
        ("templates.general_masks", "false", "false".to_owned()),
        (
            "templates.masks",
            "CASE=case-[0-9]+",
            "[\"CASE=case-[0-9]+\"]".to_owned(),
        ),
        ("templates.delimiters", "=", quoted("=")),
        ("templates.similarity", "0.4", "0.4".to_owned()),
        ("templates.words", "4", "4".to_owned()),
        ("templates.depth", "5", "5".to_owned()),
        ("templates.max_children", "50", "50".to_owned()),
        ("templates.max_clusters", "500", "500".to_owned()),
        ("logs.files", "a:klog=/b", "[\"a:klog=/b\"]".to_owned()),
        (
            "logs.headers",
            "h=^x (?<message>.*)$",
            "[\"h=^x (?<message>.*)$\"]".to_owned(),
        ),
        ("logs.interval", "10s", quoted("10s")),
        ("logs.prefix", "a.b", quoted("a.b")),
        ("logs.max_rates", "5", "5".to_owned()),
        ("traces.enabled", "true", "true".to_owned()),
        ("traces.otlp_grpc_listen", "[::1]:80", quoted("[::1]:80")),
        ("traces.otlp_http_listen", "", quoted("")),
        ("traces.zipkin_listen", "127.0.0.1:80", quoted("127.0.0.1:80")),
        ("traces.insecure_listen", "true", "true".to_owned()),
        ("traces.token", "hunter2", "***".to_owned()),
        ("traces.token_file", secret, quoted(secret)),
        ("traces.tls_cert_file", "/cert.pem", quoted("/cert.pem")),
        ("traces.tls_key_file", "/key.pem", quoted("/key.pem")),
        ("traces.max_connections", "20", "20".to_owned()),
        ("traces.max_request_bytes", "100000", "100000".to_owned()),
        (
            "traces.metric_labels",
            "service.name",
            "[\"service.name\"]".to_owned(),
        ),
        ("traces.quiet", "5s", quoted("5s")),
        ("traces.longest", "60s", quoted("60s")),
        ("traces.report_each", "5s", quoted("5s")),
        ("traces.max_spans", "100", "100".to_owned()),
        ("traces.max_open", "100", "100".to_owned()),
        ("traces.max_bytes", "2000000", "2000000".to_owned()),
        ("traces.keep_normal", "0.5", "0.5".to_owned()),
        ("traces.keep", "2h", quoted("2h")),
        ("traces.keep_bytes", "2000000", "2000000".to_owned()),
        ("traces.max_services", "10", "10".to_owned()),
        ("traces.max_edges", "0", "0".to_owned()),
        ("traces.max_operations", "7", "7".to_owned()),
        ("causes.enabled", "false", "false".to_owned()),
        ("causes.notice_wait", "1s", quoted("1s")),
        ("causes.topology", "arangodb", quoted("arangodb")),
        ("causes.file", "/t.json", quoted("/t.json")),
        ("causes.url", "http://a:8529", quoted("http://a:8529")),
        ("causes.database", "gala", quoted("gala")),
        ("causes.username", "u", quoted("u")),
        ("causes.password", "hunter2", "***".to_owned()),
        ("causes.password_file", secret, quoted(secret)),
        ("causes.token", "hunter2", "***".to_owned()),
        ("causes.token_file", secret, quoted(secret)),
        ("causes.ca_file", "/ca.pem", quoted("/ca.pem")),
        ("causes.timeout", "1s", quoted("1s")),
        ("causes.refresh", "5s", quoted("5s")),
        ("causes.ranking", "walk", quoted("walk")),
        ("entities.enabled", "true", "true".to_owned()),
        ("entities.prometheus", "https://p:1/x", quoted("https://p:1/x")),
        ("entities.username", "u", quoted("u")),
        ("entities.password", "hunter2", "***".to_owned()),
        ("entities.password_file", secret, quoted(secret)),
        ("entities.token", "hunter2", "***".to_owned()),
        ("entities.token_file", secret, quoted(secret)),
        ("entities.app_code", "hunter2", "***".to_owned()),
        ("entities.app_code_file", secret, quoted(secret)),
        ("entities.iam_url", "https://i:1", quoted("https://i:1")),
        ("entities.iam_domain", "d", quoted("d")),
        ("entities.iam_project", "p", quoted("p")),
        ("entities.insecure", "true", "true".to_owned()),
        ("entities.ca_file", "/ca.pem", quoted("/ca.pem")),
        ("entities.timeout", "5s", quoted("5s")),
        ("entities.concurrency", "2", "2".to_owned()),
        (
            "entities.metrics",
            "rate(a_total)",
            "[\"rate(a_total)\"]".to_owned(),
        ),
        ("entities.labels", "pod", "[\"pod\"]".to_owned()),
        ("entities.matchers", "job=node", "[\"job=node\"]".to_owned()),
        ("entities.aggregation", "sum", quoted("sum")),
        (
            "entities.series",
            "^(?<entity>a)-(?<metric>b)$",
            "[\"^(?<entity>a)-(?<metric>b)$\"]".to_owned(),
        ),
        ("entities.jobs", "/a.json", "[\"/a.json\"]".to_owned()),
        ("entities.jobs_step", "10s", quoted("10s")),
        ("entities.jobs_each", "30s", quoted("30s")),
        ("entities.step", "5s", quoted("5s")),
        ("entities.delay", "30s", quoted("30s")),
        ("entities.history", "2h", quoted("2h")),
        ("entities.refit_each", "6h", quoted("6h")),
        ("entities.alarm_window", "60s", quoted("60s")),
        ("entities.alarm_share", "0.25", "0.25".to_owned()),
        ("entities.max_entities", "5", "5".to_owned()),
        ("entities.max_bytes", "2000000", "2000000".to_owned()),
        ("entities.keep", "2h", quoted("2h")),
        ("outliers.enabled", "true", "true".to_owned()),
        ("outliers.listen", "[::1]:80", quoted("[::1]:80")),
        ("outliers.insecure_listen", "true", "true".to_owned()),
        ("outliers.token", "hunter2", "***".to_owned()),
        ("outliers.token_file", secret, quoted(secret)),
        ("outliers.tls_cert_file", "/cert.pem", quoted("/cert.pem")),
        ("outliers.tls_key_file", "/key.pem", quoted("/key.pem")),
        ("outliers.max_connections", "20", "20".to_owned()),
        ("outliers.max_request_bytes", "100000", "100000".to_owned()),
        ("outliers.max_points", "1000", "1000".to_owned()),
        ("outliers.metric", "pkts", quoted("pkts")),
        ("outliers.detector", "forest", quoted("forest")),
        ("outliers.sensitivity", "0.5", "0.5".to_owned()),
        ("outliers.contamination", "0.02", "0.02".to_owned()),
        ("outliers.dimension", "sensor", quoted("sensor")),
        ("outliers.data_sources", "rb_flow", "[\"rb_flow\"]".to_owned()),
        ("outliers.max_interval", "2h", quoted("2h")),
        ("outliers.csv_folder", "/csv", quoted("/csv")),
        ("outliers.store_source", "true", "true".to_owned()),
        ("outliers.always_200", "true", "true".to_owned()),
        ("outliers.ips_as_text", "true", "true".to_owned()),
        (
            "druid.url",
            "http://a:8082/druid/v2",
            quoted("http://a:8082/druid/v2"),
        ),
        ("druid.username", "u", quoted("u")),
        ("druid.password", "hunter2", "***".to_owned()),
        ("druid.password_file", secret, quoted(secret)),
        ("druid.insecure", "true", "true".to_owned()),
        ("druid.ca_file", "/ca.pem", quoted("/ca.pem")),
        ("druid.connect_timeout", "1s", quoted("1s")),
        ("druid.timeout", "5s", quoted("5s")),
        ("druid.retries", "1", "1".to_owned()),
        ("druid.failures", "3", "3".to_owned()),
        ("druid.pause", "5s", quoted("5s")),
        ("druid.concurrency", "4", "4".to_owned()),
        ("sensors.names", "FlowSensor", "[\"FlowSensor\"]".to_owned()),
        ("sensors.schedule", "15 * * * *", quoted("15 * * * *")),
        ("sensors.data_source", "rb_monitor", quoted("rb_monitor")),
        ("sensors.granularities", "PT5M", "[\"PT5M\"]".to_owned()),
        ("sensors.span", "2h", quoted("2h")),
        ("sensors.filter", "{}", quoted("{}")),
        ("sensors.max_numbers", "2000", "2000".to_owned()),
        ("consul.url", "http://a:8500", quoted("http://a:8500")),
        ("consul.token", "hunter2", "***".to_owned()),
        ("consul.token_file", secret, quoted(secret)),
        ("consul.ca_file", "/ca.pem", quoted("/ca.pem")),
        ("consul.service", "s", quoted("s")),
        ("consul.id", "i", quoted("i")),
        ("consul.address", "10.0.0.1", quoted("10.0.0.1")),
        ("consul.tags", "t", "[\"t\"]".to_owned()),
        ("consul.check_each", "5s", quoted("5s")),
        ("consul.deregister_after", "5m", quoted("300s")),
        ("consul.look_each", "5s", quoted("5s")),
        ("consul.timeout", "1s", quoted("1s")),
        ("events.schema", "v1", quoted("v1")),
        ("events.language", "zh", quoted("zh")),
        ("events.metric_info_file", "/m.json", quoted("/m.json")),
        ("events.repeat_after", "300s", quoted("300s")),
        ("events.keep", "12h", quoted("12h")),
        ("events.max_bytes", "2097152", "2097152".to_owned()),
        (
            "events.kafka_brokers",
            "k1:9092, [::1]:9093",
            "[\"k1:9092\", \"[::1]:9093\"]".to_owned(),
        ),
        ("events.kafka_topic", "a", quoted("a")),
        ("events.kafka_cause_topic", "b", quoted("b")),
        ("events.kafka_metadata_topic", "c", quoted("c")),
        ("events.kafka_sasl", "scram-sha-256", quoted("scram-sha-256")),
        ("events.kafka_username", "u", quoted("u")),
        ("events.kafka_password", "hunter2", "***".to_owned()),
        ("events.kafka_password_file", secret, quoted(secret)),
        ("events.kafka_tls", "true", "true".to_owned()),
        ("events.kafka_ca_file", "/ca.pem", quoted("/ca.pem")),
        ("events.kafka_cert_file", "/c.pem", quoted("/c.pem")),
        ("events.kafka_key_file", "/k.pem", quoted("/k.pem")),
        ("events.kafka_insecure", "true", "true".to_owned()),
        ("events.webhook_url", "https://hc/ping", "***".to_owned()),
        ("events.webhook_url_file", heartbeat, quoted(heartbeat)),
        ("events.webhook_token", "hunter2", "***".to_owned()),
        ("events.webhook_token_file", secret, quoted(secret)),
        ("events.webhook_ca_file", "/ca.pem", quoted("/ca.pem")),
        ("events.webhook_insecure", "true", "true".to_owned()),
        ("events.webhook_timeout", "5s", quoted("5s")),
        ("events.file", "/e.jsonl", quoted("/e.jsonl")),
        ("events.file_max_bytes", "4096", "4096".to_owned()),
        ("events.file_keep", "2", "2".to_owned()),
        ("events.stdout", "true", "true".to_owned()),
        ("web.enabled", "false", "false".to_owned()),
        ("web.listen", "[::]:80", quoted("[::]:80")),
        ("web.insecure_listen", "true", "true".to_owned()),
        ("web.token", "hunter2", "***".to_owned()),
        ("web.token_file", secret, quoted(secret)),
        ("web.read_token", "hunter3", "***".to_owned()),
        ("web.read_token_file", secret, quoted(secret)),
        ("web.requests_per_second", "50", "50".to_owned()),
        ("web.tls_cert_file", "/cert.pem", quoted("/cert.pem")),
        ("web.tls_key_file", "/key.pem", quoted("/key.pem")),
        ("web.max_connections", "20", "20".to_owned()),
        ("web.hosts", "sky.example.org", "[\"sky.example.org\"]".to_owned()),
        ("process.single_process", "true", "true".to_owned()),
        ("process.restart_backoff", "2s", quoted("2s")),
        ("process.restart_backoff_max", "60s", quoted("60s")),
        ("process.stop_timeout", "1s", quoted("1s")),
        ("log.level", "debug", quoted("debug")),
        ("log.format", "json", quoted("json")),
    ]
    .map(|(key, text, shown)| (key, (text, shown)))
    .into();

    let defaults = load(Sources {
        env: pairs(&[("HOME", "/home/u")]),
        ..Sources::default()
    })
    .unwrap();
    let known: Vec<&str> = defaults.table().map(|(key, _, _)| key).collect();
    assert_eq!(
        known.len(),
        samples.len(),
        "an option has no sample, or a sample no option"
    );

    // A secret and its file exclude each other, so the variables are set in two rounds.
    for by_file in [false, true] {
        let secret = |key: &str| {
            [
                "password",
                "heartbeat_url",
                "secret_key",
                "web.token",
                "read_token",
                "health.token",
                "peer_token",
                "write_token",
                "traces.token",
                "causes.token",
                "entities.token",
                "outliers.token",
                "consul.token",
                "app_code",
                "webhook_url",
                "webhook_token",
            ]
            .iter()
            .any(|word| key.contains(word))
        };
        let chosen = |key: &str| match key {
            // Either, not both.
            "store.sentinels" => by_file,
            "store.cluster" => !by_file,
            key => !secret(key) || key.ends_with("_file") == by_file,
        };
        let name = |key: &str| format!("SKYWATCH__{}", key.to_uppercase().replace('.', "__"));
        let env: Vec<_> = samples
            .iter()
            .filter(|(key, _)| chosen(key))
            .map(|(key, (text, _))| (name(key), text.to_string()))
            .collect();
        let loaded = load(Sources {
            env,
            ..Sources::default()
        })
        .unwrap();
        for (key, value, origin) in loaded.table().filter(|(key, _, _)| chosen(key)) {
            assert_eq!(value, samples[key].1, "{key}");
            assert_eq!(*origin, Origin::Environment(name(key)));
            let before = defaults.rows().iter().find(|row| row.key == key).unwrap();
            assert!(before.value != value, "`{key}`: the sample is the default");
        }
        let settings = loaded.settings;
        assert_eq!(settings.store.password.unwrap().expose(), "hunter2");
        assert_eq!(settings.email.password.unwrap().expose(), "hunter2");
    }
}

#[test]
fn a_secret_from_a_file_names_the_option_that_named_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let secret = file(&dir, "hunter2\r\n");
    let loaded = load(Sources {
        env: pairs(&[
            ("HOME", "/h"),
            ("SKYWATCH__STORE__PASSWORD_FILE", secret.to_str().unwrap()),
        ]),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(
        loaded
            .settings
            .store
            .password
            .as_ref()
            .map(|secret| secret.expose()),
        Some("hunter2")
    );
    assert_eq!(
        loaded.origin("store.password"),
        Some(&Origin::Environment("SKYWATCH__STORE__PASSWORD_FILE".to_owned()))
    );
}

#[test]
fn values_have_their_types() {
    let loaded = load(Sources {
        env: pairs(&[
            ("HOME", "/home/u"),
            ("SKYWATCH__STORE__URL", "redis+unix:///tmp/r.sock?db=2"),
            ("SKYWATCH__ANALYZER__PROFILE", "skyline"),
            ("SKYWATCH__ANALYZER__FLAVOUR", "etsy"),
            ("SKYWATCH__GRAPHITE__ADDRESS", "[::1]:2003"),
            ("SKYWATCH__EMAIL__TO", "[\"a@b\", \"c@d\"]"),
            ("SKYWATCH__LOG__LEVEL", "trace"),
            ("SKYWATCH__LOG__FORMAT", "json"),
        ]),
        ..Sources::default()
    })
    .unwrap();
    let settings = loaded.settings;
    let StoreUrl::Redis(url) = settings.store.url else {
        panic!("not a Redis")
    };
    assert_eq!(url.expose(), "redis+unix:///tmp/r.sock?db=2");
    assert_eq!(settings.state_dir, PathBuf::from("/home/u/.local/state/skywatch"));
    assert_eq!(
        (settings.analyzer.profile, settings.analyzer.flavour),
        (Profile::Skyline, Flavour::Etsy)
    );
    assert_eq!(
        settings.graphite.address,
        Some(HostPort {
            host: "::1".to_owned(),
            port: 2003
        })
    );
    let to: Vec<&str> = settings.email.to.iter().map(|to| to.as_str()).collect();
    assert_eq!(to, ["a@b", "c@d"]);
    assert_eq!(settings.email.security, EmailSecurity::StartTls);
    assert_eq!(
        (settings.log.level, settings.log.format),
        (LogLevel::Trace, LogFormat::Json)
    );
}

#[test]
fn the_file_is_the_one_asked_for_or_the_one_the_variable_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "state_dir = \"/named/by/variable\"");
    let named = pairs(&[("HOME", "/h"), ("SKYWATCH_CONFIG", path.to_str().unwrap())]);
    let loaded = load(Sources {
        env: named.clone(),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(loaded.settings.state_dir, PathBuf::from("/named/by/variable"));

    let asked = dir.path().join("asked.toml");
    std::fs::write(&asked, "state_dir = \"/asked/for\"").unwrap();
    let loaded = load(Sources {
        file: Some(asked),
        env: named,
        flags: Vec::new(),
    })
    .unwrap();
    assert_eq!(loaded.settings.state_dir, PathBuf::from("/asked/for"));
}

#[test]
fn variables_of_others_are_ignored() {
    let env = pairs(&[
        ("HOME", "/h"),
        ("STORE__URL", "x"),
        ("SKYWATCH_STORE_URL", "x"),
        ("SKYWATCH_CONFIG", ""),
    ]);
    assert!(
        load(Sources {
            env,
            ..Sources::default()
        })
        .is_ok()
    );
}
