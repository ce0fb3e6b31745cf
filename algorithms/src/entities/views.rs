//! Scores of a row, a view and a length of recent past each, before they are made comparable.

use serde::{Deserialize, Serialize};

use super::baseline::MetricBaselines;
use super::calibration::{DeviationScale, root_mean_square};
use super::neighbours::NearestRows;
use super::range::TrainingRange;
use super::subspace::ResidualSubspace;
use super::trailing::{LENGTHS, TrailingRows};
use super::{EntityRows, EntityView};

/// Rows of the past that a kept detector may ask for: a week of rows five seconds apart.
const MOST_PAST: usize = 120_960;
/// Views by metric: outside of the subspace, and from the baseline.
const BY_METRIC: usize = 2;

/// What is learnt of metrics and rows, and the newest rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RowScores {
    views: Vec<EntityView>,
    range: TrainingRange,
    subspace: ResidualSubspace,
    baselines: MetricBaselines,
    scales: [DeviationScale; BY_METRIC],
    /// One for each length of trailing mean; none where neighbours are not asked.
    nearest: Vec<NearestRows>,
    #[serde(skip)]
    newest: TrailingRows,
    #[serde(skip)]
    newest_scores: TrailingRows,
    #[serde(skip)]
    scaled: Vec<f64>,
    #[serde(skip)]
    means: Vec<f64>,
    /// A row of calibrated deviations a view.
    #[serde(skip)]
    deviations: [Vec<f64>; BY_METRIC],
}

impl RowScores {
    /// What can be learnt of single rows, and how many rows pass before every baseline has its past.
    pub(super) fn fit(training: &EntityRows, views: &[EntityView]) -> (Self, usize) {
        let columns = training.columns();
        let range = TrainingRange::of(training);
        let mut scaled = EntityRows::new(columns);
        let mut row_on_scale = vec![0.0; columns];
        for row in training.iter() {
            range.scale(row, &mut row_on_scale);
            scaled.push_scaled(&row_on_scale);
        }
        let subspace = ResidualSubspace::fit(&scaled);
        let baselines = MetricBaselines::fit(&scaled);
        let (scales, warm) = scales(&scaled, &subspace, baselines.clone());
        let nearest = if views.contains(&EntityView::Neighbours) {
            references(&scaled, &baselines)
        } else {
            Vec::new()
        };
        let scores = Self {
            views: views.to_vec(),
            range,
            nearest,
            subspace,
            baselines,
            scales,
            newest: TrailingRows::default(),
            newest_scores: TrailingRows::default(),
            scaled: row_on_scale,
            means: vec![0.0; columns],
            deviations: [vec![0.0; columns], vec![0.0; columns]],
        };
        (scores, warm)
    }

    /// What was kept, of so many metrics and with these references, as if no row had come yet; none if it does not go
    /// together.
    pub(super) fn completed(mut self, columns: usize, references: Vec<Vec<f32>>) -> Option<Self> {
        let lengths = if self.views.contains(&EntityView::Neighbours) {
            LENGTHS.len()
        } else {
            0
        };
        let is_whole = !self.views.is_empty()
            && self.nearest.len() == lengths
            && references.len() == lengths
            && self.range.is_of(columns)
            && self.subspace.is_of(columns)
            && self.baselines.is_of(columns, MOST_PAST)
            && self.scales.iter().all(|scale| scale.is_of(columns));
        let mut pairs = self.nearest.iter_mut().zip(references);
        if !is_whole || !pairs.all(|(nearest, references)| nearest.set_references(references, columns)) {
            return None;
        }
        self.baselines.forget_past();
        self.scaled = vec![0.0; columns];
        self.means = vec![0.0; columns];
        self.deviations = [vec![0.0; columns], vec![0.0; columns]];
        Some(self)
    }

    /// References of each length of trailing mean, a row after the other.
    pub(super) fn references(&self) -> impl Iterator<Item = &[f32]> {
        self.nearest.iter().map(NearestRows::references)
    }

    /// Bytes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let references: usize = self.references().map(<[f32]>::len).sum();
        references * size_of::<f32>() + self.baselines.bytes() + self.subspace.bytes()
    }

    /// Lets a row pass without a judgement.
    pub(super) fn pass(&mut self, row: &[f64]) {
        self.deviate(row);
    }

    /// Metrics in a row.
    pub(super) fn columns(&self) -> usize {
        self.scaled.len()
    }

    /// Scores of a row: each view at each length.
    pub(super) fn count(&self) -> usize {
        self.views.len() * LENGTHS.len()
    }

    /// The length of a day in rows, if the training shows one.
    pub(super) fn period(&self) -> Option<usize> {
        self.baselines.period()
    }

    /// Calibrated deviations of the newest row per metric: outside of the subspace, and from the baseline. NaN for a
    /// metric that was missing.
    pub(super) fn deviations(&self) -> (&[f64], &[f64]) {
        let [outside, from_baseline] = &self.deviations;
        (outside, from_baseline)
    }

    /// Takes in the next row: deviations by metric, and the scores that means are made of; whether it had any value.
    fn deviate(&mut self, row: &[f64]) -> bool {
        self.range.scale(row, &mut self.scaled);
        self.newest.push(&self.scaled);
        let [outside, from_baseline] = &mut self.deviations;
        self.subspace.residuals(&self.scaled, outside);
        outside.iter_mut().for_each(|residual| *residual = residual.abs());
        self.baselines.departures(&self.scaled, from_baseline);
        for (deviations, scale) in self.deviations.iter_mut().zip(&self.scales) {
            scale.apply(deviations);
        }
        let [outside, from_baseline] = &mut self.deviations;
        if self.scaled.iter().any(|value| value.is_nan()) {
            // The subspace says less of a metric when others are missing, and what it leaves is no deviation of the metric's.
            for (outside, from_baseline) in outside.iter_mut().zip(from_baseline.iter()) {
                *outside = outside.min(*from_baseline);
            }
        }
        let by_metric = [outside, from_baseline].map(|view| root_mean_square(view).unwrap_or(f64::NAN));
        self.newest_scores.push(&by_metric);
        by_metric.iter().all(|score| !score.is_nan())
    }

    /// Adds the scores of the next row to `scores`; says whether it had any value, and adds nothing if not.
    /// `training_row`: the place of the row in the training, if it is of that.
    pub(super) fn next(&mut self, row: &[f64], training_row: Option<usize>, scores: &mut Vec<f64>) -> bool {
        if !self.deviate(row) {
            return false;
        }
        // A mean of which too few rows are there says nothing; that of the newest row is always there.
        let known = |mean: f64| if mean.is_nan() { 0.0 } else { mean };
        let mut distance = 0.0;
        for (at, length) in LENGTHS.into_iter().enumerate() {
            let mut trailing = [0.0; BY_METRIC];
            self.newest_scores.means(length, &mut trailing);
            for view in &self.views {
                scores.push(match view {
                    EntityView::Subspace => known(trailing[0]),
                    EntityView::Baselines => known(trailing[1]),
                    EntityView::Neighbours => {
                        self.newest.means(length, &mut self.means);
                        // After a gap there is no long mean yet: the shorter one stands for it.
                        if let Some(measured) = self.nearest[at].distance(&self.means, training_row) {
                            distance = measured;
                        }
                        distance
                    }
                });
            }
        }
        true
    }
}

/// The scales of both views by metric, over the rows from which on baselines have their past; and which row that is.
fn scales(
    scaled: &EntityRows,
    subspace: &ResidualSubspace,
    mut baselines: MetricBaselines,
) -> ([DeviationScale; BY_METRIC], usize) {
    let columns = scaled.columns();
    let mut deviations = [Vec::new(), Vec::new()];
    let (mut warm, mut row_deviations) = (0, vec![0.0; columns]);
    for row in scaled.iter() {
        let is_warm = baselines.is_warm();
        baselines.departures(row, &mut row_deviations);
        if !is_warm {
            warm += 1;
            continue;
        }
        deviations[1].extend_from_slice(&row_deviations);
        subspace.residuals(row, &mut row_deviations);
        deviations[0].extend(row_deviations.iter().map(|residual| residual.abs()));
    }
    (deviations.map(|view| DeviationScale::of(&view, columns)), warm)
}

/// What rows are compared with, for each length of trailing mean.
fn references(scaled: &EntityRows, baselines: &MetricBaselines) -> Vec<NearestRows> {
    let columns = scaled.columns();
    let places = NearestRows::places(scaled.len());
    let mut kept = LENGTHS.map(|_| EntityRows::new(columns));
    let (mut newest, mut means) = (TrailingRows::default(), vec![0.0; columns]);
    let mut next = places.iter().peekable();
    for (at, row) in scaled.iter().enumerate() {
        newest.push(row);
        if next.next_if_eq(&&at).is_some() {
            for (kept, length) in kept.iter_mut().zip(LENGTHS) {
                newest.means(length, &mut means);
                kept.push_scaled(&means);
            }
        }
    }
    let nearest = kept.map(|rows| NearestRows::new(&rows, places.clone(), baselines.medians()));
    nearest.into()
}
