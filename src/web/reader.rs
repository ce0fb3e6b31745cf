//! Windows, hours and names for pages, read on threads of their own.
//!
//! A store that hangs must not take the pages along, least of all `/healthz`, which is there to say so. The threads here
//! wait for the store; a page waits for them no longer than [`PATIENCE`], and is then drawn without charts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::Hour;
use tokio::sync::oneshot;

use super::names::{NameCache, NameIndex};
use crate::baseline::Baseline;
use crate::store::{AnyConnect, Connect as _};
use crate::windows::Windows;

/// How long a page waits for its charts: without them it is still of use.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a thread waits for one answer of the store; one that is hung is let go then.
const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// Threads that read, each over a connection of its own: one may be stuck, the other goes on.
const THREADS: usize = 2;
/// Pages that may wait for them, more than are drawn within their patience; beyond that they come without charts.
const WAITING: usize = 16;

/// A window for each metric, `None` where there is none to read, and what went wrong, if anything did.
pub(super) type ReadWindows = (Vec<Option<Series>>, Option<String>);

/// What a thread is to read.
enum ReadRequest {
    /// The windows of some metrics.
    Windows(Vec<String>, oneshot::Sender<ReadWindows>),
    /// The hours of one, oldest first.
    Hours(String, oneshot::Sender<std::io::Result<Vec<Hour>>>),
    /// All names; they go into the cache, also when nobody waits for them any more.
    Names(oneshot::Sender<Result<Arc<NameIndex>, String>>),
}

impl ReadRequest {
    /// Whether whoever asked has given up, and nobody else would have anything of it.
    fn is_void(&self) -> bool {
        match self {
            Self::Windows(_, reply) => reply.is_closed(),
            Self::Hours(_, reply) => reply.is_closed(),
            Self::Names(_) => false,
        }
    }
}

/// The way to the threads that read. They end with it.
pub(super) struct SeriesReader {
    requests: Sender<ReadRequest>,
    names: Arc<NameCache>,
}

/// One thread's means.
struct ReadingThread {
    windows: Windows,
    /// Where the hours of all metrics lie.
    hours: PathBuf,
    names: Arc<NameCache>,
}

impl SeriesReader {
    /// Starts the threads; nothing is connected yet. `hours` is the folder of the baseline.
    ///
    /// # Errors
    /// The system refuses one.
    pub(super) fn start(connect: &AnyConnect, full_duration: f64, hours: PathBuf) -> std::io::Result<Self> {
        let (requests, receive) = bounded(WAITING);
        let names = Arc::<NameCache>::default();
        for number in 0..THREADS {
            let thread = ReadingThread {
                windows: Windows::new(connect.within(STORE_PATIENCE), full_duration),
                hours: hours.clone(),
                names: Arc::clone(&names),
            };
            let receive = receive.clone();
            std::thread::Builder::new()
                .name(format!("charts-{number}"))
                .spawn(move || thread.serve(&receive))?;
        }
        Ok(Self { requests, names })
    }

    /// Reads some windows.
    pub(super) async fn windows(&self, metrics: Vec<String>) -> ReadWindows {
        let count = metrics.len();
        if count == 0 {
            return (Vec::new(), None);
        }
        let read = self.ask(|reply| ReadRequest::Windows(metrics, reply)).await;
        read.unwrap_or_else(|why| ((0..count).map(|_| None).collect(), Some(why)))
    }

    /// Reads the hours of a metric, oldest first.
    ///
    /// # Errors
    /// Why they cannot be read, for people.
    pub(super) async fn hours(&self, metric: String) -> Result<Vec<Hour>, String> {
        let read = self.ask(|reply| ReadRequest::Hours(metric, reply)).await?;
        read.map_err(|error| format!("the hours of past days cannot be read: {error}"))
    }

    /// All names, at most a minute old unless the store does not answer.
    ///
    /// # Errors
    /// Why they cannot be read, for people.
    pub(super) async fn names(&self) -> Result<Arc<NameIndex>, String> {
        let cached = self.names.get();
        if let Some((index, false)) = cached {
            return Ok(index);
        }
        let read = self.ask(ReadRequest::Names).await.and_then(|read| read);
        match (read, cached) {
            (Err(_), Some((index, _))) => Ok(index),
            (read, _) => read,
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> ReadRequest) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        let answered = match self.requests.try_send(request(reply)) {
            Ok(()) => tokio::time::timeout(PATIENCE, answer)
                .await
                .ok()
                .and_then(Result::ok),
            Err(_) => None,
        };
        answered.ok_or_else(|| format!("the store has not answered within {} s", PATIENCE.as_secs()))
    }
}

impl ReadingThread {
    fn serve(self, requests: &Receiver<ReadRequest>) {
        for request in requests {
            // Those behind it still wait.
            if request.is_void() {
                continue;
            }
            // That nobody takes the answer any more is no fault.
            match request {
                ReadRequest::Windows(metrics, reply) => {
                    let metrics: Vec<&str> = metrics.iter().map(String::as_str).collect();
                    let _ = reply.send(self.windows.read(&metrics));
                }
                ReadRequest::Hours(metric, reply) => {
                    let opened = Baseline::open_for(&self.hours, &metric);
                    let _ = reply.send(opened.map(|baseline| baseline.hours_of(&metric)));
                }
                ReadRequest::Names(reply) => {
                    let _ = reply.send(self.read_names());
                }
            }
        }
    }

    fn read_names(&self) -> Result<Arc<NameIndex>, String> {
        // Another thread may have read them while this request waited.
        if let Some((index, false)) = self.names.get() {
            return Ok(index);
        }
        let names = self.windows.names().map_err(|error| error.to_string())?;
        self.names.put(NameIndex::new(names));
        self.names
            .get()
            .map(|(index, _)| index)
            .ok_or_else(|| "names were read and are gone".to_owned())
    }
}
