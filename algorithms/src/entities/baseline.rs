//! What each metric should be by itself: what it was at this time of day before, or its training median.

use serde::{Deserialize, Serialize};

use super::period::period;
use super::{EntityRows, calibration};

/// Periods that are looked back upon: a week of days.
const MOST_PERIODS: usize = 7;
/// Part of a period by which it may run early or late; the same rows before and after are looked at, too.
const JITTER: usize = 48;
/// A metric is seasonal if its usual (median) distance from its season is at most this share of that from its training
/// median. Medians and not squares: a nightly burst explains most squares, comes a minute early, and is an anomaly twice.
const SEASONAL_REST: f64 = 0.35;

/// The baselines of all metrics of an entity, a row at a time: for a seasonal metric the median of what it was one to
/// seven periods ago, each at the same row and 1/48 of a period earlier and later; for the others their training median.
/// Rows that are judged become part of the past in their turn; a median of seven days does not follow one bad day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MetricBaselines {
    medians: Vec<f64>,
    is_seasonal: Vec<bool>,
    season: Option<SeasonalPast>,
}

/// The rows of as many periods as are looked back upon, in a ring.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SeasonalPast {
    period: usize,
    jitter: usize,
    periods: usize,
    /// Not part of what is kept: rows are shown again.
    #[serde(skip)]
    ring: Vec<f64>,
    /// Rows seen so far.
    #[serde(skip)]
    seen: usize,
}

impl MetricBaselines {
    /// Fits training rows; the past is still empty.
    pub(super) fn fit(scaled: &EntityRows) -> Self {
        let columns = scaled.columns();
        let mut baselines = Self {
            medians: medians(scaled),
            is_seasonal: vec![false; columns],
            season: period(scaled).map(|period| SeasonalPast::new(period, scaled)),
        };
        if baselines.season.is_some() {
            let mut trial = baselines.clone();
            trial.is_seasonal = vec![true; columns];
            baselines.is_seasonal = trial
                .rests(scaled)
                .iter()
                .map(|rest| *rest <= SEASONAL_REST)
                .collect();
            if !baselines.is_seasonal.contains(&true) {
                baselines.season = None;
            }
        }
        baselines
    }

    /// Per metric how far it usually is from its season, in shares of how far it is from its median.
    fn rests(mut self, scaled: &EntityRows) -> Vec<f64> {
        let columns = scaled.columns();
        let mut distances = vec![(Vec::new(), Vec::new()); columns];
        let mut departures = vec![0.0; columns];
        for row in scaled.iter() {
            let is_known = self.is_warm();
            self.departures(row, &mut departures);
            for at in (0..columns).filter(|at| is_known && !departures[*at].is_nan()) {
                distances[at].0.push(departures[at]);
                distances[at].1.push((row[at] - self.medians[at]).abs());
            }
        }
        let share = |(seasonal, constant): &mut (Vec<f64>, Vec<f64>)| {
            let constant = middle(constant);
            if constant > 0.0 {
                middle(seasonal) / constant
            } else {
                1.0
            }
        };
        distances.iter_mut().map(share).collect()
    }

    /// Whether it is of so many metrics, and looks back upon no more than `most` rows.
    pub(super) fn is_of(&self, columns: usize, most: usize) -> bool {
        let is_sound = |season: &SeasonalPast| {
            season.jitter < season.period
                && (1..=MOST_PERIODS).contains(&season.periods)
                && season.period <= most
                && season.reach() <= most + season.jitter
        };
        self.medians.len() == columns
            && self.is_seasonal.len() == columns
            && self.season.as_ref().is_none_or(is_sound)
    }

    /// With an empty past.
    pub(super) fn forget_past(&mut self) {
        let columns = self.medians.len();
        if let Some(season) = &mut self.season {
            season.seen = 0;
            season.ring = vec![f64::NAN; season.reach() * columns];
        }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let past = self.season.as_ref().map_or(0, |season| season.ring.len());
        (past + self.medians.len()) * size_of::<f64>()
    }

    /// The period in rows, if any metric is seasonal.
    pub(super) fn period(&self) -> Option<usize> {
        self.season.as_ref().map(|season| season.period)
    }

    /// The training median of each metric, on the training scale; NaN for one that had no value.
    pub(super) fn medians(&self) -> &[f64] {
        &self.medians
    }

    /// Whether the past reaches back far enough for every baseline.
    pub(super) fn is_warm(&self) -> bool {
        self.season
            .as_ref()
            .is_none_or(|season| season.seen >= season.reach())
    }

    /// The absolute distance of each value of a row from its baseline, NaN for those missing; the row then is past.
    pub(super) fn departures(&mut self, scaled: &[f64], departures: &mut [f64]) {
        for (at, departure) in departures.iter_mut().enumerate() {
            let seasonal = self.season.as_ref().filter(|_| self.is_seasonal[at]);
            let expected = seasonal.and_then(|season| season.expected(at, scaled.len()));
            *departure = (scaled[at] - expected.unwrap_or(self.medians[at])).abs();
        }
        if let Some(season) = &mut self.season {
            season.push(scaled);
        }
    }
}

/// The median; NaN of nothing.
fn middle(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    if values.is_empty() {
        f64::NAN
    } else {
        calibration::quantile(values, 0.5)
    }
}

fn medians(scaled: &EntityRows) -> Vec<f64> {
    let median = |column| {
        let mut sorted: Vec<f64> = scaled.column(column).filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() {
            f64::NAN
        } else {
            calibration::quantile(&sorted, 0.5)
        }
    };
    (0..scaled.columns()).map(median).collect()
}

impl SeasonalPast {
    fn new(period: usize, scaled: &EntityRows) -> Self {
        let mut season = Self {
            period,
            jitter: period / JITTER,
            // Half of the training rows at least are to be judged by those before them.
            periods: (scaled.len() / (2 * period)).clamp(1, MOST_PERIODS),
            ring: Vec::new(),
            seen: 0,
        };
        season.ring = vec![f64::NAN; season.reach() * scaled.columns()];
        season
    }

    /// Rows that are kept.
    fn reach(&self) -> usize {
        self.periods * self.period + self.jitter
    }

    /// The median of what the metric was; none if it was never there.
    fn expected(&self, column: usize, columns: usize) -> Option<f64> {
        let mut past = [0.0; 3 * MOST_PERIODS];
        let mut count = 0;
        for back in 1..=self.periods {
            for ago in [
                back * self.period + self.jitter,
                back * self.period,
                back * self.period - self.jitter,
            ] {
                let row = (self.seen + self.reach() - ago) % self.reach();
                let value = self.ring[row * columns + column];
                if ago <= self.seen && !value.is_nan() {
                    past[count] = value;
                    count += 1;
                }
            }
        }
        let past = &mut past[..count];
        past.sort_unstable_by(f64::total_cmp);
        (count > 0).then(|| calibration::quantile(past, 0.5))
    }

    fn push(&mut self, scaled: &[f64]) {
        let row = self.seen % self.reach();
        self.ring[row * scaled.len()..(row + 1) * scaled.len()].copy_from_slice(scaled);
        self.seen += 1;
    }
}
