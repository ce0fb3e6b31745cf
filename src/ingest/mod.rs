//! Points from outside into the store.
//!
//! Listeners run on a small tokio runtime and only parse; one plain thread writes. Between them lies one
//! queue, bounded in points. Ending goes front to back: listeners stop, the queue closes behind the
//! last client, and the writer ends when it has written what is left.

mod batch;
mod carbon;
mod counters;
mod line;
mod writer;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::unbounded;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::clock::unix_now;
use crate::net::carbon_out::CarbonOut;
use crate::status::{IngestStatus, StatusFile};
use crate::stop::Stop;
use crate::store::Connect;
use carbon::Intake;
pub use counters::Counters;
use writer::{Writer, WriterOptions};

/// Time between two status reports.
const REPORT_EACH: Duration = Duration::from_secs(1);
/// Reports between two pushes to Graphite and two log lines.
const REPORTS_A_PUSH: u32 = 60;

/// Why the ingest cannot run.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The address is taken or not ours.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system refuses a thread or a runtime.
    #[error("cannot start the ingest: {0}")]
    Start(#[source] std::io::Error),
}

/// How points are taken in.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Carbon plaintext over TCP; `None` for no such listener.
    pub carbon_listen: Option<SocketAddr>,
    /// Points at which a batch is written at once.
    pub batch_points: usize,
    /// Longest time a point waits for company.
    pub flush_interval: Duration,
    /// Points that may wait for the store.
    pub queue_points: usize,
    /// A client silent for so long is disconnected.
    pub idle_timeout: Duration,
    /// Clients at a time.
    pub max_connections: usize,
    /// Longest name accepted, bytes.
    pub max_name_bytes: usize,
    /// Time after stop in which the store may still come back.
    pub grace: Duration,
}

/// A bound but not yet serving ingest: from here on the address is known and ours.
pub struct Ingest {
    options: IngestOptions,
    listener: Option<std::net::TcpListener>,
    counters: Arc<Counters>,
}

impl Ingest {
    /// Binds the listeners.
    ///
    /// # Errors
    /// [`IngestError::Listen`].
    pub fn bind(options: IngestOptions) -> Result<Self, IngestError> {
        let listener = options
            .carbon_listen
            .map(|address| {
                let listen = std::net::TcpListener::bind(address)
                    .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
                listen.map_err(|source| IngestError::Listen { address, source })
            })
            .transpose()?;
        Ok(Self {
            options,
            listener,
            counters: Arc::default(),
        })
    }

    /// The carbon listener's address, with the port the system chose if the asked one was 0.
    pub fn carbon_address(&self) -> Option<SocketAddr> {
        self.listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `stop` is said and everything accepted is written.
    ///
    /// # Errors
    /// [`IngestError::Start`].
    pub fn run<K: Connect>(
        self,
        connect: K,
        state_dir: &Path,
        graphite: Option<(&CarbonOut, &str)>,
        stop: &Stop,
    ) -> Result<(), IngestError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("ingest-net")
            .enable_all()
            .build()
            .map_err(IngestError::Start)?;
        let (queue, receive) = unbounded();
        let options = WriterOptions {
            batch_points: self.options.batch_points,
            flush_interval: self.options.flush_interval,
            grace: self.options.grace,
        };
        let writer = Writer::new(connect, options, Arc::clone(&self.counters), stop.clone());
        let writing = std::thread::Builder::new()
            .name("ingest-write".to_owned())
            .spawn(move || writer.run(&receive))
            .map_err(IngestError::Start)?;
        let intake = Intake {
            queue,
            room: Arc::new(Semaphore::new(self.options.queue_points)),
            bound: self.options.queue_points,
            counters: Arc::clone(&self.counters),
            max_name: self.options.max_name_bytes,
            idle_timeout: self.options.idle_timeout,
            max_connections: self.options.max_connections,
        };
        let (say_stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = match self.listener {
            Some(listener) => {
                let _context = runtime.enter();
                let listener = TcpListener::from_std(listener).map_err(IngestError::Start)?;
                let over = async move {
                    let _ = stopped.await;
                };
                Some(runtime.spawn(carbon::serve(listener, intake, over)))
            }
            None => {
                drop(intake);
                None
            }
        };
        report(&self.counters, &StatusFile::ingest(state_dir), graphite, stop);
        drop(say_stop);
        if let Some(serving) = serving {
            // A panic there is a defect of ours and has been logged by the panic hook.
            let _ = runtime.block_on(serving);
        }
        let _ = writing.join();
        write_status(&self.counters, &StatusFile::ingest(state_dir));
        Ok(())
    }
}

/// Reports counters until stop is said.
fn report(counters: &Counters, file: &StatusFile, graphite: Option<(&CarbonOut, &str)>, stop: &Stop) {
    let mut reported = Vec::new();
    let mut reports = 0u32;
    loop {
        let stopping = stop.sleep(REPORT_EACH);
        let snapshot = counters.snapshot();
        if snapshot != reported {
            reported = snapshot;
            write_status(counters, file);
        }
        reports += 1;
        if reports.is_multiple_of(REPORTS_A_PUSH) || stopping {
            let some: Vec<_> = reported
                .iter()
                .filter(|(_, n)| *n > 0)
                .map(|(k, n)| format!("{k} {n}"))
                .collect();
            tracing::info!(
                "ingest :: {}",
                if some.is_empty() {
                    "nothing yet".to_owned()
                } else {
                    some.join(", ")
                }
            );
            if let Some((graphite, prefix)) = graphite {
                let figures: Vec<_> = reported
                    .iter()
                    .map(|(name, n)| (name.clone(), *n as f64))
                    .collect();
                graphite.push(prefix, &figures, unix_now());
            }
        }
        if stopping {
            return;
        }
    }
}

fn write_status(counters: &Counters, file: &StatusFile) {
    file.write(&IngestStatus {
        at: unix_now(),
        counters: counters.snapshot(),
        last_point: counters.last_point(),
    });
}
