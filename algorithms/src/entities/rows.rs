//! Rows of one entity: all metrics of a machine, a pod or an application at one step.

use super::EntityError;

/// Values of several metrics, row by row, oldest first, at even steps. NaN stands for a value that is missing.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityRows {
    columns: usize,
    values: Vec<f64>,
}

impl EntityRows {
    /// No rows yet, of `columns` metrics.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self {
            columns,
            values: Vec::new(),
        }
    }

    /// Adds a row of as many values as there are metrics. What is not finite counts as missing.
    ///
    /// # Errors
    /// [`EntityError::RowLength`] for another number of values; nothing is added then.
    pub fn push(&mut self, row: &[f64]) -> Result<(), EntityError> {
        if row.len() != self.columns {
            return Err(EntityError::RowLength {
                given: row.len(),
                needed: self.columns,
            });
        }
        let finite = |value: &f64| if value.is_finite() { *value } else { f64::NAN };
        self.values.extend(row.iter().map(finite));
        Ok(())
    }

    /// Adds a row that is known to have as many values as there are metrics.
    pub(super) fn push_scaled(&mut self, row: &[f64]) {
        debug_assert_eq!(row.len(), self.columns, "rows of one entity are alike");
        self.values.extend_from_slice(row);
    }

    /// Metrics in a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[f64]> + ExactSizeIterator {
        self.values.chunks_exact(self.columns.max(1))
    }

    /// One row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// The values of one metric, oldest first.
    pub fn column(&self, column: usize) -> impl Iterator<Item = f64> + '_ {
        self.iter().map(move |row| row[column])
    }
}
