//! From the bytes of a line to a time and a value, without allocating.
//!
//! The usual forms (`1700000000`, `2014-04-01 00:05:00`, `19.761`) are read by hand, everything else by the checked ways
//! of the `csv` source; both give the same bits. Fields are handed on as they stand, so that they can be written again
//! character for character.

use memchr::memchr;

use crate::sources::csv;

/// Where in a line time and value stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    time: usize,
    value: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self { time: 0, value: 1 }
    }
}

impl Columns {
    /// The columns that a heading names; `None` if the line is no heading.
    pub(super) fn of_heading(line: &[u8]) -> Option<Self> {
        let usual = Self::default();
        let (time, value) = usual.fields(line);
        let is_heading = Times::default().read(time).is_nan() && is_title(bare(value));
        if !is_heading {
            return None;
        }
        let named = |names: &[&str]| {
            let mut fields = split(line).map(|field| String::from_utf8_lossy(bare(field)).to_lowercase());
            fields.position(|field| names.contains(&field.as_str()))
        };
        match (
            named(&["timestamp", "time", "date", "datetime", "ts"]),
            named(&["value"]),
        ) {
            (Some(time), Some(value)) => Some(Self { time, value }),
            _ => Some(usual),
        }
    }

    /// Time and value as they stand there; empty where the line is too short.
    pub(super) fn fields(self, line: &[u8]) -> (&[u8], &[u8]) {
        if self == Self::default() && memchr(b'"', line).is_none() {
            let Some(comma) = memchr(b',', line) else {
                return (line, b"");
            };
            let rest = &line[comma + 1..];
            return (&line[..comma], &rest[..memchr(b',', rest).unwrap_or(rest.len())]);
        }
        let field = |wanted| split(line).nth(wanted).unwrap_or_default();
        (field(self.time), field(self.value))
    }
}

/// Whether it is a word that stands above values, not for a missing one.
fn is_title(field: &[u8]) -> bool {
    let missing = ["nan", "null", "none", "na", "n/a", "nil", "inf", "infinity"];
    let is_missing = missing
        .iter()
        .any(|word| field.eq_ignore_ascii_case(word.as_bytes()));
    field.first().is_some_and(u8::is_ascii_alphabetic) && !is_missing
}

/// The fields between the commas; a comma between quotes does not count.
fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    line.split(move |&byte| {
        is_quoted ^= byte == b'"';
        byte == b',' && !is_quoted
    })
}

/// A field without blanks and quotes around it.
fn bare(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    let quoted = field
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    quoted.map_or(field, <[u8]>::trim_ascii)
}

/// A field as a finite number.
pub(super) fn number(field: &[u8]) -> Option<f64> {
    let field = bare(field);
    let number = match plain(field) {
        Some(number) => number,
        None => str::from_utf8(field).ok()?.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

/// Decimal digits with or without a sign and a point. Exact by Clinger's argument: mantissa and power of ten are both
/// floats without rounding, so that one division rounds once. `None` for whatever is not as simple.
fn plain(field: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut mantissa, mut point, mut seen) = (0_u64, None, 0_usize);
    for (position, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                seen += 1;
            }
            b'.' if point.is_none() => point = Some(position + 1),
            _ => return None,
        }
    }
    if seen == 0 || seen > 15 {
        return None;
    }
    let places = point.map_or(0, |point| digits.len() - point);
    let size = mantissa as f64 / POWERS[places];
    Some(if is_negative { -size } else { size })
}

const POWERS: [f64; 17] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
];

/// Reads times; knows the last date, as most lines are of the day of the line before.
#[derive(Debug, Default)]
pub(super) struct Times {
    date: [u8; 10],
    /// Unix seconds of its beginning.
    midnight: f64,
}

impl Times {
    /// Unix seconds; NaN for what is no time. A number beyond the year 5000 is milliseconds, microseconds or nanoseconds.
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
        text.and_then(csv::time)
            .filter(|time| time.is_finite())
            .unwrap_or(f64::NAN)
    }

    /// `2014-04-01 00:05:00`, with a `T` in the middle, a fraction or a `Z` behind it if you like.
    fn usual(&mut self, field: &[u8]) -> Option<f64> {
        let (clock, behind) = field.split_at_checked(19)?;
        let (date, clock) = clock.split_first_chunk::<10>()?;
        let &[b' ' | b'T', h0, h1, b':', m0, m1, b':', s0, s1] = clock else {
            return None;
        };
        if date[4] != b'-' {
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
        if *date != self.date {
            self.midnight = csv::time(str::from_utf8(date).ok()?)?;
            self.date = *date;
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
    fn fields_as_they_stand() {
        let fields = |line: &'static str| {
            let (time, value) = Columns::default().fields(line.as_bytes());
            (
                str::from_utf8(time).unwrap_or("?"),
                str::from_utf8(value).unwrap_or("?"),
            )
        };
        assert_eq!(fields("60,1.50"), ("60", "1.50"));
        assert_eq!(fields(" 60 ,1.50,more,and more"), (" 60 ", "1.50"));
        assert_eq!(fields("60"), ("60", ""));
        assert_eq!(fields("\"1 Apr, 2014\",2"), ("\"1 Apr, 2014\"", "2"));
        assert_eq!(fields(""), ("", ""));
    }

    #[test]
    fn a_heading_is_told_from_a_row() {
        let heading = |line: &str| Columns::of_heading(line.as_bytes());
        assert_eq!(heading("timestamp,value"), Some(Columns::default()));
        assert_eq!(heading("when,what"), Some(Columns::default()));
        assert_eq!(
            heading("value,label,timestamp"),
            Some(Columns { time: 2, value: 0 })
        );
        for row in [
            "60,1",
            "2014-04-01 00:00:00,1",
            "60,x",
            "x,1",
            "60,nan",
            "60,",
            ",",
            "",
        ] {
            assert_eq!(heading(row), None, "{row}");
        }
    }

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
        fn numbers_are_those_of_the_library(text in "-?[0-9]{0,18}([.][0-9]{0,18})?(e-?[0-9]{1,2})?") {
            let ours = number(text.as_bytes()).map(f64::to_bits);
            let theirs = text.parse::<f64>().ok().filter(|number| number.is_finite()).map(f64::to_bits);
            prop_assert_eq!(ours, theirs);
        }

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
            prop_assert_eq!(Some(times.read(text.as_bytes())), csv::time(&text), "{}", text);
        }

        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let columns = Columns::of_heading(&line).unwrap_or_default();
            let (time, value) = columns.fields(&line);
            Times::default().read(time);
            number(value);
        }
    }
}
