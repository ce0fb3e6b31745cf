//! The point codec against rmp-serde: on streams of every type, cut anywhere, and on any bytes.

use proptest::prelude::*;
use serde::Serialize;
use skywatch::store::codec::{decode, encode, laws};
use skywatch_algorithms::Series;

use crate::common::bytes;

/// Any element msgpack knows, as rmp-serde writes it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Element {
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
    Nil(()),
    Truth(bool),
    Text(String),
    List(Vec<Element>),
    Map(std::collections::BTreeMap<String, Element>),
}

impl Element {
    fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Unsigned(number) => *number as f64,
            Self::Signed(number) => *number as f64,
            Self::Single(number) => f64::from(*number),
            Self::Double(number) => *number,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }
}

fn number() -> impl Strategy<Value = Element> {
    prop_oneof![
        4 => (0u32..=u32::MAX).prop_map(|number| Element::Unsigned(number.into())),
        4 => any::<f64>().prop_map(Element::Double),
        // Shifts make every width of integer as likely as the widest.
        2 => (any::<u64>(), 0u32..64).prop_map(|(number, shift)| Element::Unsigned(number >> shift)),
        2 => (any::<i64>(), 0u32..64).prop_map(|(number, shift)| Element::Signed(number >> shift)),
        1 => any::<f32>().prop_map(Element::Single),
        1 => Just(Element::Double(f64::NAN)),
    ]
}

fn element() -> impl Strategy<Value = Element> {
    let leaf = prop_oneof![
        4 => number(),
        1 => Just(Element::Nil(())),
        1 => any::<bool>().prop_map(Element::Truth),
        1 => "[a-zä]{0,300}".prop_map(Element::Text),
    ];
    leaf.prop_recursive(3, 40, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Element::List),
            proptest::collection::btree_map("[a-z]{1,4}", inner, 0..20).prop_map(Element::Map),
        ]
    })
}

fn point() -> impl Strategy<Value = Vec<Element>> {
    prop_oneof![
        4 => proptest::collection::vec(number(), 2),
        1 => proptest::collection::vec(element(), 2..20),
    ]
}

fn read(bytes: &[u8]) -> (Vec<(f64, f64)>, usize, usize) {
    let mut series = Series::default();
    let report = decode(bytes, &mut series).expect("a good stream");
    assert_eq!(report.points, series.times.len());
    let points = series.times.iter().copied().zip(series.values.iter().copied());
    (points.collect(), report.skipped, report.truncated_bytes)
}

/// The streams kept for the fuzz target, whole and cut at every byte.
#[test]
fn the_kept_streams_obey_the_laws() {
    let kept = bytes::kept("decode");
    assert!(kept.len() >= 8, "{} files in the corpus", kept.len());
    for bytes in kept {
        (0..=bytes.len()).for_each(|end| laws::check(&bytes[..end]));
    }
}

/// The same, changed for as long as there is time.
#[test]
fn changed_streams_obey_the_laws() {
    bytes::hold("decode", laws::check);
}

proptest! {
    #[test]
    fn streams_of_every_type_are_read_as_written(stream in proptest::collection::vec(point(), 0..30)) {
        let mut bytes = Vec::new();
        for point in &stream {
            rmp_serde::encode::write(&mut bytes, point).expect("rmp-serde writes");
        }
        let numbers = |point: &Vec<Element>| point[0].number().zip(point[1].number());
        let expected: Vec<_> = stream.iter().filter_map(numbers).collect();
        let skipped = stream.len() - expected.len();
        prop_assert_eq!(read(&bytes), (expected, skipped, 0));
        laws::check(&bytes);
    }

    #[test]
    fn a_cut_stream_keeps_every_whole_point(
        stream in proptest::collection::vec(point(), 1..10),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for point in &stream {
            rmp_serde::encode::write(&mut bytes, point).expect("rmp-serde writes");
            ends.push(bytes.len());
        }
        let cut = cut.index(bytes.len() + 1);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let end = whole.checked_sub(1).map_or(0, |last| ends[last]);
        let (points, skipped, truncated) = read(&bytes[..cut]);
        prop_assert_eq!(points.len() + skipped, whole);
        prop_assert_eq!(truncated, cut - end);
    }

    #[test]
    fn what_is_encoded_is_read_by_both(points in proptest::collection::vec((any::<f64>(), any::<f64>()), 0..50)) {
        let mut bytes = Vec::new();
        points.iter().for_each(|(time, value)| encode(*time, *value, &mut bytes));
        let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
        prop_assert_eq!(read(&bytes).0, points.iter().filter(finite).copied().collect::<Vec<_>>());
        let mut rest = &bytes[..];
        for point in points {
            let oracle: (f64, f64) = rmp_serde::from_read(&mut rest).expect("rmp-serde reads");
            prop_assert_eq!(oracle.0.to_bits() == point.0.to_bits() || oracle.0 == point.0, true);
            prop_assert_eq!(oracle.1.to_bits(), point.1.to_bits());
        }
    }

    #[test]
    fn no_bytes_break_the_laws(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        laws::check(&bytes);
    }

    /// Bytes that look like points far more often than chance has it.
    #[test]
    fn no_likely_bytes_break_the_laws(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just(vec![0x92]), Just(vec![0x92, 0xce, 0, 0, 0, 9, 0xcb]), Just(vec![0xc0]), Just(vec![0xc1]),
                Just(vec![0xdc, 0, 2]), Just(vec![0xdd, 0, 0, 0, 3]), Just(vec![0xd9, 2]), Just(vec![0xc7, 1]),
                Just(vec![0xdf, 0xff, 0xff, 0xff, 0xff]), Just(vec![0x93, 1, 2]), Just(vec![0x81, 1]),
                proptest::collection::vec(any::<u8>(), 1..9),
            ],
            0..40,
        ),
    ) {
        laws::check(&pieces.concat());
    }
}
