//! Numbers in, votes and scores out.
//!
//! The crate holds the detectors of Skywatch and the ensemble that counts their votes. It does no I/O, reads no
//! clock and keeps no globals: `now` is always passed in, so a replay gives bit for bit what the live run gave.
//!
//! The way through: a reader fills a [`Series`] and makes it canonical, its [`Window`] goes to an [`Ensemble`],
//! which asks its [`Detector`]s through one [`Look`] and answers with a [`Verdict`]. The nine tests of Skyline are
//! in [`classic`], in both of their flavours.

pub mod classic;
pub mod counter;
pub mod detector;
pub mod ensemble;
mod error;
mod look;
pub mod statistics;
pub mod window;

pub use detector::{Comparison, Detector, Failure, Look, Scratch, Vote, by_name};
pub use ensemble::{Ballot, Ensemble, Exception, Explained, Flavour, Mark, Rules, Verdict};
pub use error::Error;
pub use window::{Cut, Series, Window};
