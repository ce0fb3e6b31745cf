//! The parent and its children.

use std::time::Duration;

use crate::check::Check;
use crate::duration::show;
use crate::section::{MILLISECOND, Section};

options! {
    /// The parent and its children.
    pub Process {
        /// Whether everything runs in one process; always so with the embedded store.
        single_process: bool = false,
        /// How long the parent waits before it starts a child again, the first time.
        restart_backoff: Duration = Duration::from_secs(1) => MILLISECOND..,
        /// The longest wait; it doubles up to there.
        restart_backoff_max: Duration = Duration::from_secs(30),
        /// How long children may take to stop before they are killed.
        stop_timeout: Duration = Duration::from_secs(5) => MILLISECOND..,
    }
}

impl Section for Process {
    fn check(&self, check: &mut Check<'_>) {
        if self.restart_backoff_max < self.restart_backoff {
            check.conflict(
                &["restart_backoff_max", "restart_backoff"],
                format!(
                    "`process.restart_backoff_max` is `{}`, shorter than `process.restart_backoff` with `{}`,",
                    show(self.restart_backoff_max),
                    show(self.restart_backoff)
                ),
                "the wait grows from `restart_backoff` to `restart_backoff_max`",
            );
        }
    }
}
