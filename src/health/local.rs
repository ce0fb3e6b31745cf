//! The plane for processes of this user on this machine: a Unix socket in the state folder that nobody else can enter, so that
//! it needs neither a port that is known beforehand nor a token.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tonic::transport::{Channel, Endpoint};

use crate::net::local::{self, LocalListener, LocalOptions};

/// The socket's name, in the folder of sockets.
const SOCKET: &str = "health";
/// Connections that may wait to be served.
const WAITING: usize = 64;
/// How long it may take to be connected to, and to answer.
const DEADLINE: Duration = Duration::from_secs(2);

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("control")
}

/// Clients of this machine, for `axum::serve`. Dropping it removes the socket.
pub(super) struct LocalClients {
    streams: mpsc::Receiver<std::os::unix::net::UnixStream>,
    _listener: LocalListener,
}

impl LocalClients {
    /// Listens in a state folder.
    ///
    /// # Errors
    /// The socket cannot be made, or the system refuses a thread.
    pub(super) fn listen(state_dir: &Path) -> io::Result<Self> {
        let (send, streams) = mpsc::channel(WAITING);
        let options = LocalOptions {
            path: folder(state_dir).join(SOCKET),
            make: local::private_folder,
            threads: ["health-local", "health-client"],
            most: WAITING,
        };
        // Nobody takes it: the plane ends.
        let hand_over = move |stream| drop(send.blocking_send(stream));
        Ok(Self {
            streams,
            _listener: LocalListener::start(options, Arc::new(hand_over))?,
        })
    }
}

impl Listener for LocalClients {
    type Io = UnixStream;
    type Addr = ();

    async fn accept(&mut self) -> (UnixStream, ()) {
        loop {
            let Some(stream) = self.streams.recv().await else {
                // The listening thread is gone; those that are connected go on.
                std::future::pending::<()>().await;
                continue;
            };
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| UnixStream::from_std(stream));
            match stream {
                Ok(stream) => return (stream, ()),
                Err(error) => tracing::warn!("health :: a local connection is not served :: {error}"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The way to the plane over a state folder.
pub struct LocalPlane {
    endpoint: Endpoint,
    /// The address leads through it.
    _folder: File,
}

impl LocalPlane {
    /// Finds the folder of the socket; connects to nothing yet.
    ///
    /// # Errors
    /// There is none: no plane was served here yet.
    pub fn find(state_dir: &Path) -> io::Result<Self> {
        let folder = File::open(folder(state_dir))?;
        // An address of a socket has a hundred bytes; a state folder may have a longer path.
        let address = format!("unix:/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
        let endpoint = Endpoint::from_shared(address).map_err(io::Error::other)?;
        Ok(Self {
            endpoint: endpoint.connect_timeout(DEADLINE),
            _folder: folder,
        })
    }

    /// Connects.
    ///
    /// # Errors
    /// No plane is served at present.
    pub async fn connect(&self) -> Result<Channel, tonic::transport::Error> {
        self.endpoint.connect().await
    }

    /// The same for single questions: each may take [`DEADLINE`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_to_ask(&self) -> Result<Channel, tonic::transport::Error> {
        self.endpoint.clone().timeout(DEADLINE).connect().await
    }
}
