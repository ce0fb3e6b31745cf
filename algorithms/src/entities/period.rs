//! The length of a day, in rows, found in the training rows themselves: an entity's file has no clock.

use super::EntityRows;

/// Rows that the first look goes over; more are averaged together. A lag is then looked for among a third of as many.
const COARSE_ROWS: usize = 4_096;
/// The shortest period that is looked for, in (coarse) rows.
const SHORTEST: usize = 20;
/// Repetitions of a period that are asked.
const REPEATS: usize = 7;
/// A shorter lag that repeats nearly as well as the best one is the period, and the best a multiple of it.
const NEARLY: f64 = 0.8;
/// How strongly rows must resemble those a period ago, less how they resemble those half of one ago (so from −2 to 2).
/// Noise of a thousand rows is below 0.1.
const LEAST_STRENGTH: f64 = 0.15;
/// Standard deviations from the mean beyond which a value says no more: one burst must not be the whole correlation.
const CLIPPED_AT: f64 = 5.0;

/// The period in rows, if the metrics have one in common: a lag P whose multiples correlate better than what lies half
/// way between them, as a mean over metrics,
///
/// > comb(P) = mean over k of ρ(kP) − ρ(kP − P/2), k = 1 … 7,
///
/// with ρ the autocorrelation of standardised values; those missing count as 0. Looked for in means of rows, then refined
/// to the row. O(metrics · 4096²/3), whatever the number of rows.
pub(super) fn period(scaled: &EntityRows) -> Option<usize> {
    let width = scaled.len().div_ceil(COARSE_ROWS).max(1);
    let coarse = standardised(scaled, width);
    let lags = coarse.first()?.len() / 3;
    let mut correlation = vec![0.0; lags];
    for metric in &coarse {
        for (lag, sum) in correlation.iter_mut().enumerate() {
            *sum += autocorrelation(metric, lag) / coarse.len() as f64;
        }
    }
    let first = shortest(&correlation)?;
    let strengths: Vec<f64> = (0..lags / 2)
        .map(|lag| {
            if lag < first {
                f64::NEG_INFINITY
            } else {
                comb(lag, lags, |at| correlation[at])
            }
        })
        .collect();
    let best = strengths.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if best < LEAST_STRENGTH {
        return None;
    }
    let is_peak = |lag: &usize| {
        let around = lag - lag / 10..(lag + lag / 10 + 1).min(strengths.len());
        strengths[*lag] >= NEARLY * best && around.clone().all(|other| strengths[other] <= strengths[*lag])
    };
    let lag = (first..strengths.len()).find(is_peak)?;
    Some(refine(scaled, lag * width, width))
}

/// The lag around `near` whose comb is the strongest at full resolution.
fn refine(scaled: &EntityRows, near: usize, width: usize) -> usize {
    if width == 1 {
        return near;
    }
    let metrics = standardised(scaled, 1);
    let mean = |lag: usize| {
        metrics
            .iter()
            .map(|metric| autocorrelation(metric, lag))
            .sum::<f64>()
    };
    let strength = |lag: usize| {
        let repeats = (scaled.len() / 3 / lag).clamp(1, REPEATS);
        (1..=repeats).map(|k| mean(k * lag)).sum::<f64>() / repeats as f64
    };
    let around = (near - width..=near + width).map(|lag| (strength(lag), lag));
    around
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(near, |(_, lag)| lag)
}

/// Where the first hill of the correlation, which every smooth series has, is over.
fn shortest(correlation: &[f64]) -> Option<usize> {
    let half = correlation.first()? / 2.0;
    let below = correlation.iter().position(|at| *at < half)?;
    Some(below.max(SHORTEST))
}

fn comb(lag: usize, lags: usize, correlation: impl Fn(usize) -> f64) -> f64 {
    let repeats = ((lags - 1) / lag).clamp(1, REPEATS);
    let tooth = |k: usize| correlation(k * lag) - correlation(k * lag - lag / 2);
    (1..=repeats).map(tooth).sum::<f64>() / repeats as f64
}

/// Means of `width` rows, each metric with mean 0 and standard deviation 1; metrics that stand still are left out.
fn standardised(scaled: &EntityRows, width: usize) -> Vec<Vec<f64>> {
    let mut metrics = Vec::new();
    for column in 0..scaled.columns() {
        let all: Vec<f64> = scaled.column(column).collect();
        let mut means: Vec<f64> = all.chunks_exact(width).map(mean).collect();
        let centre = mean(&means);
        let squares: Vec<f64> = means.iter().map(|value| (value - centre).powi(2)).collect();
        let spread = mean(&squares).sqrt();
        if spread > 1e-6 {
            for value in &mut means {
                let standard = ((*value - centre) / spread).clamp(-CLIPPED_AT, CLIPPED_AT);
                *value = if standard.is_nan() { 0.0 } else { standard };
            }
            metrics.push(means);
        }
    }
    metrics
}

/// The mean of what is there; NaN if nothing is.
fn mean(values: &[f64]) -> f64 {
    let there = values.iter().filter(|value| !value.is_nan());
    let (sum, count) = there.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn autocorrelation(metric: &[f64], lag: usize) -> f64 {
    let pairs = metric.len() - lag;
    let products = metric[lag..].iter().zip(metric);
    products.map(|(later, earlier)| later * earlier).sum::<f64>() / pairs as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn rows(count: usize, value: impl Fn(usize, &mut Random) -> f64) -> EntityRows {
        let mut random = Random::new(3);
        let mut rows = EntityRows::new(2);
        for at in 0..count {
            let values = [value(at, &mut random), random.normal()];
            rows.push(&values).unwrap();
        }
        rows
    }

    #[test]
    fn a_day_is_found_to_the_row_and_not_two_days() {
        for (count, day) in [(3_000, 288), (10_000, 1_001)] {
            let shape = |at: usize| (std::f64::consts::TAU * at as f64 / day as f64).sin();
            let daily = rows(count, |at, random| shape(at) + 0.3 * random.normal());
            let found = period(&daily).unwrap();
            assert!(found.abs_diff(day) <= day / 200, "{found} for {day}");
        }
    }

    #[test]
    fn noise_and_random_walks_have_none() {
        assert_eq!(period(&rows(3_000, |_, random| random.normal())), None);
        assert_eq!(period(&rows(30, |at, _| at as f64)), None);
        assert_eq!(period(&EntityRows::new(2)), None);
    }
}
