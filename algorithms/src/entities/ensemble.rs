//! The views of an entity, on one scale and under one limit.

use serde::{Deserialize, Serialize};

use super::calibration::quantile;
use super::settling::Settling;
use super::tail::tail_quantile;
use super::views::RowScores;
use super::{EntityError, EntityRows, EntityView};

/// Fewest training rows: of fewer no quantile near the largest can be read.
const FEWEST_ROWS: usize = 100;
/// The quantile of a view's training scores that is 1 afterwards.
const USUAL_MOST: f64 = 0.999;
/// A usual largest below this is that of a view that said nothing.
const LEAST_USUAL: f64 = 1e-3;
/// The power of the mean over views: between the mean (all must agree) and the maximum (any one is enough).
const POWER: i32 = 3;
/// The share of rows like those of the training that the limit leaves above, and the quantile from which the law of the
/// largest scores is fitted.
const RISK: f64 = 2e-3;
const TAIL_LEVEL: f64 = 0.98;

/// A detector that has learnt nothing yet.
#[derive(Debug, Clone)]
pub struct UnfittedEntity {
    views: Vec<EntityView>,
}

/// What is said of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntityJudgement {
    /// Finite, at least 0; 1 is where alarms begin as long as nothing has settled at a new level.
    pub score: f64,
    /// Whether the score is above the limit, less what its level has risen for good.
    pub is_anomalous: bool,
}

/// Knows what is usual of one entity, and has its newest rows. Its JSON is what it has learnt, without its newest rows and without
/// what [`references`](Self::references) gives, which are many and kept beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntityDetector {
    rows: RowScores,
    /// Per score of a row its usual largest.
    usual: Vec<f64>,
    settling: Settling,
    limit: f64,
    /// Room for the scores of a row.
    #[serde(skip)]
    scores: Vec<f64>,
}

impl Default for UnfittedEntity {
    /// All views.
    fn default() -> Self {
        Self::of(&EntityView::ALL)
    }
}

impl UnfittedEntity {
    /// With these views only; each counts once, and without any all are taken.
    #[must_use]
    pub fn of(views: &[EntityView]) -> Self {
        let is_asked = |view: &EntityView| views.is_empty() || views.contains(view);
        Self {
            views: EntityView::ALL.into_iter().filter(is_asked).collect(),
        }
    }

    /// Learns what is usual from rows taken as normal, which need not be quite clean. The detector then stands at the end
    /// of the training: the next row it judges follows in time.
    ///
    /// O(rows · (metrics² + 4500 · metrics)).
    ///
    /// # Errors
    /// [`EntityError::TooFewRows`] for fewer than 100 rows with values.
    pub fn fit(&self, training: &EntityRows) -> Result<EntityDetector, EntityError> {
        let given = training
            .iter()
            .filter(|row| row.iter().any(|value| !value.is_nan()))
            .count();
        if given < FEWEST_ROWS {
            return Err(EntityError::TooFewRows {
                given,
                needed: FEWEST_ROWS,
            });
        }
        let (mut rows, warm) = RowScores::fit(training, &self.views);
        let count = rows.count();
        let mut scores = Vec::with_capacity(training.len() * count);
        for (at, row) in training.iter().enumerate() {
            rows.next(row, Some(at), &mut scores);
            if at < warm {
                scores.clear();
            }
        }
        let usual: Vec<f64> = (0..count)
            .map(|at| usual(scores.iter().skip(at).step_by(count)))
            .collect();
        let combined: Vec<f64> = scores
            .chunks_exact(count)
            .map(|row| combine(row, &usual))
            .collect();
        let (settling, limit) = limit(&combined);
        Ok(EntityDetector {
            rows,
            usual,
            settling,
            limit,
            scores: Vec::with_capacity(count),
        })
    }
}

/// The usual largest of some scores. A view that said nothing in training, as a subspace of all there is, has no scale of its
/// own; it is that of the metrics, on which 1 is the largest that was usual.
fn usual<'s>(scores: impl Iterator<Item = &'s f64>) -> f64 {
    let mut sorted: Vec<f64> = scores.copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let most = if sorted.is_empty() {
        0.0
    } else {
        quantile(&sorted, USUAL_MOST)
    };
    if most < LEAST_USUAL { 1.0 } else { most }
}

/// The limit of what a score is above its settled level, and the settling as it is at the end of the training.
fn limit(combined: &[f64]) -> (Settling, f64) {
    let mut sorted = combined.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut settling = Settling::new(if sorted.is_empty() {
        0.0
    } else {
        quantile(&sorted, 0.5)
    });
    let mut above: Vec<f64> = combined
        .iter()
        .map(|score| score - settling.rise(*score))
        .collect();
    above.sort_unstable_by(f64::total_cmp);
    let limit = tail_quantile(&above, TAIL_LEVEL, RISK).unwrap_or(1.0);
    (settling, limit.max(1e-9))
}

/// The power mean of scores in units of what is usual.
fn combine(scores: &[f64], usual: &[f64]) -> f64 {
    let powers = scores
        .iter()
        .zip(usual)
        .map(|(score, usual)| (score / usual).powi(POWER));
    (powers.sum::<f64>() / usual.len() as f64).powf(1.0 / f64::from(POWER))
}

impl EntityDetector {
    /// Judges the next row, one step after the one before. None if the row has no value at all: of that nothing is known,
    /// neither that it is normal.
    ///
    /// # Errors
    /// [`EntityError::RowLength`] for another number of values than there are metrics; the row then counts for nothing.
    pub fn judge(&mut self, row: &[f64]) -> Result<Option<EntityJudgement>, EntityError> {
        if row.len() != self.rows.columns() {
            return Err(EntityError::RowLength {
                given: row.len(),
                needed: self.rows.columns(),
            });
        }
        self.scores.clear();
        if !self.rows.next(row, None, &mut self.scores) {
            return Ok(None);
        }
        let score = combine(&self.scores, &self.usual);
        let above = score - self.settling.rise(score);
        Ok(Some(EntityJudgement {
            score: score / self.limit,
            is_anomalous: above > self.limit,
        }))
    }

    /// Lets the next row pass without judging it: what came before it is then known to those after it.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn pass(&mut self, row: &[f64]) -> Result<(), EntityError> {
        if row.len() != self.rows.columns() {
            return Err(EntityError::RowLength {
                given: row.len(),
                needed: self.rows.columns(),
            });
        }
        self.rows.pass(row);
        Ok(())
    }

    /// Hears what scores it gave before, oldest first, so that a level that was accepted is.
    pub fn recall(&mut self, scores: impl Iterator<Item = f64>) {
        for score in scores {
            self.settling.rise(score * self.limit);
        }
    }

    /// How far above its settled level the score of a row must be to be an anomaly.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// How far a new level has been accepted, in units of the limit: from 1 on what it was fitted on is another entity.
    #[must_use]
    pub fn drift(&self) -> f64 {
        self.settling.risen() / self.limit
    }

    /// Metrics in a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.rows.columns()
    }

    /// Bytes in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.bytes()
    }

    /// The rows of the training that others are compared with, one list for each length of recent past.
    #[must_use]
    pub fn references(&self) -> Vec<&[f32]> {
        self.rows.references().collect()
    }

    /// A detector read from its JSON, of so many metrics and with its references, as if no row had come yet. Nothing of what
    /// comes in is believed.
    ///
    /// # Errors
    /// [`EntityError::Damaged`] if the parts do not go together.
    pub fn completed(self, columns: usize, references: Vec<Vec<f32>>) -> Result<Self, EntityError> {
        let rows = self
            .rows
            .completed(columns, references)
            .ok_or(EntityError::Damaged)?;
        let count = rows.count();
        let is_above_zero = |number: &f64| *number > 0.0;
        if self.usual.len() != count || !self.usual.iter().all(is_above_zero) || !is_above_zero(&self.limit) {
            return Err(EntityError::Damaged);
        }
        Ok(Self {
            rows,
            scores: Vec::with_capacity(count),
            ..self
        })
    }

    /// What each metric has to do with the newest row's deviation, as shares of 1 (all 0 if nothing deviates): its squared
    /// calibrated deviations from subspace and baseline.
    #[must_use]
    pub fn contributions(&self) -> Vec<f64> {
        let (outside, from_baseline) = self.rows.deviations();
        let square = |deviation: &f64| {
            if deviation.is_nan() {
                0.0
            } else {
                deviation * deviation
            }
        };
        let pairs = outside.iter().zip(from_baseline);
        let mut shares: Vec<f64> = pairs.map(|(a, b)| square(a) + square(b)).collect();
        let total: f64 = shares.iter().sum();
        if total > 0.0 {
            shares.iter_mut().for_each(|share| *share /= total);
        }
        shares
    }

    /// The length of a day in rows, if the training shows one.
    #[must_use]
    pub fn period(&self) -> Option<usize> {
        self.rows.period()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Three metrics that follow a daily one, and one that stands still.
    fn rows(count: usize) -> EntityRows {
        let mut random = Random::new(9);
        let mut rows = EntityRows::new(4);
        for at in 0..count {
            let day = (at as f64 / 96.0 * std::f64::consts::TAU).sin();
            let hidden = day + 0.3 * random.normal();
            let row = [1.0, 20.0, -3.0].map(|weight| weight * (hidden + 0.05 * random.normal()));
            rows.push(&[row[0], row[1], row[2], 7.0]).unwrap();
        }
        rows
    }

    #[test]
    fn metrics_that_vanish_make_nothing_of_those_that_are_left() {
        let all = rows(1_200);
        let mut random = Random::new(3);
        let mut unrelated = EntityRows::new(2);
        (0..1_200).for_each(|_| unrelated.push(&[random.normal(), random.normal()]).unwrap());
        for (rows, gone) in [
            (&all, &[0][..]),
            (&all, &[1, 2]),
            (&all, &[3]),
            (&unrelated, &[1]),
        ] {
            let mut training = EntityRows::new(rows.columns());
            (0..1_000).for_each(|at| training.push(rows.row(at)).unwrap());
            let mut fitted = UnfittedEntity::default().fit(&training).unwrap();
            let mut alarms = |change: f64| {
                let mut count = 0;
                for at in 1_000..1_200 {
                    let mut row = rows.row(at).to_vec();
                    gone.iter().for_each(|&column| row[column] = f64::NAN);
                    row.iter_mut()
                        .for_each(|value| *value += change * (1.0 + value.abs()));
                    count += usize::from(fitted.judge(&row).unwrap().unwrap().is_anomalous);
                }
                count
            };
            assert!(alarms(0.0) <= 6, "{gone:?}: {} of 200 normal rows", alarms(0.0));
            assert!(alarms(10.0) >= 100, "{gone:?}: what is left is judged");
        }
    }

    #[test]
    fn each_view_finds_what_it_is_for_and_names_the_metric() {
        let all = rows(1_200);
        let mut training = EntityRows::new(4);
        (0..1_000).for_each(|at| training.push(all.row(at)).unwrap());
        let fitted = UnfittedEntity::default().fit(&training).unwrap();
        assert_eq!(fitted.period(), Some(96));
        let mut quiet = fitted.clone();
        let alarms = (1_000..1_200)
            .filter(|at| quiet.judge(all.row(*at)).unwrap().unwrap().is_anomalous)
            .count();
        assert!(alarms <= 4, "{alarms} of 200");
        let usual = all.row(1_000);
        let parted = [usual[0], -usual[1] - 30.0, usual[2], usual[3]];
        let moved = [usual[0], usual[1], usual[2], 9.0];
        for (row, culprit) in [(parted, 1), (moved, 3)] {
            for view in EntityView::ALL {
                let mut alone = UnfittedEntity::of(&[view]).fit(&training).unwrap();
                assert!(
                    alone.judge(&row).unwrap().unwrap().is_anomalous,
                    "{row:?} {view:?}"
                );
            }
            let mut detector = fitted.clone();
            assert!(detector.judge(&row).unwrap().unwrap().is_anomalous, "{row:?}");
            let shares = detector.contributions();
            assert!(shares[culprit] > 0.5, "{shares:?}");
        }
    }

    #[test]
    fn a_level_that_stays_is_accepted_and_what_is_on_top_of_it_is_not() {
        let all = rows(6_000);
        let mut training = EntityRows::new(4);
        (0..1_500).for_each(|at| training.push(all.row(at)).unwrap());
        let mut detector = UnfittedEntity::default().fit(&training).unwrap();
        let mut judge = |at: usize, second: f64| {
            let row = all.row(at);
            detector
                .judge(&[row[0], row[1] + second, row[2], 7.5])
                .unwrap()
                .unwrap()
                .is_anomalous
        };
        assert!(judge(1_500, 0.0));
        let late = (1_501..5_900)
            .map(|at| judge(at, 0.0))
            .skip(3_000)
            .filter(|is_alarm| *is_alarm)
            .count();
        assert!(late < 30, "{late} of 1,399");
        assert!(judge(5_900, 60.0));
    }

    #[test]
    fn nothing_known_is_no_judgement_and_strange_rows_are_refused() {
        let training = rows(300);
        let mut detector = UnfittedEntity::default().fit(&training).unwrap();
        assert_eq!(detector.judge(&[f64::NAN; 4]), Ok(None));
        assert_eq!(
            detector.judge(&[1.0]),
            Err(EntityError::RowLength { given: 1, needed: 4 })
        );
        let mut wild = |value: f64| detector.judge(&[value; 4]).unwrap().unwrap();
        for value in [1e300, -1e300, 0.0] {
            assert!(wild(value).score.is_finite(), "{value}");
        }
        assert!(wild(1e300).is_anomalous);
        assert_eq!(
            UnfittedEntity::default().fit(&rows(99)).map(|_| ()),
            Err(EntityError::TooFewRows {
                given: 99,
                needed: 100
            })
        );
        // All alike, and partly missing: learnt without a number that is none.
        let mut still = EntityRows::new(2);
        (0..200).for_each(|_| still.push(&[3.0, f64::NAN]).unwrap());
        let mut detector = UnfittedEntity::default().fit(&still).unwrap();
        assert!(!detector.judge(&[3.0, f64::NAN]).unwrap().unwrap().is_anomalous);
        assert!(detector.judge(&[4.0, f64::NAN]).unwrap().unwrap().is_anomalous);
    }

    #[test]
    fn what_is_kept_judges_as_what_it_was_kept_of() {
        let all = rows(1_500);
        let mut training = EntityRows::new(4);
        (0..1_200).for_each(|at| training.push(all.row(at)).unwrap());
        let mut detector = UnfittedEntity::default().fit(&training).unwrap();
        let text = serde_json::to_string(&detector).unwrap();
        let references: Vec<Vec<f32>> = detector.references().iter().map(|rows| rows.to_vec()).collect();
        let read = || serde_json::from_str::<EntityDetector>(&text).unwrap();
        let mut kept = read().completed(4, references.clone()).unwrap();
        training.iter().for_each(|row| kept.pass(row).unwrap());
        for at in 1_200..1_500 {
            let mut row = all.row(at).to_vec();
            row[1] += f64::from(u8::from(at % 100 > 80)) * 20.0;
            assert_eq!(kept.judge(&row), detector.judge(&row), "{at}");
        }
        assert_eq!(kept.contributions(), detector.contributions());
        assert!(read().completed(5, references.clone()).is_err());
        assert!(read().completed(4, references[..2].to_vec()).is_err());
        let mut short = references;
        short[2].pop();
        assert!(read().completed(4, short).is_err());
    }
}
