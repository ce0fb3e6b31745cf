//! What must hold for any bytes at all; the body of the fuzz target and of a property test.

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use skywatch_algorithms::Series;

use super::{DecodeReport, Malformed, decode};

/// Levels of nesting that the oracle is asked to follow.
const ORACLE_DEPTH: usize = 64;

/// Panics if decoding `bytes` breaks a law: it agrees with rmp-serde, what it yields is finite and
/// counted, and every prefix yields a prefix of the points.
pub fn check(bytes: &[u8]) {
    let (whole, report) = run(bytes);
    assert!(whole.times.iter().chain(&whole.values).all(|x| x.is_finite()));
    assert_eq!(whole.times.len(), whole.values.len());
    if let Ok(report) = report {
        assert_eq!(report.points, whole.times.len());
        assert!(report.truncated_bytes <= bytes.len());
        agrees_with_oracle(bytes, &whole, report);
    }
    for cut in [bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let (part, _) = run(&bytes[..cut]);
        let points = part.times.len();
        assert_eq!(part.times, whole.times[..points]);
        assert_eq!(part.values, whole.values[..points]);
    }
}

fn run(bytes: &[u8]) -> (Series, Result<DecodeReport, Malformed>) {
    let mut series = Series::default();
    let report = decode(bytes, &mut series);
    (series, report)
}

/// Reads the same bytes through rmp-serde, as far as it goes. It stops earlier than ours in two
/// cases, both left out of the comparison: nesting beyond its depth limit, and strings that are
/// not UTF-8 and extensions, which its data model does not carry.
///
/// Its own limit of 1,024 levels is more than the stack of a test's thread holds without optimisation; ours counts and
/// does not recurse.
fn agrees_with_oracle(bytes: &[u8], ours: &Series, report: DecodeReport) {
    let mut source = rmp_serde::Deserializer::from_read_ref(bytes);
    source.set_max_depth(ORACLE_DEPTH);
    let mut points = ours.times.iter().copied().zip(ours.values.iter().copied());
    let mut skipped = 0;
    for _ in 0..report.points + report.skipped {
        match OraclePoint::deserialize(&mut source) {
            Ok(OraclePoint(Some(time), Some(value))) => {
                assert_eq!(points.next(), Some((time, value)));
            }
            Ok(_) => skipped += 1,
            Err(_) => return,
        }
    }
    assert_eq!(skipped, report.skipped);
    assert_eq!(points.next(), None);
}

struct OraclePoint(Option<f64>, Option<f64>);

impl<'de> Deserialize<'de> for OraclePoint {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct OracleVisitor;
        impl<'de> Visitor<'de> for OracleVisitor {
            type Value = OraclePoint;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of at least two")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<OraclePoint, A::Error> {
                let short = || serde::de::Error::custom("array of fewer than two");
                let OracleNumber(time) = all.next_element()?.ok_or_else(short)?;
                let OracleNumber(value) = all.next_element()?.ok_or_else(short)?;
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OraclePoint(time, value))
            }
        }
        source.deserialize_seq(OracleVisitor)
    }
}

struct OracleNumber(Option<f64>);

impl<'de> Deserialize<'de> for OracleNumber {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Number;
        impl<'de> Visitor<'de> for Number {
            type Value = OracleNumber;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("anything")
            }
            fn visit_u64<E>(self, number: u64) -> Result<OracleNumber, E> {
                Ok(OracleNumber(Some(number as f64)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<OracleNumber, E> {
                Ok(OracleNumber(Some(number as f64)))
            }
            fn visit_f64<E>(self, number: f64) -> Result<OracleNumber, E> {
                Ok(OracleNumber(number.is_finite().then_some(number)))
            }
            fn visit_bool<E>(self, _: bool) -> Result<OracleNumber, E> {
                Ok(OracleNumber(None))
            }
            fn visit_unit<E>(self) -> Result<OracleNumber, E> {
                Ok(OracleNumber(None))
            }
            fn visit_str<E>(self, _: &str) -> Result<OracleNumber, E> {
                Ok(OracleNumber(None))
            }
            fn visit_bytes<E>(self, _: &[u8]) -> Result<OracleNumber, E> {
                Ok(OracleNumber(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<OracleNumber, A::Error> {
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OracleNumber(None))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut all: A) -> Result<OracleNumber, A::Error> {
                while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(OracleNumber(None))
            }
        }
        source.deserialize_any(Number)
    }
}
