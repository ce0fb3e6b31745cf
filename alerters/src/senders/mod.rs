//! What carries a notice away, a sender a file.

mod email;
mod log;

pub use email::{EmailOptions, EmailSender, Security};
pub use log::LogSender;

use crate::error::Error;
use crate::notice::Notice;

/// Carries notices to one kind of receiver.
///
/// The dispatcher calls, one notice at a time per sender, from a thread of its own that may wait
/// for the network: `send` blocks until the other side has taken the notice or the attempt has
/// failed, and bounds that wait itself. A sender never retries and keeps no queue; whether and when
/// to try again is decided by the caller, by [`Error::is_transient`]. `&self` and `Sync`, so that
/// several routes can share one.
pub trait Sender: Send + Sync {
    /// One word for cooldown keys, counters and log lines: `email`, `log`.
    fn name(&self) -> &str;

    /// Hands the notice over.
    ///
    /// `Ok` means that at least one receiver has it and a repeat would reach that one twice.
    ///
    /// # Errors
    /// Nobody has it.
    fn send(&self, notice: &Notice) -> Result<Sent, Error>;
}

/// What became of a notice that went out.
#[derive(Debug, Default)]
#[must_use = "receivers that refused are named here and nowhere else"]
pub struct Sent {
    /// One error for each receiver that refused while others accepted.
    pub refused: Vec<Error>,
}
