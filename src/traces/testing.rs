//! Spans for tests.

use super::ids::{SpanId, TraceId};
use super::span::{CallSide, ReceivedSpan};

/// A span of the trace with this number, with this number, below the one with number `parent`; 0 is none. It begins so many
/// milliseconds after the hour as its number says and takes 5 ms.
pub(in crate::traces) fn span(trace: u8, number: u64, parent: u64) -> ReceivedSpan {
    let id = |number: u64| SpanId::of_bytes(&number.to_be_bytes());
    let mut bytes = [0; 16];
    bytes[15] = trace;
    ReceivedSpan {
        trace: TraceId::of_bytes(&bytes).expect("a number above 0"),
        id: id(number).expect("a number above 0"),
        parent: id(parent).ok(),
        service: "shop".into(),
        operation: format!("work {number}").into(),
        kind: CallSide::Internal,
        shared: false,
        start: 1_700_000_000_000_000_000 + number * 1_000_000,
        duration: 5_000_000,
        failed: false,
        message: "".into(),
    }
}
