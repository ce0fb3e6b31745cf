//! A timeseries answer: `[{"timestamp": T, "result": {"bytes": 1, …}}, …]`, as one table.
//!
//! Read in one go without an object a row. An element that is no row costs only itself and is counted; so is a number that is
//! none, whose place is NaN.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::sources::LeftOut;
use crate::sources::json::{Value, quoted};
use crate::sources::row;

/// TimeseriesRows of one time each, in order, no two of the same time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeseries {
    /// As they were written.
    pub timestamps: Vec<String>,
    /// Unix seconds, rising.
    pub times: Vec<f64>,
    /// In the order in which they came.
    pub columns: Vec<String>,
    /// Row after row, a number a column; NaN where there is none.
    pub values: Vec<f64>,
    /// TimeseriesRows that were left out, by reason, and under `unsorted` those that came before an earlier one.
    pub left_out: LeftOut,
}

/// Why bytes are no timeseries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeseriesError {
    /// More numbers than may be.
    #[error("more than {0} numbers")]
    TooMany(usize),
    /// It ends before it is whole.
    #[error("{0}")]
    Cut(String),
    /// A page for people.
    #[error("HTML, not JSON")]
    Html,
    /// Something else.
    #[error("no list of rows: {0}")]
    Malformed(String),
}

/// What a reader says to give up early; no JSON of others can hold it.
const TOO_MANY: &str = "skywatch: too many numbers";

impl Timeseries {
    /// Reads an answer of at most `most` numbers.
    ///
    /// # Errors
    /// [`TimeseriesError`].
    pub fn read(json: &[u8], most: usize) -> Result<Self, TimeseriesError> {
        let text = quoted(json);
        let mut rows = TimeseriesRows {
            most,
            ..TimeseriesRows::default()
        };
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let outcome = reader.deserialize_seq(&mut rows).and_then(|()| reader.end());
        match outcome {
            Ok(()) => Ok(rows.table()),
            Err(error) if error.to_string().starts_with(TOO_MANY) => Err(TimeseriesError::TooMany(most)),
            Err(_) if json.trim_ascii_start().starts_with(b"<") => Err(TimeseriesError::Html),
            Err(error) if error.is_eof() && !json.is_empty() => Err(TimeseriesError::Cut(error.to_string())),
            Err(error) => Err(TimeseriesError::Malformed(error.to_string())),
        }
    }

    /// A table of rows in any order: brought into that of their times; of equal times the last row counts.
    ///
    /// `values` has a number a column for each row.
    #[must_use]
    pub fn of_rows(
        timestamps: Vec<String>,
        times: Vec<f64>,
        columns: Vec<String>,
        values: Vec<f64>,
        left_out: LeftOut,
    ) -> Self {
        let mut table = Self {
            timestamps,
            times,
            columns,
            values,
            left_out,
        };
        table.sort();
        table
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The numbers of one column.
    pub fn column(&self, at: usize) -> impl Iterator<Item = f64> {
        self.values
            .chunks(self.columns.len().max(1))
            .map(move |row| row[at])
    }

    fn sort(&mut self) {
        let late = self.times.windows(2).filter(|pair| pair[1] < pair[0]).count();
        let is_rising = self.times.windows(2).all(|pair| pair[0] < pair[1]);
        if is_rising {
            return;
        }
        if late > 0 {
            self.left_out.insert("unsorted", late as u64);
        }
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by(|a, b| self.times[*a].total_cmp(&self.times[*b]));
        let before = order.len();
        // The last of each run of equal times, which a stable sort leaves in the order in which they came.
        let kept: Vec<usize> = (0..order.len())
            .filter(|&at| {
                order
                    .get(at + 1)
                    .is_none_or(|next| self.times[*next] != self.times[order[at]])
            })
            .map(|at| order[at])
            .collect();
        let doubles = before - kept.len();
        if doubles > 0 {
            self.left_out.insert("duplicate", doubles as u64);
        }
        let width = self.columns.len();
        self.values = kept
            .iter()
            .flat_map(|row| self.values[row * width..(row + 1) * width].to_vec())
            .collect();
        self.times = kept.iter().map(|row| self.times[*row]).collect();
        self.timestamps = kept
            .iter()
            .map(|row| std::mem::take(&mut self.timestamps[*row]))
            .collect();
    }
}

/// TimeseriesRows while they are read.
#[derive(Default)]
struct TimeseriesRows {
    most: usize,
    timestamps: Vec<String>,
    times: Vec<f64>,
    columns: Vec<String>,
    places: HashMap<String, usize>,
    /// Column and number of each row's results, one row after the other, and where rows end.
    cells: Vec<(usize, f64)>,
    ends: Vec<usize>,
    malformed: u64,
}

impl TimeseriesRows {
    fn table(self) -> Timeseries {
        let width = self.columns.len();
        let mut values = vec![f64::NAN; width * self.times.len()];
        let mut from = 0;
        for (row, end) in self.ends.into_iter().enumerate() {
            for (column, number) in &self.cells[from..end] {
                values[row * width + column] = *number;
            }
            from = end;
        }
        let mut left_out = LeftOut::new();
        if self.malformed > 0 {
            left_out.insert("malformed_row", self.malformed);
        }
        Timeseries::of_rows(self.timestamps, self.times, self.columns, values, left_out)
    }

    /// The place of a column. A first row decides how wide the table is at least.
    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.columns.len();
        self.columns.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }
}

impl<'de> Visitor<'de> for &mut TimeseriesRows {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<(), S::Error> {
        while rows.next_element_seed(RowSeed(self))?.is_some() {
            // What is not there takes room in the table, too.
            if self.columns.len().saturating_mul(self.times.len()) > self.most
                || self.malformed > self.most as u64
            {
                return Err(S::Error::custom(TOO_MANY));
            }
        }
        Ok(())
    }
}

/// Reads one row.
struct RowSeed<'r>(&'r mut TimeseriesRows);

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

/// What is no object is no row.
macro_rules! no_row {
    ($($visit:ident: $type:ty),+) => { $(
        fn $visit<E>(self, _: $type) -> Result<(), E> {
            self.0.malformed += 1;
            Ok(())
        }
    )+ };
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    no_row!(visit_f64: f64, visit_u64: u64, visit_i64: i64, visit_str: &str, visit_bool: bool);

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.malformed += 1;
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rest: S) -> Result<(), S::Error> {
        self.0.malformed += 1;
        while rest.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        let rows = self.0;
        let begun = rows.cells.len();
        let mut timestamp = None;
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*name {
                "timestamp" => timestamp = fields.next_value::<serde_json::Value>().map(Some)?,
                "result" => fields.next_value_seed(ResultSeed(rows))?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let written = match timestamp {
            Some(serde_json::Value::String(text)) => text,
            // Milliseconds since 1970, as Druid has them within.
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        match row::time(&written) {
            Some(time) if rows.cells.len() > begun => {
                rows.timestamps.push(written);
                rows.times.push(time);
                rows.ends.push(rows.cells.len());
            }
            _ => {
                rows.cells.truncate(begun);
                rows.malformed += 1;
            }
        }
        Ok(())
    }
}

/// Reads the results of one row into its cells.
struct ResultSeed<'r>(&'r mut TimeseriesRows);

impl<'de> DeserializeSeed<'de> for ResultSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

/// What is no object has no results.
macro_rules! no_result {
    ($($visit:ident: $type:ty),+) => { $(
        fn $visit<E>(self, _: $type) -> Result<(), E> {
            Ok(())
        }
    )+ };
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("results")
    }

    no_result!(visit_f64: f64, visit_u64: u64, visit_i64: i64, visit_str: &str, visit_bool: bool);

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rest: S) -> Result<(), S::Error> {
        while rest.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        while let Some(name) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            let number = match fields.next_value::<Value>()? {
                Value::Number(number) => number,
                Value::Null | Value::NotFinite | Value::Other => f64::NAN,
            };
            let place = self.0.place(&name);
            self.0.cells.push((place, number));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Timeseries, TimeseriesError> {
        Timeseries::read(json.as_bytes(), 100)
    }

    #[test]
    fn rows_become_a_table() {
        let table = read(
            r#"[{"timestamp": "2023-09-28T07:00:00.000Z", "result": {"bytes": 1, "pkts": "2.5", "x": {"deep": 1}}},
                {"timestamp": "2023-09-28T07:01:00.000Z", "version": 3, "result": {"pkts": NaN, "flows": 4}}]"#,
        )
        .unwrap();
        assert_eq!(table.columns, ["bytes", "pkts", "x", "flows"]);
        assert_eq!(table.times, [1_695_884_400.0, 1_695_884_460.0]);
        assert_eq!(table.timestamps[1], "2023-09-28T07:01:00.000Z");
        assert_eq!(table.column(1).next(), Some(2.5));
        assert!(table.column(1).nth(1).unwrap().is_nan() && table.column(2).all(f64::is_nan));
        assert_eq!(table.column(3).nth(1), Some(4.0));
        assert!(table.left_out.is_empty());
    }

    #[test]
    fn disorder_is_put_right_and_counted() {
        let row = |second: u32, value: u32| {
            format!(r#"{{"timestamp": "2023-09-28T07:00:{second:02}Z", "result": {{"v": {value}}}}}"#)
        };
        let rows = [
            row(2, 1),
            row(1, 2),
            row(2, 3),
            "7".to_owned(),
            r#"{"result": {}}"#.to_owned(),
        ];
        let table = read(&format!("[{}]", rows.join(","))).unwrap();
        assert_eq!(table.column(0).collect::<Vec<_>>(), [2.0, 3.0]);
        assert_eq!(
            table.left_out,
            LeftOut::from([("duplicate", 1), ("malformed_row", 2), ("unsorted", 1)])
        );
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        assert_eq!(read("<html>503</html>"), Err(TimeseriesError::Html));
        assert!(matches!(
            read(r#"[{"timestamp": "2023"#),
            Err(TimeseriesError::Cut(_))
        ));
        assert!(matches!(
            read(r#"{"error": "Unknown exception"}"#),
            Err(TimeseriesError::Malformed(_))
        ));
        assert!(matches!(read("[] []"), Err(TimeseriesError::Malformed(_))));
        assert_eq!(read("[]").map(|table| table.is_empty()), Ok(true));
        let many: Vec<String> = (0..101)
            .map(|n| format!(r#"{{"timestamp": {n}, "result": {{"v": 1}}}}"#))
            .collect();
        assert_eq!(
            read(&format!("[{}]", many.join(","))),
            Err(TimeseriesError::TooMany(100))
        );
    }
}
