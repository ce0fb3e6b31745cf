//! Trimming, against a real redis-server: nothing that a window reaches is ever lost, whatever else goes on at the same
//! time; what is dead goes and comes back; what is no series stays.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the other black-box tests use the rest")]
mod common;

mod crowd;
mod laws;
mod moments;
mod old_server;
mod thread;
mod world;
