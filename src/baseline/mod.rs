//! What the adaptive profile remembers on this machine: hours of every metric, and the states of its detectors.
//!
//! The hours lie in a file a day ([`days`]), a record a metric: an hour of all metrics is written near together, and a day
//! that is out of reach is dropped by removing its file. Files over months with a metric's hours side by side would be
//! read in one go, but every hour of every metric would touch a page of its own: fourteen times the writes.
//! One process writes; what others have to add (`skywatch backfill`) waits for it in the [`inbox`].
//! Left out: anything that must not be lost. Hours and states can be learnt anew, so a record that does not hold
//! against its checksum is dropped and counted, and nothing waits for the disk.

mod days;
mod handle;
mod hourly;
mod hours;
mod inbox;
mod losses;
mod record;
mod shared;
mod slots;
mod states;
mod taught;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use days::{DAY_HOURS, KEPT_DAYS};
pub use handle::{BaselineHandle, MetricHours, MetricSlot};
pub use hourly::HourlyAggregator;
pub use hours::Baseline;
pub use inbox::{HoursPart, InboxWriter};
pub use losses::LossCounts;
pub use states::{StateAdoption, StateCounts, StatePart, StateReader, StateSaver, States};
pub use taught::TaughtWriter;

/// Where the hours of all metrics lie.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("memory")
}
