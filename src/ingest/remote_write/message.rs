//! The messages of remote write 1.0, declared by hand one level at a time: a request is walked series by series, so that a
//! few bytes never become a large tree.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message};

/// Why a request cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum MessageError {
    /// What is there is not protobuf.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A length reaches beyond the end.
    #[error("the message is cut off")]
    CutOff,
}

/// Longest series, bytes: far above the 2,000 samples of a usual request, and a bound on what one becomes unpacked.
const LONGEST_SERIES: usize = 1 << 20;

/// All samples of one series.
#[derive(Clone, PartialEq, Message)]
pub(in crate::ingest) struct TimeSeries {
    /// Among them `__name__`.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<RemoteLabel>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<RemoteSample>,
    /// Native histograms, which are no single numbers: counted, not taken.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub histograms: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::ingest) struct RemoteLabel {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(in crate::ingest) struct RemoteSample {
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Unix milliseconds.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// A whole request, as it is written by the client and by tests.
#[derive(Clone, PartialEq, Message)]
pub(in crate::ingest) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<TimeSeries>,
}

/// Hands out the series of a `WriteRequest`, one after the other; metadata and whatever else there may be is skipped. A
/// series or sample that cannot be read is handed out as what is wrong with it, and costs only itself; where the next
/// one begins must be clear.
pub(super) fn each_series(
    mut rest: &[u8],
    each: &mut dyn FnMut(Result<&TimeSeries, &'static str>),
) -> Result<(), MessageError> {
    while !rest.is_empty() {
        let (tag, wire) = decode_key(&mut rest)?;
        if tag != 1 {
            skip_field(wire, tag, &mut rest, DecodeContext::default())?;
            continue;
        }
        if wire != WireType::LengthDelimited {
            skip_field(wire, tag, &mut rest, DecodeContext::default())?;
            each(Err("a series is no message"));
            continue;
        }
        let series = delimited(&mut rest).ok_or(MessageError::CutOff)?;
        if series.len() > LONGEST_SERIES {
            each(Err("a series has more than 1 MiB"));
            continue;
        }
        match TimeSeries::decode(series) {
            Ok(series) => each(Ok(&series)),
            Err(_) => match salvage(series) {
                Some((series, lost)) => {
                    each(Ok(&series));
                    (0..lost).for_each(|_| each(Err("a sample cannot be read")));
                }
                None => each(Err("a series cannot be read")),
            },
        }
    }
    Ok(())
}

/// The bytes of a message within a message.
fn delimited<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let (message, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(message)
}

/// What can be read of a series that cannot be read as a whole, and how many of its samples cannot: all labels must be
/// good, or its name is not certain.
fn salvage(mut rest: &[u8]) -> Option<(TimeSeries, usize)> {
    let mut series = TimeSeries::default();
    let mut lost = 0;
    while !rest.is_empty() {
        // What follows a field whose end is not known is lost with it.
        let Ok((tag, wire)) = decode_key(&mut rest) else {
            lost += 1;
            break;
        };
        if wire != WireType::LengthDelimited || !matches!(tag, 1 | 2 | 4) {
            if tag == 1 {
                return None;
            }
            lost += usize::from(matches!(tag, 2 | 4));
            if skip_field(wire, tag, &mut rest, DecodeContext::default()).is_err() {
                break;
            }
            continue;
        }
        let Some(field) = delimited(&mut rest) else {
            if tag == 1 {
                return None;
            }
            lost += 1;
            break;
        };
        match tag {
            1 => series.labels.push(RemoteLabel::decode(field).ok()?),
            2 => match RemoteSample::decode(field) {
                Ok(sample) => series.samples.push(sample),
                Err(_) => lost += 1,
            },
            _ => series.histograms.push(field.to_vec()),
        }
    }
    Some((series, lost))
}

/// What must hold for any bytes at all: whatever prost reads as a whole request is read the same, series by series.
pub(in crate::ingest) fn laws(bytes: &[u8]) {
    let mut ours = Vec::new();
    let read = each_series(bytes, &mut |series| ours.push(series.map(Message::encode_to_vec)));
    if let Ok(oracle) = WriteRequest::decode(bytes) {
        assert!(read.is_ok(), "{read:?}");
        let theirs: Vec<_> = oracle
            .series
            .iter()
            .map(|series| Ok(series.encode_to_vec()))
            .collect();
        assert_eq!(ours, theirs);
    }
    // Nothing of it may be unpacked beyond the limit, whatever length it claims.
    let mut unpacked = snap::raw::Decoder::new();
    if snap::raw::decompress_len(bytes).is_ok_and(|length| length < 1 << 16) {
        let _ = unpacked.decompress_vec(bytes);
    }
}
