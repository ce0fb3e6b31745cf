//! Where points are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::analyzer::Analyzer;
use crate::check::Check;
use crate::duration::show;
use crate::secret::Secret;
use crate::settings::SecretOption;
use crate::store_url::{StoreUrl, Transport};

section! {
    /// Where points are kept, and for how long.
    Store in "store" {
        /// The embedded store or a Redis.
        url: StoreUrl = StoreUrl::Embedded,
        /// The Redis ACL user, if not part of the address.
        username: Option<String> = None,
        /// The Redis password, if not part of the address. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the Redis password.
        password_file: Option<PathBuf> = None,
        /// Certificates (PEM) trusted for `rediss://` in place of the public ones.
        tls_ca_file: Option<PathBuf> = None,
        /// What every key of a metric begins with in Redis.
        namespace: String = "metrics.".to_owned(),
        /// The length of the window that is kept and judged.
        full_duration: Duration = Duration::from_secs(86_400),
        /// How long the trimmer leaves points beyond `full_duration` alone.
        grace: Duration = Duration::from_secs(600),
        /// How long connecting to Redis may take.
        connect_timeout: Duration = Duration::from_secs(5),
        /// How long one reply of Redis may take.
        response_timeout: Duration = Duration::from_secs(30),
    }
}

impl Store {
    pub(crate) fn secret(&mut self) -> SecretOption<'_> {
        SecretOption::new(
            "store.password".to_owned(),
            &mut self.password,
            &self.password_file,
        )
    }

    pub(crate) fn check(&self, analyzer: &Analyzer, check: &mut Check<'_>) {
        let minute = Some(Duration::from_secs(60));
        let millisecond = Some(Duration::from_millis(1));
        check.within("store.full_duration", &self.full_duration, minute, None);
        check.within("store.connect_timeout", &self.connect_timeout, millisecond, None);
        check.within(
            "store.response_timeout",
            &self.response_timeout,
            millisecond,
            None,
        );
        check.require(
            !self.namespace.is_empty() && !self.namespace.contains(char::is_whitespace),
            "store.namespace",
            &self.namespace,
            "expected text without spaces, such as `\"metrics.\"`",
        );
        if self.grace < analyzer.stale_period {
            check.conflict(
                &["store.grace", "analyzer.stale_period"],
                format!(
                    "`store.grace` is `{}`, shorter than `analyzer.stale_period` with `{}`,",
                    show(self.grace),
                    show(analyzer.stale_period)
                ),
                "the trimmer would cut into the window of a metric that is not stale yet; raise `store.grace` or lower `analyzer.stale_period`",
            );
        }
        let StoreUrl::Redis(url) = &self.url else { return };
        if url.has_password() && self.password.is_some() {
            check.conflict(
                &["store.password", "store.password_file", "store.url"],
                "`store.url` holds a password and another one is set".to_owned(),
                "take the password out of `store.url`",
            );
        }
        if self.tls_ca_file.is_some() && url.transport() != Transport::Tls {
            check.conflict(
                &["store.tls_ca_file", "store.url"],
                "`store.tls_ca_file` is set, but `store.url` does not use TLS".to_owned(),
                "write `rediss://` in `store.url`",
            );
        }
    }
}
