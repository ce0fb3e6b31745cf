//! The carbon plaintext line: `name value time`.
//!
//! Fields are split at runs of blanks, as carbon does; a time of -1 means "now". Whatever does not fit is a
//! [`DropReason`] with a reason, never an error that ends the connection.

use super::counters::DropReason;

/// A line that fits. The name borrows from the line, as it is written there; name, time and value are still to be judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CarbonLine<'a> {
    pub name: &'a str,
    /// Unix seconds.
    pub time: f64,
    pub value: f64,
}

/// Reads one line without its line break; `now` in Unix seconds.
///
/// # Errors
/// The reason for which the line is dropped.
pub(super) fn parse(line: &[u8], now: f64) -> Result<CarbonLine<'_>, DropReason> {
    let line = std::str::from_utf8(line).map_err(|_| DropReason::NotUtf8)?;
    let mut fields = line.split_ascii_whitespace();
    let (Some(name), Some(value), Some(time), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(DropReason::Malformed);
    };
    let value: f64 = value.parse().map_err(|_| DropReason::Malformed)?;
    let time: f64 = time.parse().map_err(|_| DropReason::Malformed)?;
    let time = if time == -1.0 { now.floor() } else { time };
    Ok(CarbonLine { name, time, value })
}

/// What must hold for any bytes at all.
pub(super) fn laws(line: &[u8]) {
    if let Ok(point) = parse(line, 1_700_000_000.7) {
        let text = std::str::from_utf8(line).unwrap_or_default();
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [name, value, time] = fields[..] else {
            panic!("a point of {} fields", fields.len())
        };
        assert_eq!(point.name, name);
        assert_eq!(Ok(point.value.to_bits()), value.parse::<f64>().map(f64::to_bits));
        assert!(time.parse() == Ok(point.time) || point.time == 1_700_000_000.0 || point.time.is_nan());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &[u8]) -> Result<CarbonLine<'_>, DropReason> {
        parse(line, 1_700_000_000.7)
    }

    #[test]
    fn reads_what_carbon_reads() {
        let line = CarbonLine {
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
            (&b""[..], DropReason::Malformed),
            (b"a 1", DropReason::Malformed),
            (b"a 1 2 3", DropReason::Malformed),
            (b"a one 1700000000", DropReason::Malformed),
            (b"a 0x10 1700000000", DropReason::Malformed),
            (b"\xff 1 1700000000", DropReason::NotUtf8),
        ] {
            assert_eq!(read(line), Err(reason), "{:?}", String::from_utf8_lossy(line));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_keep_the_laws(line in prop::collection::vec(any::<u8>(), 0..80), likely in "[ -9a-zN.]{0,40} [-+.0-9eEinf]{1,20} [-0-9.]{1,12}") {
            laws(&line);
            laws(likely.as_bytes());
        }

        #[test]
        fn what_is_written_is_read(name in "[a-z.;=]{1,20}", value in -1e300f64..1e300, time in 1u32..) {
            let text = format!("{name} {value} {time}");
            prop_assert_eq!(read(text.as_bytes()), Ok(CarbonLine { name: &name, time: f64::from(time), value }));
        }
    }
}
