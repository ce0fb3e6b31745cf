//! How long a bucket of a query is: Druid's words (`hour`, `fifteen_minute`), durations in milliseconds, ISO 8601 periods.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;

/// Druid's words and what they are short for.
const WORDS: [(&str, &str); 14] = [
    ("second", "PT1S"),
    ("minute", "PT1M"),
    ("five_minute", "PT5M"),
    ("ten_minute", "PT10M"),
    ("fifteen_minute", "PT15M"),
    ("thirty_minute", "PT30M"),
    ("hour", "PT1H"),
    ("six_hour", "PT6H"),
    ("eight_hour", "PT8H"),
    ("day", "P1D"),
    ("week", "P1W"),
    ("month", "P1M"),
    ("quarter", "P3M"),
    ("year", "P1Y"),
];
/// Seconds of a month: a twelfth of the Gregorian calendar's mean year of 365.2425 days.
const MONTH: f64 = 2_629_746.0;
/// 1970-01-05, the first Monday of Unix time: weeks begin on Mondays, as ISO 8601 has it.
const FIRST_MONDAY: f64 = 4.0 * 86_400.0;

/// The length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Granularity {
    /// So many seconds each, the first at `origin` (Unix seconds).
    Seconds {
        /// Above 0.
        length: f64,
        /// Where buckets begin.
        origin: f64,
    },
    /// So many months of the calendar, in UTC, counted from January 1970.
    Months(i64),
    /// A row for each time there is.
    None,
    /// One row for everything.
    All,
}

/// Why a text is no granularity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no granularity of Druid: expected a word such as `minute`, or an ISO 8601 period such as `PT5M`"
)]
pub struct GranularityError(String);

impl Granularity {
    /// The granularity of a query; a query without one has minutes, as rb-aioutliers has it.
    ///
    /// # Errors
    /// [`GranularityError`].
    pub fn read(written: Option<&Value>) -> Result<Self, GranularityError> {
        let Some(written) = written else {
            return Self::parse("minute");
        };
        let wrong = || GranularityError(written.to_string());
        match written {
            Value::String(word) => Self::parse(word),
            Value::Object(parts) => {
                let origin = match parts.get("origin") {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => {
                        Some(crate::sources::row::time(text).ok_or_else(|| GranularityError(text.clone()))?)
                    }
                    Some(_) => return Err(wrong()),
                };
                let read = match (parts.get("period"), parts.get("duration")) {
                    (Some(Value::String(period)), None) => Self::parse(period)?,
                    (None, Some(Value::Number(milliseconds))) => {
                        let length = milliseconds.as_f64().unwrap_or(0.0) / 1e3;
                        if length <= 0.0 {
                            return Err(wrong());
                        }
                        Self::Seconds { length, origin: 0.0 }
                    }
                    (None, None) => Self::parse("minute")?,
                    _ => return Err(wrong()),
                };
                Ok(match (read, origin) {
                    (Self::Seconds { length, .. }, Some(origin)) => Self::Seconds { length, origin },
                    (read, _) => read,
                })
            }
            _ => Err(wrong()),
        }
    }

    /// A word or a period, in capitals or not.
    ///
    /// # Errors
    /// [`GranularityError`], also for a period that is zero or below, or that mixes months with anything but years.
    pub fn parse(text: &str) -> Result<Self, GranularityError> {
        let wrong = || GranularityError(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        match lower.as_str() {
            "none" => return Ok(Self::None),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let word = WORDS.iter().find(|(word, _)| *word == lower);
        let period = word.map_or(lower.as_str(), |(_, period)| period);
        let span: Span = period.parse().map_err(|_| wrong())?;
        if !period.starts_with(['p', 'P']) || !span.is_positive() {
            return Err(wrong());
        }
        let months = 12 * i64::from(span.get_years()) + i64::from(span.get_months());
        let seconds = fixed_seconds(&span);
        match (months, seconds > 0.0) {
            (0, true) => {
                let only_weeks = span.get_weeks() != 0 && seconds == 604_800.0 * f64::from(span.get_weeks());
                let origin = if only_weeks { FIRST_MONDAY } else { 0.0 };
                Ok(Self::Seconds {
                    length: seconds,
                    origin,
                })
            }
            (months, false) if months > 0 => Ok(Self::Months(months)),
            _ => Err(wrong()),
        }
    }

    /// Seconds of a bucket; of months their mean over the Gregorian calendar. `None` where buckets have no length.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        match *self {
            Self::Seconds { length, .. } => Some(length),
            Self::Months(months) => Some(MONTH * months as f64),
            Self::None | Self::All => None,
        }
    }

    /// The beginning of the bucket that a time (Unix seconds) lies in; `from` is where all of them begin.
    #[must_use]
    pub fn bucket(&self, time: f64, from: f64) -> f64 {
        match *self {
            Self::Seconds { length, origin } => origin + ((time - origin) / length).floor() * length,
            Self::Months(months) => begin_of_months(time, months).unwrap_or(from),
            Self::None => time,
            Self::All => from,
        }
    }
}

/// Seconds of a span's weeks, days and times; a day is one of 86,400 seconds.
fn fixed_seconds(span: &Span) -> f64 {
    let days = 7.0 * f64::from(span.get_weeks()) + f64::from(span.get_days());
    let minutes = 60.0 * f64::from(span.get_hours()) + span.get_minutes() as f64;
    let seconds = span.get_seconds() as f64 + span.get_milliseconds() as f64 / 1e3;
    86_400.0 * days + 60.0 * minutes + seconds + span.get_microseconds() as f64 / 1e6
}

/// Seconds of an ISO 8601 period, months by their mean; `None` for what is none.
pub(super) fn period_seconds(text: &str) -> Option<f64> {
    let span: Span = text.trim().parse().ok()?;
    let months = 12.0 * f64::from(span.get_years()) + f64::from(span.get_months());
    text.trim()
        .starts_with(['p', 'P'])
        .then_some(MONTH * months + fixed_seconds(&span))
}

fn begin_of_months(time: f64, months: i64) -> Option<f64> {
    let date = Timestamp::from_second(time.floor() as i64)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .date();
    let since = 12 * (i64::from(date.year()) - 1970) + i64::from(date.month()) - 1;
    let first = since.div_euclid(months) * months;
    let year = i16::try_from(1970 + first.div_euclid(12)).ok()?;
    let month = i8::try_from(1 + first.rem_euclid(12)).ok()?;
    let begin = Date::new(year, month, 1).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(begin.timestamp().as_second() as f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_period_has_its_seconds() {
        for (text, seconds) in [
            ("minute", 60.0),
            ("Fifteen_Minute", 900.0),
            ("thirty_minute", 1_800.0),
            ("day", 86_400.0),
            ("pt1m", 60.0),
            ("PT2M", 120.0),
            ("PT8H", 28_800.0),
            ("PT1H30M", 5_400.0),
            ("PT30S", 30.0),
            ("PT0.5S", 0.5),
            ("P1D", 86_400.0),
            ("P1DT12H", 129_600.0),
            ("p1w", 604_800.0),
            ("P1M", MONTH),
            ("P1Y", 12.0 * MONTH),
            ("P1Y6M", 18.0 * MONTH),
        ] {
            let read = Granularity::parse(text).map(|read| read.seconds());
            assert_eq!(read, Ok(Some(seconds)), "{text}");
        }
        for text in [
            "", "P", "PT", "hours", "5m", "PT0S", "-PT5M", "P1MT5M", "PT1H30", "1h",
        ] {
            assert!(Granularity::parse(text).is_err(), "{text}");
        }
        let read = |value: Value| Granularity::read(Some(&value));
        assert_eq!(
            read(json!({"type": "duration", "duration": 7_200_000}))
                .unwrap()
                .seconds(),
            Some(7_200.0)
        );
        let with_origin = json!({"type": "period", "period": "pt1m", "origin": "2023-09-21T09:00:30Z"});
        assert_eq!(
            read(with_origin).unwrap().bucket(1_695_286_845.0, 0.0),
            1_695_286_830.0
        );
        assert!(read(json!({"type": "duration", "duration": 0})).is_err());
        assert!(read(json!(7)).is_err());
        assert_eq!(Granularity::read(None).unwrap().seconds(), Some(60.0));
    }

    #[test]
    fn a_time_lies_in_its_bucket() {
        // 2023-09-21T09:47:12Z, a Thursday.
        let time = 1_695_289_632.0;
        let bucket = |text: &str| Granularity::parse(text).unwrap().bucket(time, 5.0);
        assert_eq!(bucket("hour"), 1_695_286_800.0);
        assert_eq!(bucket("week"), 1_694_995_200.0, "Monday the 18th");
        assert_eq!(bucket("month"), 1_693_526_400.0, "the first of September");
        assert_eq!(bucket("quarter"), 1_688_169_600.0, "the first of July");
        assert_eq!(bucket("year"), 1_672_531_200.0);
        assert_eq!((bucket("all"), bucket("none")), (5.0, time));
    }
}
