//! The way into a Redis: an address that is checked once, and the connections made to it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError, ServerErrorKind, TlsCertificates,
};

use skywatch_settings::HostPort;

use super::StoreError;
use super::failure::{self, Server};
use super::login::with_login;
use super::options::RedisOptions;
use super::plain::Plain;
use super::sentinel::{self, Sentinels};
use super::slot_map::SlotMap;
use super::slots::ClusterSlots;

/// A connection that has rested so long may have been closed meanwhile: Redis has a time-out for idle clients, of a second
/// at least, and so have proxies. Asking costs less than taking what is no fault for one.
pub(super) const RESTED: Duration = Duration::from_millis(900);

/// How long what sentinels have said counts for who is about to ask the primary, and for who was kept waiting by it.
pub(super) const ASKED_LATELY: Duration = Duration::from_secs(1);
const ASKED_JUST_NOW: Duration = Duration::from_millis(100);

/// How long a node may take to say who has what, each wait: others can be asked.
const ASKING_A_NODE: Duration = Duration::from_secs(1);

/// How often, and with which pause, somebody looks whether another thread has learnt who has what: for a second.
const FIRST_LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Makes connections to one Redis, or to the nodes of one cluster.
#[derive(Clone)]
pub struct RedisConnect(Arc<Checked>);

#[derive(Clone)]
struct Checked {
    options: RedisOptions,
    /// To the address of the options; with sentinels that says only how to connect and who we are.
    client: ::redis::Client,
    /// Authorities to trust, PEM, if not the usual ones.
    authorities: Option<Vec<u8>>,
    sentinels: Option<Sentinels>,
    /// Who has what, where this is a cluster: one for all handles.
    slots: Option<Arc<ClusterSlots>>,
    /// Whether this is one node of a cluster.
    is_member: bool,
    server: Server,
}

impl RedisConnect {
    /// Checks the options; connects to nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Options`] if the address or the file of authorities cannot be used.
    pub fn new(options: RedisOptions) -> Result<Self, StoreError> {
        let mut info = parse(&options.url)?;
        let redis = with_login(
            info.redis_settings().clone(),
            options.username.as_deref(),
            options.password.as_deref(),
        );
        if redis.username().is_some() && redis.password().is_none() {
            return Err(refused("a user without a password".to_owned()));
        }
        let user = redis.username().unwrap_or("default").to_owned();
        info = info.set_redis_settings(redis);
        let sentinels = options.sentinels.clone().map(Sentinels::new);
        let server = Server {
            place: place(&info, sentinels.as_ref(), options.cluster.first()),
            user,
        };
        let slots = (!options.cluster.is_empty()).then(|| Arc::new(ClusterSlots::new(&options.cluster)));
        let authorities = options.tls_ca_file.as_ref().map(|path| {
            std::fs::read(path).map_err(|error| refused(format!("cannot read `{}`: {error}", path.display())))
        });
        let authorities = authorities.transpose()?;
        if slots.is_some() && info.redis_settings().db() != 0 {
            return Err(refused("a cluster has only database 0".to_owned()));
        }
        let client = client(info, authorities.as_deref()).map_err(|error| refused(error.to_string()))?;
        Ok(Self(Arc::new(Checked {
            options,
            client,
            authorities,
            sentinels,
            slots,
            is_member: false,
            server,
        })))
    }

    /// The same way in, with no wait longer than `limit`.
    pub(super) fn with_limits(&self, limit: Duration) -> Self {
        let mut checked = Checked::clone(&self.0);
        let options = &mut checked.options;
        options.connect_timeout = options.connect_timeout.min(limit);
        options.response_timeout = options.response_timeout.min(limit);
        Self(Arc::new(checked))
    }

    /// Who has what, where this is a cluster.
    pub(super) fn slots(&self) -> Option<&Arc<ClusterSlots>> {
        self.0.slots.as_ref()
    }

    /// Whether this is a cluster: keys are on one node together only if they have the same hash tag.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.0.slots.is_some()
    }

    /// The host of the node, where this is one of a cluster.
    pub(super) fn member_host(&self) -> Option<String> {
        self.0.is_member.then(|| self.host()).flatten()
    }

    pub(super) fn address(&self) -> &ConnectionAddr {
        self.0.client.get_connection_info().addr()
    }

    /// The way to one node of this cluster.
    ///
    /// # Errors
    /// [`StoreError::Options`] if there is no such way.
    pub(super) fn member(&self, node: &HostPort) -> Result<Self, StoreError> {
        let mut checked = Checked::clone(&self.0);
        let base = checked.client.get_connection_info();
        let info = base
            .clone()
            .set_addr(sentinel::address(base, node.host.clone(), node.port));
        checked.server.place = place(&info, None, None);
        checked.client =
            client(info, checked.authorities.as_deref()).map_err(|error| refused(error.to_string()))?;
        (checked.slots, checked.is_member) = (None, true);
        Ok(Self(Arc::new(checked)))
    }

    /// Who has what, asked for if nobody in this process knows yet. Who comes while somebody else asks waits for that answer.
    ///
    /// # Errors
    /// No node answers.
    pub(super) fn slot_map(&self) -> Result<Arc<SlotMap>, StoreError> {
        for _ in 0..FIRST_LOOKS {
            let map = self.0.slots.as_ref().map(|slots| slots.map());
            if let Some(map) = map.filter(|map| !map.primaries().is_empty()) {
                return Ok(map);
            }
            self.refresh_slots(None)?;
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Err(self.unavailable("no node of the cluster has answered yet".to_owned()))
    }

    /// The error of who may be answered later.
    pub(super) fn unavailable(&self, reason: String) -> StoreError {
        let place = self.place().to_owned();
        StoreError::Unavailable { place, reason }
    }

    /// Asks a node who has what, `first` before others, unless one was asked a moment ago.
    ///
    /// # Errors
    /// No node answers.
    pub(super) fn refresh_slots(&self, first: Option<&HostPort>) -> Result<(), StoreError> {
        let Some(slots) = &self.0.slots else { return Ok(()) };
        slots.refresh(first, self.place(), |node| {
            let connect = self.member(node)?.with_limits(ASKING_A_NODE);
            let mut connection = connect.open()?;
            let reply = ::redis::cmd("CLUSTER").arg("SLOTS").query(&mut connection);
            let reply = reply.map_err(|error| connect.failure(&error))?;
            SlotMap::read(&reply, &node.host).ok_or_else(|| failure::unexpected(connect.server(), &reply))
        })
    }

    pub(super) fn options(&self) -> &RedisOptions {
        &self.0.options
    }

    pub(super) fn place(&self) -> &str {
        &self.0.server.place
    }

    /// The server, for errors.
    pub(super) fn server(&self) -> &Server {
        &self.0.server
    }

    /// A connection that has answered once, which is when TLS and access are settled.
    pub(crate) fn open(&self) -> Result<::redis::Connection, StoreError> {
        self.open_within(self.options())
            .map_err(|error| failure::of_client(self.server(), &error))
    }

    /// A connection that was last used at `used`, if it is open still.
    ///
    /// # Errors
    /// It is open and silent: another one would be, too.
    pub(crate) fn rested(
        &self,
        mut connection: ::redis::Connection,
        used: Instant,
    ) -> Result<Option<::redis::Connection>, StoreError> {
        if used.elapsed() < RESTED {
            return Ok(Some(connection));
        }
        match ::redis::cmd("PING").query::<::redis::Value>(&mut connection) {
            Err(error) if error.is_timeout() => Err(self.failure(&error)),
            Err(error) if error.is_io_error() => Ok(None),
            // Also "you may not ping" shows that the server is there.
            _ => Ok(Some(connection)),
        }
    }

    /// To be read before a connection is opened, and kept with it for [`stands`](Self::stands).
    pub(super) fn primary_changes(&self) -> u64 {
        self.0.sentinels.as_ref().map_or(0, Sentinels::changes)
    }

    /// Whether a connection from the time of so many changes is to the primary still, as far as sentinels have said within `age`; they are asked
    /// if they have not.
    pub(super) fn stands(&self, changes: u64, age: Duration) -> bool {
        let checked = &*self.0;
        let Some(sentinels) = &checked.sentinels else {
            return true;
        };
        let base = checked.client.get_connection_info();
        let open = |info| client(info, checked.authorities.as_deref());
        sentinels.changes_within(age, base, open) == changes
    }

    /// Whether an answer counts to what was asked at `begun` over a connection from the time of so many changes.
    ///
    /// # Errors
    /// It was long in coming, and the server is not the primary any more.
    pub(super) fn counts(&self, changes: u64, begun: Instant) -> Result<(), StoreError> {
        if begun.elapsed() < RESTED || self.stands(changes, ASKED_JUST_NOW) {
            return Ok(());
        }
        Err(self.unavailable("the server that has answered is not the primary any more".to_owned()))
    }

    /// What an error of a connection means for the caller.
    pub(crate) fn failure(&self, error: &RedisError) -> StoreError {
        failure::of_client(self.server(), error)
    }

    /// Whether what is read in bulk has a connection of its own.
    pub(super) fn is_plain(&self) -> bool {
        Plain::serves(self.0.client.get_connection_info())
    }

    /// A connection for reading in bulk.
    pub(super) fn open_plain(&self) -> Result<Plain, StoreError> {
        let way = self.client();
        way.and_then(|client| Plain::open(client.get_connection_info(), self.options()))
            .map_err(|error| failure::of_client(self.server(), &error))
    }

    /// The client of the server that is the store now.
    fn client(&self) -> Result<::redis::Client, RedisError> {
        let checked = &*self.0;
        let Some(sentinels) = &checked.sentinels else {
            return Ok(checked.client.clone());
        };
        let base = checked.client.get_connection_info();
        let open = |info| client(info, checked.authorities.as_deref());
        open(sentinels.find(base, open, checked.options.connect_timeout)?)
    }

    fn open_within(&self, options: &RedisOptions) -> Result<::redis::Connection, RedisError> {
        let limit = options.connect_timeout;
        let mut connection = self.client()?.get_connection_with_timeout(limit)?;
        connection.set_read_timeout(Some(limit))?;
        connection.set_write_timeout(Some(limit))?;
        match ::redis::cmd("PING").exec(&mut connection) {
            // A user who may do everything but ping is in.
            Err(error) if error.kind() == ServerErrorKind::NoPerm.into() => {}
            other => other?,
        }
        if self.0.sentinels.is_some() {
            sentinel::is_primary(&mut connection)?;
        }
        connection.set_read_timeout(Some(options.response_timeout))?;
        connection.set_write_timeout(Some(options.response_timeout))?;
        Ok(connection)
    }
}

/// Leaves out whatever may hold a secret.
impl fmt::Debug for RedisConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisConnect").field(&self.place()).finish()
    }
}

fn refused(reason: String) -> StoreError {
    StoreError::Options { reason }
}

/// The address as given is never repeated in the message: it may hold a password.
fn parse(url: &str) -> Result<ConnectionInfo, StoreError> {
    let scheme = url.split_once("://").map_or(url, |(scheme, _)| scheme);
    url.into_connection_info().map_err(|error| {
        refused(format!(
            "the `{scheme}` address of the Redis cannot be used: {error}; known are `redis://`, \
             `rediss://`, `redis+unix://` and `unix://`"
        ))
    })
}

fn place(info: &ConnectionInfo, sentinels: Option<&Sentinels>, seed: Option<&HostPort>) -> String {
    let db = info.redis_settings().db();
    if let Some(seed) = seed {
        return format!("redis-cluster://{seed}");
    }
    if let Some(sentinels) = sentinels {
        return format!("redis-sentinel://{}/{db}", sentinels.primary());
    }
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{db}"),
        ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{host}:{port}/{db}"),
        ConnectionAddr::Unix(path) => format!("unix://{}?db={db}", path.display()),
        other => other.to_string(),
    }
}

fn client(info: ConnectionInfo, authorities: Option<&[u8]>) -> Result<::redis::Client, RedisError> {
    let tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
    if tls {
        // Said outright, so that no other provider a dependency might bring leaves two to choose
        // from; an error only says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    match authorities {
        Some(pem) if tls => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.to_vec()),
            };
            ::redis::Client::build_with_tls(info, certificates)
        }
        _ => ::redis::Client::open(info),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(url: &str) -> Result<RedisConnect, StoreError> {
        RedisConnect::new(RedisOptions {
            url: url.to_owned(),
            ..RedisOptions::default()
        })
    }

    #[test]
    fn the_place_holds_no_password() {
        for (url, place) in [
            ("redis://:secret@host/3", "redis://host:6379/3"),
            ("rediss://u:secret@host:1", "rediss://host:1/0"),
            ("unix:///run/r.sock?pass=secret&db=2", "unix:///run/r.sock?db=2"),
            (
                "redis+unix:///run/r.sock?user=u&pass=secret",
                "unix:///run/r.sock?db=0",
            ),
        ] {
            assert_eq!(
                connect(url).map(|c| c.place().to_owned()).ok().as_deref(),
                Some(place)
            );
        }
    }

    #[test]
    fn a_bad_address_is_refused_without_repeating_it() {
        for url in [
            "http://secret@host",
            "secret",
            "redis://:secret@host/x",
            "redis://u@secret",
        ] {
            let message = connect(url).map(|_| ()).expect_err(url).to_string();
            assert!(!message.contains("secret@"), "{message}");
        }
    }
}
