//! Where the windows of metrics come from that a training learns from: the store, or a file where only one process can have
//! the store open.
//!
//! The file is one record of msgpack after the other: name, times, values; canonical windows. Written by us for our own
//! child and read once; not a format to keep.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skywatch_algorithms::{Series, Window};

use super::error::TrainingError;
use crate::store::{Connect, Fetched, Names as _, Points as _};

/// Metrics that are asked of the store at once: some megabytes of day-long windows.
const TOGETHER: usize = 512;

/// Where histories come from. Calls block on the store.
pub trait Histories: Sync {
    /// All metrics, in order.
    fn names(&self) -> Result<Vec<String>, TrainingError>;

    /// Calls `each` once for every metric whose history is found, with its place in `metrics` and its canonical window, a
    /// counter's as it is stored.
    fn read(&self, metrics: &[&str], each: &mut dyn FnMut(usize, Window<'_>)) -> Result<(), TrainingError>;
}

/// Histories as the store has them.
pub struct StoreHistories<K: Connect> {
    /// The way to the store.
    pub connect: K,
    /// Length of a window, seconds.
    pub full_duration: f64,
}

impl<K: Connect> Histories for StoreHistories<K> {
    fn names(&self) -> Result<Vec<String>, TrainingError> {
        let mut names = std::collections::BTreeSet::new();
        self.connect.connect()?.list(&mut |name| {
            names.insert(name.to_owned());
        })?;
        Ok(names.into_iter().collect())
    }

    fn read(&self, metrics: &[&str], each: &mut dyn FnMut(usize, Window<'_>)) -> Result<(), TrainingError> {
        let mut store = self.connect.connect()?;
        let mut series = Series::default();
        for (number, some) in metrics.chunks(TOGETHER).enumerate() {
            store.fetch(some, &mut series, &mut |index, series, fetched| {
                if matches!(fetched, Fetched::Found { .. }) {
                    series.canonicalise(self.full_duration);
                    each(number * TOGETHER + index, series.sorted_window());
                }
            })?;
        }
        Ok(())
    }
}

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
