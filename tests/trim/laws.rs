//! The law of trimming: the canonical window before is the canonical window after, whatever came in whatever order, and
//! what is worth cutting has been cut.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skywatch::store::trim::Trimmed;
use skywatch::store::{DecodeReport, codec};
use skywatch_algorithms::Series;

use super::world::{BEFORE, NOW, World, trim, window};

/// Something in a stream.
#[derive(Debug, Clone)]
enum Piece {
    /// So many points so many seconds apart, from so many seconds after the limit on.
    Run(i32, u16, u8),
    /// The same points once more, by start and length.
    Again(usize, usize),
    /// A point that is not usable: the time is good, the value is not.
    Nil(i32),
    /// A point without a time.
    Untimed,
    /// A point far ahead.
    Ahead,
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    // Around the limit, and over all the window.
    let start = prop_oneof![-90_000i32..0, -100i32..100, 0i32..87_000];
    let piece = prop_oneof![
        8 => (start.clone(), 1u16..400, 1u8..120).prop_map(|(start, count, step)| Piece::Run(start, count, step)),
        2 => (0usize..2_000, 0usize..200).prop_map(|(start, length)| Piece::Again(start, length)),
        1 => start.prop_map(Piece::Nil),
        1 => Just(Piece::Untimed),
        1 => Just(Piece::Ahead),
    ];
    proptest::collection::vec(piece, 1..12)
}

fn stream(pieces: &[Piece]) -> Vec<u8> {
    let mut points: Vec<Vec<u8>> = Vec::new();
    let usual = |time: f64, value: f64| {
        let mut bytes = Vec::new();
        codec::encode(time, value, &mut bytes);
        bytes
    };
    for piece in pieces {
        match *piece {
            Piece::Run(start, count, step) => points.extend((0..count).map(|n| {
                let time = BEFORE + f64::from(start) + f64::from(n) * f64::from(step);
                // Some at broken seconds, which are packed in another way.
                let time = if n % 50 == 7 { time + 0.5 } else { time };
                usual(time.min(NOW), f64::from(n % 13))
            })),
            Piece::Again(start, length) => {
                let from = start % points.len().max(1);
                let run: Vec<_> = points.iter().skip(from).take(length).cloned().collect();
                points.extend(run);
            }
            Piece::Nil(start) => points.push(
                [
                    &[0x92, 0xce][..],
                    &((BEFORE + f64::from(start)) as u32).to_be_bytes(),
                    &[0xc0],
                ]
                .concat(),
            ),
            Piece::Untimed => points.push(vec![0x92, 0xc0, 0x05]),
            Piece::Ahead => points.push(usual(NOW + 1e9, 3.0)),
        }
    }
    points.concat()
}

fn read(bytes: &[u8]) -> (Vec<(f64, f64)>, DecodeReport) {
    let mut series = Series::default();
    let report = codec::decode(bytes, &mut series).unwrap();
    (series.times.into_iter().zip(series.values).collect(), report)
}

#[test]
fn the_canonical_window_is_the_same_before_and_after() {
    let world = World::start();
    let store = std::cell::RefCell::new(world.store());
    let case = std::cell::Cell::new(0);
    let config = Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&pieces(), |pieces| {
        case.set(case.get() + 1);
        let name = format!("case.{}", case.get());
        let bytes = stream(&pieces);
        world.put(&name, &bytes);
        let (before, _) = read(&bytes);
        let trimmed = trim(&mut store.borrow_mut(), &[&name]).remove(0);
        let left = world.bytes(&name);
        let (after, _) = read(&left);
        // A metric that is alive: no point in its window is old, and all of them stay, in their order.
        let alive = |points: &[(f64, f64)]| -> Vec<_> {
            points.iter().copied().filter(|point| point.0 > BEFORE).collect()
        };
        prop_assert_eq!(alive(&after), alive(&before));
        if before.iter().any(|point| point.0 > NOW - 600.0) {
            prop_assert_eq!(window(&after), window(&before));
        }
        match trimmed {
            Trimmed::Kept | Trimmed::Unreadable(_) => prop_assert_eq!(&left, &bytes),
            Trimmed::Cut { bytes: freed } => prop_assert_eq!(left.len() + freed, bytes.len()),
            Trimmed::Removed { bytes: freed } => {
                prop_assert_eq!(freed, bytes.len());
                prop_assert!(alive(&before).is_empty());
                prop_assert!(!world.names().contains(&name));
            }
            Trimmed::Missing => prop_assert!(bytes.is_empty()),
            Trimmed::Raced => prop_assert!(false, "nobody races here"),
        }
        // What is in front and old is no longer worth a cut.
        let surplus = after.iter().take_while(|point| point.0 <= BEFORE).count() * 15;
        prop_assert!(
            surplus * 24 <= left.len().max(15 * 24),
            "{} of {}",
            surplus,
            left.len()
        );
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
