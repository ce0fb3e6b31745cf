//! What must hold for any bytes from outside at all; the bodies of the fuzz targets and of property tests.

pub use super::oracle::{ExactPair, OraclePoints};
use super::pickle::{NotAPoint, PickleReader};

/// Panics if reading `bytes` as a pickle breaks a law: it ends, and it agrees with `oracle` (serde-pickle, which is no
/// dependency of the product) wherever both read a list of points.
///
/// Left out is where serde-pickle differs from Python: it looks into the memo when all is read and finds what came last in a
/// place that was written twice, it takes the carriage return from the end of a line, and it takes a set for a tuple.
pub fn pickle(bytes: &[u8], oracle: impl FnOnce(&[u8]) -> Option<OraclePoints>) {
    let Ok(reader) = PickleReader::read(bytes) else {
        return;
    };
    let mut ours = Vec::new();
    reader.items(|item| ours.push(item.map(|item| (item.name.to_vec(), item.time, item.value))));
    if reader.memo_rewritten || reader.has_sets || bytes.windows(2).any(|pair| pair == b"\r\n") {
        return;
    }
    let Some(theirs) = oracle(bytes) else { return };
    assert_eq!(ours.len(), theirs.len());
    for (ours, ExactPair(name, ExactPair(time, value))) in ours.iter().zip(&theirs) {
        let Ok((our_name, our_time, our_value)) = ours else {
            panic!("{NotAPoint:?} where the oracle has {name:?}")
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
