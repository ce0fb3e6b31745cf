//! Questions about what is past: days, subjects, notices.

use std::collections::BTreeMap;

use rusqlite::types::Value as Cell;
use rusqlite::{params, params_from_iter};
use serde::Serialize;
use skywatch_alerters::Subject;
use skywatch_settings::Pattern;

use super::columns::{key, number, subject};
use super::outbox::{COLUMNS, Raw};
use super::{HistoryError, HistoryReader, NoticeRecord, NoticeState};

const DAY: f64 = 86_400.0;

/// Which notices. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoticeFilter {
    /// To this receiver.
    pub receiver: Option<String>,
    /// With this fate.
    pub state: Option<NoticeState>,
    /// Made at or after this, Unix seconds.
    pub since: Option<f64>,
    /// Made before this, Unix seconds.
    pub until: Option<f64>,
    /// With smaller sequence numbers: the next page of a list.
    pub before: Option<u64>,
}

/// What one day (UTC) was like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct DayCounts {
    /// Its beginning, Unix seconds.
    pub day: f64,
    /// Incidents that opened.
    pub opened: u64,
    /// Those of them that were critical at their worst.
    pub critical: u64,
    /// Incidents that were open and ended.
    pub ended: u64,
    /// Notices sent.
    pub sent: u64,
    /// Notices that reached nobody.
    pub dead: u64,
}

/// How often incidents opened about one subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubjectCounts {
    /// What they are about.
    pub subject: Subject,
    /// How many.
    pub incidents: u64,
    /// When the latest of them opened, Unix seconds.
    pub last: f64,
}

impl HistoryReader {
    /// Notices, newest first. One that cannot be read is left out and logged.
    ///
    /// # Errors
    /// As any reading.
    pub fn notices(&self, filter: &NoticeFilter, limit: usize) -> Result<Vec<NoticeRecord>, HistoryError> {
        let mut sql = format!("SELECT {COLUMNS} FROM notices n WHERE 1");
        let mut cells: Vec<Cell> = Vec::new();
        let mut add = |condition: &str, cell: Option<Cell>| {
            if let Some(cell) = cell {
                sql += condition;
                cells.push(cell);
            }
        };
        add(" AND n.receiver = ?", filter.receiver.clone().map(Cell::from));
        add(
            " AND n.state = ?",
            filter.state.map(|state| state.as_str().to_owned().into()),
        );
        add(" AND n.made_at >= ?", filter.since.map(Cell::from));
        add(" AND n.made_at < ?", filter.until.map(Cell::from));
        add(" AND n.seq < ?", filter.before.map(|before| key(before).into()));
        sql += " ORDER BY n.seq DESC LIMIT ?";
        cells.push((limit.cast_signed() as i64).into());
        let raw = self.rows(&sql, params_from_iter(cells), Raw::of)?;
        Ok(raw.into_iter().filter_map(Raw::read).collect())
    }

    /// What each day (UTC) from that of `from` up to but not including `to` (Unix seconds) was like, in order; days on which
    /// nothing was are left out. With a pattern, incidents are those about subjects whose name it picks, and notices are not
    /// counted.
    ///
    /// # Errors
    /// As any reading.
    pub fn days(&self, from: f64, to: f64, name: Option<&Pattern>) -> Result<Vec<DayCounts>, HistoryError> {
        let picked = match name {
            Some(name) => {
                self.define_picked(name.clone())?;
                "AND picked(name)"
            }
            None => "",
        };
        let mut days: BTreeMap<i64, DayCounts> = BTreeMap::new();
        let mut add = |sql: &str, put: fn(&mut DayCounts, u64, u64)| -> Result<(), HistoryError> {
            let rows = self.rows(sql, params![from, to], |row| {
                Ok((row.get::<_, i64>(0)?, number(row.get(1)?), number(row.get(2)?)))
            })?;
            for (day, one, other) in rows {
                let counts = days.entry(day).or_default();
                counts.day = day as f64 * DAY;
                put(counts, one, other);
            }
            Ok(())
        };
        add(
            &format!(
                "SELECT CAST(opened_at / 86400 AS INTEGER), count(*), sum(severity = 'critical') FROM incidents
                 WHERE opened_at >= ? AND opened_at < ? {picked} GROUP BY 1"
            ),
            |counts, opened, critical| (counts.opened, counts.critical) = (opened, critical),
        )?;
        add(
            &format!(
                "SELECT CAST(closed_at / 86400 AS INTEGER), count(*), 0 FROM incidents
                 WHERE closed_at >= ? AND closed_at < ? AND opened_at IS NOT NULL {picked} GROUP BY 1"
            ),
            |counts, ended, _| counts.ended = ended,
        )?;
        if name.is_none() {
            add(
                "SELECT CAST(settled_at / 86400 AS INTEGER), sum(state = 'sent'), sum(state IN ('dead', 'dropped'))
                 FROM notices WHERE settled_at >= ? AND settled_at < ? GROUP BY 1",
                |counts, sent, dead| (counts.sent, counts.dead) = (sent, dead),
            )?;
        }
        Ok(days.into_values().collect())
    }

    /// Subjects about which incidents opened from `from` up to but not including `to` (Unix seconds), the most frequent first;
    /// with a pattern only those whose name it picks.
    ///
    /// # Errors
    /// As any reading.
    pub fn subjects(
        &self,
        from: f64,
        to: f64,
        name: Option<&Pattern>,
        limit: usize,
    ) -> Result<Vec<SubjectCounts>, HistoryError> {
        let picked = match name {
            Some(name) => {
                self.define_picked(name.clone())?;
                "AND picked(name)"
            }
            None => "",
        };
        let sql = format!(
            "SELECT kind, name, count(*) AS often, max(opened_at) FROM incidents
             WHERE opened_at >= ? AND opened_at < ? {picked}
             GROUP BY name, kind ORDER BY often DESC, name LIMIT ?"
        );
        self.rows(&sql, params![from, to, limit.cast_signed()], |row| {
            Ok(SubjectCounts {
                subject: subject(&row.get::<_, String>(0)?, row.get(1)?)?,
                incidents: number(row.get(2)?),
                last: row.get(3)?,
            })
        })
    }
}
