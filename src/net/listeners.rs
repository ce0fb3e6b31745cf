//! Every address Skywatch listens on, declared in one place.
//!
//! One rule holds for all of them and is kept by the settings, before anything is bound: this machine's own addresses,
//! a token, or said twice (`insecure_listen`). Here is the table, the binding, and its errors.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use skywatch_settings::Settings;
use socket2::SockRef;

/// What a datagram socket asks the system to hold for it, bytes: some 100,000 datagrams of one
/// point, a second of a busy sender. The system's own limit may be lower.
const DATAGRAM_BUFFER: usize = 8 << 20;

/// What is spoken on a listener: an entry of the table.
#[derive(Debug)]
pub struct Service {
    /// The name in counters, labels and logs; no two have the same.
    pub name: &'static str,
    /// What comes in there, for people.
    pub what: &'static str,
    /// The setting that holds its address.
    pub setting: &'static str,
    /// How to do without it, as a hint goes on behind "to a free address of this machine, or ".
    pub without: &'static str,
    /// How its bytes come.
    pub transport: ListenerTransport,
    /// Whether points come in there.
    pub takes_points: bool,
    /// Where it is wanted, if anywhere.
    address: fn(&Settings) -> Option<SocketAddr>,
}

/// How bytes come to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerTransport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Service {
    /// Carbon plaintext lines over TCP.
    pub const CARBON: &'static Self = &Self {
        name: "carbon",
        what: "carbon lines",
        setting: "ingest.carbon_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Tcp,
        takes_points: true,
        address: |settings| settings.ingest.carbon_listen,
    };
    /// The same in datagrams.
    pub const CARBON_UDP: &'static Self = &Self {
        name: "carbon_udp",
        what: "datagrams of carbon lines",
        setting: "ingest.carbon_udp_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Udp,
        takes_points: true,
        address: |settings| settings.ingest.carbon_udp_listen,
    };
    /// Carbon's frames of pickled points.
    pub const PICKLE: &'static Self = &Self {
        name: "pickle",
        what: "pickled points",
        setting: "ingest.pickle_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Tcp,
        takes_points: true,
        address: |settings| settings.ingest.pickle_listen,
    };
    /// Skyline's msgpack datagrams.
    pub const MSGPACK: &'static Self = &Self {
        name: "msgpack",
        what: "msgpack datagrams",
        setting: "ingest.msgpack_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Udp,
        takes_points: true,
        address: |settings| settings.ingest.msgpack_listen,
    };
    /// Prometheus' remote write.
    pub const REMOTE_WRITE: &'static Self = &Self {
        name: "remote_write",
        what: "remote writes",
        setting: "ingest.remote_write_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Tcp,
        takes_points: true,
        address: |settings| settings.ingest.remote_write_listen,
    };
    /// The pages and the REST interface.
    pub const WEB: &'static Self = &Self {
        name: "web",
        what: "requests for pages",
        setting: "web.listen",
        without: "set `web.enabled = false`",
        transport: ListenerTransport::Tcp,
        takes_points: false,
        address: |settings| settings.web.enabled.then_some(settings.web.listen),
    };
    /// The health plane's gRPC.
    pub const HEALTH: &'static Self = &Self {
        name: "health",
        what: "reports of health",
        setting: "health.listen",
        without: "set `health.enabled = false`",
        transport: ListenerTransport::Tcp,
        takes_points: false,
        address: |settings| settings.health.enabled.then_some(settings.health.listen),
    };

    /// OTLP over gRPC.
    pub const OTLP_GRPC: &'static Self = &Self {
        name: "otlp_grpc",
        what: "OTLP over gRPC",
        setting: "traces.otlp_grpc_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Tcp,
        takes_points: false,
        address: |settings| {
            settings
                .traces
                .otlp_grpc_listen
                .filter(|_| settings.traces.enabled)
        },
    };
    /// OTLP over HTTP, and what else is sent as spans that way.
    pub const OTLP_HTTP: &'static Self = &Self {
        name: "otlp_http",
        what: "OTLP over HTTP",
        setting: "traces.otlp_http_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Tcp,
        takes_points: false,
        address: |settings| {
            settings
                .traces
                .otlp_http_listen
                .filter(|_| settings.traces.enabled)
        },
    };
    /// Zipkin's JSON.
    pub const ZIPKIN: &'static Self = &Self {
        name: "zipkin",
        what: "Zipkin spans",
        setting: "traces.zipkin_listen",
        without: "to \"\" for none",
        transport: ListenerTransport::Tcp,
        takes_points: false,
        address: |settings| settings.traces.zipkin_listen.filter(|_| settings.traces.enabled),
    };
    /// The outlier service.
    pub const OUTLIERS: &'static Self = &Self {
        name: "outliers",
        what: "requests for outliers",
        setting: "outliers.listen",
        without: "set `outliers.enabled = false`",
        transport: ListenerTransport::Tcp,
        takes_points: false,
        address: |settings| settings.outliers.enabled.then_some(settings.outliers.listen),
    };

    /// The table.
    pub const ALL: &'static [&'static Self] = &[
        Self::CARBON,
        Self::CARBON_UDP,
        Self::PICKLE,
        Self::MSGPACK,
        Self::REMOTE_WRITE,
        Self::WEB,
        Self::HEALTH,
        Self::OTLP_GRPC,
        Self::OTLP_HTTP,
        Self::ZIPKIN,
        Self::OUTLIERS,
    ];
}

impl PartialEq for Service {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Service {}

/// A listener that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub service: &'static Service,
    /// Where.
    pub address: SocketAddr,
}

/// All listeners that `settings` ask for, in the order of the table.
pub fn declared(settings: &Settings) -> impl Iterator<Item = Listener> {
    let is_wanted = |service: &&&Service| settings.ingest.enabled || !service.takes_points;
    Service::ALL.iter().filter(is_wanted).filter_map(|service| {
        let address = (service.address)(settings)?;
        Some(Listener { service, address })
    })
}

/// The address is taken or not ours.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {source}\nhint: set `{}` to a free address of this machine, or {}", service.setting, service.without)]
pub struct ListenError {
    /// For whom.
    pub service: &'static Service,
    /// The address asked for.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// A bound socket that does not block.
#[derive(Debug)]
pub enum BoundSocket {
    /// Accepts connections.
    Tcp(TcpListener),
    /// Receives datagrams.
    Udp(UdpSocket),
}

impl BoundSocket {
    fn address(&self) -> std::io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        }
    }
}

/// A listener that is bound: from here on the address is known and ours.
#[derive(Debug)]
pub struct Bound {
    /// What is spoken there.
    pub service: &'static Service,
    /// Where, with the port the system chose if the asked one was 0.
    pub address: SocketAddr,
    /// The socket.
    pub socket: BoundSocket,
}

impl Service {
    /// Binds an address for connections that are accepted elsewhere.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn bind_tcp(&'static self, address: SocketAddr) -> Result<TcpListener, ListenError> {
        bind_tcp(address).map_err(|source| ListenError {
            service: self,
            address,
            source,
        })
    }
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn bind(self) -> Result<Bound, ListenError> {
        let bound = match self.service.transport {
            ListenerTransport::Tcp => bind_tcp(self.address).map(BoundSocket::Tcp),
            ListenerTransport::Udp => bind_udp(self.address).map(BoundSocket::Udp),
        };
        let bound = bound.and_then(|socket| Ok((socket.address()?, socket)));
        let (address, socket) = bound.map_err(|source| ListenError {
            service: self.service,
            address: self.address,
            source,
        })?;
        Ok(Bound {
            service: self.service,
            address,
            socket,
        })
    }
}

fn bind_tcp(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn bind_udp(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // Refused means that the usual buffer stays: drops are counted either way.
    let _ = SockRef::from(&socket).set_recv_buffer_size(DATAGRAM_BUFFER);
    Ok(socket)
}
