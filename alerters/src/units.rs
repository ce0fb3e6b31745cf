//! Numbers, times and lengths of time as a person reads them.
//!
//! Three significant digits are enough to act on and short enough for a phone; where two numbers
//! are compared, [`distinct`] adds a fourth if that lets a reader see that they differ. Times are UTC,
//! always, and say so.

use jiff::Timestamp;

/// Digits shown when nothing calls for more.
const DIGITS: usize = 3;
/// Digits shown at most, to tell apart numbers that stand side by side. More would claim to know what nobody does.
const MOST_DIGITS: usize = 4;
/// Suffixes for powers of a thousand.
const SUFFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// A number in three significant digits: `97.2`, `1.23k`, `-3.4M`, `0.0123`, `1.2e-7`, `NaN`.
pub fn number(value: f64) -> String {
    significant(value, DIGITS)
}

/// Numbers that stand side by side, all in three significant digits, or in four where that tells unequal ones apart.
pub fn distinct(values: &[f64]) -> Vec<String> {
    let mut shown = Vec::new();
    for digits in DIGITS..=MOST_DIGITS {
        shown = values.iter().map(|value| significant(*value, digits)).collect();
        let told_apart = values.iter().zip(&shown).enumerate().all(|(i, (value, text))| {
            values[..i]
                .iter()
                .zip(&shown)
                .all(|(v, t)| v == value || t != text)
        });
        if told_apart {
            break;
        }
    }
    shown
}

fn significant(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}∞");
    }
    if value == 0.0 {
        return "0".into();
    }
    // Rounding first, so that 999.9 becomes 1k and never 1000.
    let rounded = format!("{:.*e}", digits - 1, value.abs());
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let figures = mantissa.replace('.', "");
    match exponent {
        -4..3 => format!("{sign}{}", with_point(&figures, exponent + 1)),
        3..21 => {
            let suffix = SUFFIXES[(exponent / 3) as usize];
            format!("{sign}{}{suffix}", with_point(&figures, exponent % 3 + 1))
        }
        _ => format!("{sign}{}e{exponent}", with_point(&figures, 1)),
    }
}

/// `figures` with the decimal point after the first `point` of them, zeros supplied where it lies
/// outside and removed where they say nothing.
fn with_point(figures: &str, point: i32) -> String {
    let (whole, fraction) = match usize::try_from(point) {
        Ok(point) if point >= figures.len() => (format!("{figures:0<point$}"), String::new()),
        Ok(point) if point > 0 => (figures[..point].to_owned(), figures[point..].to_owned()),
        _ => ("0".into(), "0".repeat(point.unsigned_abs() as usize) + figures),
    };
    match fraction.trim_end_matches('0') {
        "" => whole,
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A moment to the minute: `2026-11-21 13:42 UTC`.
pub fn time(unix_seconds: f64) -> String {
    time_as(unix_seconds, "%Y-%m-%d %H:%M UTC").unwrap_or_else(|| "unknown time".into())
}

/// A moment in UTC by a `strftime` format; `None` outside the years −9999 to 9999.
pub(crate) fn time_as(unix_seconds: f64, format: &str) -> Option<String> {
    if !unix_seconds.is_finite() {
        return None;
    }
    let timestamp = Timestamp::from_second(unix_seconds.floor() as i64).ok()?;
    Some(timestamp.strftime(format).to_string())
}

/// A moment to the second as machines exchange it: `2026-11-21T13:42:00Z` (RFC 3339).
pub fn rfc3339(unix_seconds: f64) -> Option<String> {
    time_as(unix_seconds, "%Y-%m-%dT%H:%M:%SZ")
}

/// A length of time in its two largest units: `24 h`, `1 h 30 min`, `2 d 3 h`, `45 s`.
pub fn length(seconds: f64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown length".into();
    }
    let seconds = seconds.round() as u64;
    // A day reads as `24 h`: windows of one day are the rule, and `1 d` looks like a date.
    let first = if seconds <= 86_400 { 1 } else { 0 };
    let Some(i) = (first..UNITS.len()).find(|i| seconds >= UNITS[*i].0) else {
        return "0 s".into();
    };
    let (size, unit) = UNITS[i];
    let whole = format!("{} {unit}", seconds / size);
    match UNITS
        .get(i + 1)
        .map(|(size_below, unit)| (seconds % size / size_below, unit))
    {
        Some((rest, unit)) if rest > 0 => format!("{whole} {rest} {unit}"),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (5.0, "5"),
            (97.24, "97.2"),
            (-12.5, "-12.5"),
            (999.94, "1k"),
            (1_200.0, "1.2k"),
            (3_400_000.0, "3.4M"),
            (123_456_789.0, "123M"),
            (2e20, "200E"),
            (2e21, "2e21"),
            (0.012_34, "0.0123"),
            (0.000_123_4, "0.000123"),
            (0.000_012_34, "1.23e-5"),
            (f64::MIN_POSITIVE, "2.23e-308"),
            (f64::MAX, "1.8e308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-∞"),
        ];
        for (value, shown) in cases {
            assert_eq!(number(value), shown);
        }
    }

    #[test]
    fn numbers_side_by_side_can_be_told_apart() {
        assert_eq!(distinct(&[4.0, 3.0]), ["4", "3"]);
        assert_eq!(distinct(&[3.001, 3.0]), ["3.001", "3"]);
        assert_eq!(distinct(&[3.000_1, 3.0]), ["3", "3"]);
        assert_eq!(distinct(&[1_234_567.0, 1_234_568.0]), ["1.235M", "1.235M"]);
        assert_eq!(distinct(&[2.0, 2.0]), ["2", "2"]);
    }

    #[test]
    fn times_are_utc_to_the_minute() {
        assert_eq!(time(1_795_268_559.9), "2026-11-21 13:42 UTC");
        assert_eq!(time(-1.0), "1969-12-31 23:59 UTC");
        assert_eq!(time(f64::NAN), "unknown time");
        assert_eq!(time(1e300), "unknown time");
    }

    #[test]
    fn lengths_use_their_two_largest_units() {
        let cases = [
            (0.4, "0 s"),
            (45.0, "45 s"),
            (90.0, "1 min 30 s"),
            (3_600.0, "1 h"),
            (86_340.0, "23 h 59 min"),
            (86_400.0, "24 h"),
            (183_600.0, "2 d 3 h"),
            (f64::NAN, "unknown length"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(length(seconds), shown);
        }
    }

    proptest! {
        #[test]
        fn a_number_shown_is_within_its_last_digit(value in proptest::num::f64::NORMAL) {
            let text = number(value);
            let (figures, factor) = match SUFFIXES.iter().skip(1).position(|s| text.ends_with(s)) {
                Some(i) => (&text[..text.len() - 1], 1000f64.powi(i as i32 + 1)),
                None => (text.as_str(), 1.0),
            };
            let shown = figures.parse::<f64>().unwrap() * factor;
            // `1.8e308` is a fair name for the largest number and reads back as infinity.
            prop_assert!(shown.is_infinite() || (shown - value).abs() <= value.abs() * 0.0051);
        }

        #[test]
        fn no_number_has_more_digits_than_anybody_believes(a in proptest::num::f64::ANY, b in proptest::num::f64::ANY) {
            for shown in distinct(&[a, b, a * (1.0 + 1e-12)]) {
                let mantissa = shown.split('e').next().unwrap_or_default();
                let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
                prop_assert!(digits.trim_start_matches('0').len() <= MOST_DIGITS, "{shown}");
                prop_assert!(!shown.starts_with("0.0000") && !shown.starts_with("-0.0000"), "{shown}");
            }
        }
    }
}
