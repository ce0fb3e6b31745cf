//! By which labels entities are told apart: what gala-gopher says on its metadata topic.
//!
//! A message is `{"entity_name": "tcp_link", "keys": ["machine_id", "tgid", …], …}` and comes again and again. At the start the
//! last 200 of each partition are read, as many as the original keeps; then what is new. What is known is in the outbox, so
//! that ids stay the same over a restart. Compressions read are none, gzip and snappy; a message in lz4 or zstd is counted and
//! passed over, since those would need C.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use rskafka::client::error::{Error as KafkaError, ProtocolError, RequestError};
use rskafka::client::partition::{OffsetAt, PartitionClient};
use serde::Deserialize;

use super::{KafkaConnection, KafkaOptions, REQUEST_TIMEOUT, TopicPartitions, within};
use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::events::error::EventsError;
use crate::events::form::EntityKeys;
use crate::events::outbox::EventOutbox;
use crate::events::sinks::SinkFailure;
use crate::observer::ObservedMetric;
use crate::stop::Stop;

/// Messages of each partition that are read at the start.
const AT_START: i64 = 200;
/// Bytes of one answer, and what asks for one batch alone: a broker gives at least one.
const FETCH_BYTES: Range<i32> = 1..1_048_576;
const ONE_BATCH: Range<i32> = 1..2;
/// How long a broker waits for something new, milliseconds, while others are to be asked.
const WAIT_MS: i32 = 200;
/// Pause when nothing new was there: keys change when software does.
const POLL: Duration = Duration::from_secs(1);
/// First and longest pause before the next try.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Labels of one kind of entity, and bytes of one name, that are believed.
const MOST_KEYS: usize = 64;
const MOST_NAME: usize = 200;

/// Reads the metadata topic.
pub(in crate::events) struct MetadataReader {
    connection: KafkaConnection,
    topic: String,
    outbox: EventOutbox,
    observed: ObservedMetric,
    known: EntityKeys,
}

/// A partition, and the offset of the message that is read next.
struct FollowedPartition {
    client: PartitionClient,
    next: i64,
}

/// What was found in one answer.
#[derive(Debug, Default)]
struct MetadataFound {
    keys: EntityKeys,
    read: u64,
    malformed: u64,
    unreadable: u64,
}

#[derive(Deserialize)]
struct EntityMetadata {
    entity_name: String,
    keys: Vec<String>,
}

impl MetadataReader {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// As for the sink, and when the outbox cannot be used.
    pub(in crate::events) fn new(
        options: &KafkaOptions,
        topic: &str,
        state_dir: &Path,
        observed: ObservedMetric,
    ) -> Result<Self, EventsError> {
        Ok(Self {
            connection: KafkaConnection::new(options)?,
            topic: topic.to_owned(),
            outbox: EventOutbox::open(state_dir)?,
            observed,
            known: HashMap::new(),
        })
    }

    /// Reads until stop is said.
    pub(in crate::events) fn run(mut self, stop: &Stop) {
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1).with_jitter();
        let mut failing = false;
        while !stop.is_said() {
            let Err(failure) = self.follow(stop, &mut || {
                backoff.reset();
                failing = false;
            }) else {
                return;
            };
            self.connection.forget();
            self.observed.failed();
            if !std::mem::replace(&mut failing, true) {
                tracing::warn!(
                    "metadata of entities is not read from `{}` :: {failure}",
                    self.topic
                );
            }
            stop.sleep(backoff.pause());
        }
    }

    /// Reads until stop is said or something fails.
    fn follow(&mut self, stop: &Stop, well: &mut dyn FnMut()) -> Result<(), SinkFailure> {
        let TopicPartitions { clients, .. } = self.connection.partitions(&self.topic)?;
        let mut partitions = Vec::with_capacity(clients.len());
        for client in clients {
            let next = self.begin(&client)?;
            partitions.push(FollowedPartition { client, next });
        }
        while !stop.is_said() {
            let mut found = MetadataFound::default();
            for partition in &mut partitions {
                self.fetch(partition, &mut found)?;
            }
            self.observed.healthy();
            well();
            let is_idle = found.read + found.unreadable == 0;
            self.note(found)?;
            if is_idle {
                stop.sleep(POLL);
            }
        }
        Ok(())
    }

    /// Where a partition is read from.
    fn begin(&self, client: &PartitionClient) -> Result<i64, SinkFailure> {
        let bounds = async {
            let earliest = client.get_offset(OffsetAt::Earliest).await?;
            let latest = client.get_offset(OffsetAt::Latest).await?;
            Ok::<_, KafkaError>(earliest.max(latest - AT_START))
        };
        self.connection.runtime.block_on(within(REQUEST_TIMEOUT, bounds))
    }

    fn fetch(&self, partition: &mut FollowedPartition, found: &mut MetadataFound) -> Result<(), SinkFailure> {
        for bytes in [FETCH_BYTES, ONE_BATCH] {
            let request = partition.client.fetch_records(partition.next, bytes, WAIT_MS);
            let answer = async { tokio::time::timeout(REQUEST_TIMEOUT, request).await };
            match self.connection.runtime.block_on(answer) {
                Err(_) => return Err(SinkFailure("no answer in time".to_owned())),
                Ok(Ok((records, _))) => {
                    for record in records {
                        partition.next = partition.next.max(record.offset + 1);
                        found.take(record.record.value.as_deref().unwrap_or_default());
                    }
                    return Ok(());
                }
                Ok(Err(KafkaError::ServerError {
                    protocol_error: ProtocolError::OffsetOutOfRange,
                    ..
                })) => {
                    // What we would have read is deleted already.
                    partition.next = self.begin(&partition.client)?;
                    return Ok(());
                }
                // One batch that cannot be read spoils the whole answer, so it is asked for alone.
                Ok(Err(error)) if is_unreadable(&error) => {}
                Ok(Err(error)) => return Err(SinkFailure::of(error)),
            }
        }
        found.unreadable += 1;
        partition.next += 1;
        Ok(())
    }

    /// Keeps what is new, and counts.
    fn note(&mut self, found: MetadataFound) -> Result<(), SinkFailure> {
        let is_new = |(name, keys): &(String, Vec<String>)| self.known.get(name) != Some(keys);
        let new: EntityKeys = found.keys.into_iter().filter(is_new).collect();
        let counted = [
            ("metadata.read", found.read),
            ("metadata.malformed", found.malformed),
            ("metadata.unreadable", found.unreadable),
        ];
        let noted = self.outbox.note_entity_keys(&new, &counted, unix_now());
        noted.map_err(|error| SinkFailure(format!("the outbox takes no metadata: {error}")))?;
        self.known.extend(new);
        Ok(())
    }
}

impl MetadataFound {
    /// Takes one message. The newest of a kind of entity counts.
    fn take(&mut self, message: &[u8]) {
        self.read += 1;
        let right = |name: &String| !name.is_empty() && name.len() <= MOST_NAME;
        match serde_json::from_slice::<EntityMetadata>(message) {
            Ok(EntityMetadata { entity_name, keys })
                if right(&entity_name) && keys.len() <= MOST_KEYS && keys.iter().all(right) =>
            {
                self.keys.insert(entity_name, keys);
            }
            _ => self.malformed += 1,
        }
    }
}

/// Whether an answer came that could not be understood, rather than none.
fn is_unreadable(error: &KafkaError) -> bool {
    match error {
        KafkaError::InvalidResponse(_) => true,
        KafkaError::Request(error) => !matches!(error, RequestError::IO(_) | RequestError::Poisoned(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_how_entities_are_told_apart_or_is_counted() {
        let mut found = MetadataFound::default();
        found.take(
            br#"{"timestamp":1,"meta_name":"tcp_tx_rx","entity_name":"tcp_link","version":"1.0.0","keys":["machine_id","tgid"],"labels":["x"],"metrics":["y"]}"#,
        );
        found.take(br#"{"entity_name":"tcp_link","keys":["machine_id","tgid","role"]}"#);
        let many = serde_json::json!({"entity_name": "many", "keys": vec!["k"; 65]}).to_string();
        for wrong in [
            "",
            "[]",
            "{\"entity_name\":\"\",\"keys\":[]}",
            "{\"entity_name\":\"e\"}",
            &many,
            "\u{0}",
        ] {
            found.take(wrong.as_bytes());
        }
        assert_eq!((found.read, found.malformed), (8, 6));
        let keys = ["machine_id", "tgid", "role"].map(str::to_owned).to_vec();
        assert_eq!(found.keys, [("tcp_link".to_owned(), keys)].into());
    }
}
