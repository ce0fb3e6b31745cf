//! Files with a column for each field: a heading with the names, the first column the time. What the outlier service reads
//! where a query's data source is a file.

use std::path::Path;

use super::SourceError;
use super::row::{self, Fields, bare};

/// The largest file that is read, bytes: it lies in memory as a whole, for each question anew.
const MOST_BYTES: u64 = 64 << 20;

/// A file as it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WideCsv {
    /// Names of all columns but the first.
    pub columns: Vec<String>,
    /// Unix seconds, in the order of the file.
    pub times: Vec<f64>,
    /// Row after row, a text a column.
    pub cells: Vec<String>,
    /// Lines that have no time.
    pub without_time: u64,
}

impl WideCsv {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SourceError::File`], [`SourceError::TooLarge`], and [`SourceError::Malformed`] for one without a heading.
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let place = path.display().to_string();
        let failure = |source| SourceError::File {
            path: place.clone(),
            source,
        };
        let length = std::fs::metadata(path).map_err(failure)?.len();
        if length > MOST_BYTES {
            return Err(SourceError::TooLarge {
                part: place.clone(),
                place,
                megabytes: MOST_BYTES >> 20,
            });
        }
        let bytes = std::fs::read(path).map_err(failure)?;
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.trim_ascii().is_empty());
        let text = |field: &[u8]| String::from_utf8_lossy(bare(field)).into_owned();
        let heading = lines
            .next()
            .map(|line| Fields::of(line).map(text).collect::<Vec<_>>());
        let heading = heading
            .filter(|names| names.len() > 1)
            .ok_or_else(|| SourceError::Malformed {
                part: place.clone(),
                place: place.clone(),
                reason: "its first line is no heading with a time and at least one field".to_owned(),
            })?;
        let mut table = Self {
            columns: heading[1..].to_vec(),
            ..Self::default()
        };
        for line in lines {
            let mut fields = Fields::of(line).map(text);
            let time = fields.next().and_then(|time| row::time(&time));
            let Some(time) = time else {
                table.without_time += 1;
                continue;
            };
            table.times.push(time);
            table
                .cells
                .extend((0..table.columns.len()).map(|_| fields.next().unwrap_or_default()));
        }
        Ok(table)
    }

    /// The texts of one row.
    #[must_use]
    pub fn row(&self, at: usize) -> &[String] {
        &self.cells[at * self.columns.len()..(at + 1) * self.columns.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_names_the_columns() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "time,sensor,\"bytes\"\n2023-09-28 07:00:00,\"A, B\",5\nno time,x,1\n1695884460,C\n",
        )
        .unwrap();
        let table = WideCsv::read(file.path()).unwrap();
        assert_eq!(table.columns, ["sensor", "bytes"]);
        assert_eq!(table.times, [1_695_884_400.0, 1_695_884_460.0]);
        assert_eq!(table.row(0), ["A, B", "5"]);
        assert_eq!(
            (table.row(1), table.without_time),
            (&["C".to_owned(), String::new()][..], 1)
        );
        std::fs::write(file.path(), "1\n2\n").unwrap();
        assert!(matches!(
            WideCsv::read(file.path()),
            Err(SourceError::Malformed { .. })
        ));
    }
}
