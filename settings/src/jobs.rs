//! How jobs are handed out.

use std::time::Duration;

use crate::check::Check;
use crate::section::{SECOND, Section};

options! {
    /// How jobs are handed out.
    pub Jobs {
        /// What all keys of the queue in Redis begin with.
        prefix: String = "skywatch.jobs".to_owned(),
        /// Silence after which a job is taken from a trainer.
        lease: Duration = Duration::from_secs(30) => SECOND..,
        /// How often a job is begun before it is given up.
        tries: usize = 5 => 1..=1_000,
        /// Pause before the second try; it doubles with each.
        backoff: Duration = Duration::from_secs(10),
        /// The longest pause.
        backoff_max: Duration = Duration::from_secs(600),
        /// How long what is done or dead is remembered.
        keep: Duration = Duration::from_secs(7 * 86_400) => SECOND..,
    }
}

impl Section for Jobs {
    fn check(&self, check: &mut Check<'_>) {
        check.require(
            !self.prefix.is_empty(),
            "prefix",
            &self.prefix,
            "expected the beginning of a key",
        );
        check.within("backoff_max", &self.backoff_max, self.backoff..);
    }
}
