//! What must hold for any bytes from outside at all; the bodies of the fuzz targets and of property tests.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use super::pickle::{Reader, Unreadable};

/// A list of points as an oracle reads it.
pub type Points = Vec<Pair<String, Pair<f64, f64>>>;

/// What must not be there. It is not even looked at, which would go as deep as it is nested.
struct Third;

impl<'de> Deserialize<'de> for Third {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("a third element"))
    }
}

/// A list of two things and no third. An oracle left to itself overlooks a third, and takes bytes for a list of numbers.
#[derive(Debug)]
pub struct Pair<A, B>(pub A, pub B);

impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Deserialize<'de> for Pair<A, B> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Two<A, B>(PhantomData<(A, B)>);
        impl<'de, A: Deserialize<'de>, B: Deserialize<'de>> Visitor<'de> for Two<A, B> {
            type Value = Pair<A, B>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two elements")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut all: S) -> Result<Self::Value, S::Error> {
                let wrong = || S::Error::custom("not two elements");
                let first = all.next_element()?.ok_or_else(wrong)?;
                let second = all.next_element()?.ok_or_else(wrong)?;
                match all.next_element::<Third>() {
                    Ok(None) => Ok(Pair(first, second)),
                    _ => Err(wrong()),
                }
            }
        }
        source.deserialize_any(Two(PhantomData))
    }
}

/// Panics if reading `bytes` as a pickle breaks a law: it ends, and it agrees with `oracle` (serde-pickle, which is no
/// dependency of the product) wherever both read a list of points.
///
/// Left out is where serde-pickle differs from Python: it looks into the memo when all is read and finds what came last in a
/// place that was written twice, it takes the carriage return from the end of a line, and it takes a set for a tuple.
pub fn pickle(bytes: &[u8], oracle: impl FnOnce(&[u8]) -> Option<Points>) {
    let Ok(reader) = Reader::read(bytes) else { return };
    let mut ours = Vec::new();
    reader.items(|item| ours.push(item.map(|item| (item.name.to_vec(), item.time, item.value))));
    if reader.memo_rewritten || reader.has_sets || bytes.windows(2).any(|pair| pair == b"\r\n") {
        return;
    }
    let Some(theirs) = oracle(bytes) else { return };
    assert_eq!(ours.len(), theirs.len());
    for (ours, Pair(name, Pair(time, value))) in ours.iter().zip(&theirs) {
        let Ok((our_name, our_time, our_value)) = ours else {
            panic!("{Unreadable:?} where the oracle has {name:?}")
        };
        assert_eq!(our_name, name.as_bytes());
        for (ours, theirs) in [(our_time, time), (our_value, value)] {
            assert!(
                ours == theirs || ours.is_nan() && theirs.is_nan(),
                "{ours} {theirs}"
            );
        }
    }
}

/// Panics if reading `bytes` as one of Skyline's datagrams breaks a law: it agrees with rmp-serde.
pub fn msgpack(bytes: &[u8]) {
    super::msgpack::laws(bytes);
}

/// Panics if reading `bytes` as a carbon line breaks a law: fields are what lies between blanks, and numbers what the
/// standard library reads.
pub fn line(bytes: &[u8]) {
    super::line::laws(bytes);
}

/// Panics if reading `bytes` as a remote write, decompressed or not, breaks a law: it agrees with prost.
pub fn remote_write(bytes: &[u8]) {
    super::remote_write::laws(bytes);
}
