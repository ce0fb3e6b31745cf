//! Distance from the usual, on three scales of time at once.
//!
//! The time of day is taken out where days repeat themselves (medians of half hours, if they make the rest smaller by a
//! fifth). What is left is looked at point by point, as means over an hour and as means over eight hours, each time also
//! how much it varies within; each is measured by how far it usually is from its own middle, and the largest counts. An
//! anomaly has an extent: half of the score (as a geometric mean) comes from the neighbourhood, 2 % of the request wide.
//! The limit is 1.75 times the score that a tenth of the points exceed, so that a series that is wild all over has few
//! outliers; at least 2.5.
//!
//! Compared with the forest on the files of NAB in docs/learned.md. O(n log n).

/// How far beyond its usual a point must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalesOptions {
    /// Factor of the score that a tenth of the points exceed.
    pub beyond_usual: f64,
    /// The least score of an outlier, in usual distances.
    pub least: f64,
}

impl Default for ScalesOptions {
    fn default() -> Self {
        Self {
            beyond_usual: 1.75,
            least: 2.5,
        }
    }
}

/// Widths of the scales beside single points, seconds.
const WIDTHS: [f64; 2] = [3600.0, 8.0 * 3600.0];
/// Distances are not told apart beyond this.
const FARTHEST: f64 = 20.0;
/// How much less a varying within counts than a distance.
const VARIATION: f64 = 0.8;
/// Width of the neighbourhood, share of the request.
const NEIGHBOURHOOD: f64 = 0.02;
/// Half hours in a day: the places a time of day has.
const HALF_HOURS: usize = 48;
/// Days that there must be to know what a day is like.
const FEWEST_DAYS: f64 = 4.0;

/// Expected, score and limit.
pub(super) fn judge(times: &[f64], values: &[f64], options: &ScalesOptions) -> (Vec<f64>, Vec<f64>, f64) {
    // Numbers near the largest there are must not overflow on the way.
    let largest = values
        .iter()
        .fold(0.0f64, |largest, value| largest.max(value.abs()));
    let unit = if largest > 1e100 { largest } else { 1.0 };
    let values: Vec<f64> = values.iter().map(|value| value / unit).collect();
    let usual = usual(times, &values);
    let residual: Vec<f64> = values
        .iter()
        .zip(&usual)
        .map(|(value, usual)| value - usual)
        .collect();
    let mut scores = distances(&residual);
    let mut expected = usual.clone();
    for width in WIDTHS {
        let means = box_means(times, &residual, width);
        keep_larger(&mut scores, &distances(&means), 1.0);
        let within: Vec<f64> = residual
            .iter()
            .zip(&means)
            .map(|(x, mean)| (x - mean).abs())
            .collect();
        let floor = 1e-9 * deviation(&values) + 1e-12;
        let variation: Vec<f64> = box_means(times, &within, width)
            .into_iter()
            .map(|within| (within + floor).ln())
            .collect();
        keep_larger(&mut scores, &distances(&variation), VARIATION);
    }
    let middle = median(&residual);
    expected
        .iter_mut()
        .for_each(|expected| *expected = (*expected + middle) * unit);
    let scores = with_neighbourhood(&scores);
    let mut sorted = scores.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let usual_score = sorted[(sorted.len() - 1) * 9 / 10];
    (
        expected,
        scores,
        (options.beyond_usual * usual_score).max(options.least),
    )
}

fn keep_larger(scores: &mut [f64], others: &[f64], factor: f64) {
    for (score, other) in scores.iter_mut().zip(others) {
        *score = score.max(factor * other);
    }
}

fn median(values: &[f64]) -> f64 {
    crate::statistics::median(values, &mut Vec::new())
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// What each time of day usually brings; the middle of all where days do not repeat themselves.
fn usual(times: &[f64], values: &[f64]) -> Vec<f64> {
    let middle = median(values);
    let flat = vec![middle; values.len()];
    if times[times.len() - 1] - times[0] < FEWEST_DAYS * 86_400.0 {
        return flat;
    }
    let half_hour = |time: f64| ((time.rem_euclid(86_400.0) / 1800.0) as usize).min(HALF_HOURS - 1);
    let mut by_time = vec![Vec::new(); HALF_HOURS];
    for (time, value) in times.iter().zip(values) {
        by_time[half_hour(*time)].push(*value);
    }
    let of_time = |values: &Vec<f64>| if values.is_empty() { middle } else { median(values) };
    let medians: Vec<f64> = by_time.iter().map(of_time).collect();
    let daily: Vec<f64> = times.iter().map(|&time| medians[half_hour(time)]).collect();
    let rest: Vec<f64> = values
        .iter()
        .zip(&daily)
        .map(|(value, usual)| value - usual)
        .collect();
    let rest_middle = median(&rest);
    let spread = |values: &[f64], middle: f64| {
        median(
            &values
                .iter()
                .map(|value| (value - middle).abs())
                .collect::<Vec<_>>(),
        )
    };
    if spread(&rest, rest_middle) < 0.8 * spread(values, middle) {
        daily
    } else {
        flat
    }
}

/// Distances from the middle in usual distances, at most [`FARTHEST`].
fn distances(values: &[f64]) -> Vec<f64> {
    let middle = median(values);
    let from_middle: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let mut sorted = from_middle.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let usual = 1.4826 * sorted[sorted.len() / 2];
    // Where most points do not move at all: what a tenth of them exceed, or a part of all the movement there is.
    let usual = usual
        .max(sorted[(sorted.len() - 1) * 9 / 10] / 1.645)
        .max(0.05 * deviation(values))
        .max(1e-9 * middle.abs().max(1.0));
    from_middle
        .into_iter()
        .map(|distance| (distance / usual).min(FARTHEST))
        .collect()
}

/// Mean over `width` seconds around each point.
fn box_means(times: &[f64], values: &[f64], width: f64) -> Vec<f64> {
    let mut sums = vec![0.0];
    for value in values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let (mut from, mut to) = (0, 0);
    let mean = |time: &f64| {
        while from < times.len() && times[from] < time - width / 2.0 {
            from += 1;
        }
        while to < times.len() && times[to] <= time + width / 2.0 {
            to += 1;
        }
        (sums[to] - sums[from]) / (to - from).max(1) as f64
    };
    times.iter().map(mean).collect()
}

/// Geometric mean of each score and of those around it, nearer ones counting more.
fn with_neighbourhood(scores: &[f64]) -> Vec<f64> {
    let half = ((NEIGHBOURHOOD * scores.len() as f64) as usize / 2).max(1);
    // A triangle is a box over a box; ends are held out flat.
    let smooth = sliding_mean(&sliding_mean(scores, half), half);
    scores
        .iter()
        .zip(smooth)
        .map(|(score, around)| (score * around).sqrt())
        .collect()
}

/// Mean of `width` neighbours (`width` − 1 for an even one), the ends held out flat.
fn sliding_mean(values: &[f64], width: usize) -> Vec<f64> {
    let half = width / 2;
    let at = |place: isize| values[place.clamp(0, values.len() as isize - 1) as usize];
    let (half, count) = (half as isize, (2 * half + 1) as f64);
    let mut sum: f64 = (-half..=half).map(at).sum();
    let next = |place: usize| {
        let mean = sum / count;
        let place = place as isize;
        sum += at(place + half + 1) - at(place - half);
        mean.max(0.0)
    };
    (0..values.len()).map(next).collect()
}
