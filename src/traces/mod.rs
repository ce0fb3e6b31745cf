//! Traces: spans come in over several protocols, are put together and judged, and some traces are kept.
//!
//! Listeners run on a small tokio runtime and only read; what is complete is taken out, judged and kept by one plain thread.
//! Between them lie the open traces, bounded in number and bytes: beyond that, senders are asked to come again.

mod archive;
mod assembler;
mod closing;
mod counters;
mod document;
mod http;
mod idl;
mod ids;
mod inflate;
mod intake;
mod jaeger;
mod judgement;
pub mod laws;
mod lines;
mod numbers;
mod operation_counts;
mod otlp;
mod points;
#[cfg(test)]
mod protocol_tests;
mod rates;
mod refusal;
mod reporting;
mod serve;
mod sketch;
mod span;
mod state_file;
#[cfg(feature = "learned")]
mod teaching;
#[cfg(test)]
mod testing;
mod trace;
mod watch;
mod zipkin;

use std::path::PathBuf;

use crate::archive_file::ArchiveError;
use crate::net::access::ListenerAccess;
use crate::net::listeners::{ListenError, Listener};
use crate::net::tls::TlsError;

pub(crate) use archive::{ArchiveReader, TraceFilter, TraceSummary, archive_path};
#[cfg(test)]
pub(crate) use counters::every_counter;
pub use document::{SpanDocument, TraceDocument};
pub use judgement::TraceJudgement;
pub use points::{NamedPoint, PointSink};
pub use reporting::TraceReporter;
pub use serve::TraceServer;
#[cfg(feature = "learned")]
pub use teaching::{TRACES_MODEL, TeachingPlace};
pub use trace::TraceDefects;

/// Why traces cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// An address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate or its key.
    #[error(
        "{0}\nhint: `traces.tls_cert_file` is the certificate with those of its issuers, `traces.tls_key_file` its key, both PEM"
    )]
    Tls(#[from] TlsError),
    /// No traces can be kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The system refuses a thread or a runtime.
    #[error("cannot take traces in: {0}")]
    Start(#[source] std::io::Error),
}

/// How traces are taken in and kept.
#[derive(Debug, Clone)]
pub struct TracesOptions {
    /// As set.
    pub settings: skywatch_settings::Traces,
    /// Where they come in.
    pub listeners: Vec<Listener>,
    /// Who may send them, and whether others can read on the way.
    pub access: ListenerAccess,
    /// Where they are kept.
    pub archive: PathBuf,
    /// Where what is learnt of them is kept.
    pub learnt: PathBuf,
    /// Where what is counted of operations is kept.
    pub operations: PathBuf,
}
