//! The history as the dispatch keeps it: written when it can be, and in memory as long as it cannot.
//!
//! A full disk must not silence alerts. What could not be committed is kept, grows by what follows, and is handed in
//! again; a notice sent meanwhile is committed later as sent.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use skywatch_alerters::Subject;

use super::shared::{LogOutcome, LogWriter, base};
use crate::files;
use crate::history::{
    Before, DeadLetters, History, HistoryBatch, HistoryError, HistoryReader, HistoryWrite, LOG_POSITION,
    Saved, Settled,
};

/// Time between two tries to commit what could not be.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// How often it is looked whether the history is still in its place.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// How long a history that cannot be opened at the start is waited for.
const OPEN_PATIENCE: Duration = Duration::from_secs(2);
/// How much longer one is waited for that somebody else has open.
const IN_USE_PATIENCE: Duration = Duration::from_secs(30);

/// The history, and what is not in it yet.
pub(super) struct HistoryBuffer {
    path: PathBuf,
    history: Option<History>,
    unsaved: HistoryBatch,
    /// Why the last commit failed.
    trouble: Option<String>,
    /// Somebody else has it open for writing.
    in_use: bool,
    /// Whether what was kept has been read: numbers given without are of another range.
    loaded: bool,
    try_at: Instant,
    /// Which file is open, and when it was last looked whether it is still in its place.
    file: Option<(u64, u64)>,
    looked_at: Instant,
    /// Where other nodes read what is written, if there may be any: what they are not to have does not count here either.
    log: Option<LogWriter>,
    /// Up to where the history is said to have that log.
    logged: Option<String>,
}

/// What is to be noted of a notice.
pub(super) enum Settlement<'a> {
    /// It was taken.
    Sent {
        /// What the other side calls the conversation.
        reference: Option<&'a str>,
    },
    /// It was not, and is tried again at this Unix time.
    Failed {
        /// Why.
        error: &'a str,
        /// When to try again.
        next_try: f64,
    },
    /// It is given up.
    Dead {
        /// Why.
        error: &'a str,
    },
}

impl HistoryBuffer {
    /// Opens the history at `path`. One that cannot be opened is named in the log and tried again.
    pub(super) fn open(path: &Path, log: Option<LogWriter>, now: f64) -> Self {
        let mut buffer = Self {
            path: path.to_owned(),
            history: None,
            unsaved: HistoryBatch::new(now),
            trouble: None,
            in_use: false,
            loaded: false,
            try_at: Instant::now(),
            file: None,
            looked_at: Instant::now(),
            logged: log.as_ref().and_then(|log| log.position().map(str::to_owned)),
            log,
        };
        let due = Instant::now() + OPEN_PATIENCE;
        buffer.reopen(now);
        // One who has just been killed, or a command, may still hold it.
        while buffer.history.is_none()
            && Instant::now() < if buffer.in_use { due + IN_USE_PATIENCE } else { due }
        {
            std::thread::sleep(Duration::from_millis(100));
            buffer.reopen(now);
        }
        if buffer.history.is_some() {
            buffer.trouble = None;
        }
        buffer
    }

    fn reopen(&mut self, now: f64) {
        match History::open_or_anew(&self.path, now) {
            Ok(opened) => {
                self.history = Some(opened.history);
                self.file = files::identity(&self.path);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Whether the file that is open is not in its place any more, so that nobody would find what is written to it. Then
    /// another one is begun, which the caller has to fill.
    pub(super) fn was_taken_away(&mut self, now: f64) -> bool {
        if self.history.is_none() || self.looked_at.elapsed() < LOOK_EACH {
            return false;
        }
        self.looked_at = Instant::now();
        if self.file == files::identity(&self.path) {
            return false;
        }
        tracing::error!(
            "history `{}` was deleted while in use :: begun anew with what is in memory; what was over is forgotten",
            self.path.display()
        );
        // Its lock is to go before another one is taken.
        self.history = None;
        if let Some(folder) = self.path.parent()
            && let Err(error) = files::folder(folder)
        {
            tracing::warn!("`{}` cannot be made :: {error}", folder.display());
        }
        self.reopen(now);
        true
    }

    /// Whether what an earlier process kept is known. Without it numbers must be given that it cannot have given.
    pub(super) fn is_loaded(&self) -> bool {
        self.loaded
    }

    /// Why nothing is written at present, if so.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The history, while it can be read.
    pub(super) fn history(&mut self) -> Option<&mut History> {
        self.history.as_mut()
    }

    /// Asks the history, what is only in memory included. `None` when there is no history to ask.
    pub(super) fn ask<T>(
        &self,
        ask: impl FnOnce(&HistoryReader) -> Result<T, HistoryError>,
    ) -> Option<Result<T, HistoryError>> {
        let history = self.history.as_ref()?;
        Some(if self.unsaved.is_empty() {
            ask(history)
        } else {
            history.as_if(&self.unsaved, ask)
        })
    }

    /// Whether the notice is known to have been sent or given up, though the file says that it waits.
    pub(super) fn is_settled(&self, id: &str) -> bool {
        let made = |posting: &crate::history::Posting| posting.notice.id == id && posting.settled.is_some();
        self.unsaved.settled.iter().any(|(settled, _)| settled == id) || self.unsaved.notices.iter().any(made)
    }

    /// What was kept, with incidents that ended at or after `since`, Unix seconds.
    pub(super) fn load(&mut self, since: f64) -> Saved {
        match self.history.as_ref().map(|history| history.load(since)) {
            Some(Ok(saved)) => {
                self.loaded = true;
                let position = saved.meta.get(LOG_POSITION).and_then(serde_json::Value::as_str);
                self.logged = position.map(str::to_owned);
                saved
            }
            Some(Err(error)) => {
                tracing::error!("history not readable, beginning without :: {error}");
                Saved::default()
            }
            None => Saved::default(),
        }
    }

    /// How often each of these subjects had an incident before the one of this number, since `since`.
    pub(super) fn before(&mut self, asked: &[(&Subject, u64)], since: f64) -> Vec<Before> {
        match self.history.as_ref().map(|history| history.before(asked, since)) {
            Some(Ok(before)) => before,
            Some(Err(error)) => {
                tracing::warn!("history not readable :: {error}");
                vec![Before::default(); asked.len()]
            }
            None => vec![Before::default(); asked.len()],
        }
    }

    /// Whether another node leads: nothing that is handed in counts any more.
    pub(super) fn is_displaced(&mut self) -> bool {
        self.log.as_mut().is_some_and(LogWriter::is_displaced)
    }

    /// Has something written into the histories of other nodes, if there are any. False if it does not count.
    fn log(&mut self, write: &HistoryWrite) -> bool {
        let Some(log) = &mut self.log else { return true };
        log.write(write) != LogOutcome::Refused
    }

    /// Where the log stands, to be written down with what follows, if that has changed. What is written without a log, by a
    /// command while no process runs, other nodes lack.
    fn news_of_log(&mut self) -> Option<Option<String>> {
        let now_at = self.log.as_ref().and_then(LogWriter::position);
        (now_at != self.logged.as_deref()).then(|| {
            self.logged = now_at.map(str::to_owned);
            self.logged.clone()
        })
    }

    /// Whether the log of all nodes is to be begun with everything, as somebody needs it.
    pub(super) fn log_is_to_begin(&mut self) -> bool {
        self.log.as_mut().is_some_and(LogWriter::is_to_begin)
    }

    /// Begins the log of all nodes with everything. `since` is that of [`load`](Self::load).
    pub(super) fn begin_log(&mut self, origin: &str, since: f64, now: f64) {
        match self.ask(|history| base(history, since, now)) {
            Some(Ok(batches)) => {
                if let Some(log) = &mut self.log {
                    log.begin(origin, batches);
                }
                let mut batch = HistoryBatch::new(now);
                self.add_log_position(&mut batch);
                self.keep_here(batch);
            }
            Some(Err(error)) => tracing::warn!("other nodes do not get the history :: {error}"),
            None => {}
        }
    }

    fn add_log_position(&mut self, batch: &mut HistoryBatch) {
        if let Some(position) = self.news_of_log() {
            batch
                .meta
                .push((LOG_POSITION.to_owned(), position.map(Into::into)));
        }
    }

    /// Keeps a batch: on the disk if it takes it, in memory until it does.
    pub(super) fn keep(&mut self, batch: HistoryBatch) {
        if batch.is_empty() {
            return;
        }
        let write = HistoryWrite::batch(batch);
        if !self.log(&write) {
            return;
        }
        if let HistoryWrite::Batch { mut batch } = write {
            self.add_log_position(&mut batch);
            self.keep_here(*batch);
        }
    }

    fn keep_here(&mut self, batch: HistoryBatch) {
        let now = batch.at;
        self.unsaved.absorb(batch);
        if self.trouble.is_none() || Instant::now() >= self.try_at {
            self.save(now);
        }
    }

    /// Tries again to commit what could not be, if it is time.
    pub(super) fn tick(&mut self, now: f64) {
        if self.trouble.is_some() && Instant::now() >= self.try_at {
            self.save(now);
        }
    }

    /// Commits what is not committed yet.
    pub(super) fn save(&mut self, now: f64) {
        if self.history.is_none() {
            self.reopen(now);
        }
        let Some(history) = &mut self.history else { return };
        match history.commit(&self.unsaved) {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("history written again :: nothing was lost");
                }
                self.unsaved = HistoryBatch::new(now);
            }
            Err(error) => {
                if error.is_broken() {
                    self.history = None;
                }
                self.failed(&error);
            }
        }
    }

    fn failed(&mut self, error: &HistoryError) {
        self.try_at = Instant::now() + AGAIN_AFTER;
        self.in_use = matches!(error, HistoryError::InUse { .. });
        let why = error.to_string();
        if self.trouble.as_deref() != Some(why.as_str()) {
            tracing::error!("history not written, going on from memory :: {why}");
            if let Some(hint) = error.hint() {
                tracing::error!("hint: {hint}");
            }
        }
        self.trouble = Some(why);
    }

    /// Lets dead letters wait again, or takes them off the list at `now`, Unix seconds. Gives how many; `None` when there is no
    /// history to ask.
    pub(super) fn change_letters(
        &mut self,
        which: DeadLetters<'_>,
        retry: bool,
        now: f64,
    ) -> Option<Result<u64, HistoryError>> {
        self.history.as_ref()?;
        let write = if retry {
            HistoryWrite::retry(which)
        } else {
            HistoryWrite::dismiss(which, now)
        };
        self.log(&write).then(|| self.write_here(&write))?
    }

    /// Writes something down that is no batch.
    fn write_here(&mut self, write: &HistoryWrite) -> Option<Result<u64, HistoryError>> {
        // What waits in memory is not in the history yet, though it is in the log.
        let position = if self.unsaved.is_empty() {
            self.news_of_log()
        } else {
            None
        };
        let history = self.history.as_mut()?;
        Some(history.apply(write, position.as_ref().map(Option::as_deref)))
    }

    /// Notes how it went with a notice.
    pub(super) fn mark(&mut self, id: &str, mark: &Settlement<'_>, now: f64) {
        let write = mark.write(id, now);
        if !self.log(&write) {
            return;
        }
        if let Some(posting) = self
            .unsaved
            .notices
            .iter_mut()
            .find(|posting| posting.notice.id == id)
        {
            posting.settled = mark.settled(now).or(posting.settled.take());
            return;
        }
        let outcome = self.write_here(&write);
        if matches!(outcome, Some(Ok(_))) {
            return;
        }
        // A try that failed may be forgotten.
        if let Some(settled) = mark.settled(now) {
            self.unsaved.settled.push((id.to_owned(), settled));
        }
        if let Some(Err(error)) = outcome {
            self.failed(&error);
        }
    }
}

impl Settlement<'_> {
    /// How it went, at `at` (Unix seconds), if it is the last word.
    fn settled(&self, at: f64) -> Option<Settled> {
        match self {
            Self::Sent { reference } => Some(Settled::Sent {
                at,
                reference: reference.map(str::to_owned),
            }),
            Self::Dead { error } => Some(Settled::Dead {
                at,
                error: (*error).to_owned(),
            }),
            Self::Failed { .. } => None,
        }
    }

    /// What is to be written down of it.
    fn write(&self, id: &str, at: f64) -> HistoryWrite {
        match (self, self.settled(at)) {
            (Self::Failed { error, next_try }, _) => HistoryWrite::Failed {
                id: id.to_owned(),
                error: (*error).to_owned(),
                next_try: *next_try,
            },
            (_, settled) => HistoryWrite::batch(HistoryBatch {
                settled: settled
                    .map(|settled| (id.to_owned(), settled))
                    .into_iter()
                    .collect(),
                ..HistoryBatch::new(at)
            }),
        }
    }
}
