//! What a role is: what it is asked, and what it is given.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::Receiver;
use skywatch_settings::Settings;

use crate::inlet::{Answers, Finder, FromFinder, InletAddress, InletClient};
use crate::observer::Observer;
use crate::process::{LiveSettings, ProcessError};
use crate::status::Liveness;
use crate::stop::Stop;
use crate::store::AnyConnect;
use crate::web::LiveSettingsTable;

/// The work of one child, or of one thread where everything is one process.
///
/// A role is asked once to stop and then ends by itself, within `process.stop_timeout`. When it ends before, with an error or
/// without, a child is started again after a pause; in a single process everything ends.
pub trait Role: Debug + Sync {
    /// Its name as an argument (`skywatch child NAME`), of its thread and in the log.
    fn name(&self) -> &'static str;

    /// Whether `settings` ask for it.
    fn is_wanted(&self, settings: &Settings) -> bool;

    /// Works until the stop of `context` is said. Blocks.
    ///
    /// # Errors
    /// Whatever keeps it from working.
    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError>;

    /// What must be there before it runs; nothing if not said otherwise.
    fn needs(&self, run: &RunOptions) -> Needs {
        let _ = run;
        Needs::default()
    }

    /// Whether it finds what is wrong, and needs a dispatch to tell.
    fn finds(&self) -> bool {
        false
    }

    /// Whether it is wanted as soon as a role is that finds something.
    fn serves_finders(&self) -> bool {
        false
    }

    /// Whether it sees how others are that it depends on, and is given somebody to tell.
    fn observes(&self) -> bool {
        false
    }

    /// Whether everything is over once it has ended without an error.
    fn ends_all(&self, run: &RunOptions) -> bool {
        let _ = run;
        false
    }

    /// Whether it is asked to stop only when all that do not stop last have ended, because they hand something to it.
    fn stops_last(&self) -> bool {
        false
    }
}

/// What a role finds ready when it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The store, opened once a process and shared by its roles. A Redis may still be out of reach then.
    pub store: bool,
}

/// What a role is given to work with.
pub struct RoleContext<'a> {
    /// All settings.
    pub settings: &'a Settings,
    /// What `skywatch run` was asked beyond them.
    pub run: &'a RunOptions,
    /// Where it shows that it is alive.
    pub liveness: Liveness,
    /// Said once: end.
    pub stop: &'a Stop,
    /// Whether the other roles are threads of this process.
    pub single_process: bool,
    /// The way to the dispatch.
    pub(in crate::process) inlet: InletAddress,
    /// The other end of it, where the dispatch is a thread of this process.
    pub(in crate::process) finders: Option<Receiver<FromFinder>>,
    /// Tells the health plane what the role sees; nobody if there is no plane or the role sees nothing.
    pub(in crate::process) observer: Observer,
    /// There if any role of this process needs it.
    pub(in crate::process) store: Option<AnyConnect>,
}

impl RoleContext<'_> {
    /// The store.
    ///
    /// # Errors
    /// [`ProcessError::NoStore`] if no role of this process has said that it needs one: a defect of ours.
    pub fn store(&self) -> Result<&AnyConnect, ProcessError> {
        self.store.as_ref().ok_or(ProcessError::NoStore)
    }
}

/// How long the end of a role that finds something waits until its last findings are confirmed; longer only on a disk that takes
/// nothing.
pub(super) const CONFIRM_PATIENCE: Duration = Duration::from_secs(5);

/// Connects a role that finds something to the dispatch.
///
/// # Errors
/// The system refuses a thread.
pub(super) fn connect(
    inlet: InletAddress,
    finder: Finder,
    answers: Option<Answers>,
) -> Result<InletClient, ProcessError> {
    InletClient::start(inlet, finder, answers).map_err(|source| ProcessError::Start {
        what: "the connection to the dispatch",
        source,
    })
}

/// What `skywatch run` was asked beyond the settings.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// End after so many passes.
    pub passes: Option<u64>,
    /// File that gets one JSON line a pass.
    pub summary: Option<PathBuf>,
    /// The arguments that make a child resolve the same settings.
    pub global: Vec<String>,
    /// The settings in force, for people.
    pub settings: LiveSettingsTable,
    /// Where roles say that they can take over settings that are read anew.
    pub live: LiveSettings,
    /// What a trainer child was asked.
    #[cfg(feature = "learned")]
    pub trainer: crate::process::TrainerRun,
}

impl RunOptions {
    /// The arguments of this binary that make it the child with this role.
    pub fn child_arguments(&self, role: &str) -> Vec<String> {
        let mut all = vec!["child".to_owned(), role.to_owned()];
        all.extend(self.global.iter().cloned());
        if let Some(passes) = self.passes {
            all.extend(["--passes".to_owned(), passes.to_string()]);
        }
        if let Some(summary) = &self.summary {
            all.extend(["--summary".to_owned(), summary.display().to_string()]);
        }
        all
    }
}
