//! The leading node's end of the log: what it writes down goes there before it counts.
//!
//! A node that is alone writes no log. As soon as another one lives the log is begun with all that the history holds, and is begun
//! anew when its end was lost or Redis did not answer for a while: what the others lack is then in its beginning, and nothing has
//! to be remembered meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::LogEntry;
use super::member::DispatchMember;
use crate::cluster::{FencingToken, LeadStanding, LeadView, LogAppend, RedisLog};
use crate::history::{HistoryBatch, HistoryWrite};

/// Entries behind the beginning that a log keeps at most …
const MOST_ENTRIES: usize = 10_000;
/// … and their bytes.
const MOST_BYTES: usize = 64 << 20;
/// Time between two tries to begin the log.
const BEGIN_EACH: Duration = Duration::from_secs(5);
/// How long a node that has not everything may take to read the log before it is begun anew for it.
const BEHIND_FOR: Duration = Duration::from_secs(5);

/// Where something was written.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dispatch) enum LogOutcome {
    /// In the log, which is followed by all nodes; the histories have it up to there.
    Logged(String),
    /// Nowhere else: it counts here, and the log lacks it.
    Unlogged,
    /// Another node leads: it does not count.
    Refused,
}

/// The leading node's end of the log.
pub(in crate::dispatch) struct LogWriter {
    member: Arc<DispatchMember>,
    log: RedisLog,
    /// The epoch since which this node leads; `None` where nobody answered when it began.
    since: Option<u64>,
    /// The last entry. `None` while there is no log that others could follow.
    position: Option<String>,
    /// Entries of the log's beginning.
    begins_with: usize,
    /// Bytes of the entries behind it.
    sizes: VecDeque<usize>,
    bytes: usize,
    /// Since when another node has not everything.
    behind_since: Option<Instant>,
    /// When the log may be begun again.
    begin_at: Instant,
    is_displaced: bool,
}

impl LogWriter {
    /// Leads since that epoch, with a history that has the log up to `position`.
    pub(in crate::dispatch) fn new(
        member: &Arc<DispatchMember>,
        since: Option<u64>,
        position: Option<String>,
    ) -> Self {
        Self {
            log: member.log(),
            member: Arc::clone(member),
            since,
            position,
            begins_with: 0,
            sizes: VecDeque::new(),
            bytes: 0,
            behind_since: None,
            begin_at: Instant::now(),
            is_displaced: false,
        }
    }

    /// Whether another node leads, as far as is known.
    pub(in crate::dispatch) fn is_displaced(&mut self) -> bool {
        if !self.is_displaced {
            self.is_displaced = !self.member.leadership.view().standing.is_since(self.since);
        }
        self.is_displaced
    }

    /// The last entry that the history has; `None` where it has more than the log.
    pub(in crate::dispatch) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// The token to write with, if the log can be written.
    fn token(&mut self) -> Option<(FencingToken, LeadView)> {
        let view = self.member.leadership.view();
        match &view.standing {
            LeadStanding::Leads { token, .. } if view.answers && self.member.has_others(&view) => {
                Some((token.clone(), view))
            }
            _ => None,
        }
    }

    /// Has something written into the histories of all nodes, if there are others.
    pub(in crate::dispatch) fn write(&mut self, write: &HistoryWrite) -> LogOutcome {
        if self.is_displaced() {
            // Where nobody answered from the start nobody can have what is written here either.
            return if self.since.is_some() {
                LogOutcome::Refused
            } else {
                LogOutcome::Unlogged
            };
        }
        let Some((token, _)) = self.token() else {
            self.position = None;
            return LogOutcome::Unlogged;
        };
        let Some(after) = self.position.take() else {
            return LogOutcome::Unlogged;
        };
        // Only the clone makes an entry of it; a batch has some kilobytes.
        let entry = LogEntry::Write { write: write.clone() }.bytes();
        let most = self.counted(entry.len());
        match self.log.append(&token, &after, &entry, most) {
            Ok(LogAppend::At(at)) => {
                self.position = Some(at.clone());
                LogOutcome::Logged(at)
            }
            Ok(LogAppend::Gap) => {
                tracing::warn!("the end of the log of all nodes was lost :: it is begun anew");
                LogOutcome::Unlogged
            }
            Ok(LogAppend::Refused) => self.refused(),
            Err(error) => {
                self.member.failed("the log of all nodes is not written", &error);
                LogOutcome::Unlogged
            }
        }
    }

    /// The lease has another token: this node may have taken it anew without anybody between.
    fn refused(&mut self) -> LogOutcome {
        let view = self.member.leadership.refresh();
        self.is_displaced = !view.standing.is_since(self.since);
        if self.is_displaced {
            LogOutcome::Refused
        } else {
            LogOutcome::Unlogged
        }
    }

    /// Notes the size of an entry; how many the log may keep with it.
    fn counted(&mut self, bytes: usize) -> usize {
        self.sizes.push_back(bytes);
        self.bytes += bytes;
        while self.sizes.len() > MOST_ENTRIES || (self.bytes > MOST_BYTES && self.sizes.len() > 1) {
            self.bytes -= self.sizes.pop_front().unwrap_or(0);
        }
        if self.sizes.len() < MOST_ENTRIES && self.bytes < MOST_BYTES / 2 {
            return MOST_ENTRIES + self.begins_with;
        }
        self.sizes.len() + self.begins_with
    }

    /// Whether the log is to be begun anew now.
    pub(in crate::dispatch) fn is_to_begin(&mut self) -> bool {
        let Some((_, view)) = self.token() else {
            self.behind_since = None;
            return false;
        };
        if self.member.all_are_whole(&view) {
            self.behind_since = None;
        } else if self.behind_since.is_none() {
            self.behind_since = Some(Instant::now());
        }
        let is_needed = self.position.is_none()
            || self
                .behind_since
                .is_some_and(|since| since.elapsed() >= BEHIND_FOR);
        is_needed && Instant::now() >= self.begin_at
    }

    /// Begins the log anew with what makes an empty history what this node's is.
    pub(in crate::dispatch) fn begin(&mut self, origin: &str, batches: Vec<HistoryBatch>) {
        let Some((token, _)) = self.token() else { return };
        self.begin_at = Instant::now() + BEGIN_EACH;
        (self.sizes, self.bytes) = (VecDeque::new(), 0);
        self.begins_with = batches.len() + 2;
        self.behind_since = None;
        self.position = None;
        let most = MOST_ENTRIES + self.begins_with;
        let begins = LogEntry::Begins {
            origin: origin.to_owned(),
        };
        let writes = batches.into_iter().map(|batch| LogEntry::Write {
            write: HistoryWrite::batch(batch),
        });
        let mut at = String::new();
        for entry in std::iter::once(begins).chain(writes).chain([LogEntry::Whole]) {
            let bytes = entry.bytes();
            let appended = if at.is_empty() {
                self.log.begin(&token, &bytes, most)
            } else {
                self.log.append(&token, &at, &bytes, most)
            };
            match appended {
                Ok(LogAppend::At(place)) => at = place,
                Ok(LogAppend::Gap) => return,
                Ok(LogAppend::Refused) => {
                    self.refused();
                    return;
                }
                Err(error) => {
                    return self.member.failed("the log of all nodes is not begun", &error);
                }
            }
        }
        tracing::info!("the log of all nodes begins :: {} entries", self.begins_with);
        self.position = Some(at);
    }
}
