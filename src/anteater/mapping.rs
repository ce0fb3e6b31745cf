//! What becomes of each key.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::jobs::{AnteaterJob, JobUse};
use super::yaml::plain;
use crate::imported::{ImportOutcome, ImportedSettings, SettingsDraft, quoted};

/// What becomes of a key of `gala-anteater.yaml`.
enum KeyRule {
    /// The same text is this setting.
    Same(&'static str),
    /// It becomes a part of this setting, together with others.
    Part(&'static str),
    /// Nothing, and why.
    Left(&'static str),
}
use KeyRule::{Left, Part, Same};

const NO_AOM: &str = "AOM is no source here; entities are fetched from a Prometheus";

/// Every key there is, in the order of the original's file.
#[rustfmt::skip] // A table, a key a line.
const KEYS: &[(&str, KeyRule)] = &[
    ("Global.data_source", Part("entities.enabled")),
    ("Arangodb.url", Part("causes.url")),
    ("Arangodb.db_name", Same("causes.database")),
    ("Kafka.server", Part("events.kafka_brokers")),
    ("Kafka.port", Part("events.kafka_brokers")),
    ("Kafka.model_topic", Same("events.kafka_topic")),
    ("Kafka.rca_topic", Same("events.kafka_cause_topic")),
    ("Kafka.meta_topic", Same("events.kafka_metadata_topic")),
    ("Kafka.group_id", Left("metadata are read without a consumer group, from all partitions")),
    ("Kafka.auth_type", Part("events.kafka_sasl")),
    ("Kafka.username", Part("events.kafka_username")),
    ("Kafka.password", Part("events.kafka_password_file")),
    ("Prometheus.server", Part("entities.prometheus")),
    ("Prometheus.port", Part("entities.prometheus")),
    ("Prometheus.steps", Part("entities.step")),
    ("Aom.base_url", Left(NO_AOM)),
    ("Aom.project_id", Left(NO_AOM)),
    ("Aom.auth_type", Left(NO_AOM)),
    ("Aom.auth_info.iam_server", Left(NO_AOM)),
    ("Aom.auth_info.iam_domain", Left(NO_AOM)),
    ("Aom.auth_info.iam_user_name", Left(NO_AOM)),
    ("Aom.auth_info.iam_password", Left(NO_AOM)),
    ("Aom.auth_info.ssl_verify", Left("certificates are always verified")),
    ("Aom.auth_info.app_code", Left(NO_AOM)),
    ("Schedule.duration", Part("entities.jobs_each")),
    ("Suppression.interval", Part("events.repeat_after")),
];

/// Where the password is to be put.
const PASSWORD_FILE: &str = "/etc/skywatch/kafka-password";

/// Settings under way.
#[derive(Debug, Default)]
pub(super) struct Conversion {
    draft: SettingsDraft,
}

impl Conversion {
    /// Takes the configuration.
    pub(super) fn configuration(&mut self, table: &Map<String, Value>) {
        let mut given = BTreeMap::new();
        let mut order = Vec::new();
        flatten("", &Value::Object(table.clone()), &mut |key, value| {
            order.push(key.to_owned());
            given.insert(key.to_owned(), value.trim().to_owned());
        });
        self.parts(&given);
        for key in order {
            let outcome = match KEYS.iter().find(|(known, _)| *known == key) {
                None => ImportOutcome::Left("gala-anteater does not know this key".to_owned()),
                Some((_, Left(why))) => ImportOutcome::Left((*why).to_owned()),
                Some(_) if given[&key].is_empty() => ImportOutcome::Left("it is empty".to_owned()),
                Some((_, Same(setting))) => {
                    self.set(setting, quoted(&given[&key]));
                    ImportOutcome::Carried((*setting).to_owned())
                }
                Some((_, Part(setting))) if self.has(setting) => {
                    ImportOutcome::Carried((*setting).to_owned())
                }
                Some((_, Part(setting))) => {
                    ImportOutcome::Left(format!("`{setting}` cannot be made of `{}`", shown(&key, &given)))
                }
            };
            self.note(&key, outcome);
        }
    }

    /// Settings that are made of several keys, or of a value in another unit.
    fn parts(&mut self, given: &BTreeMap<String, String>) {
        let get = |key: &str| {
            given
                .get(key)
                .map(String::as_str)
                .filter(|value| !value.is_empty())
        };
        if let Some(server) = get("Kafka.server") {
            let port = get("Kafka.port").unwrap_or("9092");
            let brokers = server
                .split(',')
                .map(str::trim)
                .filter(|broker| !broker.is_empty());
            let brokers: Vec<_> = brokers.map(|broker| quoted(&with_port(broker, port))).collect();
            self.set("events.kafka_brokers", format!("[{}]", brokers.join(", ")));
        }
        match get("Kafka.auth_type") {
            Some("sasl_plaintext") => {
                self.set("events.kafka_sasl", quoted("plain"));
                // Which is what the original does; the note says so.
                self.set("events.kafka_insecure", "true".to_owned());
                self.login(get("Kafka.username"), get("Kafka.password").is_some());
            }
            Some("plaintext") => self.set("events.kafka_sasl", quoted("none")),
            _ => {}
        }
        if let Some(url) = get("Arangodb.url") {
            self.set("causes.topology", quoted("arangodb"));
            self.set("causes.url", quoted(url));
        }
        if let Some(server) = get("Prometheus.server") {
            let port = get("Prometheus.port").unwrap_or("9090");
            let scheme = if server.contains("://") { "" } else { "http://" };
            let url = format!("{scheme}{}", with_port(server, port));
            self.set("entities.prometheus", quoted(&url));
        }
        if let Some(step) = get("Prometheus.steps").and_then(whole) {
            self.set("entities.step", quoted(&format!("{step}s")));
            self.set("entities.jobs_step", quoted(&format!("{step}s")));
        }
        if let Some(minutes) = get("Schedule.duration").and_then(whole) {
            self.set("entities.jobs_each", quoted(&format!("{minutes}m")));
        }
        if let Some(minutes) = get("Suppression.interval").and_then(whole) {
            self.set("events.repeat_after", quoted(&format!("{minutes}m")));
        }
        if get("Global.data_source") == Some("prometheus") && self.has("entities.prometheus") {
            // Nothing is judged before metrics are named, which a job does.
            self.set("entities.enabled", "false".to_owned());
        }
    }

    fn login(&mut self, user: Option<&str>, has_password: bool) {
        if let Some(user) = user {
            self.set("events.kafka_username", quoted(user));
        }
        if has_password {
            self.set("events.kafka_password_file", quoted(PASSWORD_FILE));
            self.note(
                "Kafka.password",
                ImportOutcome::ToDo(format!(
                    "write it into `{PASSWORD_FILE}`; it is not repeated here"
                )),
            );
        }
        self.note(
            "Kafka.auth_type",
            ImportOutcome::ToDo(
                "the password goes over the network in the clear, as before: better set `events.kafka_tls` and remove `events.kafka_insecure`"
                    .to_owned(),
            ),
        );
    }

    /// Takes what metrics are.
    pub(super) fn metric_info(&mut self, path: &Path, count: usize) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.set("events.metric_info_file", quoted(&path.display().to_string()));
        let setting = format!("events.metric_info_file ({count} metrics)");
        self.note("metricinfo.json", ImportOutcome::Carried(setting));
    }

    /// Takes the jobs: those that detect anomalies are run as they are.
    pub(super) fn jobs(&mut self, jobs: &[AnteaterJob]) {
        let run = jobs.iter().filter(|job| matches!(job.use_of, JobUse::Run(_)));
        let paths: Vec<_> = run
            .clone()
            .map(|job| quoted(&job.path.display().to_string()))
            .collect();
        if !paths.is_empty() {
            self.set("entities.jobs", format!("[\n    {},\n]", paths.join(",\n    ")));
            let label = if run.clone().any(|job| job.judges_pods) {
                "pod_id"
            } else {
                "machine_id"
            };
            self.set("entities.labels", format!("[{}]", quoted(label)));
            if self.has("entities.enabled") {
                self.set("entities.enabled", "true".to_owned());
            }
        }
        for job in jobs {
            let left = |why: &str| ImportOutcome::Left(why.to_owned());
            let outcome = match &job.use_of {
                JobUse::Run(unused) => {
                    for key in unused {
                        self.note(
                            &format!("{}: {key}", job.file),
                            left("the detector here has no use for it"),
                        );
                    }
                    ImportOutcome::Carried("entities.jobs".to_owned())
                }
                JobUse::Off => left("the job is switched off"),
                JobUse::RootCause => left("causes are looked for without a job"),
                JobUse::Unusable(why) => left(why),
            };
            self.note(&job.file, outcome);
        }
    }

    fn set(&mut self, setting: &str, value: String) {
        self.draft.set(setting, value);
    }

    fn has(&self, setting: &str) -> bool {
        self.draft.has(setting)
    }

    fn note(&mut self, key: &str, outcome: ImportOutcome) {
        self.draft.note(key, outcome);
    }

    pub(super) fn finish(self) -> ImportedSettings {
        self.draft.finish("import-anteater")
    }
}

/// Every leaf of a table under its dotted key.
fn flatten(prefix: &str, value: &Value, take: &mut dyn FnMut(&str, String)) {
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{name}"), value, take);
            }
        }
        _ => take(prefix, plain(value)),
    }
}

/// A value for a note; a password is none.
fn shown<'g>(key: &str, given: &'g BTreeMap<String, String>) -> &'g str {
    let secret = key.to_lowercase().contains("password");
    given.get(key).filter(|_| !secret).map_or("***", String::as_str)
}

/// `host:port`, where the host does not say a port itself.
fn with_port(host: &str, port: &str) -> String {
    let (_, last) = host.rsplit_once(':').unwrap_or(("", ""));
    let has_port = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    if has_port {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    }
}

fn whole(text: &str) -> Option<u32> {
    text.parse().ok()
}
