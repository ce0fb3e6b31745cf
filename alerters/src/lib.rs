//! From an anomaly to a message somebody reads.
//!
//! [`anomaly`] holds the word every part of Skywatch uses for "something is wrong"; [`chart`]
//! whether it is time to speak again. Nothing here reads the clock or keeps state: the caller
//! passes `now` in and remembers what was sent.

pub mod anomaly;
pub mod chart;
mod error;
mod group;
pub mod incident;
pub mod matcher;
pub mod notice;
pub mod render;
pub mod route;
pub mod sample;
pub mod schedule;
pub mod senders;
pub mod silence;
pub mod state;
pub mod text;
pub mod units;

pub use anomaly::{Anomaly, DetectorVote, Direction, Evidence, Expected, Severity, Subject};
pub use error::{Error, MailStep};
pub use group::{RateCap, Spoken};
pub use notice::Notice;
