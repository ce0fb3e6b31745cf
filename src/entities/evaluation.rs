//! Entities in files, judged as they would have been row by row.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

use super::table::EntityTable;
use super::{EntityDetectors, EntityFileError};
use crate::files::{self, Durability};
use crate::stop::Stop;

/// What became of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntityEvaluation {
    /// The name of its folder.
    pub entity: String,
    /// How many metrics it has.
    pub metrics: usize,
    /// Rows that were learnt from.
    pub training_rows: usize,
    /// Rows that were judged: the rows of the output.
    pub rows: usize,
    /// Values that are missing in both files.
    pub missing_values: u64,
    /// Rows without any value. Nothing is known of these: their score and alarm are those of the row before.
    pub rows_without_values: usize,
    /// Rows with an alarm.
    pub alarms: usize,
    /// The length of a day in rows, if the training shows one.
    pub period_rows: Option<usize>,
}

/// Fits each entity of `folder` on its `train.csv.gz` and writes `output/ENTITY.csv` with a score and an alarm for each row of its
/// `test.csv.gz` (both may be plain `.csv`, too). Entities are independent of each other and judged in parallel, in the order of
/// names in what is given back.
///
/// # Errors
/// The first file that cannot be read, understood, learnt from or written.
pub fn evaluate(
    folder: &Path,
    output: &Path,
    detectors: &EntityDetectors,
    stop: &Stop,
) -> Result<Vec<EntityEvaluation>, EntityFileError> {
    let files = EntityFiles::all(folder)?;
    std::fs::create_dir_all(output).map_err(|source| unwritable(output, source))?;
    let evaluations = files.par_iter().map(|files| {
        if stop.is_said() {
            return Err(EntityFileError::Stopped);
        }
        files.evaluate(output, detectors)
    });
    evaluations.collect()
}

/// Each entity of a folder by name, with the file of its training rows.
///
/// # Errors
/// A folder that cannot be read, or has none.
#[cfg(feature = "learned")]
pub(super) fn training_files(folder: &Path) -> Result<Vec<(String, PathBuf)>, EntityFileError> {
    let unreadable = |source| EntityFileError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let training = table(&entry.path(), "train");
        all.extend(training.map(|training| (entry.file_name().to_string_lossy().into_owned(), training)));
    }
    all.sort();
    if all.is_empty() {
        return Err(EntityFileError::NoEntities {
            path: folder.to_owned(),
        });
    }
    Ok(all)
}

/// The two files of an entity.
#[derive(Debug)]
struct EntityFiles {
    entity: String,
    training: PathBuf,
    test: PathBuf,
}

impl EntityFiles {
    /// Those in `folder`, by name.
    fn all(folder: &Path) -> Result<Vec<Self>, EntityFileError> {
        let unreadable = |source| EntityFileError::Unreadable {
            path: folder.to_owned(),
            source,
        };
        let mut all = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let counterpart = |path: PathBuf, missing| EntityFileError::NoCounterpart { path, missing };
            match (table(&path, "train"), table(&path, "test")) {
                (Some(training), Some(test)) => all.push(Self {
                    entity: path
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                    training,
                    test,
                }),
                (Some(training), None) => return Err(counterpart(training, "test.csv.gz")),
                (None, Some(test)) => return Err(counterpart(test, "train.csv.gz")),
                (None, None) => {}
            }
        }
        if all.is_empty() {
            return Err(EntityFileError::NoEntities {
                path: folder.to_owned(),
            });
        }
        all.sort_by(|a, b| a.entity.cmp(&b.entity));
        Ok(all)
    }

    fn evaluate(
        &self,
        output: &Path,
        detectors: &EntityDetectors,
    ) -> Result<EntityEvaluation, EntityFileError> {
        let training = EntityTable::read(&self.training, None)?;
        let test = EntityTable::read(&self.test, Some(&training.metrics))?;
        let judged = detectors.judge(&training.rows, &test.rows);
        let (judgements, period_rows) = judged.map_err(|source| EntityFileError::Unusable {
            path: self.training.clone(),
            source,
        })?;
        let mut evaluation = EntityEvaluation {
            entity: self.entity.clone(),
            metrics: training.metrics.len(),
            training_rows: training.rows.len(),
            rows: test.rows.len(),
            missing_values: training.missing + test.missing,
            rows_without_values: 0,
            alarms: 0,
            period_rows,
        };
        let mut text = String::from("score,alarm\n");
        let (mut score, mut is_alarm) = (0.0, false);
        for judgement in judgements {
            if let Some(judgement) = judgement {
                (score, is_alarm) = (judgement.score, judgement.is_anomalous);
            } else {
                evaluation.rows_without_values += 1;
            }
            evaluation.alarms += usize::from(is_alarm);
            // Writing to memory does not fail.
            let _ = writeln!(text, "{score},{}", u8::from(is_alarm));
        }
        let place = output.join(format!("{}.csv", self.entity));
        let written = files::replace(&place, text.as_bytes(), Durability::Volatile);
        written.map_err(|source| unwritable(&place, source))?;
        Ok(evaluation)
    }
}

/// The table of that name in a folder.
fn table(folder: &Path, name: &str) -> Option<PathBuf> {
    let endings = ["csv.gz", "csv"];
    endings
        .iter()
        .map(|ending| folder.join(format!("{name}.{ending}")))
        .find(|path| path.is_file())
}

fn unwritable(path: &Path, source: std::io::Error) -> EntityFileError {
    EntityFileError::Unwritable {
        path: path.to_owned(),
        source,
    }
}
