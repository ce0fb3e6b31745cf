//! Notices that wait, and what became of the others.
//!
//! A notice is committed, sent, then marked. Whoever dies between the last two sends it again under the same id.
//! The order of a receiver's notices is the order in which they were committed.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use skywatch_alerters::Notice;
use skywatch_alerters::notice::Content;

use super::columns::{json, number, read};
use super::{History, HistoryError, HistoryReader};

/// What becomes of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoticeState {
    /// It is to be sent.
    Waiting,
    /// It was handed over.
    Sent,
    /// It was given up, and waits for a person to retry or dismiss it.
    Dead,
    /// It was given up, and a person has dismissed it.
    Dropped,
}

/// A notice, and how it stands with it.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeRecord {
    /// Its place in the order of all notices.
    pub seq: u64,
    /// What it says. Once it is sent or dropped, without windows.
    pub notice: Notice,
    /// What became of it.
    pub state: NoticeState,
    /// How often it was tried in vain since it began to wait.
    pub tries: u64,
    /// When to try again, Unix seconds; `None` is at once.
    pub next_try: Option<f64>,
    /// Why it failed the last time.
    pub last_error: Option<String>,
    /// When it was sent, given up or dropped, Unix seconds.
    pub settled_at: Option<f64>,
}

/// How much waits for one receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Depth {
    /// The receiver's name.
    pub receiver: String,
    /// How many notices wait for it.
    pub waiting: u64,
    /// When the oldest of them was made, Unix seconds.
    pub oldest: f64,
}

/// Which of the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetters<'a> {
    /// The one with this id.
    One(&'a str),
    /// All of this receiver.
    Of(&'a str),
    /// All.
    All,
}

impl NoticeState {
    /// Every fate, in the order of a notice's life.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Sent, Self::Dead, Self::Dropped];

    /// In one lower-case word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }
}

/// A record as it lies in the table, its notice not yet read.
pub(super) struct Raw {
    id: String,
    body: String,
    seq: i64,
    state: String,
    tries: i64,
    next_try: Option<f64>,
    last_error: Option<String>,
    settled_at: Option<f64>,
}

/// The columns of [`Raw::of`], in their order.
pub(super) const COLUMNS: &str =
    "n.id, n.body, n.seq, n.state, n.tries, n.next_try, n.last_error, n.settled_at";

impl Raw {
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            body: row.get(1)?,
            seq: row.get(2)?,
            state: row.get(3)?,
            tries: row.get(4)?,
            next_try: row.get(5)?,
            last_error: row.get(6)?,
            settled_at: row.get(7)?,
        })
    }

    /// The record; `None`, and a line in the log, if its notice cannot be read.
    pub(super) fn read(self) -> Option<NoticeRecord> {
        let notice = read("notice", &self.id, &self.body)?;
        let state = NoticeState::ALL
            .into_iter()
            .find(|state| state.as_str() == self.state);
        let state = state.unwrap_or(NoticeState::Dropped);
        Some(NoticeRecord {
            seq: number(self.seq),
            notice,
            state,
            tries: number(self.tries),
            next_try: self.next_try,
            last_error: self.last_error,
            settled_at: self.settled_at,
        })
    }
}

impl HistoryReader {
    /// How much waits for each receiver, by name.
    ///
    /// # Errors
    /// As any reading.
    pub fn depths(&self) -> Result<Vec<Depth>, HistoryError> {
        self.rows(
            "SELECT receiver, count(*), min(made_at) FROM notices WHERE state = 'waiting'
             GROUP BY receiver ORDER BY receiver",
            [],
            |row| {
                Ok(Depth {
                    receiver: row.get(0)?,
                    waiting: number(row.get(1)?),
                    oldest: row.get::<_, Option<f64>>(2)?.unwrap_or_default(),
                })
            },
        )
    }

    /// Notices that were given up, newest first.
    ///
    /// # Errors
    /// As any reading.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<NoticeRecord>, HistoryError> {
        let sql = format!("SELECT {COLUMNS} FROM notices n WHERE state = 'dead' ORDER BY seq DESC LIMIT ?");
        let raw = self.rows(&sql, [limit.cast_signed()], Raw::of)?;
        Ok(raw.into_iter().filter_map(Raw::read).collect())
    }

    /// What a receiver calls a conversation, if it has said so.
    ///
    /// # Errors
    /// As any reading.
    pub fn reference(&self, receiver: &str, thread: &str) -> Result<Option<String>, HistoryError> {
        let found = self.rows(
            "SELECT reference FROM threads WHERE receiver = ? AND thread = ?",
            [receiver, thread],
            |row| row.get(0),
        );
        Ok(found?.pop())
    }
}

impl History {
    /// The first notices that wait for a receiver, in the order in which it is to get them, whether or not it is time
    /// for the next try. One that cannot be read any more becomes a dead letter at `now` (Unix seconds), so that it
    /// does not hold up the rest.
    ///
    /// # Errors
    /// As any reading; as any writing if there is such a one.
    pub fn waiting(
        &mut self,
        receiver: &str,
        limit: usize,
        now: f64,
    ) -> Result<Vec<NoticeRecord>, HistoryError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notices n WHERE receiver = ? AND state = 'waiting' ORDER BY seq LIMIT ?"
        );
        loop {
            let raw = self.rows(&sql, params![receiver, limit.cast_signed()], Raw::of)?;
            let ids: Vec<String> = raw.iter().map(|raw| raw.id.clone()).collect();
            let read: Vec<Option<NoticeRecord>> = raw.into_iter().map(Raw::read).collect();
            let unreadable: Vec<&String> = ids
                .iter()
                .zip(&read)
                .filter(|(_, read)| read.is_none())
                .map(|(id, _)| id)
                .collect();
            if unreadable.is_empty() {
                return Ok(read.into_iter().flatten().collect());
            }
            for id in unreadable {
                self.dead(id, "what was written cannot be read any more", now)?;
            }
        }
    }

    /// Marks a notice as sent at `at` (Unix seconds), with what the receiver calls the conversation if that is to be
    /// remembered. Its windows are let go. False if there is none of this id that waits.
    ///
    /// # Errors
    /// As any writing.
    pub fn sent(&mut self, id: &str, at: f64, reference: Option<&str>) -> Result<bool, HistoryError> {
        self.write(|transaction| mark_sent(transaction, id, at, reference))
    }

    /// Notes that a notice could not be sent, and when to try again, Unix seconds. False if there is none of this id
    /// that waits.
    ///
    /// # Errors
    /// As any writing.
    pub fn failed(&mut self, id: &str, error: &str, next_try: f64) -> Result<bool, HistoryError> {
        self.write(|transaction| mark_failed(transaction, id, error, next_try))
    }

    /// Gives a notice up at `at`, Unix seconds: it becomes a dead letter. False if there is none of this id that waits.
    ///
    /// # Errors
    /// As any writing.
    pub fn dead(&mut self, id: &str, error: &str, at: f64) -> Result<bool, HistoryError> {
        self.write(|transaction| mark_dead(transaction, id, error, at))
    }

    /// Lets dead letters wait again, in their old places. Gives how many.
    ///
    /// # Errors
    /// As any writing.
    pub fn retry(&mut self, which: DeadLetters<'_>) -> Result<u64, HistoryError> {
        self.write(|transaction| retry_letters(transaction, which))
    }

    /// Takes dead letters off the list, at `at` (Unix seconds); they stay on record as dropped. Gives how many.
    ///
    /// # Errors
    /// As any writing.
    pub fn dismiss(&mut self, which: DeadLetters<'_>, at: f64) -> Result<u64, HistoryError> {
        self.write(|transaction| dismiss_letters(transaction, which, at))
    }
}

/// See [`History::sent`].
pub(super) fn mark_sent(
    transaction: &Transaction<'_>,
    id: &str,
    at: f64,
    reference: Option<&str>,
) -> rusqlite::Result<bool> {
    let found: Option<(String, String, String)> = transaction
        .query_row(
            "SELECT receiver, thread, body FROM notices WHERE id = ? AND state = 'waiting'",
            [id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((receiver, thread, body)) = found else {
        return Ok(false);
    };
    transaction.execute(
        "UPDATE notices SET state = 'sent', settled_at = ?, next_try = NULL, body = ? WHERE id = ?",
        params![at, without_windows(id, body)?, id],
    )?;
    if let Some(reference) = reference {
        keep_reference(transaction, &receiver, &thread, reference)?;
    }
    Ok(true)
}

/// See [`History::failed`].
pub(super) fn mark_failed(
    transaction: &Transaction<'_>,
    id: &str,
    error: &str,
    next_try: f64,
) -> rusqlite::Result<bool> {
    let changed = transaction.execute(
        "UPDATE notices SET tries = tries + 1, last_error = ?, next_try = ? WHERE id = ? AND state = 'waiting'",
        params![error, next_try, id],
    )?;
    Ok(changed > 0)
}

/// See [`History::retry`].
pub(super) fn retry_letters(transaction: &Transaction<'_>, which: DeadLetters<'_>) -> rusqlite::Result<u64> {
    each_dead(transaction, which, |_, _, seq| {
        transaction
            .prepare(
                "UPDATE notices SET state = 'waiting', tries = 0, next_try = NULL, settled_at = NULL
                 WHERE seq = ?",
            )?
            .execute([seq])
    })
}

/// See [`History::dismiss`].
pub(super) fn dismiss_letters(
    transaction: &Transaction<'_>,
    which: DeadLetters<'_>,
    at: f64,
) -> rusqlite::Result<u64> {
    each_dead(transaction, which, |id, body, seq| {
        transaction
            .prepare("UPDATE notices SET state = 'dropped', settled_at = ?, body = ? WHERE seq = ?")?
            .execute(params![at, without_windows(&id, body)?, seq])
    })
}

/// See [`History::dead`].
pub(super) fn mark_dead(
    transaction: &Transaction<'_>,
    id: &str,
    error: &str,
    at: f64,
) -> rusqlite::Result<bool> {
    let changed = transaction.execute(
        "UPDATE notices SET state = 'dead', tries = tries + 1, last_error = ?, next_try = NULL, settled_at = ?
         WHERE id = ? AND state = 'waiting'",
        params![error, at, id],
    )?;
    Ok(changed > 0)
}

/// Does something with the id, body and place of each of these dead letters.
fn each_dead(
    transaction: &Transaction<'_>,
    which: DeadLetters<'_>,
    mut work: impl FnMut(String, String, i64) -> rusqlite::Result<usize>,
) -> rusqlite::Result<u64> {
    let (id, receiver) = match which {
        DeadLetters::One(id) => (Some(id), None),
        DeadLetters::Of(receiver) => (None, Some(receiver)),
        DeadLetters::All => (None, None),
    };
    // Places first: what is walked through must not change underfoot.
    let places: Vec<i64> = transaction
        .prepare(
            "SELECT seq FROM notices
             WHERE state = 'dead' AND (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR receiver = ?2)",
        )?
        .query_map([id, receiver], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut find = transaction.prepare("SELECT id, body FROM notices WHERE seq = ?")?;
    for seq in &places {
        let (id, body) = find.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
        work(id, body, *seq)?;
    }
    Ok(places.len() as u64)
}

/// A notice's JSON as it is kept once it was sent. What cannot be read stays as it is.
fn without_windows(id: &str, body: String) -> rusqlite::Result<String> {
    match read::<Notice>("notice", &id, &body) {
        Some(notice) => json(&bare(notice)),
        None => Ok(body),
    }
}

/// A notice without the points of its windows, which are most of it.
pub(super) fn bare(mut notice: Notice) -> Notice {
    if let Content::Incidents(news) = &mut notice.content {
        for item in &mut news.items {
            item.anomaly = item.anomaly.without_window();
        }
    }
    notice
}

pub(super) fn keep_reference(
    transaction: &Transaction<'_>,
    receiver: &str,
    thread: &str,
    reference: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare("INSERT OR REPLACE INTO threads (receiver, thread, reference) VALUES (?, ?, ?)")?
        .execute([receiver, thread, reference])?;
    Ok(())
}
