//! Events out.
//!
//! A message goes to the partition of its entity, so its order holds there. Messages of one partition are one request, and the
//! next waits until all replicas that are in sync have it; nothing is compressed, as an event has some kilobytes.

use std::collections::{BTreeMap, HashMap};

use rskafka::chrono::DateTime;
use rskafka::client::error::{Error as KafkaError, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient};
use rskafka::record::Record;

use super::partitioner::partition;
use super::{KafkaConnection, KafkaOptions, PARTITIONS_HOLD, REQUEST_TIMEOUT, TopicPartitions};
use crate::events::error::EventsError;
use crate::events::form::EventTopic;
use crate::events::outbox::EventMessage;
use crate::events::sinks::{EventSink, SinkFailure, SinkOutcome};

/// Carries the id of a message, the same however often it is sent: who reads may pass over what he has seen.
const ID_HEADER: &str = "skywatch-id";

/// Writes to Kafka.
pub(in crate::events) struct KafkaSink {
    connection: KafkaConnection,
    place: String,
    anomaly_topic: String,
    cause_topic: String,
    topics: HashMap<String, TopicPartitions>,
}

/// Why a request was not taken.
enum ProduceFailure {
    /// The message is larger than the broker or the topic allows, or several are together.
    TooLarge,
    /// It is refused for another reason that lies in it.
    Refused(String),
    /// It could be taken later.
    NotNow(SinkFailure),
}

impl KafkaSink {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// [`EventsError::Tls`] for certificates that cannot be used, [`EventsError::Start`] if the system refuses a runtime.
    pub(in crate::events) fn new(options: &KafkaOptions) -> Result<Self, EventsError> {
        Ok(Self {
            connection: KafkaConnection::new(options)?,
            place: options.place(),
            anomaly_topic: options.anomaly_topic.clone(),
            cause_topic: options.cause_topic.clone(),
            topics: HashMap::new(),
        })
    }

    fn topic(&self, topic: EventTopic) -> &str {
        match topic {
            EventTopic::Anomaly => &self.anomaly_topic,
            EventTopic::RootCause => &self.cause_topic,
        }
    }

    /// Makes sure that the partitions of the topics are known.
    fn know_topics(&mut self, messages: &[EventMessage]) -> Result<(), SinkFailure> {
        self.topics
            .retain(|_, known| known.since.elapsed() < PARTITIONS_HOLD);
        for topic in [EventTopic::Anomaly, EventTopic::RootCause] {
            let name = self.topic(topic).to_owned();
            if messages.iter().any(|message| message.topic == topic) && !self.topics.contains_key(&name) {
                let partitions = self.connection.partitions(&name)?;
                self.topics.insert(name, partitions);
            }
        }
        Ok(())
    }

    fn send_all(
        &mut self,
        messages: &[EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure> {
        self.know_topics(messages)?;
        // By topic and partition, in their order.
        let mut requests: BTreeMap<(&str, usize), Vec<&EventMessage>> = BTreeMap::new();
        for message in messages {
            let topic = self.topic(message.topic);
            let count = self.topics.get(topic).map_or(0, |known| known.clients.len());
            requests
                .entry((topic, partition(message.key.as_bytes(), count)))
                .or_default()
                .push(message);
        }
        for ((topic, place), messages) in requests {
            let client = self.topics.get(topic).and_then(|known| known.clients.get(place));
            let client = client.ok_or_else(|| SinkFailure(format!("topic `{topic}` has no partitions")))?;
            self.produce(client, &messages, outcome)?;
        }
        Ok(())
    }

    fn produce(
        &self,
        client: &PartitionClient,
        messages: &[&EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure> {
        let records = messages.iter().map(|message| record(message)).collect();
        let request = client.produce(records, Compression::NoCompression);
        let answer = self
            .connection
            .runtime
            .block_on(async { tokio::time::timeout(REQUEST_TIMEOUT, request).await });
        let answer = match answer {
            Ok(answer) => answer.map_err(ProduceFailure::of),
            Err(_) => Err(ProduceFailure::NotNow(SinkFailure(format!(
                "no answer within {} s",
                REQUEST_TIMEOUT.as_secs()
            )))),
        };
        match answer {
            Ok(_) => messages
                .iter()
                .for_each(|message| outcome(message.id, SinkOutcome::Taken)),
            Err(ProduceFailure::NotNow(failure)) => return Err(failure),
            Err(ProduceFailure::TooLarge | ProduceFailure::Refused(_)) if messages.len() > 1 => {
                // One of them, or all together.
                for message in messages {
                    self.produce(client, &[message], outcome)?;
                }
            }
            Err(ProduceFailure::TooLarge) => {
                let length = messages.first().map_or(0, |message| message.body.len());
                let why = format!("too large for the topic, {length} bytes");
                messages
                    .iter()
                    .for_each(|message| outcome(message.id, SinkOutcome::Refused(why.clone())));
            }
            Err(ProduceFailure::Refused(why)) => {
                messages
                    .iter()
                    .for_each(|message| outcome(message.id, SinkOutcome::Refused(why.clone())));
            }
        }
        Ok(())
    }
}

impl ProduceFailure {
    fn of(error: KafkaError) -> Self {
        let KafkaError::ServerError { protocol_error, .. } = &error else {
            return Self::NotNow(SinkFailure::of(error));
        };
        match protocol_error {
            ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge => Self::TooLarge,
            ProtocolError::InvalidTimestamp | ProtocolError::PolicyViolation => {
                Self::Refused(protocol_error.to_string())
            }
            _ => Self::NotNow(SinkFailure::of(error)),
        }
    }
}

fn record(message: &EventMessage) -> Record {
    let milliseconds = (message.event_at * 1_000.0).round() as i64;
    Record {
        key: Some(message.key.clone().into_bytes()),
        value: Some(message.body.clone().into_bytes()),
        headers: [(ID_HEADER.to_owned(), message.message_id.clone().into_bytes())].into(),
        timestamp: DateTime::from_timestamp_millis(milliseconds).unwrap_or_default(),
    }
}

impl EventSink for KafkaSink {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn send(
        &mut self,
        messages: &[EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure> {
        let sent = self.send_all(messages, outcome);
        if sent.is_err() {
            self.topics.clear();
            self.connection.forget();
        }
        sent
    }
}
