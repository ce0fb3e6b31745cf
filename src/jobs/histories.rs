//! Histories in a file: how they get to a trainer where only one process can have the store open.
//!
//! One record of msgpack after the other: name, times, values; canonical windows. Written by us for our own
//! child and read once; not a format to keep.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skywatch_algorithms::Window;

use super::training::{Histories, TrainingError};

#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    times: Vec<f64>,
    values: Vec<f64>,
}

/// A file of histories.
#[derive(Debug)]
pub struct FileHistories {
    path: PathBuf,
}

fn failure(path: &Path, error: impl std::fmt::Display) -> TrainingError {
    TrainingError::Nothing(format!("histories in `{}`: {error}", path.display()))
}

impl FileHistories {
    /// The file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Writes at most `most` histories into a file.
    ///
    /// # Errors
    /// Those of reading, and a disk that takes nothing.
    pub fn write(from: &dyn Histories, most: usize, path: &Path) -> Result<Self, TrainingError> {
        let names = from.names()?;
        let names: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
        let file = File::create(path).map_err(|error| failure(path, error))?;
        let mut file = BufWriter::new(file);
        let mut failed = None;
        from.read(&names, &mut |index, window| {
            let record = Record {
                name: names[index].to_owned(),
                times: window.times().to_vec(),
                values: window.values().to_vec(),
            };
            if let Err(error) = rmp_serde::encode::write(&mut file, &record) {
                failed = Some(failure(path, error));
            }
        })?;
        file.flush().map_err(|error| failure(path, error))?;
        match failed {
            Some(error) => Err(error),
            None => Ok(Self::new(path.to_owned())),
        }
    }

    fn each(&self, each: &mut dyn FnMut(Record)) -> Result<(), TrainingError> {
        let file = File::open(&self.path).map_err(|error| failure(&self.path, error))?;
        let length = file.metadata().map_err(|error| failure(&self.path, error))?.len();
        let mut file = BufReader::new(file);
        loop {
            let at = std::io::Seek::stream_position(&mut file).map_err(|error| failure(&self.path, error))?;
            if at >= length {
                return Ok(());
            }
            each(rmp_serde::from_read(&mut file).map_err(|error| failure(&self.path, error))?);
        }
    }
}

impl Histories for FileHistories {
    fn names(&self) -> Result<Vec<String>, TrainingError> {
        let mut names = Vec::new();
        self.each(&mut |record| names.push(record.name))?;
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, metrics: &[&str], each: &mut dyn FnMut(usize, Window<'_>)) -> Result<(), TrainingError> {
        let places: std::collections::HashMap<&str, usize> = metrics
            .iter()
            .enumerate()
            .map(|(place, name)| (*name, place))
            .collect();
        self.each(&mut |record| {
            if let Some(place) = places.get(record.name.as_str())
                && record.times.len() == record.values.len()
            {
                each(*place, Window::new(&record.times, &record.values));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("histories");
        let mut bytes = Vec::new();
        for (name, length) in [("b", 3), ("a", 0)] {
            let numbers: Vec<f64> = (0..length).map(f64::from).collect();
            let record = Record {
                name: name.to_owned(),
                times: numbers.clone(),
                values: numbers,
            };
            rmp_serde::encode::write(&mut bytes, &record).unwrap();
        }
        std::fs::write(&path, &bytes).unwrap();
        let file = FileHistories::new(path.clone());
        assert_eq!(file.names().unwrap(), ["a", "b"]);
        let copy = FileHistories::write(&file, 9, &folder.path().join("copy")).unwrap();
        let mut found = Vec::new();
        copy.read(&["x", "b"], &mut |place, window| {
            found.push((place, window.len()))
        })
        .unwrap();
        assert_eq!(found, [(1, 3)]);
        std::fs::write(&path, &bytes[..bytes.len() - 2]).unwrap();
        assert!(file.names().is_err(), "half a record is an error");
    }
}
