//! Distance to the nearest rows of the training: nothing is assumed about the shape of what is normal.

use serde::{Deserialize, Serialize};

use super::EntityRows;

/// Training rows that are kept to compare with, evenly spread over the training.
const REFERENCES: usize = 1_500;
/// The neighbour whose distance counts: the fifth, so that four odd rows in training do not vouch for a fifth.
const NEIGHBOUR: usize = 5;
/// A training row is not compared with those this close in time: they resemble it because little time has passed.
const TOO_CLOSE: usize = 300;

/// References of one length of trailing mean (Ramaswamy, Rastogi, Shim 2000: the distance to the k-th neighbour).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NearestRows {
    columns: usize,
    /// Kept beside the rest, as they are many.
    #[serde(skip)]
    references: Vec<f32>,
    /// The row of the training each reference was.
    places: Vec<usize>,
    /// Room for squared distances.
    #[serde(skip)]
    distances: Vec<f32>,
}

impl NearestRows {
    /// The rows to be kept of `count`, oldest first.
    pub(super) fn places(count: usize) -> Vec<usize> {
        let kept = count.min(REFERENCES);
        (0..kept).map(|at| at * count / kept).collect()
    }

    /// References at `places` of the training; a missing value is filled by `fill`, which is a value a metric.
    pub(super) fn new(rows: &EntityRows, places: Vec<usize>, fill: &[f64]) -> Self {
        let columns = rows.columns();
        let filled = |(value, fill): (&f64, &f64)| (if value.is_nan() { *fill } else { *value }) as f32;
        let references = rows
            .iter()
            .flat_map(|row| row.iter().zip(fill).map(filled))
            .collect();
        Self {
            columns,
            references,
            distances: Vec::with_capacity(places.len()),
            places,
        }
    }

    /// All references, a row after the other.
    pub(super) fn references(&self) -> &[f32] {
        &self.references
    }

    /// With these references; whether there are as many as there should be.
    pub(super) fn set_references(&mut self, references: Vec<f32>, columns: usize) -> bool {
        self.references = references;
        self.columns == columns && self.references.len() == self.places.len() * columns
    }

    /// The Euclidean distance to the fifth nearest reference over the metrics that are there, as if all were (scaled by
    /// the root of their share); none if no metric is there. `training_row` is the row's own place, if it is one of the
    /// training. O(references · metrics).
    pub(super) fn distance(&mut self, row: &[f64], training_row: Option<usize>) -> Option<f64> {
        let there = row.iter().filter(|value| !value.is_nan()).count();
        if there == 0 {
            return None;
        }
        let values: Vec<f32> = row.iter().map(|value| *value as f32).collect();
        self.distances.clear();
        for (reference, place) in self.references.chunks_exact(self.columns).zip(&self.places) {
            if training_row.is_some_and(|row| row.abs_diff(*place) < TOO_CLOSE) {
                continue;
            }
            self.distances.push(if there == self.columns {
                squared_distance(&values, reference)
            } else {
                squared_distance_of_those_there(&values, reference)
            });
        }
        let neighbour = NEIGHBOUR.min(self.distances.len()).checked_sub(1)?;
        let (_, nearest, _) = self.distances.select_nth_unstable_by(neighbour, f32::total_cmp);
        Some(f64::from(*nearest * self.columns as f32 / there as f32).sqrt())
    }
}

/// Eight sums side by side, which is what vector registers want.
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a, b) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.0.iter().zip(b.0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest: f32 = a.1.iter().zip(b.1).map(|(a, b)| (a - b) * (a - b)).sum();
    sums.iter().sum::<f32>() + rest
}

fn squared_distance_of_those_there(a: &[f32], b: &[f32]) -> f32 {
    let there = a.iter().zip(b).filter(|(a, _)| !a.is_nan());
    there.map(|(a, b)| (a - b) * (a - b)).sum()
}
