//! All black-box tests, in one program: the real binary and the library's readers between real servers on sockets of this
//! machine. A folder is a theme; what they share is in `common`.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

mod common;

mod alerts;
mod backfill;
mod backtest;
mod blackbox;
mod cluster;
mod entities;
mod events;
mod health;
mod ingest;
#[cfg(feature = "learned")]
mod learned;
#[cfg(feature = "learned")]
mod outliers;
mod store;
mod trace_detection;
mod traces;
mod trim;
