//! How jobs are handed out.

use std::time::Duration;

use crate::check::Check;

section! {
    /// How jobs are handed out.
    Jobs in "jobs" {
        /// What all keys of the queue in Redis begin with.
        prefix: String = "skywatch.jobs".to_owned(),
        /// Silence after which a job is taken from a trainer.
        lease: Duration = Duration::from_secs(30),
        /// How often a job is begun before it is given up.
        tries: usize = 5,
        /// Pause before the second try; it doubles with each.
        backoff: Duration = Duration::from_secs(10),
        /// The longest pause.
        backoff_max: Duration = Duration::from_secs(600),
        /// How long what is done or dead is remembered.
        keep: Duration = Duration::from_secs(7 * 86_400),
    }
}

impl Jobs {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        let second = Some(Duration::from_secs(1));
        check.require(
            !self.prefix.is_empty(),
            "jobs.prefix",
            &self.prefix,
            "expected the beginning of a key",
        );
        check.within("jobs.lease", &self.lease, second, None);
        check.within("jobs.tries", &self.tries, Some(1), Some(1_000));
        check.within("jobs.keep", &self.keep, second, None);
        check.within("jobs.backoff_max", &self.backoff_max, Some(self.backoff), None);
    }
}
