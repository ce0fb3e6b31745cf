//! The scales on which the networks of entities see rows, learnt from training rows.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::entities::EntityRows;

/// Rows of the trailing mean.
const SMOOTHED: usize = 12;
/// Standard deviations at which a value is clipped, and the least deviation.
const CLIPPED_AT: f64 = 20.0;
const LEAST_DEVIATION: f64 = 1e-5;

/// Each metric's training range, to 0 … 1, and its training mean on that scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UnitScale {
    pub(super) least: Vec<f64>,
    pub(super) width: Vec<f64>,
    pub(super) means: Vec<f32>,
}

impl UnitScale {
    pub(super) fn of(rows: &EntityRows) -> Self {
        let columns = 0..rows.columns();
        let finite = |column| rows.column(column).filter(|value| !value.is_nan());
        let least: Vec<f64> = columns
            .clone()
            .map(|column| finite(column).fold(f64::INFINITY, f64::min))
            .collect();
        let width = |column: usize| {
            let width = finite(column).fold(f64::NEG_INFINITY, f64::max) - least[column];
            if width > 0.0 { width } else { 1.0 }
        };
        let mut scale = Self {
            width: columns.clone().map(width).collect(),
            least: least
                .iter()
                .map(|least| if least.is_finite() { *least } else { 0.0 })
                .collect(),
            means: vec![0.0; rows.columns()],
        };
        for column in columns {
            let (sum, count) =
                finite(column).fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            let mean = (sum / f64::max(count, 1.0) - scale.least[column]) / scale.width[column];
            scale.means[column] = mean as f32;
        }
        scale
    }

    /// A row on the scale; missing values are the mean.
    pub(super) fn apply(&self, row: &[f64]) -> Vec<f32> {
        let columns = row.iter().zip(&self.least).zip(&self.width).zip(&self.means);
        let on_scale = columns.map(|(((value, least), width), mean)| {
            if value.is_nan() {
                *mean
            } else {
                ((value - least) / width) as f32
            }
        });
        on_scale.collect()
    }
}

/// Mean and standard deviation of each metric.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StandardScale {
    pub(super) means: Vec<f64>,
    pub(super) deviations: Vec<f64>,
}

impl StandardScale {
    pub(super) fn of(rows: &EntityRows) -> Self {
        let (mut means, mut deviations) = (Vec::new(), Vec::new());
        for column in 0..rows.columns() {
            let values: Vec<f64> = rows.column(column).filter(|value| !value.is_nan()).collect();
            let count = values.len().max(1) as f64;
            let mean = values.iter().sum::<f64>() / count;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            means.push(mean);
            deviations.push(variance.sqrt().max(LEAST_DEVIATION));
        }
        Self { means, deviations }
    }

    /// Standardised trailing means of all rows, one after the other; 0 where nothing is there.
    pub(super) fn smoothed(&self, rows: &EntityRows) -> Vec<f32> {
        let mut newest: VecDeque<&[f64]> = VecDeque::with_capacity(SMOOTHED);
        let mut all = Vec::with_capacity(rows.len() * rows.columns());
        for row in rows.iter() {
            if newest.len() == SMOOTHED {
                newest.pop_front();
            }
            newest.push_back(row);
            for (column, (mean, deviation)) in self.means.iter().zip(&self.deviations).enumerate() {
                let there = newest
                    .iter()
                    .map(|row| row[column])
                    .filter(|value| !value.is_nan());
                let (sum, count) = there.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
                let standard = if count > 0.0 {
                    (sum / count - mean) / deviation
                } else {
                    0.0
                };
                all.push(standard.clamp(-CLIPPED_AT, CLIPPED_AT) as f32);
            }
        }
        all
    }
}
