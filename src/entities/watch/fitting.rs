//! Learning beside the work: one thread that gives way to all others takes one entity after the other.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use skywatch_algorithms::entities::UnfittedEntity;

use super::watched::{FittedEntity, FittedOn, TrainingRows};
use crate::clock::unix_now;

/// Fits that wait or are under way: each holds a copy of what it learns from.
const WAITING: usize = 2;
/// How much the thread gives way, as `nice` has it: as the trainer does by default.
const NICE: i32 = 10;

/// Keeps detectors over a restart. Used by the thread that fits; calls may block on a disk or the network.
pub(super) trait DetectorStore: Send {
    /// What was kept of an entity, if it can be used.
    fn load(&self, entity: &str) -> Option<FittedEntity>;

    /// Keeps a detector in the place of the one before; a failure is logged, and costs another fit after a restart.
    fn keep(&self, entity: &str, fitted: &FittedEntity);
}

/// An entity that is to be learnt.
struct FitRequest {
    entity: Arc<str>,
    /// What it is learnt from; none if there is too little, and only what was kept will do.
    training: Option<TrainingRows>,
    /// Whether what was kept will do.
    may_restore: bool,
}

/// What came of it.
pub(super) struct FitDone {
    pub(super) entity: Arc<str>,
    /// Why not, in words.
    pub(super) outcome: Result<FittedEntity, String>,
    /// How long it took, seconds.
    pub(super) seconds: f64,
}

/// The thread, as whoever orders fits sees it. It ends after the fit under way once this is dropped, and is not waited for.
pub(super) struct EntityFitter {
    requests: Sender<FitRequest>,
    done: Receiver<FitDone>,
    under_way: usize,
}

impl EntityFitter {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn start(store: Option<Box<dyn DetectorStore>>) -> std::io::Result<Self> {
        let (requests, receive) = bounded::<FitRequest>(WAITING);
        let (send, done) = unbounded();
        let work = move || {
            // On Linux this is the thread's own.
            if let Err(error) = rustix::process::nice(NICE) {
                tracing::warn!("learning entities cannot give way to others: {error}");
            }
            for request in receive {
                if send.send(fit(request, store.as_deref())).is_err() {
                    break;
                }
            }
        };
        std::thread::Builder::new()
            .name("entities-fit".to_owned())
            .spawn(work)?;
        Ok(Self {
            requests,
            done,
            under_way: 0,
        })
    }

    /// Whether there is a place for another fit.
    pub(super) fn has_place(&self) -> bool {
        self.under_way < WAITING
    }

    /// Orders a fit; for no more than there are places.
    pub(super) fn order(&mut self, entity: Arc<str>, training: Option<TrainingRows>, may_restore: bool) {
        self.under_way += 1;
        let request = FitRequest {
            entity,
            training,
            may_restore,
        };
        // There is a place; and a thread that has panicked answers nothing, which the panic hook has logged.
        let _ = self.requests.try_send(request);
    }

    /// Where what has been done comes out.
    pub(super) fn done(&self) -> Receiver<FitDone> {
        self.done.clone()
    }

    /// Notes that something came out there.
    pub(super) fn took(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way == 0
    }
}

fn fit(request: FitRequest, store: Option<&dyn DetectorStore>) -> FitDone {
    let begun = Instant::now();
    let FitRequest {
        entity,
        training,
        may_restore,
    } = request;
    let kept = store
        .filter(|_| may_restore)
        .and_then(|store| store.load(&entity));
    // Metrics may be other ones than they were.
    let is_of_them = |kept: &FittedEntity| {
        let metrics = training.as_ref().map(|training| &training.metrics);
        metrics.is_none_or(|metrics| *metrics == kept.on.metrics)
    };
    let outcome = match (kept.filter(is_of_them), &training) {
        (Some(kept), _) => Ok(kept),
        (None, None) => Err("too few rows have come".to_owned()),
        (None, Some(training)) => fit_anew(training).inspect(|fitted| {
            if let Some(store) = store {
                store.keep(&entity, fitted);
            }
        }),
    };
    FitDone {
        entity,
        outcome,
        seconds: begun.elapsed().as_secs_f64(),
    }
}

/// Learns an entity from its rows.
///
/// # Errors
/// Why that is not possible, in words.
pub(super) fn fit_anew(training: &TrainingRows) -> Result<FittedEntity, String> {
    let detector = UnfittedEntity::default().fit(&training.rows);
    Ok(FittedEntity {
        detector: detector.map_err(|error| error.to_string())?,
        on: FittedOn {
            metrics: training.metrics.clone(),
            rows: training.rows.len(),
            steps: training.steps,
            at: unix_now(),
        },
        is_restored: false,
    })
}
