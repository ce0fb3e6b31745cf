//! HourSpan of the week in a time zone: read once, asked by routes and silences.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::{TimeZone, db};

use crate::field::{OptionText, OptionValue, RefusedValue, quote};
use crate::nearest::nearest;
use crate::written::Written;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// A day (`mon`, `monday`) or a range of days (`mon-fri`, or over the end of the week `sat-mon`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRange {
    text: String,
    /// Monday first.
    named: [bool; 7],
}

impl OptionText for DayRange {
    const EXPECTED: &'static str = "expected days, such as `\"mon-fri\"`";
    const EXPECTED_LIST: &'static str = "expected days, such as `[\"mon-fri\", \"sun\"]`";

    fn parse(text: &str) -> Result<Self, String> {
        let day = |text: &str| {
            let text = text.trim().to_lowercase();
            DAYS.iter().position(|day| text == *day || text == day[..3])
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = day(first).zip(day(last)).ok_or_else(String::new)?;
        let mut named = [false; 7];
        for step in 0..=(last + 7 - first) % 7 {
            named[(first + step) % 7] = true;
        }
        Ok(Self {
            text: text.to_owned(),
            named,
        })
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// A span of hours: `08:00-18:00`; `22:00-06:00` reaches into the next day and belongs to the day it begins on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourSpan {
    from: Time,
    /// Exclusive; not after `from` means on the next day.
    to: Time,
}

impl OptionText for HourSpan {
    const EXPECTED: &'static str =
        "expected hours, such as `\"08:00-18:00\"`, or over midnight `\"22:00-06:00\"`";

    fn parse(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').ok_or_else(String::new)?;
        let from = TimeOfDay::parse(from.trim())?.0;
        let to = match to.trim() {
            "24:00" => Time::midnight(),
            to => Some(TimeOfDay::parse(to)?.0)
                .filter(|to| *to != from)
                .ok_or_else(String::new)?,
        };
        Ok(Self { from, to })
    }

    fn text(&self) -> String {
        let to = match self.to {
            to if to == Time::midnight() => "24:00".to_owned(),
            to => TimeOfDay(to).text(),
        };
        format!("{}-{to}", TimeOfDay(self.from).text())
    }
}

/// A time of day, such as `08:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(pub Time);

impl OptionText for TimeOfDay {
    const EXPECTED: &'static str = "expected a time of day, such as `\"08:00\"`";

    fn parse(text: &str) -> Result<Self, String> {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let two = text
            .split_once(':')
            .filter(|(hour, minute)| digits(hour) && digits(minute) && minute.len() == 2);
        let time =
            two.and_then(|(hour, minute)| Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
        time.map(Self).ok_or_else(String::new)
    }

    fn text(&self) -> String {
        format!("{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

/// A time zone by its IANA name, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its offsets and their changes.
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

impl Zone {
    /// The time zone of that name.
    ///
    /// # Errors
    /// What to write instead.
    fn find(name: &str) -> Result<Self, String> {
        // The data base also takes paths, which are nobody's name for a zone.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
        let right = !name.is_empty() && name.chars().all(plain);
        if let Some(rules) = right.then(|| TimeZone::get(name).ok()).flatten() {
            return Ok(Self {
                name: name.to_owned(),
                rules,
            });
        }
        let expected = "expected the name of a time zone, such as `\"Europe/Berlin\"` or `\"UTC\"`";
        let known: Vec<String> = db().available().map(|zone| zone.as_str().to_owned()).collect();
        Err(match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("{expected}; did you mean `\"{near}\"`?"),
            None => expected.to_owned(),
        })
    }
}

impl OptionValue for Zone {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        Self::find(written.as_text().unwrap_or_default()).map_err(RefusedValue)
    }

    fn show(&self) -> String {
        quote(&self.name)
    }
}

/// Some hours of some days in one time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    /// Monday first.
    days: [bool; 7],
    /// `None` is all day.
    hours: Option<HourSpan>,
    zone: Zone,
}

impl Week {
    /// These hours of these days; no days are all days, no hours are all day.
    pub fn new(days: &[DayRange], hours: Option<HourSpan>, zone: Zone) -> Self {
        let named = |day: usize| days.is_empty() || days.iter().any(|days| days.named[day]);
        Self {
            days: std::array::from_fn(named),
            hours,
            zone,
        }
    }

    /// Reads what somebody wrote beside the settings: days, `08:00-18:00` or nothing for all day, a zone or nothing for
    /// UTC.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn read(days: &[String], hours: &str, zone: &str) -> Result<Self, String> {
        let read = |days: &String| DayRange::parse(days).map_err(|_| format!("`{days}` is no day"));
        let days: Vec<DayRange> = days.iter().map(read).collect::<Result<_, _>>()?;
        let hours = match hours {
            "" => None,
            text => Some(
                HourSpan::parse(text)
                    .map_err(|_| format!("`{text}` are no hours; write them as `08:00-18:00`"))?,
            ),
        };
        let zone = match zone {
            "" => Zone::utc(),
            name => Zone::find(name).map_err(|why| format!("`{name}` is no time zone: {why}"))?,
        };
        Ok(Self::new(&days, hours, zone))
    }

    /// Whether the moment, Unix seconds, is among the hours.
    pub fn contains(&self, at: f64) -> bool {
        let Ok(moment) = Timestamp::from_second(at as i64) else {
            return false;
        };
        let local = moment.to_zoned(self.zone.rules.clone());
        let today = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let yesterday = (today + 6) % 7;
        let time = local.time();
        match self.hours {
            None => self.days[today],
            Some(HourSpan { from, to }) if from < to => self.days[today] && time >= from && time < to,
            Some(HourSpan { from, to }) => {
                (self.days[today] && time >= from) || (self.days[yesterday] && time < to)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(days: &[&str], hours: &str, zone: &str) -> Result<Week, String> {
        let days: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
        Week::read(&days, hours, zone)
    }

    fn at(text: &str) -> f64 {
        text.parse::<Timestamp>().unwrap().as_second() as f64
    }

    #[test]
    fn office_hours_in_a_zone_follow_its_summer_time() {
        let office = week(&["mon-fri"], "08:00-18:00", "Europe/Berlin").unwrap();
        assert!(
            office.contains(at("2026-11-20T07:00:00Z")),
            "Friday, eight by Berlin's winter"
        );
        assert!(!office.contains(at("2026-11-20T06:59:59Z")));
        assert!(
            !office.contains(at("2026-11-20T17:00:00Z")),
            "the end does not belong to it"
        );
        assert!(!office.contains(at("2026-11-21T12:00:00Z")), "Saturday");
        assert!(
            office.contains(at("2026-07-17T06:00:00Z")),
            "eight by Berlin's summer"
        );
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let night = week(&["fri"], "22:00-06:00", "").unwrap();
        assert!(night.contains(at("2026-11-20T23:00:00Z")));
        assert!(night.contains(at("2026-11-21T05:59:00Z")), "Saturday morning");
        assert!(
            !night.contains(at("2026-11-20T05:00:00Z")),
            "Friday morning is Thursday's"
        );
        assert!(!night.contains(at("2026-11-21T23:00:00Z")));
    }

    #[test]
    fn days_go_round_the_end_of_the_week() {
        let weekend = week(&["sat-mon"], "", "UTC").unwrap();
        assert!(weekend.contains(at("2026-11-22T00:00:00Z")) && weekend.contains(at("2026-11-23T23:59:00Z")));
        assert!(!weekend.contains(at("2026-11-24T00:00:00Z")));
        let evening = week(&[], "20:00-24:00", "").unwrap();
        assert!(
            evening.contains(at("2026-11-24T23:59:59Z")) && !evening.contains(at("2026-11-24T00:00:00Z"))
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (days, hours, zone, why) in [
            (&["month"][..], "", "", "`month` is no day"),
            (&["mon-"], "", "", "`mon-` is no day"),
            (&[], "8-18", "", "`8-18` are no hours"),
            (&[], "08:00", "", "`08:00` are no hours"),
            (&[], "08:00-25:00", "", "are no hours"),
            (&[], "", "Mars/Base", "`Mars/Base` is no time zone"),
        ] {
            let error = week(days, hours, zone).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn days_and_hours_are_shown_as_they_are_written() {
        for right in ["mon", "Mon", "sunday", "mon-fri", "sat-mon"] {
            assert_eq!(DayRange::parse(right).unwrap().text(), right);
        }
        for wrong in ["", "mo", "month", "mon-", "mon-fri-sun", "mon,tue"] {
            assert!(DayRange::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["08:00-18:00", "22:00-06:00", "00:00-24:00"] {
            assert_eq!(HourSpan::parse(right).unwrap().text(), right);
        }
        assert_eq!(HourSpan::parse("8:00-18:00").unwrap().text(), "08:00-18:00");
        for wrong in [
            "",
            "8-18",
            "08:00",
            "08:00-25:00",
            "08:60-09:00",
            "08:00-08:00",
            "24:00-08:00",
            "-1:00-08:00",
        ] {
            assert!(HourSpan::parse(wrong).is_err(), "{wrong}");
        }
        assert!(
            TimeOfDay::parse("23:59").is_ok()
                && TimeOfDay::parse("24:00").is_err()
                && TimeOfDay::parse("+8:00").is_err()
        );
    }

    #[test]
    fn knows_a_zone_and_finds_the_one_that_was_meant() {
        for right in ["UTC", "Europe/Berlin", "Etc/GMT+1"] {
            assert_eq!(Zone::find(right).unwrap().name(), right);
        }
        assert!(
            Zone::find("Europe/Berln")
                .unwrap_err()
                .ends_with("did you mean `\"Europe/Berlin\"`?")
        );
        for wrong in ["", "Mars/Base", "../../etc/hosts", "+01:00"] {
            assert!(
                Zone::find(wrong)
                    .unwrap_err()
                    .starts_with("expected the name of a time zone"),
                "{wrong}"
            );
        }
    }
}
