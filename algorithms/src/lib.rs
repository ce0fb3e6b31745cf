//! Numbers in, votes and scores out.
//!
//! The crate holds the detectors of Skywatch and the ensemble that counts their votes. It does no I/O, reads no
//! clock and keeps no globals: `now` is always passed in, so a replay gives bit for bit what the live run gave.
//!
//! The way through: a reader fills a [`Series`] and makes it canonical, its [`Window`] goes to an [`Ensemble`],
//! which asks its [`Detector`]s through one [`WindowStats`] and answers with a [`Verdict`]. The nine tests of Skyline are
//! in [`classic`], in both of their flavours.
//!
//! ```
//! use skywatch_algorithms::{Ensemble, Rules, Scratch, Series};
//!
//! let mut series = Series::default();
//! for minute in 0..1440 {
//!     let value = if minute < 1437 { 50.0 + f64::from(minute * 7919 % 11) } else { 900.0 };
//!     series.push(1.7e9 + 60.0 * f64::from(minute), value);
//! }
//! series.canonicalise(86_400.0);
//! let now = series.times[1439] + 5.0;
//!
//! let ensemble = Ensemble::classic(Rules::earthgecko());
//! let mut scratch = Scratch::new();
//! assert!(ensemble.judge(series.sorted_window(), now, &mut scratch).is_anomalous());
//! for part in ensemble.explain(series.sorted_window(), now, &mut scratch) {
//!     println!("{}: {:?}, {} against {}", part.detector, part.vote, part.comparison.measured, part.comparison.limit);
//! }
//! ```

pub mod causes;
pub mod classic;
pub mod compact;
pub mod counter;
pub mod detector;
pub mod ensemble;
pub mod entities;
mod error;
mod flavour;
#[cfg(feature = "learned")]
pub mod learned;
pub mod random;
pub mod registry;
pub mod shallow;
pub mod statistics;
pub mod streaming;
pub mod templates;
pub mod traces;
pub mod verdicts;
pub mod window;
mod window_stats;

pub use detector::{Comparison, Detector, Vote, VoteFailure};
pub use ensemble::{Ballot, BallotMark, Ensemble, Exception, Explained, Rules, Verdict};
pub use error::EnsembleError;
pub use flavour::ClassicFlavour;
pub use window::{CanonicalCut, SameTime, Series, Window};
pub use window_stats::{Scratch, WindowStats};
