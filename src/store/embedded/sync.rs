//! The thread that forces the journal to the disk, each second that something was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use fjall::{Database, PersistMode};

/// Owns the thread: dropping it stops and joins, with one last sync.
pub(super) struct Syncer {
    /// Nothing is ever sent; its end is the signal to stop. `None` only while being dropped.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Shared with the thread: something was written since the last sync.
    dirty: Arc<AtomicBool>,
}

impl Syncer {
    pub(super) fn start(database: Database, every: Duration) -> std::io::Result<Self> {
        let (stop, stopped) = bounded::<()>(0);
        let dirty = Arc::new(AtomicBool::new(false));
        let written = Arc::clone(&dirty);
        let thread = thread::Builder::new()
            .name("store-sync".to_owned())
            .spawn(move || {
                loop {
                    let last = stopped.recv_timeout(every) == Err(RecvTimeoutError::Disconnected);
                    if written.swap(false, Ordering::AcqRel)
                        && let Err(error) = database.persist(PersistMode::SyncData)
                    {
                        // The engine refuses all writes from here on, and says so to the writers.
                        tracing::error!(%error, "the journal of the store could not be synced");
                    }
                    if last {
                        break;
                    }
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            dirty,
        })
    }

    pub(super) fn written(&self) {
        self.dirty.store(true, Ordering::Release);
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs the store had died");
        }
    }
}
