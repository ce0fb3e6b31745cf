//! What the black-box tests need around the binary: a Redis, senders, sinks, and the binary itself.
//!
//! Whatever is started here has its own folder and ports chosen by the system, ends with the value that stands
//! for it, and is waited for with [`wait_for`] and never without a limit.

pub(crate) mod axe;
pub(crate) mod browser;
pub(crate) mod bytes;
pub(crate) mod carbon;
#[path = "../../alerters/tests/support/certificate.rs"]
pub(crate) mod certificate;
pub(crate) mod graphite;
pub(crate) mod http;
#[path = "../../alerters/tests/support/http_sink.rs"]
#[expect(dead_code, reason = "the senders' own tests use the rest")]
pub(crate) mod http_sink;
#[path = "../../alerters/tests/support/mime.rs"]
#[expect(dead_code, reason = "the sender's own tests use the rest")]
pub(crate) mod mime;
pub(crate) mod partition;
pub(crate) mod program;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod redis;
pub(crate) mod redis_cluster;
pub(crate) mod sentinels;
pub(crate) mod series;
pub(crate) mod sink;
pub(crate) mod skywatch;
pub(crate) mod smtp;
pub(crate) mod stall;

use std::time::{Duration, Instant};

/// Longest wait for anything that should happen soon. Far above what it takes, so that a busy machine
/// fails no test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until there is something to see, or fails saying `what` did not come.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < limit, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
