//! Questions of the command line, the pages and the notices themselves.

use std::collections::BTreeMap;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value as Cell;
use rusqlite::{params, params_from_iter};
use skywatch_alerters::causes::{IncidentCauses, SharedCause};
use skywatch_alerters::incident::{Incident, IncidentTransition, Phase};
use skywatch_alerters::notice::Daily;
use skywatch_alerters::silence::Silence;
use skywatch_alerters::{Severity, Subject};
use skywatch_settings::Pattern;

use super::columns::{key, number, phase, read};
use super::outbox::{COLUMNS, Raw};
use super::{HistoryError, HistoryReader, NoticeRecord, PassRecord};

/// Subjects named in the figures of a day.
const BUSIEST: usize = 10;

/// Which incidents. All that is given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// In one of these phases; empty is any.
    pub phases: Vec<Phase>,
    /// About this subject.
    pub subject: Option<Subject>,
    /// About subjects whose name the pattern picks.
    pub name: Option<Pattern>,
    /// About subjects of this kind, by its name.
    pub kind: Option<String>,
    /// At least so bad at its worst.
    pub severity: Option<Severity>,
    /// Not over before this, Unix seconds.
    pub since: Option<f64>,
    /// Begun before this, Unix seconds.
    pub until: Option<f64>,
    /// With smaller numbers than this one: the next page of a list.
    pub before: Option<u64>,
}

/// All that is known of one incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Life {
    /// As it is now, or was last.
    pub incident: Incident,
    /// Its steps, in order.
    pub transitions: Vec<IncidentTransition>,
    /// The notices about it, in order.
    pub notices: Vec<NoticeRecord>,
}

/// Earlier incidents of a subject.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Before {
    /// How many.
    pub count: u64,
    /// When the latest of them opened, Unix seconds.
    pub last: Option<f64>,
}

impl HistoryReader {
    /// Incidents, those with the highest numbers first. One that cannot be read is left out and logged.
    ///
    /// # Errors
    /// As any reading.
    pub fn incidents(&self, filter: &Filter, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        let mut sql = "SELECT id, body FROM incidents WHERE 1".to_owned();
        let mut cells: Vec<Cell> = Vec::new();
        if !filter.phases.is_empty() {
            let marks = vec!["?"; filter.phases.len()].join(", ");
            sql += &format!(" AND phase IN ({marks})");
            cells.extend(filter.phases.iter().map(|phase| phase.as_str().to_owned().into()));
            if !filter.phases.iter().any(|phase| phase.is_over()) {
                // What lasts is found by an index, however long the past is.
                sql += " AND closed_at IS NULL";
            }
        }
        if let Some(subject) = &filter.subject {
            sql += " AND name = ? AND kind = ?";
            cells.push(subject.name().to_owned().into());
            cells.push(subject.kind().name.to_owned().into());
        }
        if let Some(name) = &filter.name {
            self.define_picked(name.clone())?;
            sql += " AND picked(name)";
        }
        if let Some(kind) = &filter.kind {
            sql += " AND kind = ?";
            cells.push(kind.clone().into());
        }
        if let Some(least) = filter.severity {
            let all = [Severity::Info, Severity::Warning, Severity::Critical];
            let wanted = all.into_iter().filter(|severity| *severity >= least);
            let before = cells.len();
            cells.extend(wanted.map(|severity| Cell::from(severity.as_str().to_owned())));
            let marks = vec!["?"; cells.len() - before].join(", ");
            sql += &format!(" AND severity IN ({marks})");
        }
        if let Some(until) = filter.until {
            sql += " AND since < ?";
            cells.push(until.into());
        }
        if let Some(since) = filter.since {
            sql += " AND (closed_at IS NULL OR closed_at >= ?)";
            cells.push(since.into());
        }
        if let Some(before) = filter.before {
            sql += " AND id < ?";
            cells.push(key(before).into());
        }
        sql += " ORDER BY id DESC LIMIT ?";
        cells.push((limit.cast_signed() as i64).into());
        self.bodies("incident", &sql, params_from_iter(cells), &mut 0)
    }

    /// Makes `picked(name)` of SQL say whether a pattern picks the name.
    pub(super) fn define_picked(&self, pattern: Pattern) -> Result<(), HistoryError> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        self.connection
            .create_scalar_function("picked", 1, flags, move |call| {
                Ok(pattern.matches(call.get_raw(0).as_str()?))
            })
            .map_err(|error| self.failure(&error))
    }

    /// One incident with its steps and notices; `None` if there is none of this number or it cannot be read.
    ///
    /// # Errors
    /// As any reading.
    pub fn incident(&self, id: u64) -> Result<Option<Life>, HistoryError> {
        let mut found = self.bodies(
            "incident",
            "SELECT id, body FROM incidents WHERE id = ?",
            [key(id)],
            &mut 0,
        )?;
        let Some(incident) = found.pop() else {
            return Ok(None);
        };
        let transitions = self.rows(
            "SELECT at, before, after, why FROM transitions WHERE incident = ? ORDER BY seq",
            [key(id)],
            |row| {
                Ok(IncidentTransition {
                    incident: id,
                    at: row.get::<_, Option<f64>>(0)?.unwrap_or(f64::NAN),
                    from: phase(&row.get::<_, String>(1)?)?,
                    to: phase(&row.get::<_, String>(2)?)?.unwrap_or(Phase::Pending),
                    why: row.get(3)?,
                })
            },
        )?;
        let sql = format!(
            "SELECT {COLUMNS} FROM incident_notices told JOIN notices n ON n.seq = told.notice
             WHERE told.incident = ? ORDER BY n.seq"
        );
        let notices = self.rows(&sql, [key(id)], Raw::of)?;
        Ok(Some(Life {
            incident,
            transitions,
            notices: notices.into_iter().filter_map(Raw::read).collect(),
        }))
    }

    /// What moved with these incidents, as far as it was worked out, by their numbers.
    ///
    /// # Errors
    /// As any reading. An entry that cannot be read is left out and logged.
    pub fn causes(&self, incidents: &[u64]) -> Result<BTreeMap<u64, IncidentCauses>, HistoryError> {
        let mut found = BTreeMap::new();
        for incident in incidents {
            let sql = "SELECT body FROM causes WHERE incident = ?";
            let bodies = self.rows(sql, [key(*incident)], |row| row.get::<_, String>(0))?;
            let causes = bodies.first().and_then(|body| read("causes", incident, body));
            found.extend(causes.map(|causes| (*incident, causes)));
        }
        Ok(found)
    }

    /// What these incidents have as their common cause with others, as far as it is known, by their numbers.
    ///
    /// # Errors
    /// As any reading. An entry that cannot be read is left out and logged.
    pub fn shared_causes(&self, incidents: &[u64]) -> Result<BTreeMap<u64, SharedCause>, HistoryError> {
        let mut found = BTreeMap::new();
        for incident in incidents {
            let sql = "SELECT json_extract(body, '$.shared') FROM causes WHERE incident = ?";
            let bodies = self.rows(sql, [key(*incident)], |row| row.get::<_, Option<String>>(0))?;
            let shared = bodies.first().and_then(Option::as_ref);
            let shared = shared.and_then(|body| read("causes", incident, body));
            found.extend(shared.map(|shared| (*incident, shared)));
        }
        Ok(found)
    }

    /// For each subject and number of an incident of it: the incidents of the subject with smaller numbers that opened
    /// at or after `since` (Unix seconds). In the order asked.
    ///
    /// # Errors
    /// As any reading.
    pub fn before(&self, asked: &[(&Subject, u64)], since: f64) -> Result<Vec<Before>, HistoryError> {
        let ask = || -> rusqlite::Result<Vec<Before>> {
            let mut statement = self.connection.prepare(
                "SELECT count(*), max(opened_at) FROM incidents
                 WHERE name = ? AND kind = ? AND id < ? AND opened_at >= ?",
            )?;
            let mut answer = |(subject, id): &(&Subject, u64)| {
                statement.query_row(
                    params![subject.name(), subject.kind().name, key(*id), since],
                    |row| {
                        Ok(Before {
                            count: number(row.get(0)?),
                            last: row.get(1)?,
                        })
                    },
                )
            };
            asked.iter().map(&mut answer).collect()
        };
        ask().map_err(|error| self.failure(&error))
    }

    /// Silences, newest first: those not ended by a person, or all on record.
    ///
    /// # Errors
    /// As any reading.
    pub fn silences(&self, ended_too: bool) -> Result<Vec<Silence>, HistoryError> {
        self.bodies(
            "silence",
            "SELECT id, body FROM silences WHERE ?1 OR ended_at IS NULL ORDER BY id DESC",
            [ended_too],
            &mut 0,
        )
    }

    /// What the time from `from` up to but not including `to` was like (Unix seconds).
    ///
    /// # Errors
    /// As any reading.
    pub fn day(&self, from: f64, to: f64) -> Result<Daily, HistoryError> {
        let count = |sql: &str| -> Result<u64, HistoryError> {
            let found = self.rows(sql, [from, to], |row| row.get::<_, Option<i64>>(0))?;
            Ok(number(found.first().copied().flatten().unwrap_or_default()))
        };
        Ok(Daily {
            from,
            to,
            metrics: count("SELECT metrics FROM passes WHERE at >= ?1 AND at < ?2 ORDER BY at DESC LIMIT 1")?,
            passes: count("SELECT sum(passes) FROM passes WHERE at >= ?1 AND at < ?2")?,
            opened: count("SELECT count(*) FROM incidents WHERE opened_at >= ?1 AND opened_at < ?2")?,
            // A pending one whose metric was deleted was never open.
            resolved: count(
                "SELECT count(*) FROM incidents WHERE closed_at >= ?1 AND closed_at < ?2 AND opened_at IS NOT NULL",
            )?,
            open: count(
                "SELECT (SELECT count(*) FROM incidents WHERE closed_at IS NULL AND opened_at < ?2)
                      + (SELECT count(*) FROM incidents WHERE closed_at >= ?2 AND opened_at < ?2 AND ?1 < ?2)",
            )?,
            notices: count(
                "SELECT count(*) FROM notices WHERE settled_at >= ?1 AND settled_at < ?2 AND state = 'sent'",
            )?,
            dead: count(
                "SELECT count(*) FROM notices WHERE settled_at >= ?1 AND settled_at < ?2 AND state IN ('dead', 'dropped')",
            )?,
            busiest: self.rows(
                "SELECT name, count(*) AS often FROM incidents WHERE opened_at >= ? AND opened_at < ?
                 GROUP BY name, kind ORDER BY often DESC, name LIMIT ?",
                params![from, to, BUSIEST.cast_signed()],
                |row| Ok((row.get(0)?, number(row.get(1)?))),
            )?,
        })
    }

    /// Passes from `from` up to but not including `to` (Unix seconds), in order of time.
    ///
    /// # Errors
    /// As any reading.
    pub fn passes(&self, from: f64, to: f64) -> Result<Vec<PassRecord>, HistoryError> {
        self.rows(
            "SELECT at, passes, metrics, analyzed, anomalies, seconds, longest FROM passes
             WHERE at >= ? AND at < ? ORDER BY at",
            [from, to],
            PassRecord::of,
        )
    }
}
