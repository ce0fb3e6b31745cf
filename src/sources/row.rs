//! From the bytes of a line to a time and a value, without allocating: the one reader of rows, whoever asks.
//!
//! A heading says which column is which; without one a row is `time,value`, or `name,time,value` where a file holds many
//! metrics, and further columns are passed over. The usual forms (`1700000000`, `2014-04-01 00:05:00`, `19.761`) are read
//! by hand, everything else by checked libraries; both give the same bits. Fields are handed on as they stand, so that
//! they can be written again character for character.

mod fields;
mod times;

use memchr::memchr;

pub(super) use fields::{Fields, bare};
use fields::{is_one_of, number};
use times::Times;
pub use times::time;

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
/// Unix seconds from which on a number is rather a time (1973) than part of a name with commas, such as a status or a port.
const FIRST_TIME: f64 = 1e8;

/// A line that is neither empty nor a heading.
#[derive(Debug, Clone, Copy)]
pub struct CsvRow<'l> {
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

impl<'l> CsvRow<'l> {
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
    pub fn read<'l>(&mut self, line: &'l [u8]) -> Option<CsvRow<'l>> {
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
            Columns::NameTimeValue => behind_a_name(&mut self.times, line),
            Columns::Headed { name, time, value } => {
                let at = |wanted: usize| Fields::of(line).nth(wanted).unwrap_or_default();
                (name.map_or(&b""[..], at), at(time), at(value))
            }
        };
        Some(CsvRow {
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

/// Name, time and value of a line whose name may hold commas: the first field behind the first that can be a time of
/// our days, else the last but one, else the first that can be any time.
fn behind_a_name<'l>(times: &mut Times, line: &'l [u8]) -> (&'l [u8], &'l [u8], &'l [u8]) {
    let begin_of = |field: &[u8]| field.as_ptr().addr() - line.as_ptr().addr();
    let cut = |time: &'l [u8], value: &'l [u8]| (&line[..begin_of(time).saturating_sub(1)], time, value);
    let mut fields = Fields::of(line);
    let (mut before, mut last) = (&line[..0], fields.next().unwrap_or_default());
    let mut count = 1;
    while let Some(field) = fields.next() {
        if times.read(field) >= FIRST_TIME {
            return cut(field, fields.next().unwrap_or_default());
        }
        (before, last) = (last, field);
        count += 1;
    }
    if count < 3 {
        return (b"", b"", b"");
    }
    if number(last).is_some() && !times.read(before).is_nan() {
        return cut(before, last);
    }
    let mut fields = Fields::of(line).skip(1);
    match (fields.find(|field| !times.read(field).is_nan()), fields.next()) {
        (Some(time), Some(value)) => cut(time, value),
        _ => (b"", b"", b""),
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

    proptest! {
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
