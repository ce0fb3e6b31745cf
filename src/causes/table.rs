//! Tables of measurements: a row a moment, a column a metric.

use std::io::{BufRead as _, Read as _};
use std::path::Path;

use super::CausesError;
use crate::unpack;

/// Bytes of a table that are read, unpacked: a day of a thousand metrics each second is a third of it.
const LARGEST: u64 = 2 << 30;

/// A table. Every column has as many values as there are times; what is empty or no number is NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SampleTable {
    /// Unix seconds.
    pub(super) times: Vec<f64>,
    pub(super) columns: Vec<SampleColumn>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SampleColumn {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

impl SampleTable {
    /// Reads a file, plain or compressed with gzip: a heading, one of its names `time`, then rows of numbers.
    pub(super) fn read(path: &Path) -> Result<Self, CausesError> {
        let unreadable = |error| CausesError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let malformed = |reason: String| CausesError::Malformed {
            path: path.to_owned(),
            expected: "table",
            reason,
        };
        let mut lines = unpack::open(path).map_err(unreadable)?.take(LARGEST).lines();
        let heading = lines
            .next()
            .ok_or_else(|| malformed("it is empty".to_owned()))?
            .map_err(unreadable)?;
        let names: Vec<_> = heading.trim_end().split(',').collect();
        let time = names.iter().position(|name| *name == "time");
        let time = time.ok_or_else(|| malformed("it has no column `time`".to_owned()))?;
        let mut columns: Vec<_> = names
            .iter()
            .map(|name| SampleColumn {
                name: (*name).to_owned(),
                values: Vec::new(),
            })
            .collect();
        for (line, row) in (2..).zip(lines) {
            let row = row.map_err(unreadable)?;
            if row.trim().is_empty() {
                continue;
            }
            let count = row.split(',').count();
            if count != columns.len() {
                return Err(malformed(format!(
                    "line {line} has {count} values, the heading {}",
                    columns.len()
                )));
            }
            for (column, value) in columns.iter_mut().zip(row.split(',')) {
                column.values.push(value.trim().parse().unwrap_or(f64::NAN));
            }
        }
        let times = columns.remove(time).values;
        Ok(Self { times, columns })
    }

    pub(super) fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .map(|column| column.values.as_slice())
    }

    /// Seconds from one row to the next: the median; 1 where there are too few rows to tell.
    pub(super) fn step(&self) -> f64 {
        let mut steps: Vec<_> = self
            .times
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .filter(|step| *step > 0.0)
            .collect();
        steps.sort_by(f64::total_cmp);
        steps.get(steps.len() / 2).copied().unwrap_or(1.0)
    }
}
