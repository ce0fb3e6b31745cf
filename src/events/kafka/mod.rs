//! Kafka: events out, and by which labels entities are told apart in.
//!
//! The client (rskafka) is asynchronous; each thread that speaks to Kafka has a small runtime of its own for it. Whatever goes
//! wrong is an error after some seconds: tries, pauses and order are the caller's. After an error the client is made anew, as
//! brokers may have moved.

mod metadata;
mod partitioner;
mod sink;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rskafka::BackoffConfig;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use skywatch_alerters::http_client::Trust;
use skywatch_settings::{KafkaSasl, Secret};

use super::error::EventsError;
use super::sinks::SinkFailure;
use crate::net::tls;

pub(super) use metadata::MetadataReader;
pub(super) use sink::KafkaSink;

/// How long a connection with all its questions may take, and how long one request: a broker that is well answers within
/// milliseconds, and one that writes to slow disks within seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer of a broker that is read, bytes.
const MOST_BYTES: usize = 16 << 20;
/// Tries of the client by itself: they bridge a leader that moves, not a broker that is away.
const CLIENT_TRIES: Duration = Duration::from_secs(1);
/// After so long the partitions of a topic are asked for again, as Kafka's own clients do.
const PARTITIONS_HOLD: Duration = Duration::from_secs(300);

/// How a Kafka is reached.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Brokers that are asked first, as `host:port`.
    pub brokers: Vec<String>,
    /// TLS, if it is spoken.
    pub tls: Option<KafkaTls>,
    /// Who we are.
    pub login: Option<KafkaLogin>,
    /// The topic of anomalies of entities.
    pub anomaly_topic: String,
    /// The topic of root causes.
    pub cause_topic: String,
    /// The topic with metadata of entities; `None` reads none.
    pub metadata_topic: Option<String>,
}

/// Certificates for brokers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KafkaTls {
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// User and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaLogin {
    /// How they are shown; [`KafkaSasl::None`] does not.
    pub mechanism: KafkaSasl,
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A connection that is made when it is needed, with the runtime it lives in.
struct KafkaConnection {
    brokers: Vec<String>,
    tls: Option<Arc<rustls::ClientConfig>>,
    login: Option<KafkaLogin>,
    runtime: tokio::runtime::Runtime,
    client: Option<Client>,
}

/// The partitions of a topic, each with its leader.
struct TopicPartitions {
    clients: Vec<PartitionClient>,
    since: Instant,
}

impl KafkaOptions {
    /// For the log and the health plane: the brokers that are asked first.
    pub(super) fn place(&self) -> String {
        format!("kafka:{}", self.brokers.join(","))
    }
}

impl KafkaConnection {
    /// Reads certificates; nothing is connected yet.
    fn new(options: &KafkaOptions) -> Result<Self, EventsError> {
        let tls = options.tls.as_ref().map(|files| {
            let trust = files.ca_file.as_deref().map_or(Trust::Public, Trust::Only);
            let identity = files
                .identity
                .as_ref()
                .map(|(cert, key)| (cert.as_path(), key.as_path()));
            tls::connector(trust, identity).map_err(EventsError::Tls)
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| EventsError::Start {
                what: "a runtime for Kafka",
                source,
            })?;
        Ok(Self {
            brokers: options.brokers.clone(),
            tls: tls.transpose()?,
            login: options.login.clone(),
            runtime,
            client: None,
        })
    }

    fn sasl(&self) -> Option<SaslConfig> {
        let login = self.login.as_ref()?;
        let credentials = Credentials::new(login.username.clone(), login.password.expose().to_owned());
        match login.mechanism {
            KafkaSasl::None => None,
            KafkaSasl::Plain => Some(SaslConfig::Plain(credentials)),
            KafkaSasl::ScramSha256 => Some(SaslConfig::ScramSha256(credentials)),
            KafkaSasl::ScramSha512 => Some(SaslConfig::ScramSha512(credentials)),
        }
    }

    /// Connects, if that is not done yet.
    fn connect(&mut self) -> Result<(), SinkFailure> {
        if self.client.is_some() {
            return Ok(());
        }
        let mut builder = ClientBuilder::new(self.brokers.clone())
            .client_id("skywatch")
            .max_message_size(MOST_BYTES)
            .backoff_config(BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_millis(500),
                base: 2.0,
                deadline: Some(CLIENT_TRIES),
            });
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(Arc::clone(tls));
        }
        if let Some(sasl) = self.sasl() {
            builder = builder.sasl_config(sasl);
        }
        let connected = self.runtime.block_on(within(CONNECT_TIMEOUT, builder.build()))?;
        self.client = Some(connected);
        Ok(())
    }

    /// Forgets the connection: the next call makes a new one.
    fn forget(&mut self) {
        self.client = None;
    }

    /// The partitions of a topic. A broker that may do so makes one that is not there.
    fn partitions(&mut self, topic: &str) -> Result<TopicPartitions, SinkFailure> {
        self.connect()?;
        let Some(client) = &self.client else {
            return Err(SinkFailure("not connected".to_owned()));
        };
        let partitions = async {
            let mut ids = partition_ids(client, topic).await?;
            if ids.is_empty() {
                // To ask for a topic by its name is what makes a broker begin it.
                let asked = client
                    .partition_client(topic, 0, UnknownTopicHandling::Error)
                    .await;
                ids = partition_ids(client, topic).await?;
                if ids.is_empty() {
                    let why = asked.err().map_or_else(String::new, |error| format!(": {error}"));
                    return Err(SinkFailure(format!("there is no topic `{topic}`{why}")));
                }
            }
            let mut clients = Vec::with_capacity(ids.len());
            for id in ids {
                let partition = client.partition_client(topic, id, UnknownTopicHandling::Error);
                clients.push(partition.await.map_err(SinkFailure::of)?);
            }
            Ok(TopicPartitions {
                clients,
                since: Instant::now(),
            })
        };
        self.runtime.block_on(within(REQUEST_TIMEOUT, partitions))
    }
}

/// Connects, and says which of the topics that are written to are there.
///
/// # Errors
/// No broker answers, or lets us in.
pub(super) fn topics(options: &KafkaOptions) -> Result<String, String> {
    let mut connection = KafkaConnection::new(options).map_err(|error| error.to_string())?;
    connection.connect().map_err(|failure| failure.0)?;
    let Some(client) = &connection.client else {
        return Err("not connected".to_owned());
    };
    let list = async { client.list_topics().await.map_err(SinkFailure::of) };
    let known = connection.runtime.block_on(within(REQUEST_TIMEOUT, list));
    let known = known.map_err(|failure| failure.0)?;
    let ours = [&options.anomaly_topic, &options.cause_topic];
    let is_there = |topic: &&&String| known.iter().any(|found| found.name == ***topic);
    let missing: Vec<_> = ours
        .iter()
        .filter(|topic| !is_there(topic))
        .map(|topic| topic.as_str())
        .collect();
    Ok(match missing.as_slice() {
        [] => format!("`{}` answers and has both topics", options.place()),
        missing => format!(
            "`{}` answers; it has no `{}` yet, which it must be allowed to make",
            options.place(),
            missing.join("`, `")
        ),
    })
}

async fn partition_ids(client: &Client, topic: &str) -> Result<BTreeSet<i32>, SinkFailure> {
    let topics = client.list_topics().await.map_err(SinkFailure::of)?;
    let found = topics.into_iter().find(|known| known.name == topic);
    Ok(found.map(|found| found.partitions).unwrap_or_default())
}

/// `call`, but no longer than that.
async fn within<T, E: std::fmt::Display>(
    time: Duration,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, SinkFailure> {
    match tokio::time::timeout(time, call).await {
        Ok(answer) => answer.map_err(SinkFailure::of),
        Err(_) => Err(SinkFailure(format!("no answer within {} s", time.as_secs()))),
    }
}
