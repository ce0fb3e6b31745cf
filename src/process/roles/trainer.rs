//! Fits the learned detectors.

use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::process::{ProcessError, trainer};

/// The role of that name.
#[derive(Debug)]
pub(super) struct TrainerRole;

impl Role for TrainerRole {
    fn name(&self) -> &'static str {
        "trainer"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.training.enabled
    }

    /// Histories in a file are there because another process has the store open.
    fn needs(&self, run: &RunOptions) -> Needs {
        Needs {
            store: run.trainer.histories.is_none(),
        }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let RoleContext {
            settings, run, stop, ..
        } = context;
        if context.single_process {
            // The training is a child's; here is only who starts it.
            return trainer::keep(context.store()?.clone(), settings, &run.global, stop);
        }
        trainer::train(settings, &run.trainer, context.store.as_ref(), stop)
    }
}
