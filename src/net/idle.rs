//! A connection that gives up when nothing has moved on it for too long, when a request takes for ever to arrive, or when
//! its slot is needed for another one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::slots::Slot;

/// How long an HTTP client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimits {
    /// Nothing moves for so long.
    pub(crate) silence: Duration,
    /// So long goes by without an answer, though bytes may trickle in: for a request, all of it, and the work on it.
    pub(crate) request: Duration,
    /// Whether bytes that come in are a sign of work; otherwise only answers are, as whoever sends one byte a second is
    /// after the slot and not after an answer.
    pub(crate) reading_is_work: bool,
}

/// A connection with a limit to its silence, and the slot that says it may be open.
pub(crate) struct Idle<S> {
    stream: S,
    limits: TimeLimits,
    /// Goes off when one of the limits is reached.
    alarm: Pin<Box<Sleep>>,
    moved: Instant,
    answered: Instant,
    slot: Slot,
}

impl<S> Idle<S> {
    /// `stream`, which has just come.
    pub(crate) fn new(stream: S, limits: TimeLimits, slot: Slot) -> Self {
        let now = Instant::now();
        Self {
            stream,
            limits,
            alarm: Box::pin(sleep(limits.silence.min(limits.request))),
            moved: now,
            answered: now,
            slot,
        }
    }

    fn due(&self) -> Instant {
        (self.moved + self.limits.silence).min(self.answered + self.limits.request)
    }

    /// Passes on what is ready; what is not waits for the alarm and the end of its slot as well.
    fn watch<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        is_answer: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.moved = Instant::now();
            if is_answer {
                self.answered = self.moved;
            }
            if is_answer || self.limits.reading_is_work {
                self.slot.mark_active();
            }
            let due = self.due();
            self.alarm.as_mut().reset(due);
            if is_answer || due > self.moved {
                return outcome;
            }
        } else if self.slot.poll_closed(context).is_pending() {
            ready!(self.alarm.as_mut().poll(context));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(outcome, false, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(outcome, true, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::slots::{Admitted, ConnectionSlots};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    const TIME_LIMITS: TimeLimits = TimeLimits {
        silence: Duration::from_millis(400),
        request: Duration::from_millis(1_200),
        reading_is_work: false,
    };

    fn pair() -> (DuplexStream, Idle<DuplexStream>) {
        let (client, server) = duplex(64);
        let Admitted::Free(slot) = ConnectionSlots::new(1).admit() else {
            panic!("no slot");
        };
        (client, Idle::new(server, TIME_LIMITS, slot))
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(test);
    }

    /// Reads to the end or the error; answers how long that took.
    async fn drain(mut server: Idle<DuplexStream>) -> (Duration, io::Result<usize>) {
        let begun = Instant::now();
        let read = server.read_to_end(&mut Vec::new()).await;
        (begun.elapsed(), read)
    }

    #[test]
    fn silence_is_ended_and_so_is_a_trickle_without_an_answer() {
        run(async {
            let (_silent, server) = pair();
            let (took, read) = drain(server).await;
            assert!(read.is_err() && took < Duration::from_millis(1_000), "{took:?}");
            let (mut slow, server) = pair();
            let trickle = async {
                for _ in 0..60 {
                    if slow.write_all(b"x").await.is_err() {
                        break;
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            };
            let ((took, read), ()) = tokio::join!(drain(server), trickle);
            assert!(read.is_err(), "{read:?}");
            assert!(
                took >= Duration::from_millis(1_100) && took < Duration::from_millis(2_500),
                "{took:?}"
            );
        });
    }

    #[test]
    fn whoever_is_answered_may_go_on() {
        run(async {
            let (mut client, mut server) = pair();
            for _ in 0..8 {
                client.write_all(b"x").await.expect("it is open");
                server.read_exact(&mut [0]).await.expect("it is open");
                server.write_all(b"y").await.expect("it is open");
                client.read_exact(&mut [0]).await.expect("it is open");
                sleep(Duration::from_millis(250)).await;
            }
        });
    }
}
