//! What a kind of job is, and how a job of it becomes a task and comes back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::TrainingError;
use super::task::Task;
use super::trainer::GoOn;
use super::training::Training;

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

impl Task {
    /// The task of a job.
    #[must_use]
    pub fn of<J: JobKind>(job: &J) -> Self {
        let details = serde_json::to_value(job).expect("a job is a struct of texts and numbers");
        Self {
            kind: J::NAME.to_owned(),
            details: details.as_object().cloned().unwrap_or_default(),
        }
    }

    /// The job of the task.
    pub(super) fn job<J: JobKind>(&self) -> Result<J, serde_json::Error> {
        serde_json::from_value(self.details.clone().into())
    }
}
