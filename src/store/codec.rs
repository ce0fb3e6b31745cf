//! The point stream: msgpack arrays `[time, value]` one after the other, without any header.
//!
//! Nearly all points there are look alike, `92 ce u32 cb f64`, 15 bytes. Those are read by hand at
//! a seventh of what a general reader costs; everything else takes the checked way in [`general`].
//! rmp-serde is the judge of both in the tests.

mod general;
#[doc(hidden)]
pub mod laws;

use skywatch_algorithms::Series;

/// Length of a point with integral time: array header, u32, f64.
pub const USUAL_POINT_BYTES: usize = 15;

/// Length of a point whose time is a double.
const DOUBLE_POINT_BYTES: usize = 19;

const PAIR: u8 = 0x92;
const U32: u8 = 0xce;
const F64: u8 = 0xcb;

/// What was met while decoding a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeReport {
    /// Points decoded.
    pub points: usize,
    /// Points left out because time or value is nil, not a number, or not finite.
    pub skipped: usize,
    /// Bytes at the end that are the beginning of a point and no more.
    pub truncated_bytes: usize,
}

/// The byte at `offset` cannot be where it is in a stream of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed stream at byte {offset}")]
pub struct Malformed {
    /// Counted from the start of the decoded bytes.
    pub offset: usize,
}

/// Whether these bytes are points of the usual length and nothing else.
pub(super) fn is_usual(bytes: &[u8]) -> bool {
    let (points, rest) = bytes.as_chunks::<USUAL_POINT_BYTES>();
    rest.is_empty()
        && points
            .iter()
            .all(|point| point[0] == PAIR && point[1] == U32 && point[6] == F64)
}

/// Appends the points of a stream to `into`, in stored order.
///
/// # Errors
///
/// [`Malformed`] where an element is no array of at least two, or a byte is no msgpack. The points
/// before it have been appended.
pub fn decode(bytes: &[u8], into: &mut Series) -> Result<DecodeReport, Malformed> {
    let before = into.times.len();
    let mut report = DecodeReport::default();
    let mut rest = bytes;
    loop {
        rest = decode_usual(rest, into);
        if rest.is_empty() {
            break;
        }
        let offset = bytes.len() - rest.len();
        match general::point(rest) {
            Ok((point, after)) => {
                match point {
                    Some((time, value)) => {
                        into.times.push(time);
                        into.values.push(value);
                    }
                    None => report.skipped += 1,
                }
                rest = after;
            }
            Err(general::PointError::Truncated) => {
                report.truncated_bytes = rest.len();
                break;
            }
            Err(general::PointError::Malformed(at)) => {
                return Err(Malformed { offset: offset + at });
            }
        }
    }
    report.points = into.times.len() - before;
    Ok(report)
}

/// Reads usual points until something else comes, and returns what is left.
///
/// First it is found out how many there are, then times and values are taken in one go each: a
/// third faster than pushing one after the other.
fn decode_usual<'a>(bytes: &'a [u8], into: &mut Series) -> &'a [u8] {
    let (points, _) = bytes.as_chunks();
    let run = points.iter().take_while(|point| is_whole_second(point)).count();
    let points = &points[..run];
    into.times.extend(points.iter().map(whole_second));
    into.values.extend(points.iter().map(last_double));
    let rest = &bytes[run * USUAL_POINT_BYTES..];

    let (points, _) = rest.as_chunks();
    let run = points.iter().take_while(|point| is_broken_second(point)).count();
    let points = &points[..run];
    into.times.extend(points.iter().map(broken_second));
    into.values.extend(points.iter().map(last_double));
    &rest[run * DOUBLE_POINT_BYTES..]
}

type WholeSecond = [u8; USUAL_POINT_BYTES];
type BrokenSecond = [u8; DOUBLE_POINT_BYTES];

/// A point whose time is an integer of 32 bits, and whose value is a finite double.
fn is_whole_second(point: &WholeSecond) -> bool {
    matches!(point, [PAIR, U32, _, _, _, _, F64, ..]) && last_double(point).is_finite()
}

/// A point of two finite doubles, as carbon's own relays make Horizon write it.
fn is_broken_second(point: &BrokenSecond) -> bool {
    point[..2] == [PAIR, F64]
        && point[10] == F64
        && broken_second(point).is_finite()
        && last_double(point).is_finite()
}

fn whole_second([_, _, t0, t1, t2, t3, ..]: &WholeSecond) -> f64 {
    f64::from(u32::from_be_bytes([*t0, *t1, *t2, *t3]))
}

fn broken_second([_, _, time @ .., _, _, _, _, _, _, _, _, _]: &BrokenSecond) -> f64 {
    f64::from_be_bytes(*time)
}

fn last_double<const N: usize>(point: &[u8; N]) -> f64 {
    point
        .last_chunk()
        .map_or(f64::NAN, |double| f64::from_be_bytes(*double))
}

/// Calls `each` with the time and the bytes of every whole point, and returns the length of all of them; behind it lies
/// the beginning of a point at most. A time that is no finite number is `None`.
pub(super) fn walk(bytes: &[u8], mut each: impl FnMut(Option<f64>, &[u8])) -> Result<usize, Malformed> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let (time, after) = match rest.split_first_chunk() {
            Some((point, after)) if is_whole_second(point) => (Some(whole_second(point)), after),
            _ => match general::element(rest) {
                Ok(((time, _), after)) => (time, after),
                Err(general::PointError::Truncated) => return Ok(offset),
                Err(general::PointError::Malformed(at)) => return Err(Malformed { offset: offset + at }),
            },
        };
        each(time, &rest[..rest.len() - after.len()]);
        rest = after;
    }
    Ok(bytes.len())
}

/// The time of the last point of a stream, and the stream in front of it; `None` if it ends with
/// anything but a usual point.
pub(super) fn split_last(stream: &[u8]) -> Option<(f64, &[u8])> {
    if let Some((before, point)) = stream.split_last_chunk()
        && is_whole_second(point)
    {
        return Some((whole_second(point), before));
    }
    let (before, point) = stream.split_last_chunk()?;
    is_broken_second(point).then(|| (broken_second(point), before))
}

/// Appends one point as Skyline's Horizon packs it: an integral time in 32 bits, else as a double.
pub fn encode(time: f64, value: f64, into: &mut Vec<u8>) {
    let whole = time as u32;
    if f64::from(whole) == time {
        let mut point = [PAIR, U32, 0, 0, 0, 0, F64, 0, 0, 0, 0, 0, 0, 0, 0];
        point[2..6].copy_from_slice(&whole.to_be_bytes());
        point[7..].copy_from_slice(&value.to_be_bytes());
        into.extend_from_slice(&point);
    } else {
        into.extend_from_slice(&[PAIR, F64]);
        into.extend_from_slice(&time.to_be_bytes());
        into.push(F64);
        into.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> (Vec<(f64, f64)>, Result<DecodeReport, Malformed>) {
        let mut series = Series::default();
        let report = decode(bytes, &mut series);
        let points = series.times.iter().copied().zip(series.values);
        (points.collect(), report)
    }

    #[test]
    fn a_usual_point_is_fifteen_bytes() {
        let mut bytes = Vec::new();
        encode(1_700_000_000.0, 1.5, &mut bytes);
        assert_eq!(bytes.len(), USUAL_POINT_BYTES);
        assert_eq!(decoded(&bytes).0, [(1_700_000_000.0, 1.5)]);
    }

    #[test]
    fn times_that_are_no_u32_stay_exact() {
        for time in [0.5, -1.0, 4_294_967_296.0, 1_700_000_000.25, -0.5] {
            let mut bytes = Vec::new();
            encode(time, -2.0, &mut bytes);
            assert_eq!(decoded(&bytes).0, [(time, -2.0)]);
        }
    }

    #[test]
    fn what_is_no_number_is_skipped_and_counted() {
        // [1, nil], [nil, 2], ["a", 3], [4, NaN], [5, 6, "extra", [7]]
        let bytes = [
            0x92, 1, 0xc0, 0x92, 0xc0, 2, 0x92, 0xa1, b'a', 3, 0x92, 4, 0xca, 0x7f, 0xc0, 0, 0, 0x94, 5, 6,
            0xa5, b'e', b'x', b't', b'r', b'a', 0x91, 7,
        ];
        let (points, report) = decoded(&bytes);
        assert_eq!(points, [(5.0, 6.0)]);
        assert_eq!(report.map(|r| (r.points, r.skipped)), Ok((1, 4)));
    }

    #[test]
    fn a_cut_tail_keeps_the_whole_points() {
        let mut bytes = Vec::new();
        encode(10.0, 1.0, &mut bytes);
        encode(20.0, 2.0, &mut bytes);
        for cut in 1..USUAL_POINT_BYTES {
            let (points, report) = decoded(&bytes[..bytes.len() - cut]);
            assert_eq!(points, [(10.0, 1.0)]);
            assert_eq!(report.map(|r| r.truncated_bytes), Ok(15 - cut));
        }
    }

    #[test]
    fn a_walk_tells_times_and_bytes_of_whole_points() {
        let mut bytes = Vec::new();
        encode(10.0, 1.0, &mut bytes);
        encode(20.5, f64::NAN, &mut bytes);
        bytes.extend([0x92, 0xc0, 2]);
        encode(30.0, 3.0, &mut bytes);
        let mut seen = Vec::new();
        let end = walk(&bytes[..bytes.len() - 1], |time, point| {
            seen.push((time, point.len()))
        });
        assert_eq!(seen, [(Some(10.0), 15), (Some(20.5), 19), (None, 3)]);
        assert_eq!(end, Ok(37));
        assert_eq!(walk(b"\x92\x01\x02no", |_, _| {}), Err(Malformed { offset: 3 }));
    }

    #[test]
    fn the_first_wrong_byte_is_named() {
        let mut bytes = Vec::new();
        encode(10.0, 1.0, &mut bytes);
        for wrong in [&[0x01][..], &[0xc1], &[0x91, 1], &[0x90], b"garbage"] {
            let stream = [&bytes[..], wrong].concat();
            assert_eq!(decoded(&stream).1, Err(Malformed { offset: 15 }));
        }
        let inside = [&bytes[..], &[0x92, 1, 0xc1]].concat();
        assert_eq!(decoded(&inside).1, Err(Malformed { offset: 17 }));
    }
}
