//! Points from outside into the store.
//!
//! Listeners run on a small tokio runtime and only parse; one plain thread writes. Between them lies one
//! queue, bounded in points. Ending goes front to back: listeners stop, the queue closes behind the
//! last client, and the writer ends when it has written what is left.

mod batch;
mod carbon;
pub mod client;
mod counters;
mod datagram;
mod gate;
mod intake;
#[doc(hidden)]
pub mod laws;
mod line;
mod msgpack;
mod name;
mod pickle;
mod remote_write;
mod report;
mod stream;
#[cfg(test)]
mod testing;
mod trim;
mod writer;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::net::carbon_out::CarbonOut;
use crate::net::listeners::{Bound, ListenError, Listener, Service, Socket};
use crate::status::StatusFile;
use crate::stop::Stop;
use crate::store::Connect;
pub use counters::Counters;
pub(crate) use counters::Drop;
pub(crate) use gate::Gate;
pub use gate::Policy;
use intake::Intake;
pub(crate) use name::canonical as canonical_name;
pub use trim::TrimOptions;
use trim::Trimmer;
use writer::{Writer, WriterOptions};

/// Time the writer has for the write under way when all others are done.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// Why the ingest cannot run.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system refuses a thread or a runtime.
    #[error("cannot start the ingest: {0}")]
    Start(#[source] std::io::Error),
}

/// How points are taken in.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Where.
    pub listeners: Vec<Listener>,
    /// What is let in.
    pub policy: Policy,
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
    /// Longest frame of pickled points, bytes.
    pub max_frame_bytes: usize,
    /// Largest remote write, bytes.
    pub max_request_bytes: usize,
    /// Time after stop in which the store may still come back.
    pub grace: Duration,
    /// How old points are removed; `None` for not at all.
    pub trim: Option<TrimOptions>,
}

/// A bound but not yet serving ingest: from here on the addresses are known and ours.
pub struct Ingest {
    options: IngestOptions,
    bound: Vec<Bound>,
    counters: Arc<Counters>,
}

impl Ingest {
    /// Binds the listeners.
    ///
    /// # Errors
    /// [`IngestError::Listen`].
    pub fn bind(options: IngestOptions) -> Result<Self, IngestError> {
        let bound: Result<Vec<Bound>, ListenError> =
            options.listeners.iter().map(|listener| listener.bind()).collect();
        Ok(Self {
            bound: bound?,
            options,
            counters: Arc::default(),
        })
    }

    /// What is listened on, with the ports the system chose where the asked one was 0.
    pub fn addresses(&self) -> impl Iterator<Item = (Service, SocketAddr)> {
        self.bound.iter().map(|bound| (bound.service, bound.address))
    }

    /// The carbon listener's address.
    pub fn carbon_address(&self) -> Option<SocketAddr> {
        self.addresses()
            .find(|(service, _)| *service == Service::Carbon)
            .map(|(_, address)| address)
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
        let trimming = self
            .options
            .trim
            .map(|options| {
                let trimmer = Trimmer::new(options, Arc::clone(&self.counters), stop.clone());
                let connect = connect.clone();
                let thread = std::thread::Builder::new().name("trim".to_owned());
                thread.spawn(move || trimmer.run(&connect))
            })
            .transpose()
            .map_err(IngestError::Start)?;
        let gate = Arc::new(Gate::new(self.options.policy.clone()));
        let counters = Arc::clone(&self.counters);
        let writer = Writer::new(connect, options, counters, Arc::clone(&gate), stop.clone());
        let writing = std::thread::Builder::new()
            .name("ingest-write".to_owned())
            .spawn(move || writer.run(&receive))
            .map_err(IngestError::Start)?;
        let intake = Intake {
            // Each listener gets its own.
            service: Service::Carbon,
            queue,
            room: Arc::new(Semaphore::new(self.options.queue_points)),
            bound: self.options.queue_points,
            counters: Arc::clone(&self.counters),
            gate,
            connections: Arc::new(Semaphore::new(self.options.max_connections)),
            idle_timeout: self.options.idle_timeout,
            max_frame: self.options.max_frame_bytes,
            max_request: self.options.max_request_bytes,
        };
        let services: Vec<Service> = self.bound.iter().map(|bound| bound.service).collect();
        let (closing, closed) = tokio::sync::watch::channel(());
        let mut serving = JoinSet::new();
        {
            let _context = runtime.enter();
            for bound in self.bound {
                let mut closed = closed.clone();
                let over = async move { while closed.changed().await.is_ok() {} };
                serve(bound, &intake, over, &mut serving).map_err(IngestError::Start)?;
            }
        }
        // The queue closes behind the last listener.
        drop((intake, closed));
        let file = StatusFile::ingest(state_dir);
        report::each_second(&self.counters, &services, &file, graphite, stop);
        drop(closing);
        // A panic there is a defect of ours and has been logged by the panic hook.
        runtime.block_on(async { while serving.join_next().await.is_some() {} });
        // What still runs are connections of clients that send nothing more; each would keep the queue open.
        runtime.shutdown_background();
        let due = Instant::now() + self.options.grace + LAST_WRITE;
        while !writing.is_finished() && Instant::now() < due {
            std::thread::sleep(Duration::from_millis(10));
        }
        if writing.is_finished() {
            let _ = writing.join();
        } else {
            let waiting = self.counters.give_up_waiting();
            tracing::error!("{waiting} accepted points lost :: the store did not answer until the end");
        }
        if let Some(trimming) = trimming {
            let _ = trimming.join();
        }
        report::last(&self.counters, &services, &file, graphite);
        Ok(())
    }
}

/// Starts to serve one listener.
fn serve(
    bound: Bound,
    intake: &Intake,
    over: impl Future<Output = ()> + Send + 'static,
    serving: &mut JoinSet<()>,
) -> std::io::Result<()> {
    let intake = Intake {
        service: bound.service,
        ..intake.clone()
    };
    match bound.socket {
        Socket::Tcp(listener) => {
            let listener = TcpListener::from_std(listener)?;
            match bound.service {
                Service::Pickle => {
                    serving.spawn(stream::serve(listener, intake, pickle::Frames::new, over));
                }
                Service::RemoteWrite => {
                    serving.spawn(remote_write::serve(listener, intake, over));
                }
                _ => {
                    serving.spawn(stream::serve(listener, intake, carbon::Lines::new, over));
                }
            }
        }
        Socket::Udp(socket) => {
            let parse = match bound.service {
                Service::Msgpack => msgpack::datagram,
                _ => carbon::datagram,
            };
            serving.spawn(datagram::serve(UdpSocket::from_std(socket)?, intake, parse, over));
        }
    }
    Ok(())
}
