//! Tables into a plane.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rusqlite::{Connection, Row as SqlRow};
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use skywatch_algorithms::verdicts::{HealthEvidence, HealthMetric, HealthObservation, Status, Transition};

use super::write::{SavedEvidence, state};
use crate::health::plane::{Options, Plane, PlaneChange, ReportOrigin};

/// The plane of which the file tells, as it is at `now` (Unix nanoseconds).
pub(super) fn load(connection: &Connection, options: Options, now: i64) -> rusqlite::Result<Plane> {
    let mut plane = Plane::new(options);
    // Each with whether it is used.
    let mut names: HashMap<i64, (Arc<str>, Cell<bool>)> = HashMap::new();
    each(connection, "SELECT id, text FROM name", |row| {
        let name = plane.restore_name(row.get_ref(1)?.as_str()?);
        names.insert(row.get(0)?, (name, Cell::new(false)));
        Ok(())
    })?;
    let name = |id: i64| {
        let (name, used) = names.get(&id).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        used.set(true);
        Ok::<_, rusqlite::Error>(name)
    };
    each(connection, "SELECT handle, module, observer FROM handle", |row| {
        let handle = row.get::<_, i64>(0)?.cast_unsigned();
        plane.restore_handle(handle, row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
        Ok(())
    })?;
    each(connection, "SELECT subject, since FROM watched", |row| {
        plane.restore_watched(name(row.get(0)?)?, row.get(1)?);
        Ok(())
    })?;
    each(connection, "SELECT peer, subject FROM ignoring", |row| {
        plane.restore_ignoring(name(row.get(0)?)?, name(row.get(1)?)?);
        Ok(())
    })?;
    let reports = "SELECT sequence, subject, observer, at, source, learned, metrics, live FROM observation ORDER BY sequence";
    each(connection, reports, |row| {
        let sequence = row.get::<_, i64>(0)?.cast_unsigned();
        if !row.get::<_, bool>(7)? {
            name(row.get(1)?)?;
            name(row.get(2)?)?;
            plane.restore_sequence(sequence);
            return Ok(());
        }
        let origin = match row.get::<_, Option<i64>>(4)? {
            None => None,
            Some(source) => Some(ReportOrigin {
                source: Arc::clone(name(source)?),
                sequence: row.get::<_, Option<i64>>(5)?.unwrap_or(0).cast_unsigned(),
            }),
        };
        let metrics = metrics(row.get_ref(6)?.as_str()?, &mut plane).unwrap_or_default();
        let observation = HealthObservation::new(row.get(3)?, metrics);
        let (subject, observer) = (name(row.get(1)?)?, name(row.get(2)?)?);
        plane.restore_observation(sequence, subject, observer, observation, origin.as_ref());
        Ok(())
    })?;
    let changes = "SELECT subject, was, became, at, flapping, evidence FROM change ORDER BY id";
    each(connection, changes, |row| {
        let evidence: Vec<SavedEvidence> =
            serde_json::from_str(row.get_ref(5)?.as_str()?).unwrap_or_default();
        plane.restore_change(PlaneChange {
            subject: Arc::clone(name(row.get(0)?)?),
            transition: Transition {
                from: state(row.get(1)?),
                to: state(row.get(2)?),
                at: row.get(3)?,
                flapping: row.get(4)?,
            },
            evidence: evidence.into_iter().map(HealthEvidence::from).collect(),
        });
        Ok(())
    })?;
    let mut delete = connection.prepare("DELETE FROM name WHERE id = ?1")?;
    for (id, _) in names.iter().filter(|(_, (_, used))| !used.get()) {
        delete.execute([id])?;
    }
    plane.restored(now);
    Ok(plane)
}

fn each(
    connection: &Connection,
    sql: &str,
    mut take: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// What [`metrics`](super::write::metrics) wrote; an unknown status is none.
fn metrics(text: &str, plane: &mut Plane) -> serde_json::Result<Vec<HealthMetric>> {
    struct Metrics<'p>(&'p mut Plane);

    #[derive(Deserialize)]
    struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

    impl<'t> Visitor<'t> for Metrics<'_> {
        type Value = Vec<HealthMetric>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("metrics by name")
        }

        fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut metrics = Vec::with_capacity(4);
            while let Some((Name(name), (status, score))) = map.next_entry::<Name<'t>, (i32, f32)>()? {
                metrics.push(HealthMetric {
                    name: self.0.restore_name(&name),
                    status: Status::from_number(status).unwrap_or(Status::Na),
                    score,
                });
            }
            Ok(metrics)
        }
    }

    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Metrics(plane))
}
