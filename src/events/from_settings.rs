//! From settings to how events are published and sent.

use std::path::Path;

use skywatch_settings::{DescriptionLanguage, EventForm, Events, KafkaSasl, SecretUrl};

use super::error::EventsError;
use super::form::{EventForms, EventSchema};
use super::kafka::{KafkaLogin, KafkaOptions, KafkaTls};
use super::metric_info::{EventLanguage, MetricInfos};
use super::outbox::{OutboxLimits, OutboxOptions};
use super::publisher::EventWriter;
use super::sending::{SinkOptions, StdoutOptions};
use super::sinks::{FileSinkOptions, WebhookSinkOptions};

impl EventWriter {
    /// What a role that finds something publishes with; `None` if nobody wants events. To be kept until nothing is published
    /// any more: dropping it writes what is there.
    ///
    /// # Errors
    /// Those of [`EventWriter::start`], and descriptions of metrics that cannot be read.
    pub fn of_settings(state_dir: &Path, events: &Events) -> Result<Option<Self>, EventsError> {
        let start = || Self::start(state_dir, OutboxOptions::of_settings(events)?);
        events.is_wanted().then(start).transpose()
    }
}

impl OutboxOptions {
    /// How events are written and kept.
    ///
    /// # Errors
    /// Descriptions of metrics that cannot be read.
    pub fn of_settings(events: &Events) -> Result<Self, EventsError> {
        let metrics = events.metric_info_file.as_deref().map(MetricInfos::read);
        Ok(Self {
            limits: OutboxLimits {
                keep: events.keep,
                bytes: events.max_bytes,
            },
            repeat_after: events.repeat_after,
            forms: EventForms {
                schema: match events.schema {
                    EventForm::Current => EventSchema::Current,
                    EventForm::V1 => EventSchema::V1,
                },
                language: match events.language {
                    DescriptionLanguage::English => EventLanguage::English,
                    DescriptionLanguage::Chinese => EventLanguage::Chinese,
                },
                metrics: metrics.transpose()?.unwrap_or_default(),
            },
        })
    }
}

impl SinkOptions {
    /// Where events go. In a child, standard output leads to its parent.
    #[must_use]
    pub fn of_settings(events: &Events, is_child: bool) -> Self {
        let url = events.webhook_url.as_ref().map(SecretUrl::expose);
        Self {
            kafka: (!events.kafka_brokers.is_empty()).then(|| KafkaOptions::of_settings(events)),
            webhook: url.map(|url| WebhookSinkOptions {
                url: url.clone(),
                token: events.webhook_token.clone(),
                ca_file: events.webhook_ca_file.clone(),
                timeout: events.webhook_timeout,
            }),
            file: events.file.clone().map(|path| FileSinkOptions {
                path,
                max_bytes: events.file_max_bytes as u64,
                keep: events.file_keep,
            }),
            stdout: events.stdout.then_some(StdoutOptions { is_child }),
        }
    }
}

impl KafkaOptions {
    fn of_settings(events: &Events) -> Self {
        let login = events.kafka_username.clone().zip(events.kafka_password.clone());
        let login = login.filter(|_| events.kafka_sasl != KafkaSasl::None);
        let metadata_topic = Some(events.kafka_metadata_topic.clone());
        Self {
            brokers: events.kafka_brokers.iter().map(ToString::to_string).collect(),
            tls: events.kafka_tls.then(|| KafkaTls {
                ca_file: events.kafka_ca_file.clone(),
                identity: events.kafka_cert_file.clone().zip(events.kafka_key_file.clone()),
            }),
            login: login.map(|(username, password)| KafkaLogin {
                mechanism: events.kafka_sasl,
                username,
                password,
            }),
            anomaly_topic: events.kafka_topic.clone(),
            cause_topic: events.kafka_cause_topic.clone(),
            metadata_topic: metadata_topic.filter(|topic| !topic.is_empty()),
        }
    }
}
