//! Carbon plaintext, outwards: one buffered connection that mends itself.
//!
//! Callers hand over whole batches and never wait: a bounded queue holds what an unreachable Graphite
//! cannot take yet, and when it is full the newest batch is dropped and counted. A batch is sent again in full
//! after a broken connection; Graphite overwrites equal stamps, so a repeat is harmless.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::backoff::Backoff;
use crate::clock::unix_now;
use crate::observer::ObservedMetric;
use crate::stop::Stop;

/// Batches held for an unreachable Graphite: an hour of passes at the default pace.
const QUEUE: usize = 60;
/// Shortest and longest wait between two tries to connect: a restart of Graphite is not noticed, and a dead one not
/// bothered.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// The handle that batches are pushed through. Dropping it lets the thread send the rest and end.
pub struct CarbonOut {
    queue: Option<Sender<String>>,
    dropped: Arc<AtomicU64>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl CarbonOut {
    /// Starts the sending thread for `address` (`host:port`, resolved at each connection); how it goes is told to `pushes`.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start(address: String, timeout: Duration, pushes: ObservedMetric) -> std::io::Result<Self> {
        let (send, receive) = bounded(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let stop = Stop::new();
        let connection = CarbonConnection {
            address,
            timeout,
            stream: None,
            failing: false,
            pushes,
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("graphite-out".to_owned())
            .spawn(move || connection.run(&receive))?;
        Ok(Self {
            queue: Some(send),
            dropped,
            stop,
            thread: Some(thread),
        })
    }

    /// Queues what was counted, as of now.
    pub(crate) fn push_counts(&self, prefix: &str, counts: &[(String, u64)]) {
        let figures: Vec<_> = counts.iter().map(|(name, n)| (name.clone(), *n as f64)).collect();
        self.push(prefix, &figures, unix_now());
    }

    /// Queues one line `prefix.name value time` for each metric.
    pub fn push(&self, prefix: &str, metrics: &[(String, f64)], time: f64) {
        let mut batch = String::with_capacity(metrics.len() * 64);
        for (name, value) in metrics {
            // Writing to a string cannot fail.
            let _ = writeln!(batch, "{prefix}.{name} {value} {}", time as u64);
        }
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(batch) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::warn!("graphite queue is full :: {dropped} batches of self-metrics dropped so far");
        }
    }
}

impl Drop for CarbonOut {
    fn drop(&mut self) {
        self.queue = None;
        self.stop.say();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The connection and what it needs to mend itself.
struct CarbonConnection {
    address: String,
    timeout: Duration,
    stream: Option<TcpStream>,
    /// Whether the last try failed: a lasting failure is logged once.
    failing: bool,
    pushes: ObservedMetric,
    stop: Stop,
}

impl CarbonConnection {
    fn run(mut self, batches: &Receiver<String>) {
        let pushes = self.pushes.clone();
        'batches: for batch in batches {
            let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
            while let Err(error) = pushes.watch(|| self.send(&batch)) {
                self.stream = None;
                if !self.failing {
                    tracing::warn!("graphite at {} unreachable :: {error}", self.address);
                    self.failing = true;
                }
                if self.stop.sleep(backoff.pause()) {
                    let left = batches.len() + 1;
                    tracing::warn!(
                        "graphite at {} unreachable to the end :: {left} batches lost",
                        self.address
                    );
                    break 'batches;
                }
            }
        }
    }

    fn send(&mut self, batch: &str) -> std::io::Result<()> {
        if self.stream.as_ref().is_some_and(is_closed) {
            self.stream = None;
        }
        if self.stream.is_none() {
            self.stream = Some(self.connect()?);
            if self.failing {
                tracing::info!("graphite at {} reached again", self.address);
                self.failing = false;
            }
        }
        match &mut self.stream {
            Some(stream) => stream.write_all(batch.as_bytes()),
            None => Ok(()),
        }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let begun = Instant::now();
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in self.address.to_socket_addrs()? {
            let left = self
                .timeout
                .saturating_sub(begun.elapsed())
                .max(Duration::from_millis(1));
            match TcpStream::connect_timeout(&address, left) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(self.timeout))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Whether the peer has closed. Carbon never sends anything, so anything but "nothing yet" is the end; without
/// this look the first batch after a restart of Graphite would vanish into a half-closed connection.
fn is_closed(stream: &TcpStream) -> bool {
    let quiet = stream.set_nonblocking(true);
    let answer = stream.peek(&mut [0]);
    let loud = stream.set_nonblocking(false);
    let waiting = matches!(&answer, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    !waiting || quiet.is_err() || loud.is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::net::TcpListener;

    #[test]
    fn a_restarted_graphite_gets_every_batch_after_it_is_back() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let out = CarbonOut::start(address, Duration::from_secs(5), ObservedMetric::off()).expect("a thread");
        out.push("sky", &[("a".to_owned(), 1.5)], 1_700_000_000.0);
        let (mut first, _) = listener.accept().expect("a client");
        let mut line = [0; 21];
        first.read_exact(&mut line).expect("the batch");
        assert_eq!(&line, b"sky.a 1.5 1700000000\n");
        drop(first);
        std::thread::sleep(Duration::from_millis(50));
        out.push("sky", &[("b".to_owned(), 2.0)], 1_700_000_060.0);
        let (mut second, _) = listener.accept().expect("it connects again");
        drop(out);
        let mut rest = String::new();
        second.read_to_string(&mut rest).expect("the batch");
        assert_eq!(rest, "sky.b 2 1700000060\n");
    }
}
