//! Several nodes on one Redis: leases of shards and of the lead in Redis beside those in memory, and thousands of random schedules.

mod coordinator_suite;
mod lead_model;
mod lead_suite;
mod memory_lead;
mod memory_leases;
mod model;
mod nodes;
mod shard_model;
mod simulation;
mod snapshots;
mod suite;
mod world;
