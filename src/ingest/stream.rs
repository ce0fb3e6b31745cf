//! Protocols over connections: many clients, a task each, no thread each.
//!
//! A client is read as fast as the queue takes its points; a full queue stops the reading and TCP carries the pressure
//! back. What a protocol adds is a [`Framer`], which cuts the stream into points.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::intake::{BatchBuilder, Intake};
use crate::net::http::ConnectionEvents as _;
use crate::net::slots::{Admitted, Slot};

/// Bytes read at one go while a client has much to say.
pub(super) const BUFFER: usize = 64 * 1024;
/// What an idle client's buffer shrinks to.
pub(super) const IDLE_BUFFER: usize = 1024;
/// Most of the time in which, after stop, what has arrived already is still read.
pub(super) const LAST_READS: Duration = Duration::from_millis(700);
/// A client silent for so long after stop has nothing more on its way.
pub(super) const LAST_SILENCE: Duration = Duration::from_millis(50);

/// The stream cannot be read on: its sender is disconnected. The framer has counted the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// Splits one client's stream into points. Belongs to one task; nothing in it may block.
pub(super) trait Framer: Send + 'static {
    /// Where the next bytes go; never empty.
    fn room(&mut self) -> &mut [u8];

    /// Takes `read` new bytes from the front of what [`room`](Self::room) gave.
    ///
    /// # Errors
    /// [`Broken`] if the stream makes no sense from here on.
    fn take(&mut self, read: usize, into: &mut BatchBuilder<'_>) -> Result<(), Broken>;

    /// The stream has ended: counts what was begun and never finished.
    fn end(&mut self, into: &mut BatchBuilder<'_>);
}

/// Serves clients until `stop` completes, then lets every client's last batch reach the queue.
pub(super) async fn serve<C: Framer>(
    listener: TcpListener,
    intake: Intake,
    framer: impl Fn(&Intake) -> C,
    stop: impl Future<Output = ()>,
) {
    let mut clients = JoinSet::new();
    let (closing, closed) = tokio::sync::watch::channel(());
    let admit = |clients: &mut JoinSet<()>, (stream, peer): (TcpStream, SocketAddr)| {
        let admitted = intake.connections.admit();
        let instead = matches!(admitted, Admitted::Instead(_));
        let (Admitted::Free(slot) | Admitted::Instead(slot)) = admitted else {
            intake.refused(peer);
            return false;
        };
        intake.admitted(instead);
        let (mut closed, framer) = (closed.clone(), framer(&intake));
        let intake = Intake {
            peer: Some(peer),
            ..intake.clone()
        };
        clients.spawn(async move {
            let over = async move { while closed.changed().await.is_ok() {} };
            read_client(stream, &intake, framer, slot, over).await;
        });
        instead
    };
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = clients.join_next(), if !clients.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok(client) => {
                    if admit(&mut clients, client) {
                        // Whoever is to go gives back a descriptor, once it is its turn.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: wait for one instead of spinning.
                    intake.failed(&error);
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
        }
    }
    // The kernel has accepted these connections, and their senders have written to them already.
    let last = Instant::now() + LAST_READS / 2;
    while Instant::now() < last
        && let Ok(Ok(client)) = timeout(LAST_SILENCE, listener.accept()).await
    {
        admit(&mut clients, client);
    }
    drop((listener, closing, closed));
    while clients.join_next().await.is_some() {}
}

/// Reads one client to its end, its idle timeout, or until its slot is needed or nothing more is on its way after `over`.
pub(super) async fn read_client(
    mut stream: impl AsyncRead + Unpin,
    intake: &Intake,
    mut framer: impl Framer,
    mut slot: Slot,
    over: impl Future<Output = ()>,
) {
    tokio::pin!(over);
    let mut last = None;
    loop {
        let patience = last.map_or(intake.idle_timeout, |until: Instant| {
            until.saturating_duration_since(Instant::now()).min(LAST_SILENCE)
        });
        let read = tokio::select! {
            biased;
            () = &mut over, if last.is_none() => {
                last = Some(Instant::now() + LAST_READS);
                continue;
            }
            read = timeout(patience, stream.read(framer.room())) => read,
            () = slot.closed() => break,
        };
        let Some(read) = read.ok().and_then(Result::ok).filter(|&n| n > 0) else {
            break;
        };
        slot.mark_active();
        let (batch, cut) = {
            let mut builder = intake.begin();
            let cut = framer.take(read, &mut builder);
            (builder.finish(), cut)
        };
        intake.wait_in(batch).await;
        if cut.is_err() {
            return;
        }
    }
    let mut builder = intake.begin();
    framer.end(&mut builder);
    builder.finish();
}
