//! Means over the newest rows: what is read of an entity is one row, three lengths of recent past, and never a later row.

use std::collections::VecDeque;

/// Rows of each trailing mean: a single one for what is sudden, more for what is slight and lasts.
pub(super) const LENGTHS: [usize; 3] = [1, 5, 15];
const LONGEST: usize = 15;
/// Share of the rows of a mean that must have a value. The mean of a few is that of another time than those of the metrics
/// beside it, and looks like a metric that has parted from the others; and it strays further than limits were learnt for.
const MOST_ROWS: f64 = 0.8;

/// The newest rows of some columns. Sums are made anew each time: fifteen additions cost less than drift.
#[derive(Debug, Clone, Default)]
pub(super) struct TrailingRows {
    rows: VecDeque<Vec<f64>>,
}

impl TrailingRows {
    pub(super) fn push(&mut self, row: &[f64]) {
        let mut place = if self.rows.len() == LONGEST {
            self.rows.pop_front().unwrap_or_default()
        } else {
            Vec::with_capacity(row.len())
        };
        place.clear();
        place.extend_from_slice(row);
        self.rows.push_back(place);
    }

    /// Per column the mean of what is there in the newest `length` rows; NaN if too few are.
    pub(super) fn means(&self, length: usize, means: &mut [f64]) {
        let needed = MOST_ROWS * length.min(self.rows.len()) as f64;
        for (column, mean) in means.iter_mut().enumerate() {
            let newest = self.rows.iter().rev().take(length).map(|row| row[column]);
            let there = newest.filter(|value| !value.is_nan());
            let (sum, count) = there.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            *mean = if count >= needed { sum / count } else { f64::NAN };
        }
    }
}
