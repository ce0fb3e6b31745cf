//! The log as a receiver: one line an anomaly, at warn level, under `skywatch::anomaly`.

use super::{Sender, Sent};
use crate::error::Error;
use crate::notice::Notice;
use crate::render;

/// Writes each notice through [`tracing`]. Never fails and never blocks longer than the subscriber.
#[derive(Debug, Default, Clone, Copy)]
pub struct LogSender;

impl Sender for LogSender {
    fn name(&self) -> &str {
        "log"
    }

    fn send(&self, notice: &Notice) -> Result<Sent, Error> {
        tracing::warn!(target: "skywatch::anomaly", "{}", render::log_line(&notice.anomaly));
        Ok(Sent::default())
    }
}
