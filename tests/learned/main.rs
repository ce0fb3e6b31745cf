//! Learned detectors from end to end: the queue over a real Redis and over SQLite, the store of models in a folder and in
//! a real S3-compatible server, and the real binary that trains.

#![cfg(feature = "learned")]
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the other black-box tests use the rest")]
mod common;

mod binary;
mod killed;
mod models;
mod moto;
mod queue;
mod vote;
