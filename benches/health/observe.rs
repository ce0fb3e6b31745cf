//! What observing costs those who are observed: a call that goes as the one before, and one that changes.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use skywatch::observer::{Observer, ObserverReports};

/// Calls of one measurement.
const CALLS: u32 = 1_000_000;

pub(crate) fn observe() -> Value {
    let (observer, reports) = Observer::new();
    let write = observer.metric("redis:main", "write");
    let same = nanoseconds(|| write.begin().answered());
    let informed = nanoseconds(|| write.healthy());
    let mut fails = false;
    let changing = nanoseconds(|| {
        fails = !fails;
        if fails { write.failed() } else { write.healthy() }
    });
    let off = Observer::off().metric("redis:main", "write");
    let unobserved = nanoseconds(|| off.begin().answered());
    black_box(ObserverReports::take(&reports));
    json!({
        "calls": CALLS,
        "nanoseconds": {
            "a call as the one before, with its beginning": same,
            "the same, its outcome alone": informed,
            "an outcome that changes each time": changing,
            "nobody hears": unobserved,
        },
    })
}

fn nanoseconds(mut call: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    begun.elapsed().as_nanos() as f64 / f64::from(CALLS)
}
