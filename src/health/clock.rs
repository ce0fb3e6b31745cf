//! The wall clock as the plane counts it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use skywatch_algorithms::verdicts::SECOND;

/// Unix nanoseconds.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    nanoseconds(now)
}

/// A time in nanoseconds, at most the 292 years that fit.
pub(super) fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / SECOND * SECOND)
}
