//! Learned detectors from end to end: the queue over a real Redis and over SQLite, the store of models in a folder and in
//! a real S3-compatible server, and the real binary that trains.

mod binary;
mod killed;
mod models;
pub(crate) mod moto;
mod queue;
mod vote;
