//! Lengths of time as people write them: `"500ms"`, `"90s"`, `"10m"`, `"24h"`, `"35d"`.
//!
//! One number and one unit, no fractions and no sums: what is written is what is shown again. A bare number is refused,
//! because the reader cannot see its unit.

use std::time::Duration;

use crate::field::OptionText;

/// Name, milliseconds, and from how many on a length is shown in it.
const UNITS: [(&str, u64, u128); 5] = [
    ("d", 86_400_000, 10),
    ("h", 3_600_000, 2),
    ("m", 60_000, 10),
    ("s", 1_000, 1),
    ("ms", 1, 1),
];

/// Reads a duration as it stands in the settings file.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, millis, _) = UNITS.into_iter().find(|(name, ..)| *name == unit)?;
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(millis)
        .map(Duration::from_millis)
}

/// Writes a duration as the settings file would, in the largest unit that divides it and of which there are enough for
/// people to say it so: a minute stays `"60s"`, an hour `"60m"`, a day `"24h"`. Anything under a millisecond is dropped.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let (name, unit, _) = UNITS
        .into_iter()
        .filter(|(_, unit, _)| millis.is_multiple_of(u128::from(*unit)))
        .find(|(_, unit, least)| millis / u128::from(*unit) >= *least)
        .unwrap_or(("ms", 1, 1));
    format!("{}{name}", millis / u128::from(unit))
}

impl OptionText for Duration {
    const EXPECTED: &'static str =
        "expected a duration such as `\"90s\"`, `\"10m\"`, `\"24h\"` or `\"500ms\"`";

    fn parse(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(String::new)
    }

    fn text(&self) -> String {
        show(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_number_and_unit_and_nothing_else() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("35d"), Some(Duration::from_secs(35 * 86_400)));
        for wrong in [
            "",
            "s",
            "60",
            "1.5s",
            "-1s",
            "1h30m",
            "10 m",
            "10M",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shows_what_reads_back_the_same() {
        for text in [
            "0s", "500ms", "1s", "30s", "60s", "90s", "180s", "500s", "10m", "30m", "60m", "4h", "24h",
            "36h", "35d",
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(parse(&show(duration)), Some(duration));
            assert_eq!(show(duration), text);
        }
        assert_eq!(show(Duration::from_millis(1)), "1ms");
    }
}
