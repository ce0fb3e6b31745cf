//! Events that are not sent yet, what was sent lately, and what is counted: one SQLite file.
//!
//! Whoever publishes adds to it, in a transaction that also says what is a repeat, so both outlive the process. Each sink has
//! a number through which it has everything; a message goes once all have it. It is bounded by age and by bytes: what is
//! given up is counted.

mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::error::EventsError;
use super::form::{EntityKeys, EventForms, EventTopic, RepeatKey, WrittenEvent};
use super::outgoing::OutgoingEvent;

/// The file in the state folder.
const FILE: &str = "events.sqlite";
/// Kinds of entities whose labels are kept; the original keeps the last 200 messages of their metadata.
const MOST_ENTITY_NAMES: usize = 1_000;
/// Repeats that are remembered; beyond that the oldest are forgotten, and may go out once more.
const MOST_REPEATS: usize = 100_000;

/// What the outbox holds at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// How long a message waits for its sinks.
    pub keep: Duration,
    /// Bytes of all messages.
    pub bytes: usize,
}

/// How events get into the outbox.
#[derive(Debug, Clone)]
pub struct OutboxOptions {
    /// What it holds at most.
    pub limits: OutboxLimits,
    /// Time in which an anomaly with the same machine, metric, labels and details is not said again; zero says all.
    pub repeat_after: Duration,
    /// How events are written.
    pub forms: EventForms,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EventMessage {
    /// Its number, never given twice in one outbox.
    pub(super) id: i64,
    /// The same for the world: it is told apart from messages of other outboxes.
    pub(super) message_id: String,
    pub(super) topic: EventTopic,
    /// The entity; messages of one keep their order.
    pub(super) key: String,
    pub(super) event_id: String,
    /// Time of the event, Unix seconds.
    pub(super) event_at: f64,
    /// JSON on one line.
    pub(super) body: String,
}

/// The file, opened for one thread.
#[derive(Debug)]
pub(super) struct EventOutbox {
    connection: Connection,
    path: PathBuf,
    /// Chosen when the file was begun: its messages are told apart from those of another outbox.
    instance: String,
}

impl EventOutbox {
    /// Opens the one in a state folder, and begins it where there is none.
    ///
    /// # Errors
    /// When the file cannot be used, or is not ours.
    pub(super) fn open(state_dir: &Path) -> Result<Self, EventsError> {
        let path = state_dir.join(FILE);
        let connection = schema::open(&path)?;
        let instance = connection
            .query_row("SELECT instance FROM outbox", [], |row| row.get(0))
            .map_err(|error| schema::refused(&path, &error))?;
        Ok(Self {
            connection,
            path,
            instance,
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds events in one transaction, those that repeat others left out. `now` is Unix seconds; `lost` events were given up before they came
    /// here.
    pub(super) fn add(
        &mut self,
        events: &[OutgoingEvent],
        options: &OutboxOptions,
        lost: u64,
        now: f64,
    ) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let keys = entity_keys(&transaction)?;
        let (mut published, mut repeats, mut unwritten) = (0, 0, 0);
        for event in events {
            let Some(written) = options.forms.write(event, &keys) else {
                unwritten += 1;
                continue;
            };
            if is_repeat(&transaction, &written, options.repeat_after)? {
                repeats += 1;
                continue;
            }
            insert(&transaction, &written, now)?;
            published += 1;
        }
        for (name, more) in [
            ("published", published),
            ("repeats", repeats),
            ("without_form", unwritten),
            ("dropped.memory", lost),
        ] {
            count(&transaction, name, more)?;
        }
        transaction.commit()
    }

    /// Names the sinks there are. One that is new gets what still waits; one that is gone waits for nothing.
    pub(super) fn set_sinks(&mut self, names: &[&str]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for name in names {
            transaction.execute("INSERT OR IGNORE INTO sink VALUES (?1, 0)", [name])?;
        }
        let known: Vec<String> = {
            let mut all = transaction.prepare("SELECT name FROM sink")?;
            all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for gone in known.iter().filter(|known| !names.contains(&known.as_str())) {
            transaction.execute("DELETE FROM sink WHERE name = ?1", [gone])?;
        }
        transaction.commit()
    }

    /// The first messages that a sink has not got, in their order: at most `count` and, beyond the first, `bytes` in all.
    pub(super) fn waiting(
        &self,
        sink: &str,
        count: usize,
        bytes: usize,
    ) -> rusqlite::Result<Vec<EventMessage>> {
        let sent: i64 = self
            .connection
            .prepare_cached("SELECT sent FROM sink WHERE name = ?1")?
            .query_row([sink], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let mut statement = self.connection.prepare_cached(
            "SELECT id, topic, key, event_id, event_at, body FROM message WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![sent, count as i64])?;
        let (mut messages, mut total) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let body: String = row.get(5)?;
            total += body.len();
            if total > bytes && !messages.is_empty() {
                break;
            }
            let id: i64 = row.get(0)?;
            messages.push(EventMessage {
                id,
                message_id: format!("{}-{id}", self.instance),
                topic: topic(row.get(1)?),
                key: row.get(2)?,
                event_id: row.get(3)?,
                event_at: row.get(4)?,
                body,
            });
        }
        Ok(messages)
    }

    /// Notes that a sink has all messages through `id`, and what is to be counted of it. Messages that all sinks have go.
    pub(super) fn sent(&mut self, sink: &str, id: i64, counted: &[(&str, u64)]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute(
            "UPDATE sink SET sent = max(sent, ?2) WHERE name = ?1",
            params![sink, id],
        )?;
        transaction.execute("DELETE FROM message WHERE id <= (SELECT min(sent) FROM sink)", [])?;
        for (name, more) in counted {
            count(&transaction, &format!("sink.{sink}.{name}"), *more)?;
        }
        transaction.commit()
    }

    /// Adds to counters.
    pub(super) fn count(&mut self, counted: &[(&str, u64)]) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (name, more) in counted {
            count(&transaction, name, *more)?;
        }
        transaction.commit()
    }

    /// Gives up what is too old or too much, and forgets what repeats nothing any more. Gives how many messages went.
    pub(super) fn prune(&mut self, options: &OutboxOptions, now: f64) -> rusqlite::Result<u64> {
        let OutboxLimits { keep, bytes } = options.limits;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let old = transaction.execute("DELETE FROM message WHERE at < ?1", [now - keep.as_secs_f64()])?;
        let surplus = delete_surplus(&transaction, bytes)?;
        count(&transaction, "dropped.age", old as u64)?;
        count(&transaction, "dropped.size", surplus as u64)?;
        transaction.execute(
            "DELETE FROM repeat WHERE at < ?1",
            [now - options.repeat_after.as_secs_f64()],
        )?;
        transaction.execute(
            "DELETE FROM repeat WHERE key IN (SELECT key FROM repeat ORDER BY at DESC LIMIT -1 OFFSET ?1)",
            [MOST_REPEATS as i64],
        )?;
        transaction.commit()?;
        Ok((old + surplus) as u64)
    }

    /// Notes by which labels kinds of entities are told apart, and adds to counters. `now` is Unix seconds.
    pub(super) fn note_entity_keys(
        &mut self,
        keys: &EntityKeys,
        counted: &[(&str, u64)],
        now: f64,
    ) -> rusqlite::Result<()> {
        if keys.is_empty() && counted.iter().all(|(_, more)| *more == 0) {
            return Ok(());
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (entity_name, labels) in keys {
            let labels = serde_json::to_string(labels).unwrap_or_default();
            transaction.execute(
                "INSERT OR REPLACE INTO entity_keys VALUES (?1, ?2, ?3)",
                params![entity_name, labels, now],
            )?;
        }
        transaction.execute(
            "DELETE FROM entity_keys WHERE entity_name IN
                (SELECT entity_name FROM entity_keys ORDER BY at DESC LIMIT -1 OFFSET ?1)",
            [MOST_ENTITY_NAMES as i64],
        )?;
        for (name, more) in counted {
            count(&transaction, name, *more)?;
        }
        transaction.commit()
    }

    /// All counters in the order of their names, and for each sink how many messages wait and how old the oldest is in
    /// milliseconds. `now` is Unix seconds.
    pub(super) fn figures(&self, now: f64) -> rusqlite::Result<Vec<(String, u64)>> {
        let mut figures: Vec<(String, u64)> = {
            let mut all = self
                .connection
                .prepare_cached("SELECT name, value FROM counter ORDER BY name")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
            rows.collect::<Result<_, _>>()?
        };
        let mut waiting = self.connection.prepare_cached(
            "SELECT name, (SELECT count(*) FROM message WHERE id > sent),
                (SELECT min(at) FROM (SELECT at FROM message WHERE id > sent ORDER BY id LIMIT 1)) FROM sink ORDER BY name",
        )?;
        let mut rows = waiting.query([])?;
        while let Some(row) = rows.next()? {
            let sink: String = row.get(0)?;
            let age = row.get::<_, Option<f64>>(2)?.map_or(0.0, |at| now - at);
            figures.push((
                format!("sink.{sink}.waiting"),
                row.get::<_, i64>(1)?.cast_unsigned(),
            ));
            figures.push((
                format!("sink.{sink}.oldest_waiting_ms"),
                (age.max(0.0) * 1_000.0) as u64,
            ));
        }
        Ok(figures)
    }
}

/// What the outbox in a state folder counts, as [`EventOutbox::figures`]; empty where there is none yet. `now` is Unix seconds.
///
/// # Errors
/// When the file cannot be used, or is not ours.
pub fn figures(state_dir: &Path, now: f64) -> Result<Vec<(String, u64)>, EventsError> {
    if !state_dir.join(FILE).exists() {
        return Ok(Vec::new());
    }
    let outbox = EventOutbox::open(state_dir)?;
    outbox
        .figures(now)
        .map_err(|error| schema::refused(&outbox.path, &error))
}

fn insert(transaction: &Transaction<'_>, written: &WrittenEvent, now: f64) -> rusqlite::Result<()> {
    let topic = match written.topic {
        EventTopic::Anomaly => 0,
        EventTopic::RootCause => 1,
    };
    transaction
        .prepare_cached(
            "INSERT INTO message (topic, at, event_at, bytes, key, event_id, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            topic,
            now,
            written.at,
            written.body.len() as i64,
            written.key,
            written.event_id,
            written.body
        ])
        .map(drop)
}

fn topic(number: i64) -> EventTopic {
    if number == 1 {
        EventTopic::RootCause
    } else {
        EventTopic::Anomaly
    }
}

/// Whether the same was said within `repeat_after` before; if not, it counts as said now. Time is the event's own. A normal entity
/// is said again after half of that: whoever looks for the cause of an anomaly looks as far around it.
fn is_repeat(
    transaction: &Transaction<'_>,
    written: &WrittenEvent,
    repeat_after: Duration,
) -> rusqlite::Result<bool> {
    let (key, repeat_after) = match written.repeat_of {
        None => return Ok(false),
        Some(RepeatKey::Anomaly(key)) => (key, repeat_after),
        Some(RepeatKey::Normal(key)) => (key, repeat_after / 2),
    };
    if repeat_after.is_zero() {
        return Ok(false);
    }
    let said: Option<f64> = transaction
        .prepare_cached("SELECT at FROM repeat WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    if said.is_some_and(|said| (written.at - said).abs() < repeat_after.as_secs_f64()) {
        return Ok(true);
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO repeat VALUES (?1, ?2)")?
        .execute(params![key, written.at])?;
    Ok(false)
}

/// Deletes the oldest messages until the others have at most `bytes`. Gives how many.
fn delete_surplus(transaction: &Transaction<'_>, bytes: usize) -> rusqlite::Result<usize> {
    let total: i64 = transaction.query_row("SELECT total(bytes) FROM message", [], |row| {
        row.get::<_, f64>(0).map(|total| total as i64)
    })?;
    let mut surplus = total - i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut through = None;
    if surplus > 0 {
        let mut statement = transaction.prepare("SELECT id, bytes FROM message ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()?.filter(|_| surplus > 0) {
            through = Some(row.get::<_, i64>(0)?);
            surplus -= row.get::<_, i64>(1)?;
        }
    }
    match through {
        Some(through) => transaction.execute("DELETE FROM message WHERE id <= ?1", [through]),
        None => Ok(0),
    }
}

fn entity_keys(connection: &Connection) -> rusqlite::Result<EntityKeys> {
    let mut all = connection.prepare_cached("SELECT entity_name, keys FROM entity_keys")?;
    let rows = all.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| row.map(|(name, keys)| (name, serde_json::from_str(&keys).unwrap_or_default())))
        .collect()
}

fn count(transaction: &Transaction<'_>, name: &str, more: u64) -> rusqlite::Result<()> {
    if more == 0 {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        )?
        .execute(params![name, i64::try_from(more).unwrap_or(i64::MAX)])
        .map(drop)
}

/// The name of every counter there can be.
#[cfg(test)]
pub(crate) fn every_counter() -> Vec<String> {
    let own = [
        "published",
        "repeats",
        "without_form",
        "dropped.memory",
        "dropped.age",
        "dropped.size",
    ];
    let metadata = ["metadata.read", "metadata.malformed", "metadata.unreadable"];
    let sinks = ["kafka", "webhook", "file", "stdout"].into_iter();
    let of_sinks = sinks.flat_map(|sink| {
        let names = ["sent", "refused", "failures", "waiting", "oldest_waiting_ms"];
        names.map(|name| format!("sink.{sink}.{name}"))
    });
    let fixed = own.into_iter().chain(metadata).map(str::to_owned);
    fixed.chain(of_sinks).collect()
}
