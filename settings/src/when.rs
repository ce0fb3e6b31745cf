//! Days, hours and time zones as people write them.
//!
//! The schedule of the alerters reads them again when it asks; here a slip is found before anything starts.

use jiff::tz::{TimeZone, db};

use crate::nearest::nearest;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Whether the text is a day (`mon`, `monday`) or a range of days (`mon-fri`, `sat-mon`).
pub(crate) fn is_days(text: &str) -> bool {
    let is_day = |text: &str| {
        let text = text.trim().to_lowercase();
        DAYS.iter().any(|day| text == *day || text == day[..3])
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    is_day(first) && is_day(last)
}

/// Whether the text is a span of hours such as `08:00-18:00`, or `22:00-06:00` over midnight.
pub(crate) fn is_hours(text: &str) -> bool {
    let Some((from, to)) = text.split_once('-') else {
        return false;
    };
    let (from, to) = (
        minutes(from),
        if to == "24:00" { Some(1_440) } else { minutes(to) },
    );
    from.is_some() && to.is_some() && from != to
}

/// Whether the text is a time of day such as `08:00`.
pub(crate) fn is_time(text: &str) -> bool {
    minutes(text).is_some()
}

/// Minutes since midnight.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str, below: u16| {
        let right = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits
            .parse::<u16>()
            .ok()
            .filter(|number| right && *number < below)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

/// Whether there is a time zone of that name.
///
/// # Errors
/// What to write instead.
pub(crate) fn check_zone(name: &str) -> Result<(), String> {
    // The data base also takes paths, which are nobody's name for a zone.
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if !name.is_empty() && name.chars().all(plain) && TimeZone::get(name).is_ok() {
        return Ok(());
    }
    let expected = "expected the name of a time zone, such as `\"Europe/Berlin\"` or `\"UTC\"`";
    let known: Vec<String> = db().available().map(|zone| zone.as_str().to_owned()).collect();
    Err(match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("{expected}; did you mean `\"{near}\"`?"),
        None => expected.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_days_and_hours_from_slips() {
        for right in ["mon", "Mon", "sunday", "mon-fri", "sat-mon"] {
            assert!(is_days(right), "{right}");
        }
        for wrong in ["", "mo", "month", "mon-", "mon-fri-sun", "mon,tue"] {
            assert!(!is_days(wrong), "{wrong}");
        }
        for right in ["08:00-18:00", "22:00-06:00", "00:00-24:00"] {
            assert!(is_hours(right), "{right}");
        }
        for wrong in [
            "",
            "8-18",
            "8:00-18:00",
            "08:00",
            "08:00-25:00",
            "08:60-09:00",
            "08:00-08:00",
            "24:00-08:00",
            "-1:00-08:00",
        ] {
            assert!(!is_hours(wrong), "{wrong}");
        }
        assert!(is_time("23:59") && !is_time("24:00") && !is_time("+8:00"));
    }

    #[test]
    fn knows_a_zone_and_finds_the_one_that_was_meant() {
        for right in ["UTC", "Europe/Berlin", "Etc/GMT+1"] {
            assert_eq!(check_zone(right), Ok(()), "{right}");
        }
        assert!(
            check_zone("Europe/Berln")
                .unwrap_err()
                .ends_with("did you mean `\"Europe/Berlin\"`?")
        );
        for wrong in ["", "Mars/Base", "../../etc/hosts", "+01:00"] {
            assert!(
                check_zone(wrong)
                    .unwrap_err()
                    .starts_with("expected the name of a time zone"),
                "{wrong}"
            );
        }
    }
}
