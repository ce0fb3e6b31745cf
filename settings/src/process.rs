//! The parent and its children.

use std::time::Duration;

use crate::check::Check;
use crate::duration::show;

section! {
    /// The parent and its children.
    Process in "process" {
        /// Whether everything runs in one process; always so with the embedded store.
        single_process: bool = false,
        /// How long the parent waits before it starts a child again, the first time.
        restart_backoff: Duration = Duration::from_secs(1),
        /// The longest wait; it doubles up to there.
        restart_backoff_max: Duration = Duration::from_secs(30),
        /// How long children may take to stop before they are killed.
        stop_timeout: Duration = Duration::from_secs(5),
    }
}

impl Process {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        let least = Some(Duration::from_millis(1));
        check.within("process.restart_backoff", &self.restart_backoff, least, None);
        check.within("process.stop_timeout", &self.stop_timeout, least, None);
        if self.restart_backoff_max < self.restart_backoff {
            check.conflict(
                &["process.restart_backoff_max", "process.restart_backoff"],
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
