//! Laws for any bytes from outside, held against as many bytes as there is time for: what libFuzzer does outside CI
//! (`scripts/fuzz`), done on stable with less cunning. Every case is one of the bytes kept in `fuzz/corpus/`, changed in
//! a few places.
//!
//! How long is `LAWS_SECONDS` (1; `scripts/test` says 10). Slow machines try fewer cases, but never fewer than
//! [`LEAST_CASES`]; nothing here fails for being slow.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestError, TestRunner};

/// Cases tried however short the time is.
const LEAST_CASES: u32 = 1_000;
/// Cases between two looks at the clock.
const STRIDE: u32 = 100;

/// Bytes that mean something to one reader or another: lengths, signs, marks, opcodes, ends.
const SPECIAL: [u8; 32] = [
    0x00, 0x01, 0x02, 0x08, 0x09, 0x0a, 0x0d, 0x12, 0x20, 0x28, 0x29, 0x2d, 0x2e, 0x30, 0x61, 0x65, 0x6c,
    0x71, 0x7f, 0x80, 0x85, 0x92, 0x93, 0xa1, 0xc0, 0xc1, 0xca, 0xcb, 0xce, 0xdc, 0xdd, 0xff,
];

/// One change to kept bytes.
#[derive(Debug, Clone)]
enum Change {
    /// Other bits in a byte.
    Flip(Index, u8),
    /// Bytes put in.
    Insert(Index, Vec<u8>),
    /// Bytes taken out.
    Remove(Index, usize),
    /// A stretch once more, up to so many times.
    Repeat(Index, Index, usize),
    /// From here on another of the kept bytes, from there on.
    Splice(Index, Index, Index),
    /// Nothing from here on.
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let inserted = prop_oneof![
        prop::collection::vec(select(&SPECIAL[..]), 1..5),
        prop::collection::vec(any::<u8>(), 1..9),
    ];
    prop_oneof![
        4 => (any::<Index>(), 1u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        4 => (any::<Index>(), inserted).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        3 => (any::<Index>(), 1usize..9).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (any::<Index>(), any::<Index>(), 1usize..50).prop_map(|(from, to, times)| Change::Repeat(from, to, times)),
        2 => (any::<Index>(), any::<Index>(), any::<Index>()).prop_map(|(at, other, from)| Change::Splice(at, other, from)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, kept: &[Vec<u8>]) {
        let place = |index: &Index, length: usize| index.index(length + 1);
        let length = bytes.len();
        match self {
            Self::Flip(at, bits) if length > 0 => bytes[at.index(length)] ^= bits,
            Self::Flip(..) => {}
            Self::Insert(at, new) => {
                let at = place(at, length);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = place(at, length);
                bytes.drain(at..length.min(at + count));
            }
            Self::Repeat(from, to, times) => {
                let (from, to) = (place(from, length), place(to, length));
                let again = bytes[from.min(to)..from.max(to)].repeat(*times);
                let at = from.max(to);
                bytes.splice(at..at, again);
            }
            Self::Splice(at, other, from) => {
                let other = &kept[other.index(kept.len())];
                bytes.truncate(place(at, length));
                bytes.extend(&other[place(from, other.len())..]);
            }
            Self::Cut(at) => bytes.truncate(place(at, length)),
        }
    }
}

/// The bytes kept for a fuzz target.
pub(crate) fn kept(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(corpus)
        .expect("the corpus")
        .map(|file| file.expect("an entry").path())
        .collect();
    // Folders come in any order, and a case must be found again.
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a kept file"))
        .collect()
}

/// Holds `check`, which panics if a law is broken, against every cut of the bytes kept for a fuzz target, at least so many files,
/// and each byte of them turned into others, which cuts do not reach.
pub(crate) fn hold_kept(target: &str, least: usize, check: impl Fn(&[u8])) {
    let kept = kept(target);
    assert!(kept.len() >= least, "{} files in the corpus", kept.len());
    for bytes in kept {
        (0..=bytes.len()).for_each(|end| check(&bytes[..end]));
        for at in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                check(&bytes);
            }
        }
    }
}

/// Holds `check`, which panics if a law is broken, against changed bytes of a fuzz target until the time is used.
/// What breaks a law is shown at its shortest, and belongs into the corpus once it is repaired.
pub(crate) fn hold(target: &str, check: impl Fn(&[u8])) {
    let seconds =
        std::env::var("LAWS_SECONDS").map_or(1.0, |text| text.parse().expect("`LAWS_SECONDS` is a number"));
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let kept = kept(target);
    let strategy = (0..kept.len(), prop::collection::vec(change(), 1..6));
    let config = Config {
        cases: STRIDE,
        failure_persistence: None,
        ..Config::default()
    };
    let changed = |file: usize, changes: &[Change]| {
        let mut bytes = kept[file].clone();
        changes.iter().for_each(|change| change.apply(&mut bytes, &kept));
        bytes
    };
    let cases = Cell::new(0);
    while cases.get() < LEAST_CASES || Instant::now() < until {
        // A runner of its own for each stride: one that has had its cases would run no more.
        let outcome = TestRunner::new(config.clone()).run(&strategy, |(file, changes)| {
            cases.set(cases.get() + 1);
            check(&changed(file, &changes));
            Ok(())
        });
        match outcome {
            Ok(()) => {}
            Err(TestError::Fail(why, (file, changes))) => {
                let bytes = changed(file, &changes);
                panic!(
                    "a law of `{target}` is broken, {why}, by the bytes\n{}",
                    bytes.escape_ascii()
                );
            }
            Err(TestError::Abort(why)) => panic!("{why}"),
        }
    }
    eprintln!("{target}: {} cases from {} kept ones", cases.get(), kept.len());
}
