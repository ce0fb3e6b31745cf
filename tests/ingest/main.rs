//! The ingest, black box: the real binary in front of a real Redis, fed over every protocol at once, by real clients too,
//! through restarts of either and through what goes wrong between them.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

#[path = "../common/bytes.rs"]
mod bytes;
#[path = "../common/redis.rs"]
mod redis_server;

mod accounting;
mod bombs;
mod connections;
mod crash;
mod laws;
mod node;
mod protocols;
mod real_clients;
mod store_faults;
