//! What broke first: beside incidents that open, and in cases on disk.
//!
//! How suspects are ranked is in [`skywatch_algorithms::causes`]; here is where measurements and graphs are read from. An answer depends on
//! what was measured alone: names of cases and folders tell nothing.

mod cases;
mod related;
mod suspects;
mod table;

pub use cases::{CaseRankings, evaluate};
pub use related::{IncidentMetric, RelatedMetrics};
pub use suspects::Suspects;

use std::io;
use std::path::PathBuf;

/// Why a folder of cases cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum CausesError {
    /// A file or folder that cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("`{}` is no {expected}: {reason}", path.display())]
    Malformed {
        /// Where.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A folder without a case in it.
    #[error("no case in `{}`\nhint: a case is a folder with `normal.csv.gz` and `anomalous.csv.gz`, or with `metrics.csv.gz` and `target.json`", .0.display())]
    NoCase(PathBuf),
}
