//! Where a Redis is and how to get in.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use skywatch_settings::HostPort;

use super::sentinel::SentinelOptions;

/// How to reach a Redis.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` (TLS), `redis+unix://` or `unix://`; user, password and database may
    /// be part of it (`redis://user:pass@host:6379/2`, `unix:///run/redis.sock?db=2&user=u&pass=p`).
    pub url: String,
    /// ACL user; takes the place of the one in `url`.
    pub username: Option<String>,
    /// Password; takes the place of the one in `url`.
    pub password: Option<String>,
    /// Who knows the primary's address; that of `url` is then not used.
    pub sentinels: Option<SentinelOptions>,
    /// Nodes of a Redis Cluster, who know the others; the address of `url` is then not used. Empty for a server of its own.
    pub cluster: Vec<HostPort>,
    /// What every metric's key starts with.
    pub namespace: String,
    /// Limit for getting a connection.
    pub connect_timeout: Duration,
    /// Limit for each wait on the server.
    pub response_timeout: Duration,
    /// Authorities to trust, PEM, instead of the usual ones.
    pub tls_ca_file: Option<PathBuf>,
    /// A series with more bytes than this is not read but reported as too large.
    pub max_value_bytes: usize,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            username: None,
            password: None,
            sentinels: None,
            cluster: Vec::new(),
            namespace: "metrics.".to_owned(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(30),
            tls_ca_file: None,
            max_value_bytes: 256 << 20,
        }
    }
}

/// Leaves out whatever may hold a secret.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("username", &self.username)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
