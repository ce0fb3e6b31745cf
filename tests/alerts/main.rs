//! Alerts, black box: anomalies lie in a real Redis, the real binary watches it, and what arrives at mail servers, web
//! servers and logs on real sockets is held against what must arrive, however badly those behave and whoever is killed.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

#[path = "../../alerters/tests/support/certificate.rs"]
mod certificate;
#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "../../alerters/tests/support/http_sink.rs"]
#[expect(dead_code, reason = "the senders' own tests use the rest")]
mod http_sink;

mod asked;
mod crowd;
mod full_disk;
mod hook;
mod hostile;
mod killed;
mod lives;
mod machines;
mod mail;
mod ourselves;
mod receivers;
mod settled;
mod store;
mod world;
