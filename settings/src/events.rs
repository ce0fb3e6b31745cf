//! Events for other programs: on Kafka, to a webhook, to a file, on standard output.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::HostPort;
use crate::check::Check;
use crate::choice::choice;
use crate::http_url::SecretUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, SECOND, Section};

/// Which of gala-anteater's forms is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EventForm {
    /// That of its code since 2.0.
    #[default]
    Current,
    /// That of its user guide.
    V1,
}
choice!(EventForm { "current" => Current, "v1" => V1 });

/// The language of descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DescriptionLanguage {
    /// English.
    #[default]
    English,
    /// Chinese.
    Chinese,
}
choice!(DescriptionLanguage { "en" => English, "zh" => Chinese });

/// How Kafka's brokers know who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KafkaSasl {
    /// They do not ask.
    #[default]
    None,
    /// The password itself (RFC 4616).
    Plain,
    /// A proof that we know it, with SHA-256 (RFC 7677).
    ScramSha256,
    /// The same with SHA-512.
    ScramSha512,
}
choice!(KafkaSasl {
    "none" => None,
    "plain" => Plain,
    "scram-sha-256" => ScramSha256,
    "scram-sha-512" => ScramSha512,
});

options! {
    /// Events for other programs.
    pub Events {
        /// Which form events have.
        schema: EventForm = EventForm::Current,
        /// In which language metrics are described.
        language: DescriptionLanguage = DescriptionLanguage::English,
        /// What metrics are: a `metricinfo.json` of gala-anteater.
        metric_info_file: Option<PathBuf> = None,
        /// Time in which the same anomaly of the same entity is not said again; `"0s"` says all.
        repeat_after: Duration = Duration::from_secs(600),
        /// How long an event waits for a sink that does not take it.
        keep: Duration = Duration::from_secs(86_400) => SECOND..,
        /// Bytes of events that wait; beyond that the oldest are given up.
        max_bytes: usize = 268_435_456 => 1_048_576..,
        /// Brokers of a Kafka that are asked first for the others; none for no Kafka.
        kafka_brokers: Vec<HostPort> = Vec::new(),
        /// The topic of anomalies of entities.
        kafka_topic: String = "gala_anteater_hybrid_model".to_owned(),
        /// The topic of root causes.
        kafka_cause_topic: String = "gala_cause_inference".to_owned(),
        /// The topic where gala-gopher says by which labels entities are told apart; empty for none.
        kafka_metadata_topic: String = "gala_gopher_metadata".to_owned(),
        /// How the brokers know who we are.
        kafka_sasl: KafkaSasl = KafkaSasl::None,
        /// The user.
        kafka_username: Option<String> = None,
        /// The password. Filled from `kafka_password_file` when that is set.
        kafka_password: Option<Secret> = None,
        /// A file with the password.
        kafka_password_file: Option<PathBuf> = None,
        /// Whether brokers are spoken to over TLS.
        kafka_tls: bool = false,
        /// Certificates (PEM) that are trusted instead of the public ones.
        kafka_ca_file: Option<PathBuf> = None,
        /// A certificate (PEM) that says who we are.
        kafka_cert_file: Option<PathBuf> = None,
        /// Its key (PEM).
        kafka_key_file: Option<PathBuf> = None,
        /// Says a second time that a password may travel in the clear.
        kafka_insecure: bool = false,
        /// Where events are posted, one a request; masked, as it often is all it takes to write there. Filled from
        /// `webhook_url_file` when that is set.
        webhook_url: Option<SecretUrl> = None,
        /// A file with that address.
        webhook_url_file: Option<PathBuf> = None,
        /// A token sent along (HTTP Bearer). Filled from `webhook_token_file` when that is set.
        webhook_token: Option<Secret> = None,
        /// A file with the token.
        webhook_token_file: Option<PathBuf> = None,
        /// Certificates (PEM) trusted beside the public ones.
        webhook_ca_file: Option<PathBuf> = None,
        /// Says a second time that a token may travel in the clear.
        webhook_insecure: bool = false,
        /// How long one request may take.
        webhook_timeout: Duration = Duration::from_secs(20) => MILLISECOND..,
        /// A file that gets a line an event.
        file: Option<PathBuf> = None,
        /// Bytes after which it is renamed to `FILE.1` and a new one begun.
        file_max_bytes: usize = 104_857_600 => 4_096..,
        /// So many renamed ones are kept.
        file_keep: usize = 5 => 1..=1_000,
        /// Whether events are written to standard output, a line each.
        stdout: bool = false,
    }
}

impl Events {
    /// Whether anybody wants events.
    pub fn is_wanted(&self) -> bool {
        !self.kafka_brokers.is_empty() || self.webhook_url.is_some() || self.file.is_some() || self.stdout
    }

    fn check_kafka(&self, check: &mut Check<'_>) {
        for (option, topic) in [
            ("kafka_topic", &self.kafka_topic),
            ("kafka_cause_topic", &self.kafka_cause_topic),
        ] {
            check.require(is_topic(topic), option, topic, TOPIC);
        }
        let metadata = &self.kafka_metadata_topic;
        check.require(
            metadata.is_empty() || is_topic(metadata),
            "kafka_metadata_topic",
            metadata,
            TOPIC,
        );
        let (user, password) = (self.kafka_username.is_some(), self.kafka_password.is_some());
        match self.kafka_sasl {
            KafkaSasl::None if user || password => check.conflict(
                &["kafka_username", "kafka_password", "kafka_password_file", "kafka_sasl"],
                "`events.kafka_username` and `events.kafka_password` are of no use while `events.kafka_sasl` is `none`".to_owned(),
                "set it to what the brokers ask: `plain`, `scram-sha-256`, `scram-sha-512`",
            ),
            KafkaSasl::None => {}
            _ if !(user && password) => check.conflict(
                &["kafka_sasl", "kafka_username", "kafka_password", "kafka_password_file"],
                format!("`events.kafka_sasl` is `{}`, but not both user and password are set", self.kafka_sasl),
                "set `events.kafka_username` and `events.kafka_password_file`",
            ),
            KafkaSasl::Plain if !self.kafka_tls && !self.kafka_insecure && !self.is_here() => check.conflict(
                &["kafka_sasl", "kafka_tls", "kafka_insecure"],
                "`events.kafka_password` would go to other machines in the clear, for `events.kafka_tls` is false".to_owned(),
                "use TLS or SCRAM, or say it twice with `events.kafka_insecure = true`",
            ),
            _ => {}
        }
        let files = [&self.kafka_ca_file, &self.kafka_cert_file, &self.kafka_key_file];
        if !self.kafka_tls && files.iter().any(|file| file.is_some()) {
            check.conflict(
                &["kafka_ca_file", "kafka_cert_file", "kafka_key_file", "kafka_tls"],
                "certificates for Kafka are of no use while `events.kafka_tls` is false".to_owned(),
                "set `events.kafka_tls = true`",
            );
        }
        check.certificate(
            ["kafka_cert_file", "kafka_key_file"],
            [self.kafka_cert_file.is_some(), self.kafka_key_file.is_some()],
        );
    }

    /// Whether all brokers that are named are this machine.
    fn is_here(&self) -> bool {
        self.kafka_brokers.iter().all(|broker| {
            broker.host == "localhost" || broker.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        })
    }
}

const TOPIC: &str = "expected a topic: up to 249 letters, digits, `.`, `_` and `-`";

/// Kafka's own rule.
fn is_topic(name: &str) -> bool {
    let right = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.bytes().all(right)
}

impl Section for Events {
    fn check(&self, check: &mut Check<'_>) {
        if !self.kafka_brokers.is_empty() {
            self.check_kafka(check);
        }
        let open = self
            .webhook_url
            .as_ref()
            .map(SecretUrl::expose)
            .filter(|url| url.is_open());
        if let (Some(url), Some(_), false) = (open, &self.webhook_token, self.webhook_insecure) {
            check.conflict(
                &["webhook_token", "webhook_url", "webhook_insecure"],
                format!("`events.webhook_token` would go to `{}` in the clear, for `events.webhook_url` begins with `http://`", url.host()),
                "use `https://`, or say it twice with `events.webhook_insecure = true`",
            );
        }
    }
}
