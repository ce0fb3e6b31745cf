//! The trainer: takes one job after the other, works, says it is alive, says what came of it.
//!
//! The heartbeat has a thread and a connection of its own, so that a long step of the work does not look like death. A
//! job that was lost meanwhile is dropped at its next step: what another has taken is not published by us.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{JobOutcome, JobQueue, OpenQueue, QueueError, TakenJob, Task, opened};
use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::panics;
use crate::stop::Stop;

/// How long one look for a job lasts, and so how long stop may wait while there is none.
const LOOK: Duration = Duration::from_secs(1);
/// Shortest and longest pause after a queue that does not answer: a Redis starts again within seconds, and a training that
/// begins half a minute later is no loss.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Says whether to go on: the job is still ours, and nobody has said stop. Asked at every step.
pub type GoOn<'g> = dyn Fn() -> bool + Sync + 'g;

/// What can be done with a task. Called on the trainer's thread, one at a time; blocks as long as it takes.
pub trait JobWork: Sync {
    /// Does it. `go_on` says whether the job is still ours and nobody has said stop; asked at every step, and before
    /// anything is published. What came of it, in a few words, or why nothing did.
    ///
    /// # Errors
    /// In words for people; the job is then tried again.
    fn run(&self, task: &Task, go_on: &GoOn<'_>) -> Result<String, String>;
}

/// How a trainer works.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainerOptions {
    /// Its name; no other trainer has it.
    pub worker: String,
    /// Silence after which its job is taken from it: the queue's.
    pub lease: Duration,
    /// Whether it ends when nothing is to be had.
    pub drain: bool,
}

/// One trainer.
pub struct Trainer<'t> {
    /// Where jobs come from.
    pub open: &'t dyn OpenQueue,
    /// What is done with them.
    pub work: &'t dyn JobWork,
    /// How.
    pub options: TrainerOptions,
}

impl Trainer<'_> {
    /// Works until `stop` is said, or with `drain` until nothing is to be had.
    ///
    /// # Errors
    /// Only with `drain`: the queue does not answer. Otherwise that is waited for.
    pub fn run(&self, stop: &Stop) -> Result<(), QueueError> {
        let mut queue: Option<Box<dyn JobQueue>> = None;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while !stop.is_said() {
            match self.turn(&mut queue, stop) {
                Ok(false) if self.options.drain => return Ok(()),
                Ok(_) => backoff.reset(),
                Err(error) if self.options.drain => return Err(error),
                Err(error) => {
                    let pause = backoff.pause();
                    tracing::warn!("{error} :: asked again in {:.1} seconds", pause.as_secs_f64());
                    queue = None;
                    if stop.sleep(pause) {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks for a job and does it; false if there was none.
    fn turn(&self, queue: &mut Option<Box<dyn JobQueue>>, stop: &Stop) -> Result<bool, QueueError> {
        let queue = opened(queue, self.open)?;
        let wait = if self.options.drain { Duration::ZERO } else { LOOK };
        let Some(taken) = queue.take(&self.options.worker, unix_now(), wait)? else {
            return Ok(false);
        };
        let outcome = self.do_it(&taken, stop);
        match &outcome {
            JobOutcome::Done(what) => {
                tracing::info!("job {} :: {} :: {what}", taken.id, taken.task.describe())
            }
            JobOutcome::Failed(why) => {
                tracing::error!(
                    "job {} :: {} :: try {} failed :: {why}",
                    taken.id,
                    taken.task.describe(),
                    taken.tries
                );
            }
            JobOutcome::Released => tracing::info!("job {} :: given back, as stop was said", taken.id),
        }
        if !self.finish(queue, &taken, &outcome)? {
            tracing::warn!(
                "job {} :: another trainer has taken it meanwhile; what we say of it does not count",
                taken.id
            );
        }
        Ok(true)
    }

    /// Says how it ended, for as long as it may still be ours.
    fn finish(
        &self,
        queue: &mut Box<dyn JobQueue>,
        taken: &TakenJob,
        outcome: &JobOutcome,
    ) -> Result<bool, QueueError> {
        let due = Instant::now() + self.options.lease;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match queue.finish(taken, &self.options.worker, outcome, unix_now()) {
                Err(error) if Instant::now() < due => {
                    tracing::warn!("{error} :: asked again");
                    std::thread::sleep(backoff.pause());
                    if let Ok(anew) = self.open.open() {
                        *queue = anew;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    fn do_it(&self, taken: &TakenJob, stop: &Stop) -> JobOutcome {
        let is_ours = AtomicBool::new(true);
        let ended = Stop::new();
        std::thread::scope(|scope| {
            let beating = std::thread::Builder::new().name("heartbeat".to_owned());
            let beat = || self.beat(taken, &is_ours, &ended);
            if let Err(error) = beating.spawn_scoped(scope, beat) {
                return JobOutcome::Failed(format!("cannot start a thread: {error}"));
            }
            let go_on = || is_ours.load(Ordering::Relaxed) && !stop.is_said();
            let outcome = panics::caught(|| self.work.run(&taken.task, &go_on));
            ended.say();
            match outcome {
                Ok(Ok(what)) => JobOutcome::Done(what),
                Ok(Err(_)) if stop.is_said() => JobOutcome::Released,
                Ok(Err(why)) => JobOutcome::Failed(why),
                Err(message) => {
                    JobOutcome::Failed(format!("the trainer panicked, which is a defect: {message}"))
                }
            }
        })
    }

    /// Says that we are alive, five times a lease, until the work has ended or the job is lost.
    fn beat(&self, taken: &TakenJob, is_ours: &AtomicBool, ended: &Stop) {
        let mut queue: Option<Box<dyn JobQueue>> = None;
        let mut heard = Instant::now();
        while !ended.sleep(self.options.lease / 5) {
            let beaten = opened(&mut queue, self.open)
                .and_then(|queue| queue.beat(taken, &self.options.worker, unix_now()));
            match beaten {
                Ok(true) => heard = Instant::now(),
                Ok(false) => return is_ours.store(false, Ordering::Relaxed),
                Err(error) => {
                    queue = None;
                    tracing::warn!("job {} :: no heartbeat :: {error}", taken.id);
                    if heard.elapsed() > self.options.lease {
                        return is_ours.store(false, Ordering::Relaxed);
                    }
                }
            }
        }
    }
}
