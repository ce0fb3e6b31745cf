//! The end at which reports come out.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::Receiver;
use skywatch_algorithms::verdicts::Status;

use super::subject::UnsentObservation;
use super::{ObserverShared, locked};

/// The end at which an observer's reports come out; whoever has it sends them.
#[derive(Debug)]
pub struct ObserverReports {
    pub(super) shared: Arc<ObserverShared>,
    pub(super) changed: Receiver<()>,
}

/// What one subject looked like at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnReport {
    /// Of whom.
    pub subject: Arc<str>,
    /// When, Unix nanoseconds.
    pub at: i64,
    /// Names of metrics with status and score, 0 (worst) to 100.
    pub metrics: Vec<(Arc<str>, Status, f32)>,
}

impl ObserverReports {
    /// Waits until something has changed, `patience` at most. To be called several times a second: requests that hang are
    /// found by looking.
    pub fn wait(&self, patience: Duration) {
        let _ = self.changed.recv_timeout(patience);
    }

    /// Takes all that is to be told by now; of one subject the oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<OwnReport> {
        let now = self.shared.now();
        self.take_at(now, unix_nanoseconds())
    }

    /// The same at `now` of the observer's clock, which is `wall` in Unix nanoseconds.
    pub(super) fn take_at(&self, now: i64, wall: i64) -> Vec<OwnReport> {
        let subjects: Vec<_> = locked(&self.shared.subjects).known.values().cloned().collect();
        let mut reports = Vec::new();
        for subject in subjects {
            let mut seen = locked(&subject);
            seen.look(now);
            let name = Arc::clone(seen.name());
            reports.extend(seen.take().into_iter().map(|unsent| OwnReport {
                subject: Arc::clone(&name),
                at: wall - (now - unsent.at),
                metrics: unsent.metrics,
            }));
        }
        reports
    }

    /// Takes back what could not be sent, in the order in which it was taken: it comes out again, before what is newer.
    pub fn give_back(&self, reports: Vec<OwnReport>) {
        let ago = self.shared.now() - unix_nanoseconds();
        for report in reports.into_iter().rev() {
            let known = locked(&self.shared.subjects).known.get(&report.subject).cloned();
            if let Some(subject) = known {
                locked(&subject).put_back(UnsentObservation {
                    at: report.at + ago,
                    metrics: report.metrics,
                });
            }
        }
    }
}

fn unix_nanoseconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}
