//! What can fail before an event is sent.

use std::io;
use std::path::PathBuf;

use crate::net::tls::TlsError;

/// Why events cannot be published or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// The outbox cannot be used.
    #[error("the outbox of events `{}` cannot be used: {reason}", path.display())]
    Outbox {
        /// The file.
        path: PathBuf,
        /// What the system or SQLite said.
        reason: String,
    },
    /// The outbox is another program's file, or a newer Skywatch's.
    #[error("`{}` is {what}\nhint: move it away, or let its owner have it", path.display())]
    ForeignOutbox {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        what: &'static str,
    },
    /// Descriptions of metrics that cannot be read.
    #[error("descriptions of metrics `{}`: {reason}", path.display())]
    MetricInfo {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificates that cannot be used for a webhook.
    #[error("events.webhook_ca_file: {0}")]
    Certificates(skywatch_alerters::Error),
    /// Certificates that cannot be used for Kafka.
    #[error("events.kafka_tls: {0}")]
    Tls(TlsError),
    /// The system refuses a thread or a runtime.
    #[error("events: the system refuses {what}: {source}")]
    Start {
        /// What was to be started.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}
