//! The ingest, black box: the real binary in front of a real Redis, fed over every protocol at once, by real clients too,
//! through restarts of either and through what goes wrong between them.

mod accounting;
mod bombs;
mod connections;
mod crash;
mod failover;
mod laws;
mod node;
mod protocols;
mod real_clients;
mod store_faults;
