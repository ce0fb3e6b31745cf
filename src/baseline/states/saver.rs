//! The thread that saves states.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

use super::super::record::replace;
use super::States;
use super::format::{StatePart, UNCLAIMED};
use crate::files;

/// Parts that may wait for the disk; a worker that has one more waits.
const WAITING: usize = 4;

impl States {
    /// Starts the thread that saves. `parts`: how many parts all workers have together; when each was saved once, what an
    /// earlier run left is let go.
    ///
    /// # Errors
    /// The folder cannot be made, or the thread not started.
    pub fn saver(self: &Arc<Self>, parts: usize) -> std::io::Result<StateSaver> {
        files::folder(&self.folder)?;
        let states = Arc::clone(self);
        let (send, parts_to_save) = bounded::<Option<StatePart>>(WAITING);
        let thread = std::thread::Builder::new()
            .name("states".to_owned())
            .spawn(move || {
                let mut saved = BTreeSet::new();
                let mut is_failing = false;
                for part in parts_to_save {
                    let path = states
                        .folder
                        .join(part.as_ref().map_or(UNCLAIMED, |part| &part.name));
                    let is_of_watched = part.is_some();
                    // Somebody may have deleted the folder.
                    let outcome = files::folder(&states.folder).and_then(|()| match part {
                        Some(part) => replace(&path, &part.finish()),
                        None => states.write_unclaimed(false),
                    });
                    match &outcome {
                        Err(error) if !is_failing => {
                            tracing::warn!("states not saved to `{}` :: {error}", path.display());
                        }
                        Ok(()) if is_failing => tracing::info!("states saved again"),
                        _ => {}
                    }
                    is_failing = outcome.is_err();
                    if !is_failing && is_of_watched && saved.len() < parts {
                        saved.insert(path);
                        if saved.len() == parts
                            && let Err(error) = states.drop_superseded(&saved)
                        {
                            tracing::warn!(
                                "states of metrics that are not watched stay where they are :: {error}"
                            );
                        }
                    }
                }
            })?;
        Ok(StateSaver {
            send: Some(send),
            thread: Some(thread),
        })
    }
}

/// The thread that writes. Dropping it waits until all is written.
pub struct StateSaver {
    send: Option<Sender<Option<StatePart>>>,
    thread: Option<JoinHandle<()>>,
}

impl StateSaver {
    /// Hands a part over; waits only if the disk is far behind.
    pub fn save(&self, part: StatePart) {
        if let Some(send) = &self.send {
            // A thread that has died has said so.
            let _ = send.send(Some(part));
        }
    }

    /// Lets what was [released](States::release) be written; waits only if the disk is far behind.
    pub fn save_unclaimed(&self) {
        if let Some(send) = &self.send {
            let _ = send.send(None);
        }
    }
}

impl Drop for StateSaver {
    fn drop(&mut self) {
        self.send = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
