//! The kinds of jobs there are, a file each.
//!
//! A kind says what a job of it needs to know, and does it: what it learns from, what it fits, and how a new fit is held
//! against what serves, is its own. Queue, schedule, trainer and publishing know nothing of it.

mod entity_network;
mod families;
mod sensor;
mod sequence;
mod traces;

use super::error::TrainingError;
use super::kind::JobKind;
use super::task::Task;
use super::trainer::{GoOn, JobWork};
use super::training::Training;

pub use entity_network::{EntityExamples, EntityNetworkJob};
pub(crate) use families::FAMILIES;
pub use families::FamiliesJob;
pub use sensor::SensorJob;
pub use sequence::SequenceJob;
pub use traces::TracesJob;

/// One kind, for whoever has a task and no type.
struct KnownKind {
    name: &'static str,
    describe: fn(&Task) -> Option<String>,
    run: fn(&Task, &Training<'_>, &GoOn<'_>) -> Result<String, TrainingError>,
}

/// All kinds.
static KINDS: [KnownKind; 5] = [
    KnownKind::of::<FamiliesJob>(),
    KnownKind::of::<SequenceJob>(),
    KnownKind::of::<SensorJob>(),
    KnownKind::of::<TracesJob>(),
    KnownKind::of::<EntityNetworkJob>(),
];

impl KnownKind {
    const fn of<J: JobKind>() -> Self {
        Self {
            name: J::NAME,
            describe: |task| Some(task.job::<J>().ok()?.describe()),
            run: |task, training, go_on| task.job::<J>()?.run(training, go_on),
        }
    }
}

impl Task {
    /// The task in a few words, the same for the same task.
    #[must_use]
    pub fn describe(&self) -> String {
        let kind = KINDS.iter().find(|kind| kind.name == self.kind);
        let text = kind.and_then(|kind| (kind.describe)(self));
        text.unwrap_or_else(|| self.kind.clone())
    }
}

impl JobWork for Training<'_> {
    fn run(&self, task: &Task, go_on: &GoOn<'_>) -> Result<String, String> {
        let kind = KINDS.iter().find(|kind| kind.name == task.kind);
        let outcome = match kind {
            Some(kind) => (kind.run)(task, self, go_on),
            None => Err(TrainingError::UnknownKind(task.kind.clone())),
        };
        outcome.map_err(|error| error.to_string())
    }
}
