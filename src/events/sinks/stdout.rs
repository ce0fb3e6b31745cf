//! Standard output: a line an event.
//!
//! The standard output of a child is its bond to the parent, so a child puts a mark before each event, by which the parent
//! knows what is to go on to its own.

use std::io::Write as _;

use super::super::outbox::EventMessage;
use super::{EventSink, SinkFailure, SinkOutcome};

/// What stands before an event on its way from child to parent: the record separator, as before each text of RFC 7464.
pub(crate) const EVENT_MARK: char = '\u{1e}';

/// Writes to standard output.
#[derive(Debug)]
pub(in crate::events) struct StdoutSink {
    /// Whether a parent reads it.
    pub(in crate::events) is_child: bool,
}

impl EventSink for StdoutSink {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn place(&self) -> String {
        "standard output".to_owned()
    }

    fn send(
        &mut self,
        messages: &[EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure> {
        let mut out = std::io::stdout().lock();
        for message in messages {
            if self.is_child {
                write!(out, "{EVENT_MARK}").map_err(SinkFailure::of)?;
            }
            writeln!(out, "{}", message.body)
                .and_then(|()| out.flush())
                .map_err(SinkFailure::of)?;
            outcome(message.id, SinkOutcome::Taken);
        }
        Ok(())
    }
}
