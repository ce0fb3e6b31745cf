//! From the bytes of a line to a time and a value, without allocating: the one reader of rows, whoever asks.
//!
//! A heading says which column is which; without one a row is `time,value`, or `name,time,value` where a file holds many
//! metrics, and further columns are passed over. The usual forms (`1700000000`, `2014-04-01 00:05:00`, `19.761`) are read
//! by hand, everything else by checked libraries; both give the same bits. Fields are handed on as they stand, so that
//! they can be written again character for character.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use memchr::memchr;

/// Words above the columns, in small letters.
const NAMES: [&str; 6] = ["name", "metric", "metric_name", "series", "target", "path"];
const TIMES: [&str; 8] = [
    "timestamp",
    "time",
    "date",
    "datetime",
    "ts",
    "epoch",
    "_time",
    "@timestamp",
];
const VALUES: [&str; 3] = ["value", "val", "_value"];
/// Words that stand for a value that is not there.
const MISSING: [&str; 5] = ["null", "none", "na", "n/a", "nil"];
/// Unix seconds from which on a number is rather a time (1973) than part of a name with commas.
const FIRST_TIME: f64 = 1e8;

/// A line that is neither empty nor a heading.
#[derive(Debug, Clone, Copy)]
pub struct Row<'l> {
    /// The metric; empty where the file has one metric, or the line none.
    pub name: &'l [u8],
    /// The time as it stands there.
    pub time_field: &'l [u8],
    /// The value as it stands there.
    pub value_field: &'l [u8],
    /// Unix seconds; NaN if there is no time.
    pub time: f64,
    /// NaN if there is no finite number.
    pub value: f64,
}

/// Why a row is no point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPoint {
    /// No time, no name where one has to be, or a value that is no number.
    Malformed,
    /// The value is an empty field or a word for none.
    Null,
    /// The value is not a number or infinite.
    NotFinite,
    /// The name is not UTF-8.
    NotUtf8,
}

impl NoPoint {
    /// The reason as it stands in summaries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Null => "null",
            Self::NotFinite => "not_finite",
            Self::NotUtf8 => "not_utf8",
        }
    }
}

impl<'l> Row<'l> {
    /// Name, time and value; `metric` is the name in a file without names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn point(&self, metric: Option<&'l str>) -> Result<(&'l str, f64, f64), NoPoint> {
        let name = match metric {
            Some(metric) => metric,
            None => str::from_utf8(bare(self.name)).map_err(|_| NoPoint::NotUtf8)?,
        };
        if name.is_empty() || self.time.is_nan() {
            return Err(NoPoint::Malformed);
        }
        if !self.value.is_nan() {
            return Ok((name, self.time, self.value));
        }
        let field = bare(self.value_field);
        if field.is_empty() || is_one_of(field, &MISSING) {
            return Err(NoPoint::Null);
        }
        let text = str::from_utf8(field).unwrap_or("?");
        Err(match text.parse::<f64>() {
            Ok(_) => NoPoint::NotFinite,
            Err(_) => NoPoint::Malformed,
        })
    }
}

/// Reads the lines of one file, from its beginning or from somewhere in it.
#[derive(Debug)]
pub struct Rows {
    columns: Columns,
    times: Times,
    /// Whether a line was seen that is not empty.
    is_under_way: bool,
}

impl Rows {
    /// At the beginning of a file of one metric, or of many.
    #[must_use]
    pub fn new(is_of_many: bool) -> Self {
        Self {
            columns: if is_of_many {
                Columns::NameTimeValue
            } else {
                Columns::TimeValue
            },
            times: Times::default(),
            is_under_way: false,
        }
    }

    /// Within a file whose columns are known.
    #[must_use]
    pub fn within(columns: Columns) -> Self {
        Self {
            columns,
            times: Times::default(),
            is_under_way: true,
        }
    }

    /// The columns as known by now.
    #[must_use]
    pub fn columns(&self) -> Columns {
        self.columns
    }

    /// The row in a line without its line feed; `None` for a heading and for a line of blanks.
    #[inline]
    pub fn read<'l>(&mut self, line: &'l [u8]) -> Option<Row<'l>> {
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        if !self.is_under_way {
            // Some editors put a mark before the first line.
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.trim_ascii_start().is_empty() {
            return None;
        }
        if !self.is_under_way {
            self.is_under_way = true;
            if let Some(columns) = self.columns.of_heading(line) {
                self.columns = columns;
                return None;
            }
        }
        let (name, time_field, value_field) = match self.columns {
            Columns::TimeValue => time_and_value(line),
            Columns::NameTimeValue => self.times.behind_a_name(line),
            Columns::Headed { name, time, value } => {
                let at = |wanted: usize| Fields::of(line).nth(wanted).unwrap_or_default();
                (name.map_or(&b""[..], at), at(time), at(value))
            }
        };
        Some(Row {
            name,
            time_field,
            value_field,
            time: self.times.read(time_field),
            value: number(value_field).unwrap_or(f64::NAN),
        })
    }
}

/// Where in a line name, time and value stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Time, value, and perhaps more.
    TimeValue,
    /// Name, time, value, and perhaps more. The name may hold commas.
    NameTimeValue,
    /// As a heading says.
    Headed {
        /// `None` if no column is a name.
        name: Option<usize>,
        /// Counted from 0.
        time: usize,
        /// Counted from 0.
        value: usize,
    },
}

impl Columns {
    /// The columns that a heading names; `None` if the line is no heading.
    fn of_heading(self, line: &[u8]) -> Option<Self> {
        let is_datum = |field: &[u8]| number(field).is_some() || !Times::default().read(field).is_nan();
        let fields: Vec<String> = Fields::of(line)
            .map(|field| String::from_utf8_lossy(bare(field)).to_lowercase())
            .collect();
        let titles = fields.iter().filter(|field| is_title(field.as_bytes())).count();
        if titles < 2 || Fields::of(line).any(is_datum) {
            return None;
        }
        let named = |names: &[&str]| fields.iter().position(|field| names.contains(&field.as_str()));
        let (mut name, time, value) = (named(&NAMES), named(&TIMES), named(&VALUES));
        let other = |taken: [Option<usize>; 2]| (0..fields.len()).find(|at| !taken.contains(&Some(*at)));
        let Some((time, value)) = (match (time, value) {
            (Some(time), Some(value)) => Some((time, value)),
            // The name stands before what it names, if it has no heading that says so.
            (Some(time), None) => {
                if self == Self::NameTimeValue && name.is_none() && time > 0 && fields.len() > 2 {
                    name = Some(0);
                }
                other([Some(time), name]).map(|value| (time, value))
            }
            (None, Some(value)) => other([Some(value), name]).map(|time| (time, value)),
            (None, None) => None,
        }) else {
            return Some(self);
        };
        Some(Self::Headed { name, time, value })
    }
}

/// The fields of a row of one metric.
#[inline]
fn time_and_value(line: &[u8]) -> (&[u8], &[u8], &[u8]) {
    if memchr(b'"', line).is_some() {
        let mut fields = Fields::of(line);
        let time = fields.next().unwrap_or_default();
        return (b"", time, fields.next().unwrap_or_default());
    }
    let Some(comma) = memchr(b',', line) else {
        return (b"", line, b"");
    };
    let rest = &line[comma + 1..];
    (
        b"",
        &line[..comma],
        &rest[..memchr(b',', rest).unwrap_or(rest.len())],
    )
}

/// Whether it is a word that stands above values, not for a missing one.
fn is_title(field: &[u8]) -> bool {
    let begins = field
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || b"_@".contains(byte));
    begins && !is_one_of(field, &MISSING) && !is_one_of(field, &["nan", "inf", "infinity"])
}

fn is_one_of(field: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| field.eq_ignore_ascii_case(word.as_bytes()))
}

/// The fields between the commas. A field that begins with a quote reaches to the quote that ends it; a quote anywhere
/// else is a character like others.
struct Fields<'l> {
    rest: Option<&'l [u8]>,
}

impl<'l> Fields<'l> {
    fn of(line: &'l [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'l> Iterator for Fields<'l> {
    type Item = &'l [u8];

    fn next(&mut self) -> Option<&'l [u8]> {
        let rest = self.rest?;
        let blanks = rest.len() - rest.trim_ascii_start().len();
        let quoted = match rest.get(blanks) {
            // Two quotes in a row are one that ends and one that begins again.
            Some(b'"') => memchr(b'"', &rest[blanks + 1..]).map_or(0, |end| {
                let mut end = blanks + 1 + end + 1;
                while rest.get(end) == Some(&b'"')
                    && let Some(next) = memchr(b'"', &rest[end + 1..])
                {
                    end += next + 2;
                }
                end
            }),
            _ => 0,
        };
        let field = match memchr(b',', &rest[quoted..]) {
            Some(comma) => {
                self.rest = Some(&rest[quoted + comma + 1..]);
                &rest[..quoted + comma]
            }
            None => {
                self.rest = None;
                rest
            }
        };
        Some(field)
    }
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
fn number(field: &[u8]) -> Option<f64> {
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
struct Times {
    date: [u8; 10],
    /// Unix seconds of its beginning.
    midnight: f64,
}

impl Times {
    /// Unix seconds; NaN for what is no time. A number beyond the year 5000 is milliseconds, microseconds or nanoseconds;
    /// a date is in UTC if it does not say.
    fn read(&mut self, field: &[u8]) -> f64 {
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

    /// Name, time and value of a line whose name may hold commas: the first field behind the first that can be a time of
    /// our days, else the last but one, else the first that can be any time.
    fn behind_a_name<'l>(&mut self, line: &'l [u8]) -> (&'l [u8], &'l [u8], &'l [u8]) {
        let begin_of = |field: &[u8]| field.as_ptr().addr() - line.as_ptr().addr();
        let cut = |time: &'l [u8], value: &'l [u8]| (&line[..begin_of(time).saturating_sub(1)], time, value);
        let mut fields = Fields::of(line);
        let (mut before, mut last) = (&line[..0], fields.next().unwrap_or_default());
        let mut count = 1;
        while let Some(field) = fields.next() {
            if self.read(field) >= FIRST_TIME {
                return cut(field, fields.next().unwrap_or_default());
            }
            (before, last) = (last, field);
            count += 1;
        }
        if count < 3 {
            return (b"", b"", b"");
        }
        if number(last).is_some() && !self.read(before).is_nan() {
            return cut(before, last);
        }
        let mut fields = Fields::of(line).skip(1);
        match (fields.find(|field| !self.read(field).is_nan()), fields.next()) {
            (Some(time), Some(value)) => cut(time, value),
            _ => (b"", b"", b""),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(rows: &mut Rows, line: &'static str) -> (&'static str, &'static str, &'static str) {
        let text = |bytes| str::from_utf8(bytes).unwrap_or("?");
        let row = rows.read(line.as_bytes());
        row.map_or(("-", "-", "-"), |row| {
            (text(row.name), text(row.time_field), text(row.value_field))
        })
    }

    #[test]
    fn fields_as_they_stand() {
        for (line, time, value) in [
            ("60,1.50", "60", "1.50"),
            (" 60 ,1.50,more,and more", " 60 ", "1.50"),
            ("60", "60", ""),
            ("\"1 Apr, 2014\",2", "\"1 Apr, 2014\"", "2"),
            ("\"a \"\"b\"\", c\",2", "\"a \"\"b\"\", c\"", "2"),
            ("60\",2", "60\"", "2"),
            ("\"60,2", "\"60", "2"),
        ] {
            assert_eq!(read(&mut Rows::new(false), line), ("", time, value), "{line}");
        }
        for nothing in ["", " ", "\r", "\u{feff}", "timestamp,value\r"] {
            assert_eq!(
                read(&mut Rows::new(false), nothing),
                ("-", "-", "-"),
                "{nothing:?}"
            );
        }
    }

    #[test]
    fn a_name_may_hold_commas_and_more_columns_may_follow() {
        for (line, row) in [
            ("a.b,60,1.5", ("a.b", "60", "1.5")),
            ("\"a,b\", 60, 1.5", ("\"a,b\"", " 60", " 1.5")),
            ("a,b,60,1.5\r", ("a,b", "60", "1.5")),
            ("http,200,60,1.5", ("http,200", "60", "1.5")),
            ("http,200,1700000000,1.5,0", ("http,200", "1700000000", "1.5")),
            ("a,1700000000123,1.5,x,9", ("a", "1700000000123", "1.5")),
            ("a,2014-04-01 00:05:00,nan,7", ("a", "2014-04-01 00:05:00", "nan")),
            ("a,60,1.5,more", ("a", "60", "1.5")),
            ("a,60", ("", "", "")),
            ("a", ("", "", "")),
            ("a\"b,60,1", ("a\"b", "60", "1")),
        ] {
            assert_eq!(read(&mut Rows::new(true), line), row, "{line}");
        }
    }

    #[test]
    fn a_heading_is_told_from_a_row() {
        let heading = |line: &str| Columns::TimeValue.of_heading(line.as_bytes());
        let headed = |name, time, value| Some(Columns::Headed { name, time, value });
        assert_eq!(heading("timestamp,value"), headed(None, 0, 1));
        assert_eq!(heading("value,timestamp"), headed(None, 1, 0));
        assert_eq!(heading("when,what"), Some(Columns::TimeValue));
        assert_eq!(heading("value,label,timestamp"), headed(None, 2, 0));
        assert_eq!(heading("Date,\"Load, 5 min\",host"), headed(None, 0, 1));
        assert_eq!(heading("cpu,ts"), headed(None, 1, 0));
        let of_many = |line: &str| Columns::NameTimeValue.of_heading(line.as_bytes());
        assert_eq!(of_many("name,time,value"), headed(Some(0), 1, 2));
        assert_eq!(of_many("value,time,metric,label"), headed(Some(2), 1, 0));
        assert_eq!(of_many("key,ts,reading"), headed(Some(0), 1, 2));
        assert_eq!(of_many("timestamp,cpu,label"), headed(None, 0, 1));
        assert_eq!(of_many("which,when,what"), Some(Columns::NameTimeValue));
        for row in [
            "60,1",
            "2014-04-01 00:00:00,1",
            "60,x",
            "x,1",
            "60,nan",
            "60,",
            ",",
            "",
            "nonsense",
        ] {
            assert_eq!(heading(row), None, "{row}");
        }
    }

    #[test]
    fn what_is_no_point_says_why() {
        let mut rows = Rows::new(true);
        let mut point = |line: &'static str| rows.read(line.as_bytes()).map(|row| row.point(None));
        assert_eq!(point("a,60,1.5"), Some(Ok(("a", 60.0, 1.5))));
        for (line, why) in [
            ("a,1700000000,", NoPoint::Null),
            ("a,1700000000,NULL", NoPoint::Null),
            ("a,1700000000,n/a,1", NoPoint::Null),
            ("a,1700000000,NaN", NoPoint::NotFinite),
            ("a,1700000000,1e9999", NoPoint::NotFinite),
            ("a,1700000000,-Infinity", NoPoint::NotFinite),
            ("a,1700000000,12x", NoPoint::Malformed),
            (",1700000000,12", NoPoint::Malformed),
            ("a,then,12", NoPoint::Malformed),
        ] {
            assert_eq!(point(line), Some(Err(why)), "{line}");
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
            prop_assert_eq!(Some(times.read(text.as_bytes())), super::date(&text), "{}", text);
        }

        #[test]
        fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..60)) {
            for is_of_many in [false, true] {
                for row in [Rows::new(is_of_many), Rows::within(Columns::Headed { name: Some(2), time: 1, value: 0 })]
                    .iter_mut()
                    .filter_map(|rows| rows.read(&line))
                {
                    prop_assert!(row.point(None).map_or(true, |(_, time, value)| time.is_finite() && value.is_finite()));
                }
            }
        }
    }
}
