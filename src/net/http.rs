//! Connections that speak HTTP: as many as there are slots for, none for longer than it has something to say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::idle::{Idle, Patience};
use super::slots::{Admitted, Slots};

/// Pause after a connection that the system does not hand out, instead of spinning.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Counts and tells what happens at a listener.
pub(crate) trait Porter: Send + Sync + 'static {
    /// A connection is open; whether another one was closed for it.
    fn admitted(&self, instead: bool);
    /// There was no slot for one.
    fn refused(&self, peer: SocketAddr);
    /// The system does not hand one out: no descriptors, most likely.
    fn failed(&self, error: &std::io::Error);
}

/// A listener for `axum::serve`.
pub(crate) struct HttpListener<P> {
    /// Where clients come.
    pub(crate) listener: TcpListener,
    /// How many may.
    pub(crate) slots: Arc<Slots>,
    /// How long they may take.
    pub(crate) patience: Patience,
    /// Who is told.
    pub(crate) porter: P,
}

impl<P: Porter> axum::serve::Listener for HttpListener<P> {
    type Io = Idle<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let admitted = self.slots.admit();
                    let instead = matches!(admitted, Admitted::Instead(_));
                    if let Admitted::Free(slot) | Admitted::Instead(slot) = admitted {
                        self.porter.admitted(instead);
                        if instead {
                            // Whoever is to go gives back a descriptor, once it is its turn.
                            tokio::task::yield_now().await;
                        }
                        return (Idle::new(stream, self.patience, slot), peer);
                    }
                    self.porter.refused(peer);
                }
                Err(error) => {
                    self.porter.failed(&error);
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
