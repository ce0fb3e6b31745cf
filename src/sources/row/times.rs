//! Times as people and files write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::fields::{bare, number, plain};

/// Unix seconds as people and files write them; `None` for what is no time. See [`Times::read`].
#[must_use]
pub fn time(text: &str) -> Option<f64> {
    let time = Times::default().read(text.as_bytes());
    (!time.is_nan()).then_some(time)
}

/// A date by the library.
fn date(text: &str) -> Option<f64> {
    let seconds = |timestamp: Timestamp| timestamp.as_duration().as_secs_f64();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(seconds(timestamp));
    }
    let civil: DateTime = text.parse().ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(seconds(zoned.timestamp()))
}

/// Reads times; knows the last date, as most lines are of the day of the line before.
#[derive(Debug, Default)]
pub(super) struct Times {
    date: [u8; 10],
    /// Unix seconds of its beginning.
    midnight: f64,
}

impl Times {
    /// Unix seconds; NaN for what is no time. A number beyond the year 5000 is milliseconds, microseconds or nanoseconds;
    /// a date is in UTC if it does not say.
    pub(super) fn read(&mut self, field: &[u8]) -> f64 {
        let field = bare(field);
        if let Some(time) = self.usual(field) {
            return time;
        }
        if let Some(time) = number(field) {
            return match time.abs() {
                size if size < 1e11 => time,
                size if size < 1e14 => time / 1e3,
                size if size < 1e17 => time / 1e6,
                _ => time / 1e9,
            };
        }
        let text = str::from_utf8(field).ok();
        text.and_then(date)
            .filter(|time| time.is_finite())
            .unwrap_or(f64::NAN)
    }

    /// `2014-04-01 00:05:00`, with a `T` in the middle, a fraction or a `Z` behind it if you like.
    fn usual(&mut self, field: &[u8]) -> Option<f64> {
        let (clock, behind) = field.split_at_checked(19)?;
        let (day, clock) = clock.split_first_chunk::<10>()?;
        let &[b' ' | b'T', h0, h1, b':', m0, m1, b':', s0, s1] = clock else {
            return None;
        };
        if day[4] != b'-' {
            return None;
        }
        let two = |tens: u8, ones: u8| {
            let both = tens.is_ascii_digit() && ones.is_ascii_digit();
            both.then(|| f64::from(10 * (tens - b'0') + (ones - b'0')))
        };
        let (hour, minute, second) = (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?);
        if hour > 23.0 || minute > 59.0 || second > 59.0 {
            return None;
        }
        if *day != self.date {
            self.midnight = date(str::from_utf8(day).ok()?)?;
            self.date = *day;
        }
        let behind = behind.strip_suffix(b"Z").unwrap_or(behind);
        let fraction = match behind {
            [] => 0.0,
            [b'.', digits @ ..] if digits.len() <= 9 && digits.iter().all(u8::is_ascii_digit) => {
                plain(behind)?
            }
            _ => return None,
        };
        Some(self.midnight + hour * 3600.0 + minute * 60.0 + second + fraction)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_of_all_forms() {
        let mut times = Times::default();
        let mut read = |text: &str| times.read(text.as_bytes());
        for (text, seconds) in [
            ("1700000000", 1.7e9),
            ("\"1700000000\"", 1.7e9),
            ("1700000000.25", 1_700_000_000.25),
            ("1700000000250", 1_700_000_000.25),
            ("1700000000250000", 1_700_000_000.25),
            ("1700000000000000000", 1.7e9),
            ("2023-11-14 22:13:20", 1.7e9),
            ("2023-11-14T22:13:20Z", 1.7e9),
            ("2023-11-14T22:13:20.250", 1_700_000_000.25),
            ("2023-11-14T23:13:20.25+01:00", 1_700_000_000.25),
            ("2023-11-14 22:13", 1_699_999_980.0),
            ("2023-11-14", 1_699_920_000.0),
        ] {
            assert_eq!(read(text), seconds, "{text}");
        }
        for text in [
            "",
            "x",
            "2023-02-30 00:00:00",
            "2023-11-14 24:00:00",
            "2023-11-14 22:13:20.",
            "nan",
            "inf",
            "-",
        ] {
            assert!(read(text).is_nan(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_are_those_of_the_library(seconds in -1_000_000_000_i64..4_000_000_000, places in 0_usize..=9, nanos in 0_u32..1_000_000_000) {
            let date = jiff::Timestamp::from_second(seconds).expect("within reach");
            let text = date.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let text = match places {
                0 => text,
                places => format!("{text}.{}", &format!("{nanos:09}")[..places]),
            };
            let mut times = Times::default();
            prop_assert!(times.usual(text.as_bytes()).is_some());
            prop_assert_eq!(Some(times.read(text.as_bytes())), super::date(&text), "{}", text);
        }
    }
}
