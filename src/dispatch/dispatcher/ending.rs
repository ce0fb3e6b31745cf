//! How a dispatcher ends: as stop was said, or as another node leads.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::{CLAIMED, Dispatcher};
use crate::clock::unix_now;
use crate::dispatch::inbox::DispatchMessage;
use crate::dispatch::options::DispatchOptions;
use crate::dispatch::queue::ReceiverQueue;
use crate::history::HistoryBatch;

/// How long receivers may take to take what they are being told when another node leads.
const LAST_WORD: Duration = Duration::from_secs(2);

impl Dispatcher {
    /// Ends because another node leads. What is on its way to a receiver is waited for, so that what became of it is marked.
    pub(super) fn displaced(mut self, messages: &Receiver<DispatchMessage>) -> DispatchOptions {
        let due = Instant::now() + LAST_WORD;
        while self.queues.values().any(ReceiverQueue::is_busy) {
            match messages.recv_deadline(due) {
                Ok(DispatchMessage::Delivered(delivery)) => self.delivered(*delivery),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        self.options
    }

    /// Lets queues finish within the grace, notes what became of their notices, and writes everything down.
    pub(super) fn end(mut self, messages: &Receiver<DispatchMessage>) {
        // First of all, what must not depend on how long receivers take.
        self.write_all(unix_now());
        // What is not known by now is not waited for any more.
        self.searches.give_up();
        let due = Instant::now() + self.options.grace * 4 / 5;
        loop {
            self.refill_the_short(unix_now());
            self.work_queues_that_are_well();
            if !self.queues.values().any(ReceiverQueue::is_busy) {
                break;
            }
            match messages.recv_deadline(due) {
                Ok(DispatchMessage::Delivered(delivery)) => self.delivered(*delivery),
                Ok(DispatchMessage::CausesFound(found)) => self.causes_found(found),
                Ok(
                    DispatchMessage::Ask(..)
                    | DispatchMessage::Examine(..)
                    | DispatchMessage::Adopt(..)
                    | DispatchMessage::Change(..),
                ) => {}
                Err(_) => break,
            }
        }
        for queue in self.queues.values() {
            if queue.waiting() > 0 {
                tracing::warn!(
                    "{} notices to `{}` wait for the next start",
                    queue.waiting(),
                    queue.name()
                );
            }
        }
        self.buffer.save(unix_now());
        if let Some(why) = self.buffer.trouble() {
            tracing::error!("the history lacks what happened last :: {why}");
        }
        // Threads that hang in a send are left behind; the process ends.
        for (_, queue) in std::mem::take(&mut self.queues) {
            if !queue.is_busy() {
                let _ = queue.end().join();
            }
        }
    }

    /// Writes them down at the end.
    fn write_all(&mut self, now: f64) {
        let mut batch = HistoryBatch::new(now);
        batch.incidents = self.live();
        // Nothing more is given: the next run may go on where this one ended.
        if self.buffer.trouble().is_none() && self.buffer.is_loaded() {
            let next = serde_json::to_value(self.state.next()).ok();
            batch.meta.push((CLAIMED.to_owned(), next));
        }
        self.buffer.keep(batch);
        self.buffer.save(now);
    }
}
