//! What is written into a history, as a value: so that it can be written into the histories of several nodes, in one order.

use rusqlite::Transaction;
use serde::{Deserialize, Serialize};

use super::batch::apply;
use super::outbox::{dismiss_letters, mark_failed, retry_letters};
use super::{DeadLetters, History, HistoryBatch, HistoryError};

/// Under which key of [`Saved::meta`](super::Saved::meta) it is kept up to which entry of the log of all nodes a history has
/// everything. It is absent in one that holds what no log does.
pub const LOG_POSITION: &str = "log_position";

/// Something that is written into a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub enum HistoryWrite {
    /// What changes together.
    Batch {
        /// All of it.
        batch: Box<HistoryBatch>,
    },
    /// A notice could not be sent.
    Failed {
        /// Its id.
        id: String,
        /// Why.
        error: String,
        /// When to try again, Unix seconds.
        next_try: f64,
    },
    /// Dead letters wait again: the one with this id, all of this receiver, or all.
    Retry {
        /// An id.
        id: Option<String>,
        /// A receiver's name.
        receiver: Option<String>,
    },
    /// Dead letters are taken off the list, selected as above.
    Dismiss {
        /// An id.
        id: Option<String>,
        /// A receiver's name.
        receiver: Option<String>,
        /// When, Unix seconds.
        at: f64,
    },
}

impl HistoryWrite {
    /// A batch.
    #[must_use]
    pub fn batch(batch: HistoryBatch) -> Self {
        Self::Batch {
            batch: Box::new(batch),
        }
    }

    /// Lets dead letters wait again.
    #[must_use]
    pub fn retry(which: DeadLetters<'_>) -> Self {
        let (id, receiver) = selected(which);
        Self::Retry { id, receiver }
    }

    /// Takes dead letters off the list at `at`, Unix seconds.
    #[must_use]
    pub fn dismiss(which: DeadLetters<'_>, at: f64) -> Self {
        let (id, receiver) = selected(which);
        Self::Dismiss { id, receiver, at }
    }
}

fn selected(which: DeadLetters<'_>) -> (Option<String>, Option<String>) {
    match which {
        DeadLetters::One(id) => (Some(id.to_owned()), None),
        DeadLetters::Of(receiver) => (None, Some(receiver.to_owned())),
        DeadLetters::All => (None, None),
    }
}

fn letters<'a>(id: Option<&'a str>, receiver: Option<&'a str>) -> DeadLetters<'a> {
    match (id, receiver) {
        (Some(id), _) => DeadLetters::One(id),
        (None, Some(receiver)) => DeadLetters::Of(receiver),
        (None, None) => DeadLetters::All,
    }
}

impl History {
    /// Writes something down, and with it up to where the history has the log of all nodes: `Some(None)` where it holds what the
    /// log does not. Gives how many dead letters were concerned.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn apply(
        &mut self,
        write: &HistoryWrite,
        position: Option<Option<&str>>,
    ) -> Result<u64, HistoryError> {
        self.write(|transaction| {
            let count = match write {
                HistoryWrite::Batch { batch } => apply(transaction, batch).map(|()| 0)?,
                HistoryWrite::Failed { id, error, next_try } => {
                    u64::from(mark_failed(transaction, id, error, *next_try)?)
                }
                HistoryWrite::Retry { id, receiver } => {
                    retry_letters(transaction, letters(id.as_deref(), receiver.as_deref()))?
                }
                HistoryWrite::Dismiss { id, receiver, at } => {
                    dismiss_letters(transaction, letters(id.as_deref(), receiver.as_deref()), *at)?
                }
            };
            position.map_or(Ok(()), |position| keep_position(transaction, position))?;
            Ok(count)
        })
    }
}

fn keep_position(transaction: &Transaction<'_>, position: Option<&str>) -> rusqlite::Result<()> {
    let mut batch = HistoryBatch::new(0.0);
    batch
        .meta
        .push((LOG_POSITION.to_owned(), position.map(Into::into)));
    apply(transaction, &batch)
}
