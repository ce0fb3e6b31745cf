//! Processes: the parent that starts, watches and restarts, the children that do the work, and the one
//! process that does it all when the store is embedded.

pub(crate) mod alerting;
mod child;
mod claim;
pub(crate) mod judging;
pub(crate) mod launch;
mod live;
mod observing;
mod parent;
pub(crate) mod probes;
pub(crate) mod reload;
pub(crate) mod roles;
mod signals;
#[cfg(feature = "learned")]
pub(crate) mod study;
mod systemd;
#[cfg(feature = "learned")]
pub(crate) mod trainer;
#[cfg(feature = "learned")]
mod voting;
pub(crate) mod wiring;

pub use child::{LivenessReporter, die_with_parent};
pub(crate) use claim::{StateFolderClaim, is_claimed};
pub(crate) use judging::{adaptive_rules, long_memory, states_folder, worker_options};
pub use launch::{check, run_all, run_role, time_to_end};
pub use live::LiveSettings;
pub(crate) use live::is_live;
pub use parent::{ChildSpec, Parent, ParentOptions};
pub use reload::{ReadSettings, Reloader};
pub(crate) use roles::serve_health;
#[cfg(feature = "learned")]
pub(crate) use roles::serve_outliers;
pub use roles::{Needs, ROLES, Role, RoleContext, RunOptions};
pub use signals::{Hangup, Signals, end_by_force, stop_on_signal};
pub use systemd::Systemd;
#[cfg(feature = "learned")]
pub use trainer::TrainerRun;
pub(crate) use wiring::{ingest_policy, redis, store};

/// Why a process ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The analyzer's reason.
    #[error(transparent)]
    Analyzer(#[from] crate::analyzer::AnalyzerError),
    /// The ingest's reason.
    #[error(transparent)]
    Ingest(#[from] crate::ingest::IngestError),
    /// The reason of the role that follows logs.
    #[error(transparent)]
    Logs(#[from] crate::logs::LogsError),
    /// The pages' reason.
    #[error(transparent)]
    Web(#[from] crate::web::WebError),
    /// The health plane's reason.
    #[error(transparent)]
    Health(#[from] crate::health::HealthError),
    /// The reason of the role that takes traces in.
    #[error(transparent)]
    Traces(#[from] crate::traces::TracesError),
    /// The reason of the role that watches entities.
    #[error(transparent)]
    Entities(#[from] crate::entities::EntityWatchError),
    /// The outlier service's reason.
    #[cfg(feature = "learned")]
    #[error(transparent)]
    Outliers(#[from] crate::outliers::OutliersError),
    /// Events cannot be published or sent.
    #[error(transparent)]
    Events(#[from] crate::events::EventsError),
    /// The store's reason, at start.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A role that has not said that it needs the store asks for it: a defect of ours.
    #[error("a role uses the store without needing it")]
    NoStore,
    /// Druid cannot be asked as the settings say.
    #[cfg(feature = "learned")]
    #[error(transparent)]
    Source(#[from] crate::sources::SourceError),
    /// The queue of jobs.
    #[cfg(feature = "learned")]
    #[error(transparent)]
    Jobs(#[from] crate::jobs::QueueError),
    /// The place of models.
    #[cfg(feature = "learned")]
    #[error(transparent)]
    Models(#[from] crate::models::ModelError),
    /// A receiver cannot be set up as configured.
    #[error("receiver `{receiver}`: {source}")]
    Receiver {
        /// Its name.
        receiver: String,
        /// Why.
        source: skywatch_alerters::Error,
    },
    /// The templates cannot be used.
    #[error(transparent)]
    Templates {
        /// Why.
        source: skywatch_alerters::Error,
    },
    /// The state folder cannot be made or written.
    #[error("cannot use the state folder `{}`: {source}\nhint: set `state_dir` to a folder this user may write", path.display())]
    StateDir {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process runs over the state folder.
    #[error("state folder `{}` is in use by {who}\nhint: stop that one first, or give this one another `state_dir`", path.display())]
    StateDirInUse {
        /// The folder.
        path: std::path::PathBuf,
        /// What it has said of itself.
        who: String,
    },
    /// The system refuses a process, a thread or a signal handler.
    #[error("cannot start {what}: {source}")]
    Start {
        /// What was to be started.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A role could not be told of new settings; why, for people.
    #[error("{0}")]
    Busy(String),
    /// A part of the single process panicked: a defect of ours.
    #[error("`{0}` panicked")]
    Panicked(&'static str),
}

impl ProcessError {
    /// What a person could do, where that is known and the message does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Receiver { source, .. } | Self::Templates { source } => source.hint(),
            _ => None,
        }
    }
}
