//! Skyline's datagrams: one msgpack array `[name, [time, value]]` each.
//!
//! The name comes as text or as bytes, whatever the sender's Python packs; the inner array is one point as the store
//! keeps it and is read by the store's own reader.

use skywatch_algorithms::Series;

use super::counters::DropReason;
use super::intake::BatchBuilder;
use super::laws::ExactPair;
use crate::store::codec;

/// Takes the point of a datagram.
pub(super) fn datagram(bytes: &[u8], into: &mut BatchBuilder<'_>) {
    match parse(bytes) {
        Ok((name, time, value)) => into.point(name, time, value, name.as_bytes()),
        Err(reason) => into.refuse(reason, bytes),
    }
}

/// Name, time and value.
fn parse(bytes: &[u8]) -> Result<(&str, f64, f64), DropReason> {
    let (name, point) = outer(bytes).ok_or(DropReason::Malformed)?;
    let name = std::str::from_utf8(name).map_err(|_| DropReason::NotUtf8)?;
    let mut series = Series::default();
    let report = codec::decode(point, &mut series).map_err(|_| DropReason::Malformed)?;
    match (series.times.as_slice(), series.values.as_slice()) {
        (&[time], &[value]) if report.skipped == 0 && report.truncated_bytes == 0 => Ok((name, time, value)),
        // One point that is no number: none, not a number, infinite.
        ([], []) if report.skipped == 1 && report.truncated_bytes == 0 => Err(DropReason::NotFinite),
        _ => Err(DropReason::Malformed),
    }
}

/// The name's bytes, and what follows it in an array of two.
fn outer(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = match bytes {
        [0x92, rest @ ..] | [0xdc, 0, 2, rest @ ..] | [0xdd, 0, 0, 0, 2, rest @ ..] => rest,
        _ => return None,
    };
    let (length, rest) = match rest {
        [short @ 0xa0..=0xbf, rest @ ..] => (usize::from(short & 0x1f), rest),
        [0xd9 | 0xc4, length, rest @ ..] => (usize::from(*length), rest),
        [0xda | 0xc5, a, b, rest @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        [0xdb | 0xc6, a, b, c, d, rest @ ..] => {
            (usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// What must hold for any bytes at all; the body of the fuzz target and of a property test. Whatever rmp-serde reads as
/// a name and two numbers is read the same here.
pub(super) fn laws(bytes: &[u8]) {
    let ours = parse(bytes);
    if let Ok((_, time, value)) = ours {
        assert!(time.is_finite() && value.is_finite());
    }
    let mut rest = bytes;
    let oracle: Result<ExactPair<String, ExactPair<f64, f64>>, _> = rmp_serde::decode::from_read(&mut rest);
    if let Ok(ExactPair(name, ExactPair(time, value))) = oracle
        && rest.is_empty()
    {
        if time.is_finite() && value.is_finite() {
            assert_eq!(ours, Ok((name.as_str(), time, value)));
        } else {
            assert_eq!(ours, Err(DropReason::NotFinite));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{counter, read_once, time};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_as_text_and_as_bytes() {
        let at = time() as u32;
        let mut point = vec![0x92, 0xce];
        point.extend(at.to_be_bytes());
        point.push(7);
        for head in [
            &b"\x92\xa3a.b"[..],
            b"\x92\xd9\x03a.b",
            b"\x92\xc4\x03a.b",
            b"\x92\xda\0\x03a.b",
            b"\xdc\0\x02\xc6\0\0\0\x03a.b",
        ] {
            let bytes = [head, &point].concat();
            let (points, _) = read_once(|into| datagram(&bytes, into));
            assert_eq!(points, [("a.b".to_owned(), f64::from(at), 7.0)]);
        }
    }

    #[test]
    fn what_is_none_is_a_counted_drop() {
        for (bytes, reason) in [
            (&b""[..], "malformed"),
            (b"a.b 1 2", "malformed"),
            (b"\x92\xa3a.b", "malformed"),
            (b"\x92\xa3a.b\x92\x01", "malformed"),
            (b"\x92\xa3a.b\x92\x01\x02\x03", "malformed"),
            (b"\x92\xa3a.b\x92\x01\xc0", "not_finite"),
            (b"\x92\xa3a.b\xc4\x02\x01\x02", "malformed"),
            (b"\x92\xa1\xff\x92\x01\x02", "not_utf8"),
            (b"\x92\xdb\xff\xff\xff\xffa", "malformed"),
        ] {
            let (points, intake) = read_once(|into| datagram(bytes, into));
            assert_eq!(points, []);
            assert_eq!(counter(&intake, &format!("dropped.{reason}")), 1, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            laws(&bytes);
        }

        #[test]
        fn what_rmp_writes_is_read(name in ".{0,40}", time in any::<f64>(), value in any::<f64>(), whole in any::<i64>()) {
            laws(&rmp_serde::to_vec(&(&name, (time, value))).expect("rmp-serde writes"));
            laws(&rmp_serde::to_vec(&(&name, (whole, value))).expect("rmp-serde writes"));
            laws(&rmp_serde::to_vec(&(&name, (time, whole))).expect("rmp-serde writes"));
        }
    }
}
