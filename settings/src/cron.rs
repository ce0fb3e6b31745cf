//! Cron lines: minutes of the week and year, UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::field::OptionText;

/// Five fields as cron has them: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); each `*`, a
/// number, a range `1-5`, either with a step `/2`, or several of these with commas between. As in cron, a line that
/// names days both of the month and of the week means either. Times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// Bit n is set if n is named.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day must fit only one of the two.
    either_day: bool,
}

impl Cron {
    /// Reads a line; the error says what is wrong with it.
    ///
    /// # Errors
    /// A text for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!("`{text}` has {} fields, not five", fields.len()));
        };
        let mut of_week = field(weekdays, 0, 7)?;
        if of_week & (1 << 7) != 0 {
            of_week |= 1;
        }
        let cron = Self {
            text: fields.join(" "),
            minutes: field(minutes, 0, 59)?,
            hours: field(hours, 0, 23)?,
            days: field(days, 1, 31)?,
            months: field(months, 1, 12)?,
            weekdays: of_week,
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
        };
        // Four years and a leap day hold every date there is.
        let reaches = (0..4 * 366).any(|day| cron.names_day(day + 20_000));
        if reaches {
            Ok(cron)
        } else {
            Err(format!("`{text}` names no date there is"))
        }
    }

    /// Whether it names a minute, counted from the epoch.
    #[must_use]
    pub fn names(&self, minute: i64) -> bool {
        let of_day = minute.rem_euclid(1440);
        self.minutes >> (of_day % 60) & 1 == 1
            && self.hours >> (of_day / 60) & 1 == 1
            && self.names_day(minute.div_euclid(1440))
    }

    /// Whether it names a day, counted from the epoch.
    fn names_day(&self, day: i64) -> bool {
        let Ok(midnight) = Timestamp::from_second(day.saturating_mul(86_400)) else {
            return false;
        };
        let date = midnight.to_zoned(TimeZone::UTC).date();
        let fits_month = self.days >> date.day() & 1 == 1;
        let fits_week = self.weekdays >> date.weekday().to_sunday_zero_offset() & 1 == 1;
        let fits = if self.either_day {
            fits_month || fits_week
        } else {
            fits_month && fits_week
        };
        self.months >> date.month() & 1 == 1 && fits
    }
}

fn field(text: &str, least: u32, most: u32) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not of `*`, numbers from {least} to {most}, ranges and steps");
    let mut bits = 0u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                step.parse::<u32>()
                    .ok()
                    .filter(|step| *step > 0)
                    .ok_or_else(wrong)?,
            ),
            None => (part, 1),
        };
        let number = |text: &str| {
            let number = text.parse::<u32>().ok();
            number
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(wrong)
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((from, to)) => (number(from)?, number(to)?),
            // As in cron, a number with a step begins a range.
            None if part.contains('/') => (number(range)?, most),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return Err(wrong());
        }
        (from..=to)
            .step_by(step as usize)
            .for_each(|number| bits |= 1 << number);
    }
    Ok(bits)
}

impl OptionText for Cron {
    const EXPECTED: &'static str =
        "expected a cron line in UTC such as `\"30 3 * * *\"`, each night at half past three";

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes from 2026-01-01 00:00 (a Thursday), day 20454, that are named.
    fn named(line: &str, days: i64) -> Vec<i64> {
        let start = 20_454 * 1440;
        let cron = Cron::parse(line).unwrap();
        (0..days * 1440)
            .filter(|minute| cron.names(start + minute))
            .collect()
    }

    #[test]
    fn lines_name_what_cron_names() {
        assert_eq!(named("* * * * *", 1).len(), 1440);
        assert_eq!(named("30 3 * * *", 2), [210, 1440 + 210]);
        assert_eq!(named("*/20 0 1 1 *", 40), [0, 20, 40]);
        assert_eq!(named("0 0 * * 0", 7), [3 * 1440], "the first Sunday");
        assert_eq!(named("0 0 * * 7", 7), named("0 0 * * 0", 7));
        assert_eq!(named("0 12 * * 1-5", 7).len(), 5);
        assert_eq!(named("5,50/5 0 1 * *", 1), [5, 50, 55]);
        assert_eq!(
            named("0 0 29 2 *", 3 * 366),
            [789 * 1440],
            "2028 has the next one"
        );
        // Either the 10th or a Monday.
        assert_eq!(named("0 0 10 * 1", 14).len(), 3);
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for line in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "a * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "0 0 30 2 *",
            "0 0 31 4,6 *",
            "-1 * * * *",
        ] {
            assert!(Cron::parse(line).is_err(), "{line}");
        }
    }
}
