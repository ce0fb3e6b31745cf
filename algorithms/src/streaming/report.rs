//! The newest point in words: what was expected, within which bounds it would be no anomaly, and why it is one.

use super::adaptive::Adaptive;
use super::novelty::LENGTH;
use super::parts::{PARTS, strongest};

/// One detector's part in a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorScore {
    /// Its name, in snake case.
    pub detector: &'static str,
    /// Its own score; 1 at its limit.
    pub score: f32,
}

/// The newest point, explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The score.
    pub score: f32,
    /// The value judged (a counter's rate a second).
    pub observed: f64,
    /// The value expected.
    pub expected: f64,
    /// The least value that would not have been an alarm.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// Each detector, highest score first; `learned` only where a model knows the metric.
    pub parts: Vec<DetectorScore>,
    /// Why, in one sentence without a full stop.
    pub sentence: String,
    /// Whether the rate of a counter is judged.
    pub is_rate: bool,
}

/// The day of the epoch first: 1 January 1970 was a Thursday.
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];
/// Blocks of six points that must be known before "nothing like it" is said: six hours by the minute.
const WORTH_SAYING: u32 = 60;
/// Errors beyond so many usual ones are said as more than that: the digits would mean nothing.
const UNHEARD_OF: f64 = 1000.0;

impl Adaptive {
    /// Explains the newest point as it scores at the usual sensitivity.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report_at(1.0)
    }

    /// Explains the newest point as it scores at a sensitivity: score and band are those that hold there.
    #[must_use]
    pub fn report_at(&self, sensitivity: f32) -> Report {
        report(self, sensitivity)
    }
}

fn report(state: &Adaptive, sensitivity: f32) -> Report {
    let ratios = state.parts();
    let mut parts: Vec<DetectorScore> = PARTS
        .iter()
        .zip(ratios)
        .map(|(&detector, ratio)| DetectorScore {
            detector,
            score: ratio * sensitivity,
        })
        // A metric that no model knows is not voted on by one.
        .filter(|part| part.detector != "learned" || state.forecast().is_some())
        .collect();
    parts.sort_by(|a, b| b.score.total_cmp(&a.score));
    let strongest = PARTS[strongest(&state.parts())];
    let reach = state.reach.map(|reach| reach / f64::from(sensitivity.max(0.01)));
    let (mut expected, mut low, mut high) = (
        state.expected,
        state.expected - reach[1],
        state.expected + reach[0],
    );
    if strongest == "season" && parts[0].score >= 1.0 {
        let [_, least, most] = state.season.compared();
        (expected, low, high) = (0.5 * (least + most), least, most);
    }
    if let ("learned", Some(forecast)) = (strongest, state.forecast()) {
        (low, high) = (low + forecast - expected, high + forecast - expected);
        expected = forecast;
    }
    if state.level.is_never_negative() {
        // What was never below zero, such as a count or a size, cannot be expected there.
        (low, expected, high) = (low.max(0.0), expected.max(0.0), high.max(0.0));
    }
    Report {
        score: state.reading().at(sensitivity),
        observed: state.observed,
        expected,
        low,
        high,
        sentence: sentence(state, strongest),
        parts,
        is_rate: state.is_rate(),
    }
}

fn sentence(state: &Adaptive, strongest: &str) -> String {
    let (observed, expected) = (state.observed, state.expected);
    let side = if observed < expected { "below" } else { "above" };
    match strongest {
        "shift" => {
            let side = if state.sum < 0.0 { "below" } else { "above" };
            format!(
                "several points in a row stay {side} what was expected, {}",
                quantity(state, expected)
            )
        }
        "flat" => format!(
            "it has stood at {} for {} points, and does not usually stand still so long",
            quantity(state, observed),
            state.runs.standing()
        ),
        "zero" => "it has fallen to zero, where it usually never is".to_owned(),
        "season" => season(state),
        "burst" => format!(
            "{} times the largest burst known of a metric that is mostly zero",
            number(state.burst.over())
        ),
        "learned" => {
            let expected = state.forecast().unwrap_or(expected);
            let side = if observed < expected { "below" } else { "above" };
            format!(
                "{} is far {side} what was learnt of metrics like it, {}",
                quantity(state, observed),
                quantity(state, expected)
            )
        }
        _ if state.level.is_still() || state.scale <= 0.0 => {
            format!("it stood at {} and is {} now", number(expected), number(observed))
        }
        _ => {
            let errors = (observed - expected).abs() / state.scale;
            let times = if errors > UNHEARD_OF {
                "more than a thousand".to_owned()
            } else {
                number(errors)
            };
            format!(
                "{times} times its usual error of the last day {side} the expected {}{}",
                quantity(state, expected),
                unlike(state)
            )
        }
    }
}

/// "; nothing like it in the last 40 hours".
fn unlike(state: &Adaptive) -> String {
    let blocks = state.novelty.known();
    if blocks < WORTH_SAYING {
        return String::new();
    }
    let seconds = f64::from(blocks) * LENGTH as f64 * state.step();
    let hours = seconds / 3600.0;
    if hours < 72.0 {
        format!("; nothing like it in the last {hours:.0} hours")
    } else {
        format!("; nothing like it in the last {:.0} days", hours / 24.0)
    }
}
/// "3.1 × the highest Tuesday 14:00 in 5 weeks".
fn season(state: &Adaptive) -> String {
    let [mean, least, most] = state.season.compared();
    let hour = (state.time / 3600.0) as u64;
    // The hour that is over, not the one that has begun.
    let hour = hour.saturating_sub(1);
    let when = format!("{} {:02}:00", DAYS[(hour / 24 % 7) as usize], hour % 24);
    let known = match state.season.weeks() {
        1 => "a week".to_owned(),
        weeks => format!("{weeks} weeks"),
    };
    let (bound, what, side) = if mean > most {
        (most, "highest", "above")
    } else {
        (least, "lowest", "below")
    };
    if bound > 0.0 && mean > 0.0 && (mean > 1.1 * bound || mean < 0.9 * bound) {
        format!(
            "{} × the {what} hour such as {when} UTC in {known}",
            number(mean / bound)
        )
    } else {
        format!(
            "the hour was at {}, {side} the {what} such as {when} UTC in {known}, {}",
            quantity(state, mean),
            quantity(state, bound)
        )
    }
}

/// A value of the metric; the rate of a counter is one a second.
fn quantity(state: &Adaptive, value: f64) -> String {
    let unit = if state.is_rate() { " a second" } else { "" };
    format!("{}{unit}", number(value))
}

/// Three significant digits: no more than nine places, and `k`, `M`, `G`, `T` for many thousands.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value.abs() < 1e-9 {
        return "0".to_owned();
    }
    let suffixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    let large = suffixes.into_iter().find(|(least, _)| value.abs() >= *least);
    if let Some((least, suffix)) = large {
        let unit = if suffix == "k" { 1e3 } else { least };
        return format!("{}{suffix}", number(value / unit));
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    if digits < 0 {
        let unit = 10f64.powi(-digits);
        return format!("{}", (value / unit).round() * unit);
    }
    let text = format!("{value:.*}", digits.min(11) as usize);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_short() {
        let said = [
            0.0,
            1e-13,
            0.001234,
            3.456,
            250.0,
            1234.0,
            98_765.0,
            1.0e6,
            21_300_000.0,
            -4.2e9,
            9.99e15,
        ]
        .map(number);
        assert_eq!(
            said,
            [
                "0", "0", "0.00123", "3.46", "250", "1230", "98.8k", "1M", "21.3M", "-4.2G", "9990T"
            ]
        );
    }
}
