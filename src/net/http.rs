//! Connections that speak HTTP: as many as there are slots for, none for longer than it has something to say, with TLS
//! where the listener has a certificate. Whatever is a [`Router`] is served like this, gRPC services among them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::idle::{Idle, TimeLimits};
use super::slots::{Admitted, ConnectionSlots};
use super::tls::Stream;

/// Pause after a connection that the system does not hand out, instead of spinning.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Counts and logs what happens at a listener.
pub(crate) trait ConnectionEvents: Send + Sync + 'static {
    /// A connection is open; whether another one was closed for it.
    fn admitted(&self, instead: bool);
    /// There was no slot for one.
    fn refused(&self, peer: SocketAddr);
    /// The system does not hand one out: no descriptors, most likely.
    fn failed(&self, error: &std::io::Error);
}

/// Logs what happens at a listener.
pub(crate) struct ConnectionLog {
    /// What the lines begin with.
    pub(crate) name: &'static str,
    /// The setting that bounds how many connections are open.
    pub(crate) setting: &'static str,
}

impl ConnectionEvents for ConnectionLog {
    fn admitted(&self, instead: bool) {
        let Self { name, setting } = self;
        if instead {
            tracing::warn!("{name} :: the idlest connection closed for another one, `{setting}` are open");
        }
    }

    fn refused(&self, peer: SocketAddr) {
        let Self { name, setting } = self;
        tracing::warn!("{name} :: connection of {peer} refused, `{setting}` are open and at work");
    }

    fn failed(&self, error: &std::io::Error) {
        tracing::warn!("{} :: cannot accept a connection :: {error}", self.name);
    }
}

/// A listener for `axum::serve`.
pub(crate) struct HttpListener<P> {
    /// Where clients come.
    pub(crate) listener: TcpListener,
    /// With TLS, if this is there.
    pub(crate) tls: Option<TlsAcceptor>,
    /// How many may.
    pub(crate) slots: Arc<ConnectionSlots>,
    /// How long they may take.
    pub(crate) limits: TimeLimits,
    /// Counts and logs what happens.
    pub(crate) events: P,
}

impl<P: ConnectionEvents> axum::serve::Listener for HttpListener<P> {
    type Io = Idle<Stream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let admitted = self.slots.admit();
                    let instead = matches!(admitted, Admitted::Instead(_));
                    if let Admitted::Free(slot) | Admitted::Instead(slot) = admitted {
                        self.events.admitted(instead);
                        if instead {
                            // Whoever is to go gives back a descriptor, once it is its turn.
                            tokio::task::yield_now().await;
                        }
                        let stream = Stream::new(stream, self.tls.as_ref());
                        return (Idle::new(stream, self.limits, slot), peer);
                    }
                    self.events.refused(peer);
                }
                Err(error) => {
                    self.events.failed(&error);
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Who has sent a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl<P: ConnectionEvents> Connected<IncomingStream<'_, HttpListener<P>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, HttpListener<P>>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Serves requests until `over` completes; those under way then have as long as `last_requests` to be answered. Connections
/// that are open after that end with the runtime.
pub(crate) async fn serve<P: ConnectionEvents>(
    clients: HttpListener<P>,
    app: Router,
    over: impl Future<Output = ()>,
    last_requests: Duration,
) {
    let (closing, mut closed) = tokio::sync::watch::channel(());
    let mut too_late = closed.clone();
    let graceful = axum::serve(clients, app.into_make_service_with_connect_info::<Peer>())
        .with_graceful_shutdown(async move { while closed.changed().await.is_ok() {} });
    let serving = tokio::spawn(async move {
        tokio::select! {
            // It ends only by the signal, and accepting errors never reach us.
            _ = graceful => {}
            () = async {
                while too_late.changed().await.is_ok() {}
                tokio::time::sleep(last_requests).await;
            } => {}
        }
    });
    over.await;
    drop(closing);
    let _ = serving.await;
}
