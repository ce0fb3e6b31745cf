//! What all services of a server share: the plane behind its lock, its file, those who watch, and the ways to peers.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, oneshot};

use super::counters::HealthCounters;
use super::options::ServerOptions;
use super::peer_lines::PeerLines;
use crate::health::clock::now;
use crate::health::convert;
use crate::health::idl::panorama::Report;
use crate::health::journal::{Journal, JournalError, WAITING};
use crate::health::limits::HealthRefusal;
use crate::health::plane::{Incoming, Plane, PlaneChange, PlaneCounts, Row};

/// Changes a watcher may be behind before it misses some.
const WATCH_BEHIND: usize = 4_096;

/// A health plane that is served: what is known, where it is kept and who is told.
#[derive(Debug)]
pub struct HealthServer {
    plane: Mutex<Plane>,
    journal: Option<Journal>,
    pub(super) counters: HealthCounters,
    changes: broadcast::Sender<Arc<PlaneChange>>,
    pub(super) peers: PeerLines,
    pub(super) options: ServerOptions,
}

impl HealthServer {
    /// Reads what is kept.
    pub(super) fn open(options: ServerOptions) -> Result<Self, JournalError> {
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
        Ok(Self {
            plane: Mutex::new(plane),
            journal,
            counters: HealthCounters::default(),
            changes: broadcast::channel(WATCH_BEHIND).0,
            peers: PeerLines::new(&options),
            options,
        })
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

    pub(super) fn take(
        &self,
        plane: &mut Plane,
        handle: u64,
        report: &Incoming,
        now: i64,
    ) -> Result<(), HealthRefusal> {
        let accepted = plane.submit(handle, report, now)?;
        let lost = self.peers.tell(&accepted, self.options.plane.filter);
        self.counters.unsent(lost);
        self.counters.accepted();
        Ok(())
    }

    /// Changes the plane, and waits until that is kept.
    pub(super) async fn change<T>(&self, step: impl FnOnce(&mut Plane, i64) -> T) -> T {
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
}
