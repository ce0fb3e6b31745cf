//! The plane as a gRPC server: Panorama's service, ours, health and reflection of gRPC itself, and the exchange with peers.
//!
//! A report is answered once it is in the file, so that "accepted" means kept. The plane is behind one lock that is held for
//! microseconds and never across a wait; everything on the way to it is checked before. A std mutex, as nothing awaits under
//! it.

mod compatible;
mod counters;
mod exchange;
mod ours;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use skywatch_algorithms::verdicts::SECOND;
use tokio::sync::{broadcast, oneshot};
use tonic::service::Routes;

use self::compatible::Compatible;
pub use self::counters::HealthCounters;
use self::exchange::PeerExchange;
use self::ours::Ours;
use super::convert;
use super::idl::DESCRIPTORS;
use super::idl::panorama::Report;
use super::idl::panorama::health_service_server::HealthServiceServer;
use super::idl::verdicts::verdicts_server::VerdictsServer;
use super::journal::{Journal, JournalError, Retention, WAITING};
use super::limits::HealthRefusal;
use super::plane::{Expiry, Incoming, Options, Plane, PlaneChange, PlaneCounts, Row};

/// Bytes of a message at most, as gRPC has it by default.
const MESSAGE_BYTES: usize = 4 << 20;
/// Changes a watcher may be behind before it misses some.
const WATCH_BEHIND: usize = 4_096;
/// How often it is looked whether votes have expired: deadlines are kept to a tenth of a second.
const TICK: Duration = Duration::from_millis(100);
/// How often what is too old is dropped.
const EXPIRE: Duration = Duration::from_secs(60);

/// What a server is told about itself and others.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Its id, under which peers know it.
    pub id: String,
    /// Its address, for peers.
    pub address: String,
    /// All servers by id, it may be among them.
    pub peers: BTreeMap<String, String>,
    /// Subjects watched from the start.
    pub subjects: Vec<String>,
    /// Where what is known is kept; `None` to forget all at the end.
    pub file: Option<PathBuf>,
    /// How long superseded reports stay in the file.
    pub retention: Retention,
    /// Whether old observations are dropped from views, as the original's collector does.
    pub collection: Option<Collection>,
    /// How the plane works.
    pub plane: Options,
}

/// How old observations may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// How often they are looked for.
    pub period: Duration,
    /// How old they may be.
    pub age: Duration,
    /// Whether age is counted from the newest of a view, and not from now.
    pub relative: bool,
}

/// A health plane that is served: what is known, where it is kept and who is told.
#[derive(Debug)]
pub struct HealthServer {
    plane: Mutex<Plane>,
    journal: Option<Journal>,
    counters: HealthCounters,
    changes: broadcast::Sender<Arc<PlaneChange>>,
    exchange: PeerExchange,
    options: ServerOptions,
}

impl HealthServer {
    /// Reads what is kept, and is ready. Needs a tokio runtime: exchange and deadlines are tasks of it, which end with the
    /// last copy of the server.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn start(options: ServerOptions) -> Result<Arc<Self>, JournalError> {
        let now = now();
        let (journal, mut plane) = match &options.file {
            Some(file) => {
                let (journal, plane) = Journal::open(file, options.plane, options.retention, now)?;
                (Some(journal), plane)
            }
            None => (None, Plane::new(options.plane)),
        };
        for subject in &options.subjects {
            if let Err(refusal) = plane.observe(subject, now) {
                tracing::warn!("subject `{subject}` is not watched :: {refusal}");
            }
        }
        let server = Arc::new(Self {
            plane: Mutex::new(plane),
            journal,
            counters: HealthCounters::default(),
            changes: broadcast::channel(WATCH_BEHIND).0,
            exchange: PeerExchange::new(&options),
            options,
        });
        let (own, _) = server.step(|plane, now| {
            server.exchange.send_again(plane, now);
            plane.register(exchange::MODULE, &server.options.id, now)
        });
        match own {
            Ok(handle) => server.exchange.start(&server, handle),
            Err(refusal) => tracing::error!("health :: nothing is exchanged with peers :: {refusal}"),
        }
        server.keep_time();
        Ok(server)
    }

    /// The services, to be served by whoever listens.
    #[must_use]
    pub fn routes(self: &Arc<Self>) -> Routes {
        let compatible =
            HealthServiceServer::new(Compatible(Arc::clone(self))).max_decoding_message_size(MESSAGE_BYTES);
        let ours = VerdictsServer::new(Ours(Arc::clone(self))).max_decoding_message_size(MESSAGE_BYTES);
        let (reporter, health) = tonic_health::server::health_reporter();
        tokio::spawn(async move {
            reporter.set_serving::<HealthServiceServer<Compatible>>().await;
            reporter.set_serving::<VerdictsServer<Ours>>().await;
        });
        let mut routes = Routes::new(compatible).add_service(ours).add_service(health);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // They refuse descriptors that are none; ours are held to be some by a test.
        if let (Ok(new), Ok(old)) = (reflection().build_v1(), reflection().build_v1alpha()) {
            routes = routes.add_service(new).add_service(old);
        }
        routes
    }

    /// What has been taken and refused.
    #[must_use]
    pub fn counters(&self) -> &HealthCounters {
        &self.counters
    }

    /// How much is known.
    #[must_use]
    pub fn counts(&self) -> PlaneCounts {
        self.look(Plane::counts)
    }

    /// Changes of states from now on; who is too slow misses some and is told how many.
    #[must_use]
    pub fn watch(&self) -> broadcast::Receiver<Arc<PlaneChange>> {
        self.changes.subscribe()
    }

    /// Asks the plane something.
    pub fn look<T>(&self, question: impl FnOnce(&Plane) -> T) -> T {
        question(&self.plane.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the plane. What follows is handed to the file and to watchers; the second part ends once it is in the file.
    pub fn step<T>(&self, step: impl FnOnce(&mut Plane, i64) -> T) -> (T, Option<oneshot::Receiver<()>>) {
        let mut plane = self.plane.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = step(&mut plane, now());
        let rows = plane.take_rows();
        for row in &rows {
            if let Row::Changed(change) = row {
                // Without watchers nobody is told.
                let _ = self.changes.send(Arc::new(change.clone()));
            }
        }
        // Under the lock, so that rows reach the file in the order of their numbers.
        let kept = self.journal.as_ref().and_then(|journal| journal.write(rows));
        (outcome, kept)
    }

    /// Takes reports of one observer, keeps them and has peers told; says of each what became of it.
    pub async fn submit(
        &self,
        handle: u64,
        reports: impl IntoIterator<Item = Option<&Report>>,
    ) -> Vec<Result<(), HealthRefusal>> {
        let limits = &self.options.plane.limits;
        let checked: Vec<_> = reports
            .into_iter()
            .map(|report| convert::incoming(report, limits, now()))
            .collect();
        if !self.keeps_up() {
            let refusal = HealthRefusal::Full {
                what: "reports on their way to the disk",
                limit: WAITING,
            };
            return checked
                .into_iter()
                .map(|checked| checked.and(Err(refusal.clone())))
                .collect();
        }
        self.change(|plane, now| {
            let each = checked
                .into_iter()
                .map(|checked| self.take(plane, handle, &checked?, now));
            each.collect()
        })
        .await
    }

    fn take(&self, plane: &mut Plane, handle: u64, report: &Incoming, now: i64) -> Result<(), HealthRefusal> {
        let accepted = plane.submit(handle, report, now)?;
        let lost = self.exchange.tell(&accepted, self.options.plane.filter);
        self.counters.unsent(lost);
        self.counters.accepted();
        Ok(())
    }

    /// Changes the plane, and waits until that is kept.
    async fn change<T>(&self, step: impl FnOnce(&mut Plane, i64) -> T) -> T {
        let (outcome, kept) = self.step(step);
        self.until_kept(kept).await;
        outcome
    }

    async fn until_kept(&self, kept: Option<oneshot::Receiver<()>>) {
        if let Some(kept) = kept
            && kept.await.is_err()
        {
            // The disk takes nothing: it is in memory, and written later.
            self.counters.unkept();
        }
    }

    /// Whether the file keeps up; otherwise reports are refused for a while.
    fn keeps_up(&self) -> bool {
        self.journal.as_ref().is_none_or(Journal::has_room)
    }

    fn keep_time(self: &Arc<Self>) {
        let server = Arc::downgrade(self);
        let collection = self.options.collection;
        let age = self.options.retention.age;
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let (mut expired, mut collected) = (tokio::time::Instant::now(), tokio::time::Instant::now());
            loop {
                ticks.tick().await;
                let Some(server) = server.upgrade() else { return };
                server.step(|plane, now| plane.tick(now));
                if expired.elapsed() >= EXPIRE {
                    expired = tokio::time::Instant::now();
                    server.step(|plane, now| plane.expire(Expiry::CameBefore(now - nanoseconds(age)), now));
                }
                if let Some(collection) =
                    collection.filter(|collection| collected.elapsed() >= collection.period)
                {
                    collected = tokio::time::Instant::now();
                    let age = nanoseconds(collection.age);
                    server.step(|plane, now| {
                        let expiry = if collection.relative {
                            Expiry::BehindNewest(age)
                        } else {
                            Expiry::MadeBefore(now - age)
                        };
                        plane.expire(expiry, now)
                    });
                }
            }
        });
    }
}

/// Unix nanoseconds.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    nanoseconds(now)
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / SECOND * SECOND)
}
