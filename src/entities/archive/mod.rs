//! How entities were, on disk: each as it is now, and its scores of the last days, in one SQLite file of the state folder.
//!
//! One process writes it, pages and commands read it, and after a restart the detectors hear what they said before. A file that
//! cannot be read is put aside and begun anew, and a write that fails costs what it would have kept.

mod reader;
mod writer;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::archive_file::ArchiveForm;
pub(crate) use reader::EntityReader;
pub(super) use writer::{EntityArchive, EntityRecord};

/// Where it is.
pub(crate) fn entities_path(state_dir: &Path) -> PathBuf {
    state_dir.join("entities.sqlite")
}

/// The form of the file. Times are Unix seconds, `body` is an [`EntitySummary`] as JSON.
const FORM: ArchiveForm = ArchiveForm {
    what: "entities",
    none: "no entity has been judged yet",
    version: 1,
    pragmas: "",
    schema: "
    CREATE TABLE entity (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL
    ) STRICT;
    CREATE TABLE score (
        entity INTEGER NOT NULL,
        at REAL NOT NULL,
        score REAL NOT NULL,
        anomalous INTEGER NOT NULL,
        PRIMARY KEY (entity, at)
    ) STRICT, WITHOUT ROWID;
",
};

/// An entity as it was seen last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntitySummary {
    /// Its name.
    pub name: String,
    /// What tells it from others, by label.
    pub labels: Vec<(String, String)>,
    /// `learning`, `normal`, `anomalous` or `unknown`.
    pub state: String,
    /// Why it is unknown, if it is.
    pub why: Option<String>,
    /// Unix seconds of the last look.
    pub seen: f64,
    /// The score of its newest judged row, 1 being the limit, and when that was, Unix seconds.
    pub score: Option<f64>,
    /// See `score`.
    pub judged: Option<f64>,
    /// Metrics of it that are held.
    pub metrics: usize,
    /// Metrics by their share in how that row deviates, the largest first.
    pub drivers: Vec<(String, f64)>,
    /// What it is judged by.
    pub learnt: Option<LearntEntity>,
}

/// What an entity is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearntEntity {
    /// When that was learnt, Unix seconds.
    pub at: f64,
    /// Rows, and metrics of each.
    pub rows: usize,
    /// See `rows`.
    pub metrics: usize,
    /// First and last row, Unix seconds.
    pub from: f64,
    /// See `from`.
    pub until: f64,
}

/// What was said of one row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EntityScore {
    /// Unix seconds.
    pub at: f64,
    /// 1 is the limit.
    pub score: f64,
    /// Whether it was called anomalous.
    pub is_anomalous: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive_file::ArchiveError;

    fn record(name: &str, scores: &[(f64, f64)]) -> EntityRecord {
        let score = |(at, score): &(f64, f64)| EntityScore {
            at: *at,
            score: *score,
            is_anomalous: *score > 1.0,
        };
        EntityRecord {
            summary: EntitySummary {
                name: name.to_owned(),
                labels: vec![("instance".to_owned(), name.to_owned())],
                state: "normal".to_owned(),
                why: None,
                seen: scores.last().map_or(100.0, |(at, _)| *at),
                score: Some(0.5),
                judged: Some(100.0),
                metrics: 4,
                drivers: vec![("load".to_owned(), 0.75)],
                learnt: None,
            },
            scores: scores.iter().map(score).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_is_old_or_gone_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = entities_path(folder.path());
        assert!(matches!(
            EntityReader::open(&path),
            Err(ArchiveError::Missing { .. })
        ));
        let mut archive = EntityArchive::open(&path, 1_000.0).expect("a file");
        let records = [
            record("a", &[(60.0, 0.5), (120.0, 1.5)]),
            record("b", &[(60.0, 0.25)]),
            record("c", &[(60.0, 0.25)]),
        ];
        archive.write(&records, &[], 120.0).expect("written");
        // A row that is judged again after a restart counts once.
        archive
            .write(&[record("a", &[(120.0, 1.25)])], &[], 120.0)
            .expect("written");
        let reader = EntityReader::open(&path).expect("a file");
        let names = |reader: &EntityReader| {
            let all = reader.list().expect("a list");
            all.into_iter().map(|entity| entity.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&reader), ["a", "b", "c"]);
        let (summary, scores) = reader.entity("a", 0.0).expect("read").expect("there");
        assert_eq!(summary, records[0].summary);
        let scores: Vec<_> = scores
            .iter()
            .map(|score| (score.at, score.score, score.is_anomalous))
            .collect();
        assert_eq!(scores, [(60.0, 0.5, false), (120.0, 1.25, true)]);
        assert_eq!(archive.newest_scores("a", 1).expect("read"), [1.25]);
        assert!(reader.entity("d", 0.0).expect("read").is_none());
        // An hour later, what is older than a thousand seconds goes, and what nobody has seen for so long; and so does what is
        // said to be gone.
        archive
            .write(&[record("a", &[(3_720.0, 0.1)])], &["b".into()], 3_720.0)
            .expect("written");
        assert_eq!(names(&reader), ["a"]);
        assert_eq!(reader.entity("a", 0.0).expect("read").expect("there").1.len(), 1);
    }

    #[test]
    fn a_file_that_is_none_is_put_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = entities_path(folder.path());
        std::fs::write(&path, "no database, but long enough to look like one".repeat(40)).expect("written");
        let mut archive = EntityArchive::open(&path, 1_000.0).expect("begun anew");
        archive.write(&[record("a", &[])], &[], 0.0).expect("written");
        assert!(folder.path().join("entities.sqlite.broken").exists());
    }
}
