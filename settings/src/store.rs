//! Where points are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::address::HostPort;
use crate::analyzer::Analyzer;
use crate::check::Check;
use crate::duration::show;
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};
use crate::store_url::{RedisTransport, StoreUrl};

options! {
    /// Where points are kept, and for how long.
    pub Store {
        /// The embedded store or a Redis.
        url: StoreUrl = StoreUrl::Embedded,
        /// What it is called in the health plane, behind `redis:` or `embedded:`.
        name: String = "main".to_owned(),
        /// The Redis ACL user, if not part of the address.
        username: Option<String> = None,
        /// The Redis password, if not part of the address. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the Redis password.
        password_file: Option<PathBuf> = None,
        /// Sentinels that know the primary: its address is then theirs to say, and `url` says transport, database and login.
        sentinels: Vec<HostPort> = Vec::new(),
        /// What sentinels call the primary, behind `sentinel monitor`.
        sentinel_primary: String = "mymaster".to_owned(),
        /// The ACL user at the sentinels.
        sentinel_username: Option<String> = None,
        /// The password at the sentinels. Filled from `sentinel_password_file` when that is set.
        sentinel_password: Option<Secret> = None,
        /// A file with the password at the sentinels.
        sentinel_password_file: Option<PathBuf> = None,
        /// Nodes of a Redis Cluster, who know the others: `url` says transport and login, and not the address.
        cluster: Vec<HostPort> = Vec::new(),
        /// Certificates (PEM) trusted for `rediss://` in place of the public ones.
        tls_ca_file: Option<PathBuf> = None,
        /// What every key of a metric begins with in Redis.
        namespace: String = "metrics.".to_owned(),
        /// The length of the window that is kept and judged.
        full_duration: Duration = Duration::from_secs(86_400) => Duration::from_secs(60)..,
        /// How long the trimmer leaves points beyond `full_duration` alone.
        grace: Duration = Duration::from_secs(600),
        /// How long connecting to Redis may take.
        connect_timeout: Duration = Duration::from_secs(5) => MILLISECOND..,
        /// How long one reply of Redis may take.
        response_timeout: Duration = Duration::from_secs(30) => MILLISECOND..,
    }
}

impl Section for Store {
    fn check(&self, check: &mut Check<'_>) {
        check.require(
            !self.namespace.is_empty() && !self.namespace.contains(char::is_whitespace),
            "namespace",
            &self.namespace,
            "expected text without spaces, such as `\"metrics.\"`",
        );
        check.require(
            !self.name.is_empty() && self.name.len() <= 100 && !self.name.contains(char::is_whitespace),
            "name",
            &self.name,
            "expected a short name without spaces, such as `\"main\"`",
        );
        check.require(
            !self.sentinel_primary.is_empty() && !self.sentinel_primary.contains(char::is_whitespace),
            "sentinel_primary",
            &self.sentinel_primary,
            "expected the name behind `sentinel monitor`, such as `\"mymaster\"`",
        );
        if !self.sentinels.is_empty() && !self.cluster.is_empty() {
            check.conflict(
                &["cluster", "sentinels"],
                "`store.cluster` and `store.sentinels` are both set".to_owned(),
                "nodes of a cluster choose their primaries themselves: take `store.sentinels` out",
            );
        }
        for (list, option, known_by) in [
            (&self.sentinels, "sentinels", "sentinels know"),
            (&self.cluster, "cluster", "nodes of a cluster know"),
        ] {
            self.check_known_by(list, option, known_by, check);
        }
        let StoreUrl::Redis(url) = &self.url else { return };
        if !self.cluster.is_empty() && url.database() != 0 {
            check.conflict(
                &["cluster", "url"],
                format!("a Redis Cluster has no database {}", url.database()),
                "leave the database out of `store.url`",
            );
        }
        if url.has_password() && self.password.is_some() {
            check.conflict(
                &["password", "password_file", "url"],
                "`store.url` holds a password and another one is set".to_owned(),
                "take the password out of `store.url`",
            );
        }
        if self.tls_ca_file.is_some() && url.transport() != RedisTransport::Tls {
            check.conflict(
                &["tls_ca_file", "url"],
                "`store.tls_ca_file` is set, but `store.url` does not use TLS".to_owned(),
                "write `rediss://` in `store.url`",
            );
        }
    }
}

impl Store {
    /// What `url` must be where others know the addresses.
    fn check_known_by(&self, list: &[HostPort], option: &str, known_by: &str, check: &mut Check<'_>) {
        let why = match &self.url {
            _ if list.is_empty() => return,
            StoreUrl::Embedded => format!("`store.{option}` is set, but `store.url` is `embedded`"),
            StoreUrl::Redis(url) if url.transport() == RedisTransport::Unix => {
                format!("{known_by} addresses, and `store.url` is a socket of this machine")
            }
            StoreUrl::Redis(_) => return,
        };
        check.conflict(
            &[option, "url"],
            why,
            "write `redis://primary/0` (or `rediss://`) in `store.url`",
        );
    }

    /// What must agree with `[analyzer]`; keys are whole here.
    pub(crate) fn check_with(&self, analyzer: &Analyzer, check: &mut Check<'_>) {
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
    }
}
