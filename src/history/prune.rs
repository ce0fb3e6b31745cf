//! Letting go of what is old, in slices, so that no commit has to wait long for one.

use rusqlite::{Transaction, params};

use super::batch::keep_pass;
use super::{History, HistoryError, PassRecord};

const HOUR: f64 = 3_600.0;

/// What a slice let go of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Incidents that had ended, with their steps.
    pub incidents: u64,
    /// Notices of which no incident is left, dead letters among them.
    pub notices: u64,
    /// How many of these notices were dead letters that no person had settled.
    pub dead: u64,
    /// Silences that had ended.
    pub silences: u64,
    /// Times at which receivers last got a notice about subjects.
    pub cooldowns: u64,
    /// Rows of passes.
    pub passes: u64,
    /// There is more to let go of: ask again.
    pub more: bool,
}

impl History {
    /// Lets go of at most `slice` each of: incidents that ended before `older_than` (Unix seconds), with their steps;
    /// notices made before then that no longer wait and of which no incident is left; silences that ended before then;
    /// cooldowns that began and passes that ran before then. Ask again while there is `more`.
    ///
    /// # Errors
    /// As any writing.
    pub fn prune(&mut self, older_than: f64, slice: usize) -> Result<Pruned, HistoryError> {
        self.write(|transaction| {
            let incidents = incidents(transaction, older_than, slice)?;
            let (notices, dead) = notices(transaction, older_than, slice)?;
            let limit = slice.cast_signed();
            let silences = transaction.execute(
                "DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE ended_at < ? LIMIT ?)",
                params![older_than, limit],
            )?;
            let cooldowns = transaction.execute(
                "DELETE FROM cooldowns WHERE (receiver, kind, name) IN
                    (SELECT receiver, kind, name FROM cooldowns WHERE told_at < ? LIMIT ?)",
                params![older_than, limit],
            )?;
            let passes = transaction.execute(
                "DELETE FROM passes WHERE at IN (SELECT at FROM passes WHERE at < ? LIMIT ?)",
                params![older_than, limit],
            )?;
            Ok(Pruned {
                incidents: incidents as u64,
                notices: notices as u64,
                dead,
                silences: silences as u64,
                cooldowns: cooldowns as u64,
                passes: passes as u64,
                more: [incidents, notices, silences, cooldowns, passes]
                    .iter()
                    .any(|gone| *gone >= slice),
            })
        })
    }

    /// Makes one row of all passes of an hour, for at most `hours` hours that ended at or before `older_than` (Unix
    /// seconds), oldest first. Gives how many hours it was done for; ask again while it is `hours`.
    ///
    /// # Errors
    /// As any writing.
    pub fn thin_passes(&mut self, older_than: f64, hours: usize) -> Result<u64, HistoryError> {
        let end = (older_than / HOUR).floor() * HOUR;
        self.write(|transaction| {
            let sums: Vec<PassRecord> = transaction
                .prepare(
                    "SELECT CAST(at / ?2 AS INTEGER) * ?2 AS hour, sum(passes), max(metrics), sum(analyzed), sum(anomalies),
                            sum(seconds), max(longest)
                     FROM passes WHERE at < ?1 GROUP BY hour HAVING count(*) > 1 ORDER BY hour LIMIT ?3",
                )?
                .query_map(params![end, HOUR, hours.cast_signed()], PassRecord::of)?
                .collect::<rusqlite::Result<_>>()?;
            for sum in &sums {
                transaction
                    .prepare("DELETE FROM passes WHERE at >= ? AND at < ?")?
                    .execute([sum.at, sum.at + HOUR])?;
                keep_pass(transaction, sum)?;
            }
            Ok(sums.len() as u64)
        })
    }
}

fn incidents(transaction: &Transaction<'_>, older_than: f64, slice: usize) -> rusqlite::Result<usize> {
    let old: Vec<i64> = transaction
        .prepare("SELECT id FROM incidents WHERE closed_at < ? ORDER BY closed_at LIMIT ?")?
        .query_map(params![older_than, slice.cast_signed()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for sql in [
        "DELETE FROM incidents WHERE id = ?",
        "DELETE FROM transitions WHERE incident = ?",
        "DELETE FROM incident_notices WHERE incident = ?",
        "DELETE FROM causes WHERE incident = ?",
    ] {
        let mut delete = transaction.prepare(sql)?;
        for id in &old {
            delete.execute([id])?;
        }
    }
    Ok(old.len())
}

/// Gives how many notices went, and how many of them were dead letters.
fn notices(transaction: &Transaction<'_>, older_than: f64, slice: usize) -> rusqlite::Result<(usize, u64)> {
    // By the time it was settled first, for there is an index; one that waits has none.
    let old: Vec<(i64, String, String, String)> = transaction
        .prepare(
            "SELECT seq, state, receiver, id FROM notices n
             WHERE settled_at < ?1 AND made_at < ?1
               AND NOT EXISTS (SELECT 1 FROM incident_notices told WHERE told.notice = n.seq)
             ORDER BY settled_at LIMIT ?2",
        )?
        .query_map(params![older_than, slice.cast_signed()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut delete = transaction.prepare("DELETE FROM notices WHERE seq = ?")?;
    // A conversation is called by the notice that began it, and forgotten with it.
    let mut forget = transaction.prepare("DELETE FROM threads WHERE receiver = ? AND thread = ?")?;
    for (seq, _, receiver, id) in &old {
        delete.execute([seq])?;
        forget.execute([receiver, id])?;
    }
    let dead = old.iter().filter(|(_, state, ..)| state == "dead").count();
    Ok((old.len(), dead as u64))
}
