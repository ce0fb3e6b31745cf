//! From an anomaly to a message somebody reads.
//!
//! [`anomaly`] holds the word every part of Skywatch uses for "something is wrong". [`state`] works out
//! what follows from it: [`incident`]s with lives, told by [`route`]s, kept quiet by [`silence`]s. [`chart`]
//! draws it, [`render`] puts it into words, [`senders`] carry the words away. But for the senders, nothing
//! here reads a clock, a file or a socket: the caller passes `now` in and keeps what is to be kept.

pub mod anomaly;
pub mod causes;
pub mod chart;
mod error;
mod group;
pub mod host;
pub mod http_client;
pub mod incident;
pub mod inhibition;
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

pub use anomaly::{
    Anomaly, Contributor, DetectorVote, Direction, Evidence, Expected, JudgedWindow, Severity, SpanEvidence,
    Strength, Subject, SubjectKind, TraceEvidence, Votes,
};
pub use error::{Error, MailStep};
pub use group::{RateCap, RecentSends};
pub use notice::Notice;
