//! What changes together: one batch, one transaction.
//!
//! Committing a batch twice is the same as committing it once, and so is committing it as part of a later one. That
//! is what makes a failed commit harmless: whether the disk took it or not, it is handed in again.

use std::collections::HashSet;

use rusqlite::{Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skywatch_alerters::Notice;
use skywatch_alerters::causes::IncidentCauses;
use skywatch_alerters::incident::{Incident, IncidentTransition, Phase};
use skywatch_alerters::silence::Silence;
use skywatch_alerters::state::Cooldown;

use super::columns::{json, key, number, refused};
use super::outbox::{bare, keep_reference, mark_dead, mark_sent};
use super::{History, HistoryError, HistoryReader, NoticeState};

/// Everything that is to be remembered at one moment. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryBatch {
    /// When, Unix seconds.
    pub at: f64,
    /// Incidents that are new or not as they were, whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// Steps in their lives, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<IncidentTransition>,
    /// Pending incidents of which nothing came; they are struck out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<u64>,
    /// Notices, in the order in which each receiver is to get them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Posting>,
    /// How it went with notices of earlier batches, by id, where that could not be marked at once. One that does not
    /// wait stays as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<(String, Settled)>,
    /// Silences that are new or not as they were, whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Silence>,
    /// Quiet times that began, or are over and struck out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cooldowns: Vec<Cooldown>,
    /// Anything else, by its key; `None` strikes it out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub meta: Vec<(String, Option<Value>)>,
    /// Passes that were finished.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passes: Vec<PassRecord>,
    /// What moved with incidents, by their numbers; of an incident that is not kept nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<(u64, IncidentCauses)>,
}

/// A notice on its way into the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Posting {
    /// What is to be sent. One with an id that is there already is not taken a second time.
    pub notice: Notice,
    /// Numbers of the incidents it is about, listed in it or not.
    pub incidents: Vec<u64>,
    /// How it went, if it was sent from memory while the disk was full; `None` puts it into the outbox.
    pub settled: Option<Settled>,
}

/// How it went with a notice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// It was handed over.
    Sent {
        /// When, Unix seconds.
        at: f64,
        /// What the other side calls the conversation, when that is to be remembered.
        reference: Option<String>,
    },
    /// Nobody will get it.
    Dead {
        /// When it was given up, Unix seconds.
        at: f64,
        /// Why.
        error: String,
    },
}

/// Figures of one pass, or of an hour of them once they are old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PassRecord {
    /// When it began, Unix seconds; for several, the beginning of their hour.
    pub at: f64,
    /// How many passes these figures are of.
    pub passes: u64,
    /// Metrics there were; for several passes, the most.
    pub metrics: u64,
    /// Metrics analyzed, in all passes together.
    pub analyzed: u64,
    /// Anomalies found, in all passes together.
    pub anomalies: u64,
    /// Seconds it took, all passes together.
    pub seconds: f64,
    /// Seconds the longest of them took.
    pub longest: f64,
}

impl HistoryBatch {
    /// An empty one of that moment, Unix seconds.
    #[must_use]
    pub fn new(at: f64) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self
            == Self {
                at: self.at,
                ..Self::default()
            }
    }

    /// Adds what came after, for batches that pile up while the disk takes nothing. Of whatever is in both only the
    /// later is kept, so memory is bounded by what there is, but for transitions, notices and passes.
    pub fn absorb(&mut self, later: Self) {
        fn replace<T, K: std::hash::Hash + Eq>(into: &mut Vec<T>, later: Vec<T>, key: impl Fn(&T) -> K) {
            if into.is_empty() {
                // As it nearly always is: thousands of incidents are then not copied.
                *into = later;
                return;
            }
            let newer: HashSet<K> = later.iter().map(&key).collect();
            into.retain(|entry| !newer.contains(&key(entry)));
            into.extend(later);
        }
        self.at = later.at;
        replace(&mut self.incidents, later.incidents, |incident| incident.id);
        self.transitions.extend(later.transitions);
        let gone: HashSet<u64> = later.forgotten.iter().copied().collect();
        self.incidents.retain(|incident| !gone.contains(&incident.id));
        self.transitions.retain(|step| !gone.contains(&step.incident));
        self.forgotten.extend(later.forgotten);
        replace(&mut self.notices, later.notices, |posting| {
            posting.notice.id.clone()
        });
        self.settled.extend(later.settled);
        replace(&mut self.silences, later.silences, |silence| silence.id);
        replace(&mut self.cooldowns, later.cooldowns, |cooldown| {
            (cooldown.receiver.clone(), cooldown.subject.clone())
        });
        replace(&mut self.meta, later.meta, |(key, _)| key.clone());
        self.passes.extend(later.passes);
        replace(&mut self.causes, later.causes, |(incident, _)| *incident);
        self.causes.retain(|(incident, _)| !gone.contains(incident));
    }
}

impl PassRecord {
    /// One pass that began at `at` (Unix seconds) and took `seconds`.
    #[must_use]
    pub fn one(at: f64, metrics: u64, analyzed: u64, anomalies: u64, seconds: f64) -> Self {
        Self {
            at,
            passes: 1,
            metrics,
            analyzed,
            anomalies,
            seconds,
            longest: seconds,
        }
    }

    /// From the columns of its table, in their order.
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            at: row.get(0)?,
            passes: number(row.get(1)?),
            metrics: number(row.get(2)?),
            analyzed: number(row.get(3)?),
            anomalies: number(row.get(4)?),
            seconds: row.get::<_, Option<f64>>(5)?.unwrap_or_default(),
            longest: row.get::<_, Option<f64>>(6)?.unwrap_or_default(),
        })
    }
}

impl History {
    /// Remembers all of a batch or nothing of it. Once this returns it survives a killed process and a power cut.
    ///
    /// # Errors
    /// [`HistoryError::Disk`] if the disk takes nothing; whatever was committed before is still there, and the same
    /// handle works again once there is space. [`HistoryError::InUse`] if another process held the file for longer than 5 s.
    /// [`HistoryError::Other`] if an incident has the number of one about another subject: the numbers given must be
    /// those of [`HistoryReader::load`](super::HistoryReader::load), or the past would be written over.
    pub fn commit(&mut self, batch: &HistoryBatch) -> Result<(), HistoryError> {
        self.write(|transaction| apply(transaction, batch))
    }

    /// Answers a question as if `pending` were committed, and writes nothing: for the time in which the disk takes
    /// nothing, so that people see and can take what is only in memory.
    ///
    /// # Errors
    /// As the question; as [`commit`](Self::commit) if the batch itself cannot be.
    pub fn as_if<T>(
        &self,
        pending: &HistoryBatch,
        ask: impl FnOnce(&HistoryReader) -> Result<T, HistoryError>,
    ) -> Result<T, HistoryError> {
        let failure = |error| self.reader.failure(&error);
        let connection = &self.reader.connection;
        // Pages that are changed must not go to the disk before they are given up again.
        connection
            .pragma_update(None, "cache_spill", false)
            .map_err(failure)?;
        let begun = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
        let answer = begun.map_err(failure).and_then(|transaction| {
            apply(&transaction, pending).map_err(failure)?;
            let answer = ask(&self.reader);
            transaction.rollback().map_err(failure)?;
            answer
        });
        connection
            .pragma_update(None, "cache_spill", true)
            .map_err(failure)?;
        answer
    }

    /// Runs something as one transaction.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, HistoryError> {
        let run = || {
            let connection = &mut self.reader.connection;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|error| self.reader.failure(&error))
    }
}

pub(super) fn apply(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    incidents(transaction, batch)?;
    transitions(transaction, batch)?;
    causes(transaction, batch)?;
    notices(transaction, batch)?;
    settled(transaction, batch)?;
    forgotten(transaction, batch)?;
    silences(transaction, batch)?;
    cooldowns(transaction, batch)?;
    meta(transaction, batch)?;
    batch
        .passes
        .iter()
        .try_for_each(|pass| keep_pass(transaction, pass))
}

fn incidents(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    // The subject of an incident never changes, so its index is left alone. One that did change would be another
    // incident under an old number.
    let mut upsert = transaction.prepare(
        "INSERT INTO incidents (id, kind, name, phase, severity, since, opened_at, closed_at, updated, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET
            phase = ?4, severity = ?5, since = ?6, opened_at = ?7, closed_at = ?8, updated = ?9, body = ?10
            WHERE kind = ?2 AND name = ?3",
    )?;
    for incident in &batch.incidents {
        let closed = incident.phase.is_over();
        let changed = upsert.execute(params![
            key(incident.id),
            incident.subject.kind().name,
            incident.subject.name(),
            incident.phase.as_str(),
            incident.severity.as_str(),
            incident.since,
            incident.opened_at,
            closed.then(|| incident.closed_at.unwrap_or(batch.at)),
            batch.at,
            json(incident)?,
        ])?;
        if changed == 0 {
            return Err(refused(format!(
                "incident {} is there already and about something else than `{}`; was the history loaded before it \
                 was written?",
                incident.id,
                incident.subject.name()
            )));
        }
    }
    Ok(())
}

fn transitions(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO transitions (incident, at, before, after, why) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (incident, at, before, after) DO NOTHING",
    )?;
    for step in &batch.transitions {
        insert.execute(params![
            key(step.incident),
            step.at,
            step.from.map_or("", Phase::as_str),
            step.to.as_str(),
            step.why,
        ])?;
    }
    Ok(())
}

fn causes(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    // What was worked out for one that has been let go of meanwhile is not wanted any more.
    let mut keep = transaction.prepare(
        "INSERT OR REPLACE INTO causes (incident, at, body) SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM incidents WHERE id = ?1)",
    )?;
    for (incident, causes) in &batch.causes {
        keep.execute(params![key(*incident), causes.at, json(causes)?])?;
    }
    Ok(())
}

fn notices(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    // One that waits and was meanwhile sent from memory must not be sent again.
    let mut insert = transaction.prepare(
        "INSERT INTO notices (id, receiver, route, thread, made_at, state, tries, last_error, settled_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET state = ?6, last_error = ?7, settled_at = ?8, body = ?9
            WHERE state = 'waiting' AND ?6 <> 'waiting'",
    )?;
    let mut find = transaction.prepare("SELECT seq FROM notices WHERE id = ?")?;
    let mut told = transaction
        .prepare("INSERT INTO incident_notices (incident, notice) VALUES (?, ?) ON CONFLICT DO NOTHING")?;
    for Posting {
        notice,
        incidents,
        settled,
    } in &batch.notices
    {
        let (state, at, error) = match settled {
            None => (NoticeState::Waiting, None, None),
            Some(Settled::Sent { at, .. }) => (NoticeState::Sent, Some(at), None),
            Some(Settled::Dead { at, error }) => (NoticeState::Dead, Some(at), Some(error)),
        };
        insert.execute(params![
            notice.id,
            notice.receiver,
            notice.route,
            notice.thread,
            notice.at,
            state.as_str(),
            error,
            at,
            if state == NoticeState::Sent {
                json(&bare(notice.clone()))?
            } else {
                json(notice)?
            },
        ])?;
        let seq: i64 = find.query_row([&notice.id], |row| row.get(0))?;
        for incident in incidents {
            told.execute(params![key(*incident), seq])?;
        }
        if let Some(Settled::Sent {
            reference: Some(reference),
            ..
        }) = settled
        {
            keep_reference(transaction, &notice.receiver, &notice.thread, reference)?;
        }
    }
    Ok(())
}

fn settled(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    for (id, settled) in &batch.settled {
        match settled {
            Settled::Sent { at, reference } => mark_sent(transaction, id, *at, reference.as_deref())?,
            Settled::Dead { at, error } => mark_dead(transaction, id, error, *at)?,
        };
    }
    Ok(())
}

fn forgotten(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM incidents WHERE id = ?",
        "DELETE FROM transitions WHERE incident = ?",
        "DELETE FROM incident_notices WHERE incident = ?",
        "DELETE FROM causes WHERE incident = ?",
    ] {
        let mut delete = transaction.prepare(sql)?;
        for id in &batch.forgotten {
            delete.execute([key(*id)])?;
        }
    }
    Ok(())
}

fn silences(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare(
        "INSERT INTO silences (id, ended_at, body) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET ended_at = ?2, body = ?3",
    )?;
    for silence in &batch.silences {
        upsert.execute(params![key(silence.id), silence.ended_at, json(silence)?])?;
    }
    Ok(())
}

fn cooldowns(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    let mut keep = transaction.prepare(
        "INSERT OR REPLACE INTO cooldowns (receiver, kind, name, told_at, severity) VALUES (?, ?, ?, ?, ?)",
    )?;
    let mut delete =
        transaction.prepare("DELETE FROM cooldowns WHERE receiver = ? AND kind = ? AND name = ?")?;
    for cooldown in &batch.cooldowns {
        let (kind, name) = (cooldown.subject.kind().name, cooldown.subject.name());
        match cooldown.told {
            Some((at, severity)) => {
                keep.execute(params![cooldown.receiver, kind, name, at, severity.as_str()])?
            }
            None => delete.execute(params![cooldown.receiver, kind, name])?,
        };
    }
    Ok(())
}

fn meta(transaction: &Transaction<'_>, batch: &HistoryBatch) -> rusqlite::Result<()> {
    let mut keep = transaction.prepare("INSERT OR REPLACE INTO meta (key, body) VALUES (?, ?)")?;
    let mut delete = transaction.prepare("DELETE FROM meta WHERE key = ?")?;
    for (key, value) in &batch.meta {
        match value {
            Some(value) => keep.execute(params![key, json(value)?])?,
            None => delete.execute([key])?,
        };
    }
    Ok(())
}

pub(super) fn keep_pass(transaction: &Transaction<'_>, pass: &PassRecord) -> rusqlite::Result<()> {
    let mut keep = transaction.prepare("INSERT OR REPLACE INTO passes VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    keep.execute(params![
        pass.at,
        key(pass.passes),
        key(pass.metrics),
        key(pass.analyzed),
        key(pass.anomalies),
        pass.seconds,
        pass.longest,
    ])?;
    Ok(())
}
