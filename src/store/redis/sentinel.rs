//! Which server is the primary, as sentinels know it.
//!
//! A primary that stood still (a paused machine, a disk that hangs) and was replaced meanwhile goes on as a primary when it wakes, for some ten
//! seconds, until a sentinel makes it a replica; what was written to it then is gone. So sentinels are asked again now and then, and
//! before an answer counts that was long in coming.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ::redis::{
    Client, Connection, ConnectionAddr, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisError,
    ServerErrorKind, Value,
};

use super::login::with_login;

/// The sentinels of one primary, and how to log in to them.
#[derive(Clone)]
pub struct SentinelOptions {
    /// Host and port of each.
    pub addresses: Vec<(String, u16)>,
    /// What they call the primary: the name behind `sentinel monitor`.
    pub primary: String,
    /// ACL user at the sentinels, who have users of their own.
    pub username: Option<String>,
    /// Password at the sentinels.
    pub password: Option<String>,
}

/// How long a sentinel may take to say that nothing has changed, each wait: work goes on without.
const LOOK_LIMIT: Duration = Duration::from_millis(300);
/// How long sentinels are left alone of which none has said so.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// Asks sentinels, first the one that answered last.
#[derive(Clone)]
pub(super) struct Sentinels {
    options: SentinelOptions,
    /// The place of the one that answered last.
    answered: Arc<AtomicUsize>,
    named: Arc<Mutex<NamedPrimary>>,
}

/// What sentinels said last, to any handle of this process.
#[derive(Default)]
struct NamedPrimary {
    address: Option<(String, u16)>,
    /// How often it was another one than before.
    changes: u64,
    /// When they were asked, or are to be left alone until.
    asked: Option<Instant>,
}

impl Sentinels {
    pub(super) fn new(options: SentinelOptions) -> Self {
        Self {
            options,
            answered: Arc::default(),
            named: Arc::default(),
        }
    }

    fn named(&self) -> MutexGuard<'_, NamedPrimary> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often another primary was named. Who reads it before connecting knows later whether the connection is to the last one.
    pub(super) fn changes(&self) -> u64 {
        self.named().changes
    }

    /// The same, after sentinels were asked if that was not done within `age`. `base` and `open` are those of [`find`](Self::find).
    /// Where none answers, what was said last counts.
    pub(super) fn changes_within(
        &self,
        age: Duration,
        base: &ConnectionInfo,
        open: impl Fn(ConnectionInfo) -> Result<Client, RedisError>,
    ) -> u64 {
        let mut named = self.named();
        let now = Instant::now();
        if named
            .asked
            .is_some_and(|asked| now.saturating_duration_since(asked) < age)
        {
            return named.changes;
        }
        // Others go by what is known meanwhile.
        named.asked = Some(now);
        drop(named);
        let found = self.find(base, open, LOOK_LIMIT);
        let mut named = self.named();
        if found.is_err() {
            named.asked = Some(Instant::now() + SILENT_FOR);
        }
        named.changes
    }

    fn note(&self, address: &(String, u16)) {
        let mut named = self.named();
        named.asked = Some(Instant::now());
        if let Some(before) = named.address.replace(address.clone())
            && before != *address
        {
            named.changes += 1;
        }
    }

    /// What they call the primary.
    pub(super) fn primary(&self) -> &str {
        &self.options.primary
    }

    /// The way to the primary: `base` (its transport and login) with the address that a sentinel knows. `open` makes a client, `limit`
    /// bounds each wait.
    ///
    /// # Errors
    /// None of them answers, or knows the primary.
    pub(super) fn find(
        &self,
        base: &ConnectionInfo,
        open: impl Fn(ConnectionInfo) -> Result<Client, RedisError>,
        limit: Duration,
    ) -> Result<ConnectionInfo, RedisError> {
        let first = self.answered.load(Ordering::Relaxed);
        let count = self.options.addresses.len();
        let mut last = unavailable("there are no sentinels".to_owned());
        for place in (first..first + count).map(|place| place % count) {
            let (host, port) = &self.options.addresses[place];
            let asked = open(self.way_to(base, host, *port)).and_then(|client| self.ask(&client, limit));
            match asked {
                Ok(Some(primary)) => {
                    self.answered.store(place, Ordering::Relaxed);
                    self.note(&primary);
                    let (host, port) = primary;
                    return Ok(base.clone().set_addr(address(base, host, port)));
                }
                Ok(None) => {
                    let primary = &self.options.primary;
                    last = unavailable(format!(
                        "the sentinel {host}:{port} knows no primary called `{primary}`"
                    ));
                }
                Err(error) => last = unavailable(format!("the sentinel {host}:{port} :: {error}")),
            }
        }
        Err(last)
    }

    fn way_to(&self, base: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
        let SentinelOptions {
            username, password, ..
        } = &self.options;
        let redis = with_login(
            RedisConnectionInfo::default(),
            username.as_deref(),
            password.as_deref(),
        );
        base.clone()
            .set_addr(address(base, host.to_owned(), port))
            .set_redis_settings(redis)
    }

    fn ask(&self, client: &Client, limit: Duration) -> Result<Option<(String, u16)>, RedisError> {
        let mut connection = client.get_connection_with_timeout(limit)?;
        connection.set_read_timeout(Some(limit))?;
        connection.set_write_timeout(Some(limit))?;
        ::redis::cmd("SENTINEL")
            .arg("get-master-addr-by-name")
            .arg(&self.options.primary)
            .query(&mut connection)
    }
}

/// Whether a server that was just connected to takes writes. Sentinels are behind for a moment when a primary has come back as a replica.
///
/// # Errors
/// It is a replica, or does not answer.
pub(super) fn is_primary(connection: &mut Connection) -> Result<(), RedisError> {
    let role: Value = match ::redis::cmd("ROLE").query(connection) {
        // A user who may not ask finds out by the first write.
        Err(error) if error.kind() == ServerErrorKind::NoPerm.into() => return Ok(()),
        other => other?,
    };
    let word = match &role {
        Value::Array(parts) => match parts.first() {
            Some(Value::BulkString(word)) => &word[..],
            _ => b"",
        },
        _ => b"",
    };
    match word {
        b"master" => Ok(()),
        _ => Err(unavailable(
            "the server that sentinels name as primary is a replica: they have not agreed on another yet"
                .to_owned(),
        )),
    }
}

/// The same transport to another server.
pub(super) fn address(base: &ConnectionInfo, host: String, port: u16) -> ConnectionAddr {
    match base.addr() {
        ConnectionAddr::TcpTls {
            insecure, tls_params, ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    }
}

/// It may be otherwise in a moment.
fn unavailable(reason: String) -> RedisError {
    RedisError::from((ErrorKind::Io, "no primary", reason))
}
