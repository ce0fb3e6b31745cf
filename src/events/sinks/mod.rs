//! Where events go: what a sink is asked, and those that are no Kafka.

mod file;
mod stdout;
mod webhook;

pub(super) use file::FileSink;
pub use file::FileSinkOptions;
pub(crate) use stdout::EVENT_MARK;
pub(super) use stdout::StdoutSink;
pub(super) use webhook::WebhookSink;
pub use webhook::WebhookSinkOptions;

use super::outbox::EventMessage;

/// Somewhere events go.
///
/// One thread owns it, and calls with messages in their order, each until it has an outcome; it may block, and bounds that by
/// itself. It never tries again: the caller does, after a pause, with what has no outcome.
pub(super) trait EventSink: Send {
    /// Its name in counters and in the outbox; two sinks never share one.
    fn name(&self) -> &'static str;

    /// Where it is, for people and the health plane: `kafka:broker1:9092`.
    fn place(&self) -> String;

    /// Sends `messages` and says of each what became of it, those of one key in their order.
    ///
    /// # Errors
    /// Why no more could be sent now. Messages without an outcome are to be sent again.
    fn send(
        &mut self,
        messages: &[EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure>;
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SinkOutcome {
    /// It is there.
    Taken,
    /// It is refused for what it is, and would be again: too large, for instance.
    Refused(String),
}

/// Why a sink takes nothing at the moment, in words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct SinkFailure(pub(super) String);

impl SinkFailure {
    pub(super) fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}
