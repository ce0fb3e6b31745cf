//! What all services of a server share: the plane behind its lock, its file, those who watch, and the ways to peers.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, oneshot};

use super::counters::HealthCounters;
use super::options::ServerOptions;
use super::peer_lines::PeerLines;
use crate::health::clock::now;
use crate::health::convert;
use crate::health::idl::panorama::{Report, learn_report_reply};
use crate::health::journal::{Journal, JournalError, WAITING};
use crate::health::limits::HealthRefusal;
use crate::health::plane::{Incoming, Plane, PlaneChange, PlaneCounts, Row, Taken};

/// Changes a watcher may be behind before it misses some.
const WATCH_BEHIND: usize = 4_096;

/// The disk does not keep up.
pub(super) const BEHIND: HealthRefusal = HealthRefusal::Full {
    what: "reports on their way to the disk",
    limit: WAITING,
};

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

    /// Every figure by name: counters, and how much is known, waits and was written.
    #[must_use]
    pub fn figures(&self) -> Vec<(String, u64)> {
        let (known, states) = self.look(|plane| (plane.counts(), plane.states()));
        let mut figures = self.counters.all();
        let mut add = |name: &str, value: u64| figures.push((name.to_owned(), value));
        add("subjects", known.subjects as u64);
        add("observers", known.observers as u64);
        add("observations", known.observations as u64);
        add("memory_bytes", known.memory as u64);
        add("held", known.held as u64);
        add("unheld", known.unheld);
        for (state, count) in states {
            add(&format!("states.{}", state.name()), count as u64);
        }
        if let Some(written) = self.journal.as_ref().map(Journal::written) {
            add("rows_written", written.rows.load(Ordering::Relaxed));
            add("rows_lost", written.lost.load(Ordering::Relaxed));
            add("write_failures", written.failures.load(Ordering::Relaxed));
        }
        for (peer, waiting) in self.peers.waiting() {
            // A dot ends a part of a name.
            add(
                &format!("peer.{}.waiting", peer.replace('.', "_")),
                waiting as u64,
            );
        }
        figures
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
            return checked
                .into_iter()
                .map(|checked| checked.and(Err(BEHIND)))
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

    /// Takes reports that another server has taken, each with its number there; says of each what became of it, for the
    /// answer, and counts what is no refusal.
    pub(super) async fn learn<'r>(
        &self,
        source: &str,
        reports: impl IntoIterator<Item = (u64, Option<&'r Report>)>,
    ) -> Vec<Result<learn_report_reply::Status, HealthRefusal>> {
        let limits = &self.options.plane.limits;
        let keeps_up = self.keeps_up();
        let checked: Vec<_> = reports
            .into_iter()
            .map(|(sequence, report)| {
                let report = convert::incoming(report, limits, now())?;
                if keeps_up {
                    Ok((sequence, report))
                } else {
                    Err(BEHIND)
                }
            })
            .collect();
        self.change(|plane, now| {
            let each = checked.into_iter().map(|checked| {
                let (sequence, report) = checked?;
                let taken = plane.learn(source, sequence, &report, now)?;
                Ok(self.counted(&taken))
            });
            each.collect()
        })
        .await
    }

    /// What a peer is told of a report, which is counted.
    fn counted(&self, taken: &Taken) -> learn_report_reply::Status {
        match taken {
            Taken::Accepted(_) => self.counters.learned(),
            Taken::Repeat => self.counters.repeated(),
            Taken::Ignored => {
                self.counters.ignored();
                return learn_report_reply::Status::Ignored;
            }
        }
        learn_report_reply::Status::Accepted
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
    pub(super) fn keeps_up(&self) -> bool {
        self.journal.as_ref().is_none_or(Journal::has_room)
    }
}
