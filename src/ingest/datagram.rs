//! Protocols in datagrams: one socket, one task.
//!
//! Senders of datagrams cannot be made to wait, so a full queue drops what comes and counts it; and what the kernel drops before us is
//! counted, too. Datagrams are taken as many at a time as wait, up to a batch.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use super::counters::DropReason;
use super::intake::{BatchBuilder, Intake};
use super::stream::{LAST_READS, LAST_SILENCE};
use crate::net::KernelDrops;

/// Room for the longest datagram there is.
const LONGEST: usize = 65_536;
/// Points after which a batch is queued though more datagrams wait: enough to make queueing cheap, few enough to share
/// the thread with connections.
const BATCH_POINTS: usize = 2_000;
/// Datagrams after which a batch is queued, should they all be worthless.
const BATCH_DATAGRAMS: usize = 2_000;
/// Time between two looks at the kernel's counter.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// Reads the points of one datagram.
pub(super) type Parse = fn(&[u8], &mut BatchBuilder<'_>);

/// Receives until `stop` completes, then what has arrived by then.
pub(super) async fn serve(socket: UdpSocket, intake: Intake, parse: Parse, stop: impl Future<Output = ()>) {
    let mut drops = KernelDrops::of(&socket);
    let mut buffer = vec![0; LONGEST];
    let mut look = tokio::time::interval(LOOK_EACH);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = look.tick() => intake.drop_points(DropReason::KernelBufferFull, drops.new_ones(), b""),
            ready = socket.readable() => match ready {
                Ok(()) => receive(&socket, &mut buffer, &intake, parse),
                Err(error) => {
                    tracing::warn!("{} :: cannot receive :: {error}", intake.service.name);
                    tokio::time::sleep(LOOK_EACH).await;
                }
            },
        }
    }
    // What has arrived by now is read, too. Asked without waiting, the socket would say "nothing" for whatever the runtime
    // has not heard of yet.
    let last = Instant::now() + LAST_READS;
    while Instant::now() < last
        && timeout(LAST_SILENCE, socket.readable())
            .await
            .is_ok_and(|ready| ready.is_ok())
    {
        receive(&socket, &mut buffer, &intake, parse);
    }
    intake.drop_points(DropReason::KernelBufferFull, drops.new_ones(), b"");
}

/// Takes what waits, up to a batch.
fn receive(socket: &UdpSocket, buffer: &mut [u8], intake: &Intake, parse: Parse) {
    let mut builder = intake.begin();
    for _ in 0..BATCH_DATAGRAMS {
        match socket.try_recv_from(buffer) {
            Ok((length, peer)) => {
                builder.come_from(peer);
                parse(&buffer[..length], &mut builder);
            }
            // Nothing there, or an error of a single datagram: the next wait for readiness will show which.
            Err(_) => break,
        }
        if builder.len() >= BATCH_POINTS {
            break;
        }
    }
    intake.try_in(builder.finish());
}
