//! The carbon plaintext line: `name value time`.
//!
//! Fields are split at runs of blanks, as carbon does; a time of -1 means "now". Whatever does not fit is a
//! [`Drop`] with a reason, never an error that ends the connection.

use super::counters::Drop;

/// A line that fits. The name borrows from the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line<'a> {
    /// The metric's name.
    pub name: &'a str,
    /// Unix seconds.
    pub time: f64,
    /// The value, finite.
    pub value: f64,
}

/// Reads one line without its line break; `now` in Unix seconds; names of at most `max_name` bytes.
///
/// # Errors
/// The reason for which the line is dropped.
pub(super) fn parse(line: &[u8], now: f64, max_name: usize) -> Result<Line<'_>, Drop> {
    let line = std::str::from_utf8(line).map_err(|_| Drop::NotUtf8)?;
    let mut fields = line.split_ascii_whitespace();
    let (Some(name), Some(value), Some(time), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(Drop::Malformed);
    };
    check_name(name, max_name)?;
    let value: f64 = value.parse().map_err(|_| Drop::Malformed)?;
    let time: f64 = time.parse().map_err(|_| Drop::Malformed)?;
    if !value.is_finite() {
        return Err(Drop::NotFinite);
    }
    let time = if time == -1.0 { now.floor() } else { time };
    if !(time.is_finite() && time > 0.0) {
        return Err(Drop::BadTime);
    }
    Ok(Line { name, time, value })
}

/// Whether a name may become a metric: not too long, and nothing in it that would garble a log line, a
/// key or a page.
///
/// # Errors
/// The reason for which its point is dropped.
pub(super) fn check_name(name: &str, max_name: usize) -> Result<(), Drop> {
    if name.len() > max_name {
        return Err(Drop::NameTooLong);
    }
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Drop::BadName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &[u8]) -> Result<Line<'_>, Drop> {
        parse(line, 1_700_000_000.7, 20)
    }

    #[test]
    fn reads_what_carbon_reads() {
        let line = Line {
            name: "a.b;t=1",
            time: 1_700_000_001.0,
            value: -1.5e3,
        };
        assert_eq!(read(b"a.b;t=1 -1.5e3 1700000001"), Ok(line));
        assert_eq!(read(b"  a.b;t=1\t -1500   1700000001.0 \r"), Ok(line));
        assert_eq!(read(b"x 1 -1").map(|l| l.time), Ok(1_700_000_000.0));
    }

    #[test]
    fn names_the_reason_of_every_drop() {
        for (line, reason) in [
            (&b""[..], Drop::Malformed),
            (b"a 1", Drop::Malformed),
            (b"a 1 2 3", Drop::Malformed),
            (b"a one 1700000000", Drop::Malformed),
            (b"a nan 1700000000", Drop::NotFinite),
            (b"a -inf 1700000000", Drop::NotFinite),
            (b"a 1 0", Drop::BadTime),
            (b"a 1 -7", Drop::BadTime),
            (b"a 1 inf", Drop::BadTime),
            (b"\xff 1 1700000000", Drop::NotUtf8),
            (b"a\0b 1 1700000000", Drop::BadName),
            (b"a.name.of.more.than.twenty 1 1", Drop::NameTooLong),
        ] {
            assert_eq!(read(line), Err(reason), "{:?}", String::from_utf8_lossy(line));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_line_or_a_drop(line in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(line) = read(&line) {
                prop_assert!(line.value.is_finite() && line.time > 0.0 && !line.name.is_empty());
            }
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z.;=]{1,20}", value in -1e300f64..1e300, time in 1u32..) {
            let text = format!("{name} {value} {time}");
            prop_assert_eq!(read(text.as_bytes()), Ok(Line { name: &name, time: f64::from(time), value }));
        }
    }
}
