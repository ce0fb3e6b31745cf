//! The health plane: observers report what they see of subjects, verdicts are inferred, and servers exchange reports.
//!
//! It speaks the protocol of Panorama (Huang et al., OSDI 2018), so its clients and servers work with ours, and a second
//! service beside it for what that has not: batches, verdicts with evidence, a stream of changes. The mathematics is
//! `skywatch_algorithms::verdicts`; here are memory, disk and network.

pub mod convert;
pub mod idl;
mod journal;
mod limits;
mod plane;
mod serve;
mod server;
mod tools;

pub use journal::{Journal, JournalError, Retention, Written};
pub use limits::{Limits, Refusal};
pub use plane::{
    Accepted, Change, Counts, Expiry, Holding, Incoming, Options, Origin, Plane, Row, Taken, Verdict, Views,
};
pub use serve::{HealthError, serve};
pub use server::{Collection, Counters, Server, ServerOptions};
pub use tools::Tool;
