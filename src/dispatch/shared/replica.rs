//! The history of a node that follows: what the leading one writes down, written down here.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use skywatch_alerters::state::AdoptedState;

use super::entry::LogEntry;
use crate::cluster::RedisLog;
use crate::files;
use crate::history::{
    History, HistoryBatch, HistoryError, HistoryReader, HistoryWrite, LOG_POSITION, NoticeFilter, NoticeState,
};
use crate::store::StoreError;

/// Entries that are read at once.
const AT_ONCE: usize = 50;
/// Notices that are looked through for what was not told.
const MOST_WAITING: usize = 10_000;
/// How long a history that takes nothing is left alone.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The history of a node that follows.
pub(super) struct HistoryReplica {
    path: PathBuf,
    history: Option<History>,
    log: RedisLog,
    /// The last entry of the log that is written down here.
    position: Option<String>,
    /// Whether this history has everything the leading node's has but for what it reads next.
    is_whole: bool,
    /// What the ids of this history's notices begin with, if it is not empty.
    origin: Option<String>,
    /// Whether it is what the log once said, so that a log that begins anew can be added to it.
    is_of_log: bool,
    trouble: Option<String>,
    try_at: Instant,
    /// What histories that were put aside had told people.
    left_over: AdoptedState,
}

impl HistoryReplica {
    /// Opens the history at `path`, `now` in Unix seconds.
    pub(super) fn open(path: &Path, log: RedisLog, now: f64) -> Self {
        let mut replica = Self {
            path: path.to_owned(),
            history: None,
            log,
            position: None,
            is_whole: false,
            origin: None,
            is_of_log: false,
            trouble: None,
            try_at: Instant::now(),
            left_over: AdoptedState::default(),
        };
        replica.reopen(now);
        replica
    }

    fn reopen(&mut self, now: f64) {
        if self.history.is_some() || Instant::now() < self.try_at {
            return;
        }
        let opened = History::open_or_anew(&self.path, now).and_then(|opened| {
            // What lasted is of no interest here.
            let saved = opened.history.load(f64::INFINITY)?;
            Ok((opened.history, saved.meta))
        });
        match opened {
            Ok((history, meta)) => {
                let text = |key: &str| meta.get(key)?.as_str().map(str::to_owned);
                (self.position, self.origin) = (text(LOG_POSITION), text("origin"));
                self.is_of_log = self.position.is_some();
                self.is_whole = self.is_of_log;
                self.history = Some(history);
                self.trouble = None;
            }
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &HistoryError) {
        self.try_at = Instant::now() + AGAIN_AFTER;
        let why = error.to_string();
        if self.trouble.as_deref() != Some(&why) {
            tracing::error!("history not written :: {why}");
        }
        self.trouble = Some(why);
        self.history = None;
        self.is_whole = false;
    }

    /// Whether it has everything, as far as it is known.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether it holds what the log of some time said, and nothing else.
    pub(super) fn is_of_log(&self) -> bool {
        self.is_of_log
    }

    /// The last entry that is written down here.
    pub(super) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// Why nothing is written at present, if so.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The history, while it can be read.
    pub(super) fn reader(&self) -> Option<&HistoryReader> {
        self.history.as_deref()
    }

    /// The history, while it can be written.
    pub(super) fn history(&mut self) -> Option<&mut History> {
        self.history.as_mut()
    }

    /// Whether there may be more to write down than is here, where the log ends at that entry.
    pub(super) fn is_behind(&self, log_end: Option<&str>) -> bool {
        !self.is_whole || self.position() != log_end
    }

    /// Writes down what has come. Where the log does not hold what is here, `replaces` says whether this history gives way to it.
    ///
    /// # Errors
    /// The log is not read.
    pub(super) fn catch_up(&mut self, replaces: bool, now: f64) -> Result<(), StoreError> {
        self.reopen(now);
        while self.history.is_some() && self.read_on(replaces, now)? {}
        Ok(())
    }

    /// Reads some entries; false when there are no more, or none that could be written down.
    fn read_on(&mut self, replaces: bool, now: f64) -> Result<bool, StoreError> {
        let mut entries = self.log.read(self.position.as_deref(), AT_ONCE)?.into_iter();
        if let Some(position) = &self.position {
            match entries.next() {
                Some((at, _)) if at == *position => {}
                _ => {
                    tracing::info!("the log of all nodes goes on elsewhere :: it is read from its beginning");
                    (self.position, self.is_whole) = (None, false);
                    return Ok(true);
                }
            }
        }
        let mut is_any = false;
        for (at, bytes) in entries {
            let Ok(entry) = serde_json::from_slice(&bytes) else {
                tracing::warn!(
                    "an entry of the log of all nodes is not understood :: does another version lead?"
                );
                self.is_whole = false;
                return Ok(false);
            };
            if !self.take(entry, at, replaces, now) {
                return Ok(false);
            }
            is_any = true;
        }
        Ok(is_any)
    }

    /// Writes one entry down. False if it is not.
    fn take(&mut self, entry: LogEntry, at: String, replaces: bool, now: f64) -> bool {
        // A log without its beginning says nothing to who has read nothing of it.
        if matches!(entry, LogEntry::Begins { .. }) != self.position.is_none() {
            return false;
        }
        let (write, is_whole) = match entry {
            LogEntry::Begins { origin } => {
                if !self.gives_way(&origin, replaces, now) {
                    return false;
                }
                (HistoryWrite::batch(HistoryBatch::new(now)), false)
            }
            LogEntry::Write { write } => (write, self.is_whole),
            LogEntry::Whole => (HistoryWrite::batch(HistoryBatch::new(now)), true),
        };
        let Some(history) = &mut self.history else {
            return false;
        };
        // One that is not whole is none that a later start could go on from.
        match history.apply(&write, Some(is_whole.then_some(at.as_str()))) {
            Ok(_) => {
                (self.position, self.is_whole) = (Some(at), is_whole);
                self.is_of_log |= is_whole;
                true
            }
            Err(error) if error.is_of_disk() || error.is_retryable() => {
                self.failed(&error);
                false
            }
            Err(error) => {
                tracing::warn!("what the leading node has written does not fit this history :: {error}");
                self.put_aside(now);
                false
            }
        }
    }

    /// Makes room for a log that begins. False if this history is not to give way.
    fn gives_way(&mut self, origin: &str, replaces: bool, now: f64) -> bool {
        let fits = self.is_of_log && self.origin.as_deref() == Some(origin);
        if self.origin.is_some() && !fits && (!replaces || !self.put_aside(now)) {
            return false;
        }
        self.origin = Some(origin.to_owned());
        true
    }

    /// Takes out what histories that were put aside had told people, which the leading node is to go on with.
    pub(super) fn left_over(&mut self) -> AdoptedState {
        std::mem::take(&mut self.left_over)
    }

    fn put_aside(&mut self, now: f64) -> bool {
        if let Some(history) = self.history.take() {
            match told(&history) {
                Ok(told) => self.left_over = told,
                Err(error) => tracing::warn!("what this node had told is not handed over :: {error}"),
            }
        }
        (self.position, self.is_whole, self.is_of_log) = (None, false, false);
        match files::put_database_aside(&self.path, "alone", now) {
            Ok(aside) => {
                tracing::warn!(
                    "the history of this node is kept as `{}` :: from here on it has that of the node that leads",
                    aside.display()
                );
                self.origin = None;
                self.reopen(now);
                self.history.is_some()
            }
            Err(error) => {
                tracing::error!("history `{}` cannot be put aside :: {error}", self.path.display());
                self.try_at = Instant::now() + AGAIN_AFTER;
                false
            }
        }
    }
}

/// What lasts and people were told of. What still waited to be told counts as not told: whoever goes on with it tells it.
fn told(history: &HistoryReader) -> Result<AdoptedState, HistoryError> {
    let saved = history.load(f64::INFINITY)?;
    let filter = NoticeFilter {
        state: Some(NoticeState::Waiting),
        ..NoticeFilter::default()
    };
    let waiting = history.notices(&filter, MOST_WAITING)?;
    let mut incidents = saved.incidents;
    incidents.retain(|incident| incident.phase.is_open());
    for incident in &mut incidents {
        incident.told.retain(|receiver, told| {
            let waits = |notice: &skywatch_alerters::Notice| {
                notice.receiver == *receiver && notice.thread == told.thread
            };
            !waiting.iter().any(|record| waits(&record.notice))
        });
    }
    Ok(AdoptedState {
        incidents,
        silences: saved.silences,
    })
}
