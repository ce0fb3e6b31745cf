//! Every address Skywatch listens on, declared in one place.
//!
//! One rule holds for all of them and is kept by the settings, before anything is bound: this machine's own addresses,
//! or said twice (`insecure_listen`). Here is the table, the binding, and the words for what goes wrong.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use skywatch_settings::Settings;
use socket2::SockRef;

/// What a datagram socket asks the system to hold for it, bytes; the system's own limit may be lower.
const DATAGRAM_BUFFER: usize = 8 << 20;

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Service {
    /// Carbon plaintext lines over TCP.
    Carbon,
    /// The same in datagrams.
    CarbonUdp,
    /// Carbon's frames of pickled points.
    Pickle,
    /// Skyline's msgpack datagrams.
    Msgpack,
    /// Prometheus' remote write.
    RemoteWrite,
    /// The pages.
    Web,
}

/// How bytes come to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

impl Service {
    /// Those that take points, in the order of their numbers.
    pub const OF_POINTS: [Self; 5] = [
        Self::Carbon,
        Self::CarbonUdp,
        Self::Pickle,
        Self::Msgpack,
        Self::RemoteWrite,
    ];

    /// The name in counters, labels and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Carbon => "carbon",
            Self::CarbonUdp => "carbon_udp",
            Self::Pickle => "pickle",
            Self::Msgpack => "msgpack",
            Self::RemoteWrite => "remote_write",
            Self::Web => "web",
        }
    }

    /// What comes in there, for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::Carbon => "carbon lines",
            Self::CarbonUdp => "datagrams of carbon lines",
            Self::Pickle => "pickled points",
            Self::Msgpack => "msgpack datagrams",
            Self::RemoteWrite => "remote writes",
            Self::Web => "requests for pages",
        }
    }

    /// The setting that holds its address.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Carbon => "ingest.carbon_listen",
            Self::CarbonUdp => "ingest.carbon_udp_listen",
            Self::Pickle => "ingest.pickle_listen",
            Self::Msgpack => "ingest.msgpack_listen",
            Self::RemoteWrite => "ingest.remote_write_listen",
            Self::Web => "web.listen",
        }
    }

    /// How its bytes come.
    pub fn transport(self) -> Transport {
        match self {
            Self::CarbonUdp | Self::Msgpack => Transport::Udp,
            Self::Carbon | Self::Pickle | Self::RemoteWrite | Self::Web => Transport::Tcp,
        }
    }
}

/// A listener that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// What is spoken there.
    pub service: Service,
    /// Where.
    pub address: SocketAddr,
}

/// All listeners that `settings` ask for.
pub fn declared(settings: &Settings) -> Vec<Listener> {
    let (ingest, web) = (&settings.ingest, &settings.web);
    let points = |address: Option<SocketAddr>| address.filter(|_| ingest.enabled);
    [
        (Service::Carbon, points(ingest.carbon_listen)),
        (Service::CarbonUdp, points(ingest.carbon_udp_listen)),
        (Service::Pickle, points(ingest.pickle_listen)),
        (Service::Msgpack, points(ingest.msgpack_listen)),
        (Service::RemoteWrite, points(ingest.remote_write_listen)),
        (Service::Web, web.enabled.then_some(web.listen)),
    ]
    .into_iter()
    .filter_map(|(service, address)| address.map(|address| Listener { service, address }))
    .collect()
}

/// The address is taken or not ours.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {source}\nhint: set `{}` to a free address of this machine, or to \"\" for none", service.setting())]
pub struct ListenError {
    /// For whom.
    pub service: Service,
    /// The address asked for.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// A bound socket that does not block.
#[derive(Debug)]
pub enum Socket {
    /// Accepts connections.
    Tcp(TcpListener),
    /// Receives datagrams.
    Udp(UdpSocket),
}

/// A listener that is bound: from here on the address is known and ours.
#[derive(Debug)]
pub struct Bound {
    /// What is spoken there.
    pub service: Service,
    /// Where, with the port the system chose if the asked one was 0.
    pub address: SocketAddr,
    /// The socket.
    pub socket: Socket,
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn bind(self) -> Result<Bound, ListenError> {
        let bound = match self.service.transport() {
            Transport::Tcp => bind_tcp(self.address),
            Transport::Udp => bind_udp(self.address),
        };
        let (socket, address) = bound.map_err(|source| ListenError {
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

fn bind_tcp(address: SocketAddr) -> std::io::Result<(Socket, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((Socket::Tcp(listener), address))
}

fn bind_udp(address: SocketAddr) -> std::io::Result<(Socket, SocketAddr)> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    // Refused means that the usual buffer stays: drops are counted either way.
    let _ = SockRef::from(&socket).set_recv_buffer_size(DATAGRAM_BUFFER);
    let address = socket.local_addr()?;
    Ok((Socket::Udp(socket), address))
}
