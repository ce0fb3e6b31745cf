//! Windows for pages, read on threads of their own.
//!
//! A store that hangs must not take the pages along, least of all `/healthz`, which is there to say so. The threads here
//! wait for the store; a page waits for them no longer than [`PATIENCE`], and is then drawn without charts.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_algorithms::Series;
use tokio::sync::oneshot;

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

struct WindowRequest {
    metrics: Vec<String>,
    reply: oneshot::Sender<ReadWindows>,
}

/// The way to the threads that read. They end with it.
pub(super) struct WindowReader(Sender<WindowRequest>);

impl WindowReader {
    /// Starts the threads; nothing is connected yet.
    ///
    /// # Errors
    /// The system refuses one.
    pub(super) fn start(connect: &AnyConnect, full_duration: f64) -> std::io::Result<Self> {
        let (send, receive) = bounded(WAITING);
        for number in 0..THREADS {
            let windows = Windows::new(connect.within(STORE_PATIENCE), full_duration);
            let asks = receive.clone();
            std::thread::Builder::new()
                .name(format!("charts-{number}"))
                .spawn(move || serve(&windows, &asks))?;
        }
        Ok(Self(send))
    }

    /// Reads some windows.
    pub(super) async fn read(&self, metrics: Vec<String>) -> ReadWindows {
        let count = metrics.len();
        if count == 0 {
            return (Vec::new(), None);
        }
        let (reply, answer) = oneshot::channel();
        let asked = self.0.try_send(WindowRequest { metrics, reply }).is_ok();
        let found = match asked {
            true => tokio::time::timeout(PATIENCE, answer)
                .await
                .ok()
                .and_then(Result::ok),
            false => None,
        };
        found.unwrap_or_else(|| {
            let why = format!("the store has not answered within {} s", PATIENCE.as_secs());
            ((0..count).map(|_| None).collect(), Some(why))
        })
    }
}

fn serve(windows: &Windows, asks: &Receiver<WindowRequest>) {
    for WindowRequest { metrics, reply } in asks {
        // Whoever asked has given up: those behind him have not.
        if reply.is_closed() {
            continue;
        }
        let metrics: Vec<&str> = metrics.iter().map(String::as_str).collect();
        let _ = reply.send(windows.read(&metrics));
    }
}
