//! Points from outside into the store.
//!
//! Listeners run on a small tokio runtime and only parse; one plain thread writes. Between them lies one
//! queue, bounded in points. Ending goes front to back: listeners stop, the queue closes behind the
//! last client, and the writer ends when it has written what is left.

mod arrivals;
mod batch;
mod carbon;
pub mod client;
mod counters;
mod datagram;
mod entrance;
mod gate;
mod intake;
#[doc(hidden)]
pub mod laws;
mod line;
mod msgpack;
mod oracle;
mod pickle;
mod remote_write;
mod report;
mod stream;
#[cfg(test)]
mod testing;
mod trim;
mod trim_tally;
mod writer;

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::log::is_shown;
use crate::net::access::ListenerAccess;
use crate::net::carbon_out::CarbonOut;
use crate::net::listeners::{Bound, BoundSocket, ListenError, Listener, Service};
use crate::net::slots::{self, ConnectionSlots};
use crate::net::tls::TlsError;
use crate::observer::{ObservedMetric, Observer};
use crate::status::StatusFile;
use crate::stop::Stop;
use crate::store::Connect;
use arrivals::Arrivals;
pub use counters::Counters;
pub(crate) use counters::DropReason;
pub use entrance::{EntranceOptions, PointEntrance, PointQueueFull, PointsTaken};
pub(crate) use gate::Gate;
pub use gate::IntakePolicy;
use intake::Intake;
pub use trim::TrimOptions;
use trim::Trimmer;
use writer::Writer;

/// Time between two tries at an address that is taken.
const BIND_AGAIN: Duration = Duration::from_secs(3);
/// Time the writer has for the write under way when all others are done.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// Share of the open files allowed to this process that may be the ingest's connections; the rest is for pages, which the
/// same process may serve.
const CONNECTIONS_SHARE: f64 = 0.75;

/// Most requests that are unpacked and have no place in the queue yet: each may take many times its size.
const UNPACKING: usize = 4;

/// Why the ingest cannot run.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// Not one of the addresses could be bound; this is what is wrong with the first.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate of remote writes, or its key.
    #[error(
        "{0}\nhint: `ingest.remote_write_tls_cert_file` is the certificate with those of its issuers, `ingest.remote_write_tls_key_file` its key, both PEM"
    )]
    Tls(#[from] TlsError),
    /// The system refuses a thread or a runtime.
    #[error("cannot start the ingest: {0}")]
    Start(#[source] std::io::Error),
}

/// How points are taken in.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Where.
    pub listeners: Vec<Listener>,
    /// Who may send remote writes, and whether others can read on the way.
    pub remote_write: ListenerAccess,
    /// What is let in.
    pub policy: IntakePolicy,
    /// Time after stop in which the store may still come back.
    pub grace: Duration,
    /// Tells how the store takes what is written, and how listeners are.
    pub observer: Observer,
    /// Whether it also tells which hosts send.
    pub watch_sources: bool,
    /// How old points are removed; `None` for not at all.
    pub trim: Option<TrimOptions>,
}

/// A bound but not yet serving ingest: from here on the addresses are known and ours, but for those that others hold.
pub struct Ingest {
    gate: Arc<Gate>,
    options: IngestOptions,
    bound: Vec<Bound>,
    /// Tried again while the others serve: a Horizon that is to be replaced may still hold its port.
    taken: Vec<Listener>,
    counters: Arc<Counters>,
}

impl Ingest {
    /// Binds the listeners. One that cannot be bound is logged, counted and tried again later, if there is another one.
    ///
    /// # Errors
    /// [`IngestError::Listen`] if there is none.
    pub fn bind(options: IngestOptions) -> Result<Self, IngestError> {
        let counters = Arc::<Counters>::default();
        let (mut bound, mut taken, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for &listener in &options.listeners {
            let binds = binds(&options.observer, listener.service);
            match listener.bind() {
                Ok(listener) => {
                    binds.healthy();
                    bound.push(listener);
                }
                Err(error) => {
                    binds.failed();
                    taken.push(listener);
                    errors.push(error);
                }
            }
        }
        if bound.is_empty() && !errors.is_empty() {
            return Err(errors.swap_remove(0).into());
        }
        for error in errors {
            counters.failed_bind(error.service);
            let each = BIND_AGAIN.as_secs();
            tracing::error!(
                "{} :: trying again every {each} seconds :: {error}",
                error.service.name
            );
        }
        Ok(Self {
            gate: Arc::new(Gate::new(options.policy.clone())),
            options,
            bound,
            taken,
            counters,
        })
    }

    /// Changes which points are let in, while it runs.
    pub fn changing(&self) -> impl Fn(IntakePolicy) + Send + Sync + 'static {
        let gate = Arc::clone(&self.gate);
        move |policy| gate.change(policy)
    }

    /// What is listened on, with the ports the system chose where the asked one was 0.
    pub fn addresses(&self) -> impl Iterator<Item = (&'static Service, SocketAddr)> {
        self.bound.iter().map(|bound| (bound.service, bound.address))
    }

    /// Who is told what it sees.
    pub fn observer(&self) -> &Observer {
        &self.options.observer
    }

    /// The carbon listener's address.
    pub fn carbon_address(&self) -> Option<SocketAddr> {
        self.addresses()
            .find(|(service, _)| *service == Service::CARBON)
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
        let settings = &self.options.policy.settings;
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
        let gate = self.gate;
        let counters = Arc::clone(&self.counters);
        let writer = Writer::new(
            connect,
            self.options.grace,
            counters,
            Arc::clone(&gate),
            &self.options.observer,
            stop.clone(),
        );
        let writing = std::thread::Builder::new()
            .name("ingest-write".to_owned())
            .spawn(move || writer.run(&receive))
            .map_err(IngestError::Start)?;
        let sources = match self.options.watch_sources {
            true => self.options.observer.clone(),
            false => Observer::off(),
        };
        let arrivals = Arc::new(Arrivals::new(sources));
        let intake = Intake {
            // Each listener gets its own.
            service: Service::CARBON,
            peer: None,
            arrivals: Arc::clone(&arrivals),
            queue,
            room: Arc::new(Semaphore::new(settings.queue_points)),
            bound: settings.queue_points,
            room_bytes: Arc::new(Semaphore::new(settings.queue_bytes.div_ceil(1_024))),
            bound_kilobytes: settings.queue_bytes.div_ceil(1_024),
            unpacking: Arc::new(Semaphore::new(UNPACKING)),
            counters: Arc::clone(&self.counters),
            gate,
            connections: ConnectionSlots::new(slots::affordable(
                settings.max_connections,
                CONNECTIONS_SHARE,
                "ingest.max_connections",
            )),
            idle_timeout: settings.idle_timeout,
            max_frame: settings.max_frame_bytes,
            max_request: settings.max_request_bytes,
        };
        let services: Vec<&Service> = self
            .options
            .listeners
            .iter()
            .map(|wanted| wanted.service)
            .collect();
        let (closing, closed) = tokio::sync::watch::channel(());
        let over = || {
            let mut closed = closed.clone();
            async move { while closed.changed().await.is_ok() {} }
        };
        let remote_write = self.options.remote_write;
        let mut serving = JoinSet::new();
        {
            let _context = runtime.enter();
            for bound in self.bound {
                let served = serve(bound, &intake, &remote_write, over()).map_err(IngestError::Start)?;
                serving.spawn(served);
            }
            for listener in self.taken {
                serving.spawn(serve_late(
                    listener,
                    intake.clone(),
                    remote_write.clone(),
                    binds(&self.options.observer, listener.service),
                    over(),
                    over(),
                ));
            }
        }
        // The queue closes behind the last listener.
        drop((intake, closed));
        let file = StatusFile::ingest(state_dir);
        let listening: Vec<_> = services
            .iter()
            .map(|service| binds(&self.options.observer, service))
            .collect();
        let seen = report::SeenEachSecond {
            listening: &listening,
            arrivals: &arrivals,
        };
        report::each_second(&self.counters, &services, &seen, &file, graphite, stop);
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

/// Whether a listener's address is ours, for the health plane.
fn binds(observer: &Observer, service: &Service) -> ObservedMetric {
    observer.metric(&format!("ingest:{}", service.name), "bind")
}

/// Serving one listener until `over` completes; to be called and awaited within the runtime.
fn serve(
    bound: Bound,
    intake: &Intake,
    remote_write: &ListenerAccess,
    over: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<Pin<Box<dyn Future<Output = ()> + Send>>> {
    let intake = Intake {
        service: bound.service,
        ..intake.clone()
    };
    Ok(match bound.socket {
        BoundSocket::Tcp(listener) => {
            let listener = TcpListener::from_std(listener)?;
            if bound.service == Service::PICKLE {
                Box::pin(stream::serve(listener, intake, pickle::PickleFramer::new, over))
            } else if bound.service == Service::REMOTE_WRITE {
                Box::pin(remote_write::serve(listener, intake, remote_write.clone(), over))
            } else {
                Box::pin(stream::serve(listener, intake, carbon::LineFramer::new, over))
            }
        }
        BoundSocket::Udp(socket) => {
            let parse = if bound.service == Service::MSGPACK {
                msgpack::datagram
            } else {
                carbon::datagram
            };
            Box::pin(datagram::serve(UdpSocket::from_std(socket)?, intake, parse, over))
        }
    })
}

/// Serves a listener whose address another process holds, as soon as it is free.
async fn serve_late(
    listener: Listener,
    intake: Intake,
    remote_write: ListenerAccess,
    binds: ObservedMetric,
    over: impl Future<Output = ()>,
    then_over: impl Future<Output = ()> + Send + 'static,
) {
    let bound = async {
        loop {
            tokio::time::sleep(BIND_AGAIN).await;
            match listener.bind() {
                Ok(bound) => break bound,
                Err(error) => {
                    let before = intake.counters.failed_bind(listener.service);
                    if is_shown(before, 1) {
                        let name = listener.service.name;
                        tracing::error!("{name} :: still not after {} tries :: {error}", before + 1);
                    }
                }
            }
        }
    };
    let bound = tokio::select! {
        () = over => return,
        bound = bound => bound,
    };
    let (service, address) = (bound.service, bound.address);
    match serve(bound, &intake, &remote_write, then_over) {
        Ok(served) => {
            binds.healthy();
            tracing::info!("taking {} on {address}, which is free now", service.what);
            drop(intake);
            served.await;
        }
        Err(error) => tracing::error!("{} :: cannot serve on {address} :: {error}", service.name),
    }
}
