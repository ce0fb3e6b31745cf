//! Several nodes on one table of leases: the table in Redis beside one in memory, and thousands of random schedules.

mod memory_leases;
mod nodes;
mod simulation;
mod suite;
mod world;
