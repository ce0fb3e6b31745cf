//! Hours of the week.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Some hours of some days in one time zone, as somebody wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hours {
    /// Days: `mon`, `sat`, `mon-fri`; none is every day.
    pub days: Vec<String>,
    /// `08:00-18:00`; `22:00-06:00` reaches into the next day and belongs to the day it begins on. Empty is all day.
    pub hours: String,
    /// IANA name of the zone, such as `Europe/Berlin`; empty is UTC.
    pub zone: String,
}

/// Hours ready to be asked.
#[derive(Debug, Clone)]
pub struct Week {
    /// Monday first.
    days: [bool; 7],
    from: Time,
    /// Exclusive; not after `from` means on the next day.
    to: Time,
    all_day: bool,
    zone: TimeZone,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Week {
    /// Reads hours.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub fn new(hours: &Hours) -> Result<Self, String> {
        let mut days = [hours.days.is_empty(); 7];
        for text in &hours.days {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (day(first)?, day(last)?);
            // `fri-mon` goes over the end of the week.
            let length = (last + 7 - first) % 7;
            for step in 0..=length {
                days[(first + step) % 7] = true;
            }
        }
        let all_day = hours.hours.is_empty();
        let (from, to) = if all_day {
            (Time::midnight(), Time::midnight())
        } else {
            let wrong = || format!("`{}` are no hours; write them as `08:00-18:00`", hours.hours);
            let (from, to) = hours.hours.split_once('-').ok_or_else(wrong)?;
            (clock(from).ok_or_else(wrong)?, clock(to).ok_or_else(wrong)?)
        };
        Ok(Self {
            days,
            from,
            to,
            all_day,
            zone: zone(&hours.zone)?,
        })
    }

    /// Whether the moment, Unix seconds, is among the hours.
    pub fn contains(&self, at: f64) -> bool {
        let Ok(moment) = Timestamp::from_second(at as i64) else {
            return false;
        };
        let local = moment.to_zoned(self.zone.clone());
        let today = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let yesterday = (today + 6) % 7;
        let time = local.time();
        if self.all_day {
            self.days[today]
        } else if self.from < self.to {
            self.days[today] && time >= self.from && time < self.to
        } else {
            (self.days[today] && time >= self.from) || (self.days[yesterday] && time < self.to)
        }
    }
}

/// The time zone of that IANA name; UTC for an empty one.
///
/// # Errors
/// There is none of that name.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| format!("`{name}` is no time zone; write it as `Europe/Berlin`"))
}

fn day(text: &str) -> Result<usize, String> {
    let text = text.trim().to_lowercase();
    DAYS.iter()
        .position(|day| text.len() >= 3 && text.starts_with(day) && weekday_name(&text))
        .ok_or_else(|| format!("`{text}` is no day; the days are {}", DAYS.join(", ")))
}

/// `mon` and `monday` are days, `month` is none.
fn weekday_name(text: &str) -> bool {
    let mut day = Weekday::Monday;
    for _ in 0..7 {
        let full = format!("{day:?}").to_lowercase();
        if text == full || text == &full[..3] {
            return true;
        }
        day = day.next();
    }
    false
}

/// `08:00`; `24:00` is the end of the day.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (i8, i8) = (hour.parse().ok()?, minute.parse().ok()?);
    if (hour, minute) == (24, 0) {
        return Some(Time::midnight());
    }
    Time::new(hour, minute, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(days: &[&str], hours: &str, zone: &str) -> Result<Week, String> {
        Week::new(&Hours {
            days: days.iter().map(|day| (*day).to_owned()).collect(),
            hours: hours.into(),
            zone: zone.into(),
        })
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
            (&["mon-"], "", "", "`` is no day"),
            (&[], "8-18", "", "`8-18` are no hours"),
            (&[], "08:00", "", "`08:00` are no hours"),
            (&[], "08:00-25:00", "", "are no hours"),
            (&[], "", "Mars/Base", "`Mars/Base` is no time zone"),
        ] {
            let said = week(days, hours, zone).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
