//! Sends events to other programs.

use skywatch_settings::Settings;

use super::role::{Role, RoleContext};
use crate::events::{EventSender, OutboxOptions, SinkOptions};
use crate::process::{ProcessError, wiring};

/// The role of that name.
#[derive(Debug)]
pub(super) struct EventsRole;

impl Role for EventsRole {
    fn name(&self) -> &'static str {
        "events"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.events.is_wanted()
    }

    fn observes(&self) -> bool {
        true
    }

    /// So that what others publish until their end is sent.
    fn stops_last(&self) -> bool {
        true
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let settings = context.settings;
        wiring::prepare_state_dir(&settings.state_dir)?;
        let sender = EventSender::new(
            &settings.state_dir,
            OutboxOptions::of_settings(&settings.events)?,
            &SinkOptions::of_settings(&settings.events, !context.single_process),
            &context.observer,
        )?;
        let graphite = wiring::graphite(settings, &context.observer)?;
        let prefix = wiring::prefix(settings, "events");
        let graphite = graphite.as_ref().map(|graphite| (graphite, prefix.as_str()));
        Ok(sender.run(graphite, context.stop)?)
    }
}
