//! The carbon plaintext listener: many clients, a task each, no thread each.
//!
//! A client is read as fast as the queue takes its points; a full queue stops the reading and TCP
//! carries the pressure back. A line of any length costs at most one buffer: what is longer is skipped to
//! the next line break and counted.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::batch::Batch;
use super::counters::{Counters, Drop};
use super::line;
use crate::clock::unix_now;

/// Bytes read at one go while a client has much to say.
const BUFFER: usize = 64 * 1024;
/// What an idle client's buffer shrinks to.
const IDLE_BUFFER: usize = 1024;
/// What a line holds beside its name: value, time, blanks.
const BESIDE_NAME: usize = 128;

/// The way into the queue, shared by all clients.
#[derive(Clone)]
pub(super) struct Intake {
    /// Bounded by `room`, not by itself.
    pub queue: Sender<Batch>,
    /// One permit a point that may wait in the queue.
    pub room: Arc<Semaphore>,
    /// Permits in all.
    pub bound: usize,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// Longest name accepted, bytes.
    pub max_name: usize,
    /// A client silent for so long is disconnected.
    pub idle_timeout: Duration,
    /// Clients at a time.
    pub max_connections: usize,
}

impl Intake {
    /// Queues a batch once there is room for it.
    async fn accept(&self, mut batch: Batch, now: f64) {
        let points = batch.len();
        self.counters.accepted(points as u64, now);
        let share = u32::try_from(points.min(self.bound)).unwrap_or(u32::MAX);
        // The semaphore is never closed; without a permit the batch is queued all the same.
        batch.permit = Arc::clone(&self.room).acquire_many_owned(share).await.ok();
        // The queue lives until the last intake is dropped.
        let _ = self.queue.send(batch);
    }

    fn refuse(&self, reason: Drop, line: &[u8]) {
        let before = self.counters.refused(reason);
        // The first of its kind, then each tenth, hundredth, thousandth: enough to see what comes in.
        if before == 0 || (before + 1).ilog10() != before.ilog10() {
            let shown = String::from_utf8_lossy(&line[..line.len().min(80)]);
            tracing::warn!(
                "point dropped, {} ({} so far) :: {shown:?}",
                reason.name(),
                before + 1
            );
        }
    }
}

/// Serves clients until `stop` completes, then lets every client's last batch reach the queue.
pub(super) async fn serve(listener: TcpListener, intake: Intake, stop: impl Future<Output = ()>) {
    let mut clients = JoinSet::new();
    let (closing, closed) = tokio::sync::watch::channel(());
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = clients.join_next(), if !clients.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if clients.len() < intake.max_connections => {
                    intake.counters.connection();
                    let (intake, mut closed) = (intake.clone(), closed.clone());
                    clients.spawn(async move {
                        let over = async move { while closed.changed().await.is_ok() {} };
                        read_client(stream, &intake, over).await;
                    });
                }
                Ok((_, peer)) => {
                    intake.counters.refused_connection();
                    tracing::warn!("connection of {peer} refused :: {} are open", clients.len());
                }
                Err(error) => {
                    // Out of descriptors, most likely: wait for one instead of spinning.
                    tracing::warn!("cannot accept a connection :: {error}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
        }
    }
    drop((closing, closed));
    while clients.join_next().await.is_some() {}
}

/// Reads one client to its end, its idle timeout, or `over`.
async fn read_client(mut stream: impl AsyncRead + Unpin, intake: &Intake, over: impl Future<Output = ()>) {
    let longest = intake.max_name + BESIDE_NAME;
    let mut reader = LineReader {
        buffer: vec![0; IDLE_BUFFER],
        held: 0,
        skipping: false,
        longest,
    };
    tokio::pin!(over);
    loop {
        let read = tokio::select! {
            biased;
            () = &mut over => None,
            read = tokio::time::timeout(intake.idle_timeout, stream.read(&mut reader.buffer[reader.held..])) => {
                read.ok().and_then(Result::ok).filter(|&n| n > 0)
            }
        };
        let Some(read) = read else { break };
        let now = unix_now();
        let batch = reader.lines(read, now, intake);
        if !batch.is_empty() {
            intake.accept(batch, now).await;
        }
    }
    let rest = &reader.buffer[..reader.held];
    if !rest.is_empty() && !reader.skipping {
        // Carbon, too, drops a line that has no end: half a value must not become a point.
        intake.refuse(Drop::Malformed, rest);
    }
}

/// Cuts a stream into lines.
struct LineReader {
    buffer: Vec<u8>,
    /// Bytes of an unfinished line at the front of the buffer.
    held: usize,
    /// Whether the line under way is too long and only its end is looked for.
    skipping: bool,
    longest: usize,
}

impl LineReader {
    /// Takes `read` new bytes, which lie behind the held ones.
    fn lines(&mut self, read: usize, now: f64, intake: &Intake) -> Batch {
        let mut batch = Batch::default();
        let filled = self.held + read;
        let mut begin = 0;
        // The held bytes were looked through before: they have no line break.
        let mut look_from = self.held;
        while let Some(at) = self.buffer[look_from..filled]
            .iter()
            .position(|&byte| byte == b'\n')
        {
            let end = look_from + at;
            let line = &self.buffer[begin..end];
            if self.skipping {
                self.skipping = false;
            } else if line.len() > self.longest {
                intake.refuse(Drop::LineTooLong, line);
            } else if !line.trim_ascii().is_empty() {
                match line::parse(line, now, intake.max_name) {
                    Ok(point) => batch.push(point.name, point.time, point.value),
                    Err(reason) => intake.refuse(reason, line),
                }
            }
            begin = end + 1;
            look_from = begin;
        }
        self.buffer.copy_within(begin..filled, 0);
        self.held = filled - begin;
        if self.held > self.longest {
            if !self.skipping {
                intake.refuse(Drop::LineTooLong, &self.buffer[..self.held]);
            }
            self.skipping = true;
            self.held = 0;
        } else if self.skipping {
            self.held = 0;
        }
        self.resize(read);
        batch
    }

    /// A client that fills its buffer gets a large one; one that has little to say gives it back.
    fn resize(&mut self, read: usize) {
        if self.held + read >= self.buffer.len() && self.buffer.len() < BUFFER {
            self.buffer.resize(BUFFER, 0);
        } else if self.buffer.len() == BUFFER && read < IDLE_BUFFER / 2 && self.held < IDLE_BUFFER / 2 {
            self.buffer.truncate(IDLE_BUFFER);
            self.buffer.shrink_to_fit();
        }
        if self.held == self.buffer.len() {
            self.buffer.resize(self.buffer.len() + self.longest, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn intake() -> (Intake, crossbeam_channel::Receiver<Batch>) {
        let (queue, receive) = crossbeam_channel::unbounded();
        let intake = Intake {
            queue,
            room: Arc::new(Semaphore::new(1_000_000)),
            bound: 1_000_000,
            counters: Arc::default(),
            max_name: 100,
            idle_timeout: Duration::from_secs(5),
            max_connections: 10,
        };
        (intake, receive)
    }

    fn counter(intake: &Intake, name: &str) -> u64 {
        intake
            .counters
            .snapshot()
            .iter()
            .find(|(n, _)| n == name)
            .map_or(0, |(_, value)| *value)
    }

    fn run(pieces: &[&[u8]]) -> (Vec<(String, f64)>, Intake) {
        let (intake, receive) = intake();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (mut client, server) = tokio::io::duplex(1 << 20);
        runtime.block_on(async {
            let reading = read_client(server, &intake, std::future::pending());
            let writing = async {
                for piece in pieces {
                    tokio::io::AsyncWriteExt::write_all(&mut client, piece)
                        .await
                        .expect("room");
                    tokio::task::yield_now().await;
                }
                drop(client);
            };
            tokio::join!(reading, writing);
        });
        let points = receive
            .try_iter()
            .flat_map(|batch| {
                batch
                    .samples()
                    .map(|s| (s.metric.to_owned(), s.value))
                    .collect::<Vec<_>>()
            })
            .collect();
        (points, intake)
    }

    #[test]
    fn a_line_of_any_length_is_one_counted_drop() {
        let long = vec![b'x'; 300_000];
        let (points, intake) = run(&[
            b"a 1 1700000000\n",
            &long,
            b" 5 1700000000\n",
            b"b 2 1700000000\nhalf 3",
        ]);
        assert_eq!(points, [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
        assert_eq!(counter(&intake, "dropped.line_too_long"), 1);
        assert_eq!(
            counter(&intake, "dropped.malformed"),
            1,
            "the line without an end"
        );
        assert_eq!(counter(&intake, "received"), 4);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However the network cuts the stream, the same points come out.
        #[test]
        fn cuts_do_not_matter(cuts in prop::collection::vec(1usize..3000, 1..20)) {
            let text: String =
                (0..400).map(|n| format!("some.metric.{n} {n} 1700000000\n")).collect();
            let mut pieces = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let (points, _) = run(&pieces);
            prop_assert_eq!(points.len(), 400);
            prop_assert!(points.iter().enumerate().all(|(n, point)| point.1 == n as f64));
        }
    }
}
