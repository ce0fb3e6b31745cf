//! How much the newest part of a series stands out, by its spectral residual: ranks the metrics that drive an anomaly.
//!
//! Ren et al., "Time-Series Anomaly Detection Service at Microsoft" (KDD 2019), with the windows of gala-anteater: the log
//! amplitudes of the spectrum less their moving average of 12, back in time, is the saliency S; the score of a point is
//! (S − mean of S over 50) / that mean, that of a series the largest of its last 25 points. So that the newest point is not at
//! the edge, the series is continued by 24 points at the mean slope of its end. The transform is a plain one, O(n²): with 144
//! points it costs some 40 µs, and a fast one would want a length of its own.

use std::f64::consts::TAU;

/// Points by which a series is continued, and points before its end whose slopes say where.
const CONTINUED: usize = 24;
/// Log amplitudes that are averaged.
const AMPLITUDES: usize = 12;
/// Points of the saliency that are averaged.
const SALIENCIES: usize = 50;
/// Newest points of which the largest score counts.
const NEWEST: usize = 25;
/// Amplitudes that are none.
const NOTHING: f64 = 1e-8;
/// Shares of the expected length within which a series can be compared with others.
const SHORTEST: f64 = 0.9;
const LONGEST: f64 = 1.5;

/// The score of a series of which `expected` points should be there; 0 where it says nothing: constant, with values that are no
/// numbers, shorter than 90 % or longer than 150 % of that.
#[must_use]
pub fn spectral_residual_score(values: &[f64], expected: usize) -> f64 {
    let share = values.len() as f64 / expected.max(1) as f64;
    let is_constant = values.windows(2).all(|pair| pair[0] == pair[1]);
    if is_constant || !(SHORTEST..=LONGEST).contains(&share) || !values.iter().all(|value| value.is_finite())
    {
        return 0.0;
    }
    let mut continued = values.to_vec();
    continued.resize(values.len() + CONTINUED, next(values));
    let mut saliency = saliency(&continued);
    saliency.truncate(values.len());
    let usual = trailing_means(&saliency, SALIENCIES);
    let scores = saliency
        .iter()
        .zip(&usual)
        .map(|(own, usual)| (own - usual) / usual.max(NOTHING));
    let newest = scores.skip(values.len().saturating_sub(NEWEST));
    newest.fold(0.0, f64::max)
}

/// The last value, and the mean slope of the points before it against it.
fn next(values: &[f64]) -> f64 {
    let Some((last, before)) = values.split_last() else {
        return 0.0;
    };
    let near = &before[before.len().saturating_sub(CONTINUED)..];
    let slopes = near
        .iter()
        .rev()
        .zip(1..)
        .map(|(value, steps)| (last - value) / f64::from(steps));
    last + slopes.sum::<f64>() / near.len().max(1) as f64
}

fn saliency(values: &[f64]) -> Vec<f64> {
    let wave = Wave::new(values.len());
    let spectrum = wave.transform(
        &values.iter().map(|value| (*value, 0.0)).collect::<Vec<_>>(),
        -1.0,
    );
    let amplitudes: Vec<f64> = spectrum
        .iter()
        .map(|(real, imaginary)| real.hypot(*imaginary))
        .collect();
    let is_there = |amplitude: f64| amplitude > NOTHING;
    let logs: Vec<f64> = amplitudes
        .iter()
        .map(|&a| if is_there(a) { a.ln() } else { 0.0 })
        .collect();
    let usual = trailing_means(&logs, AMPLITUDES);
    let residual: Vec<(f64, f64)> = spectrum
        .iter()
        .zip(&amplitudes)
        .zip(logs.iter().zip(&usual))
        .map(|(((real, imaginary), &amplitude), (log, usual))| {
            let factor = if is_there(amplitude) {
                (log - usual).exp() / amplitude
            } else {
                0.0
            };
            (real * factor, imaginary * factor)
        })
        .collect();
    let back = wave.transform(&residual, 1.0);
    let length = values.len() as f64;
    back.iter()
        .map(|(real, imaginary)| real.hypot(*imaginary) / length)
        .collect()
}

/// The mean of each value and those before it, `window` at most.
fn trailing_means(values: &[f64], window: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let means = values.iter().enumerate().map(|(place, value)| {
        sum += value;
        if place >= window {
            sum -= values[place - window];
        }
        sum / (place + 1).min(window) as f64
    });
    means.collect()
}

/// One turn of a circle in as many steps as a series has points.
struct Wave(Vec<(f64, f64)>);

impl Wave {
    fn new(length: usize) -> Self {
        let angle = |step: usize| TAU * step as f64 / length as f64;
        Self(
            (0..length)
                .map(|step| (angle(step).cos(), angle(step).sin()))
                .collect(),
        )
    }

    /// The discrete Fourier transform with this sign in its exponent, not normalised.
    fn transform(&self, values: &[(f64, f64)], sign: f64) -> Vec<(f64, f64)> {
        let length = self.0.len();
        let at = |frequency: usize| {
            let mut sum = (0.0, 0.0);
            for (place, (real, imaginary)) in values.iter().enumerate() {
                let (cos, sin) = self.0[frequency * place % length];
                sum.0 += real * cos - sign * imaginary * sin;
                sum.1 += sign * real * sin + imaginary * cos;
            }
            sum
        };
        (0..length).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f64> {
        let mut state = 12_345_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1_u32 << 24)
        };
        (0..count)
            .map(|at| 10.0 + (at as f64 / 9.0).sin() + 0.3 * next())
            .collect()
    }

    #[test]
    fn a_jump_at_the_end_stands_out_and_one_long_ago_does_not() {
        let calm = noise(120);
        let (mut late, mut early) = (calm.clone(), calm.clone());
        late[110] += 6.0;
        early[40] += 6.0;
        let score = |values: &[f64]| spectral_residual_score(values, 120);
        let (calm, late, early) = (score(&calm), score(&late), score(&early));
        assert!(late > 2.0 * calm.max(early), "{late} against {calm} and {early}");
        // A unit is as good as another.
        let mut scaled = noise(120);
        scaled[110] += 6.0;
        scaled.iter_mut().for_each(|value| *value *= 1_000.0);
        assert!((score(&scaled) - late).abs() < 1e-6 * late);
    }

    #[test]
    fn what_says_nothing_has_no_score() {
        let values = noise(120);
        assert_eq!(spectral_residual_score(&[0.0; 120], 120), 0.0);
        assert_eq!(spectral_residual_score(&[3.5; 120], 120), 0.0);
        assert_eq!(spectral_residual_score(&values[..100], 120), 0.0);
        assert_eq!(spectral_residual_score(&values, 60), 0.0);
        assert_eq!(spectral_residual_score(&[], 0), 0.0);
        assert!(spectral_residual_score(&values[..110], 120) > 0.0);
        let mut gap = values.clone();
        gap[5] = f64::NAN;
        assert_eq!(spectral_residual_score(&gap, 120), 0.0);
    }

    #[test]
    fn the_transform_goes_there_and_back() {
        let values: Vec<(f64, f64)> = noise(37).into_iter().map(|value| (value, 0.0)).collect();
        let wave = Wave::new(37);
        let back = wave.transform(&wave.transform(&values, -1.0), 1.0);
        for (value, back) in values.iter().zip(&back) {
            assert!((value.0 - back.0 / 37.0).abs() < 1e-9 && (back.1 / 37.0).abs() < 1e-9);
        }
        assert_eq!(next(&[1.0, 2.0, 3.0]), 4.0);
    }
}
