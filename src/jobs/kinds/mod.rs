//! The kinds of jobs there are, a file each.
//!
//! A kind says what a job of it needs to know, and does it: what it learns from, what it fits, and how a new fit is held
//! against what serves, is its own. Queue, schedule, trainer and publishing know nothing of it.

mod families;
mod sequence;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Task;
use super::training::{Training, TrainingError};

pub(crate) use families::FAMILIES;
pub use families::FamiliesJob;
pub use sequence::SequenceJob;

/// A job that a trainer can do. Its fields are what lies in the queue.
pub trait JobKind: Serialize + DeserializeOwned {
    /// What the queue calls the kind.
    const NAME: &'static str;

    /// The job in a few words, the same for the same job: the schedule tells ticks apart by it.
    fn describe(&self) -> String;

    /// Does it, on the trainer's thread, for as long as it takes. What came of it, in a few words.
    ///
    /// # Errors
    /// [`TrainingError`]; nothing is published then, and the job is tried again.
    fn run(&self, training: &Training<'_>, go_on: &GoOn<'_>) -> Result<String, TrainingError>;
}

/// Says whether to go on: the job is still ours, and nobody has said stop. Asked at every step.
pub type GoOn<'g> = dyn Fn() -> bool + Sync + 'g;

/// One kind, for whoever has a task and no type.
pub(super) struct KnownKind {
    pub(super) name: &'static str,
    pub(super) describe: fn(&Task) -> Option<String>,
    pub(super) run: fn(&Task, &Training<'_>, &GoOn<'_>) -> Result<String, TrainingError>,
}

/// All kinds.
pub(super) static KINDS: [KnownKind; 2] = [KnownKind::of::<FamiliesJob>(), KnownKind::of::<SequenceJob>()];

impl KnownKind {
    const fn of<J: JobKind>() -> Self {
        Self {
            name: J::NAME,
            describe: |task| Some(task.job::<J>().ok()?.describe()),
            run: |task, training, go_on| task.job::<J>()?.run(training, go_on),
        }
    }
}
