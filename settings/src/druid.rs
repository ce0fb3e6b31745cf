//! The Druid broker that the outlier service and its trainings ask.

use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, SECOND, Section};

options! {
    /// The Druid broker that the outlier service and its trainings ask.
    pub Druid {
        /// Where queries go, such as `http://broker:8082/druid/v2`; none for no Druid.
        url: Option<BaseUrl> = None,
        /// The user it knows us by.
        username: Option<String> = None,
        /// The user's password. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the password.
        password_file: Option<PathBuf> = None,
        /// Says a second time that the password may go over plain HTTP to another machine.
        insecure: bool = false,
        /// Authorities (PEM) to trust instead of the public ones.
        ca_file: Option<PathBuf> = None,
        /// How long a connection may take to be made.
        connect_timeout: Duration = Duration::from_secs(3) => MILLISECOND..,
        /// How long it may take to begin an answer, and each further part of it.
        timeout: Duration = Duration::from_secs(30) => MILLISECOND..,
        /// Tries beyond the first of a query that was not answered.
        retries: usize = 2 => ..=10,
        /// Queries in a row without an answer after which it is left alone for a while.
        failures: usize = 5 => 1..,
        /// How long it is left alone then.
        pause: Duration = Duration::from_secs(15) => SECOND..,
        /// Queries asked at the same time.
        concurrency: usize = 8 => 1..=64,
    }
}

impl Section for Druid {
    fn check(&self, check: &mut Check<'_>) {
        if self.username.is_some() != self.password.is_some() {
            check.conflict(
                &["username", "password"],
                "of `druid.username` and `druid.password` only one is set".to_owned(),
                "a user needs a password; it may be in a file, `druid.password_file`",
            );
        }
        let is_open = self.url.as_ref().is_some_and(|url| url.url().is_open());
        if self.password.is_some() && is_open && !self.insecure {
            check.conflict(
                &["url", "password", "insecure"],
                "`druid.password` would cross the network unencrypted".to_owned(),
                "use `https://`, or say it twice with `druid.insecure = true`",
            );
        }
    }
}
