//! The health plane: observers report what they see of subjects, verdicts are inferred, and servers exchange reports.
//!
//! It speaks the protocol of Panorama (Huang et al., OSDI 2018), so its clients and servers work with ours, and a second
//! service beside it for what that has not: batches, verdicts with evidence, a stream of changes. The mathematics is
//! `skywatch_algorithms::verdicts`; here are memory, disk and network.

mod clock;
pub mod convert;
mod dial;
mod figures;
mod findings;
pub mod idl;
mod journal;
mod limits;
mod local;
mod plane;
mod probe;
mod questions;
mod reporting;
mod serve;
mod server;
mod tools;
mod verdict_figures;

pub use dial::{BearerToken, DialError, DialOptions};
pub use figures::FigureSinks;
pub use findings::{FOUND_EACH, PlaneFindings};
pub use journal::{Journal, JournalError, JournalWritten, Retention};
pub use limits::{HealthLimits, HealthRefusal};
pub use local::LocalPlane;
pub use plane::{
    Accepted, Expiry, Holding, Incoming, Options, Plane, PlaneChange, PlaneCounts, ReportOrigin, Row,
    SubjectVerdict, Taken, Views,
};
pub use probe::probes;
pub use questions::{PlaneSilent, verdicts};
pub use reporting::Reporter;
pub use serve::{HealthError, ServeOptions, serve};
pub use server::{Collection, HealthCounters, HealthServer, ServerOptions};
pub use tools::Tool;
