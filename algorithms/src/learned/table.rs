//! Several columns over time, as a Druid timeseries gives them, and the windows a network sees of them.

use super::calendar::{minute, weekday};
use super::{LearnedError, rescale};

/// Rows a network looks at at once: the original's.
pub const WINDOW: usize = 32;

/// Rows from one window to the next: each row is seen twice.
const STRIDE: usize = 16;

/// Numbers a row has beside its own columns: granularity, minute, weekdays.
pub(super) const CALENDAR: usize = 9;

/// The answer to one question: times and, for each, a number a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Unix seconds, rising.
    pub times: Vec<f64>,
    /// Names.
    pub columns: Vec<String>,
    /// Row after row, each as long as `columns`.
    pub values: Vec<f64>,
}

/// A table as a network sees it: only rows that are whole.
pub(super) struct Prepared {
    /// The rows of the table that are here.
    pub(super) rows: Vec<usize>,
    /// Row after row: the model's columns, granularity, minute, weekdays; all between 0 and 1.
    pub(super) features: Vec<f32>,
    /// Numbers a row.
    pub(super) width: usize,
}

impl Table {
    /// Brings the table into the order of `columns`. A column that is missing is 0 everywhere; a row with a number that
    /// is not finite is left out together with its time.
    ///
    /// # Errors
    /// [`LearnedError::Ragged`] and [`LearnedError::UnknownColumn`].
    pub(super) fn prepare(&self, columns: &[String]) -> Result<Prepared, LearnedError> {
        let own = self.columns.len();
        if self.times.len() * own != self.values.len() {
            return Err(LearnedError::Ragged {
                rows: self.times.len(),
                columns: own,
                values: self.values.len(),
            });
        }
        if let Some(unknown) = self.columns.iter().find(|column| !columns.contains(column)) {
            return Err(LearnedError::UnknownColumn(unknown.clone()));
        }
        let at: Vec<Option<usize>> = columns
            .iter()
            .map(|column| self.columns.iter().position(|own| own == column))
            .collect();
        let width = columns.len() + CALENDAR;
        let whole = |&row: &usize| {
            let values = &self.values[row * own..(row + 1) * own];
            self.times[row].is_finite() && values.iter().all(|value| value.is_finite())
        };
        let rows: Vec<usize> = (0..self.times.len()).filter(whole).collect();
        let granularity = granularity(&rows.iter().map(|&row| self.times[row]).collect::<Vec<_>>());
        let mut features = Vec::with_capacity(rows.len() * width);
        for (&row, granularity) in rows.iter().zip(granularity) {
            let values = &self.values[row * own..];
            features.extend(
                at.iter()
                    .map(|at| at.map_or(0.0, |at| rescale(values[at]) as f32)),
            );
            features.push(rescale(granularity) as f32);
            features.push((minute(self.times[row]) / 1440.0) as f32);
            let today = weekday(self.times[row]);
            features.extend((0..7).map(|day| f32::from(u8::from(day == today))));
        }
        Ok(Prepared {
            rows,
            features,
            width,
        })
    }
}

/// Whole minutes from each row to the one before; the first has that of the second, and one that goes back in time that
/// of the next.
fn granularity(times: &[f64]) -> Vec<f64> {
    let mut minutes: Vec<f64> = std::iter::once(f64::NAN)
        .chain(times.windows(2).map(|pair| ((pair[1] - pair[0]) / 60.0).floor()))
        .take(times.len())
        .collect();
    let mut next = 0.0;
    for minutes in minutes.iter_mut().rev() {
        if minutes.is_nan() || *minutes < 0.0 {
            *minutes = next;
        }
        next = *minutes;
    }
    minutes
}

impl Prepared {
    /// Where windows begin: each [`STRIDE`] rows, and one at the very end so that no row is left out. None if there are
    /// fewer than [`WINDOW`] rows.
    pub(super) fn starts(&self) -> Vec<usize> {
        let Some(last) = self.rows.len().checked_sub(WINDOW) else {
            return Vec::new();
        };
        let mut starts: Vec<usize> = (0..=last).step_by(STRIDE).collect();
        if last % STRIDE != 0 {
            starts.push(last);
        }
        starts
    }

    /// The numbers of the window that begins at `start`.
    pub(super) fn window(&self, start: usize) -> &[f32] {
        &self.features[start * self.width..(start + WINDOW) * self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize) -> Table {
        Table {
            times: (0..rows).map(|row| 1.7e9 + 60.0 * row as f64).collect(),
            columns: vec!["bytes".to_owned()],
            values: (0..rows).map(|row| row as f64).collect(),
        }
    }

    #[test]
    fn every_row_is_in_a_window() {
        let columns = ["bytes".to_owned(), "pkts".to_owned()];
        for rows in [32, 33, 48, 100] {
            let prepared = table(rows).prepare(&columns).unwrap();
            let starts = prepared.starts();
            assert_eq!(*starts.last().unwrap(), rows - WINDOW);
            assert!(starts.windows(2).all(|pair| pair[1] - pair[0] <= STRIDE));
            assert_eq!(prepared.window(starts[0]).len(), WINDOW * 11);
        }
        assert!(table(31).prepare(&columns).unwrap().starts().is_empty());
    }

    #[test]
    fn a_row_that_is_not_whole_goes_with_its_time() {
        let mut table = table(40);
        table.values[7] = f64::NAN;
        let prepared = table.prepare(&["bytes".to_owned()]).unwrap();
        assert_eq!(prepared.rows.len(), 39);
        assert!(!prepared.rows.contains(&7));
        assert!(prepared.features.iter().all(|feature| feature.is_finite()));
        // The row after the gap is two minutes from the one before it.
        assert_eq!(prepared.features[7 * 10 + 1], rescale(2.0) as f32);
        assert_eq!(prepared.features[1], rescale(1.0) as f32);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let columns = ["bytes".to_owned()];
        let mut ragged = table(40);
        ragged.values.pop();
        assert!(matches!(
            ragged.prepare(&columns),
            Err(LearnedError::Ragged { .. })
        ));
        let other = table(40).prepare(&["pkts".to_owned()]);
        assert!(matches!(other, Err(LearnedError::UnknownColumn(column)) if column == "bytes"));
    }
}
