//! Watches entities: machines, pods and applications, each judged over all of its metrics at once.

use skywatch_alerters::Subject;
use skywatch_settings::Settings;

use super::role::{self, Needs, Role, RoleContext, RunOptions};
#[cfg(feature = "learned")]
use crate::entities::NetworkPlace;
use crate::entities::{EntityReporter, EntityWatchOptions, EntityWatcher};
use crate::events::{EventPublisher, EventWriter};
use crate::inlet::Finder;
#[cfg(feature = "learned")]
use crate::process::trainer;
use crate::process::{ProcessError, wiring};
use crate::topology::TopologyCache;

/// The role of that name.
#[derive(Debug)]
pub(super) struct EntitiesRole;

impl Role for EntitiesRole {
    fn name(&self) -> &'static str {
        "entities"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.entities.enabled
    }

    fn finds(&self) -> bool {
        true
    }

    fn observes(&self) -> bool {
        true
    }

    /// For entities whose series lie in it.
    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let settings = context.settings;
        wiring::prepare_state_dir(&settings.state_dir)?;
        let finder = Finder::new("entities", Some(Subject::ENTITY));
        let client = role::connect(context.inlet.clone(), finder, None)?;
        let reporter = EntityReporter {
            inlet: client.inlet(),
            followed: client.followed(),
        };
        let writer = EventWriter::of_settings(&settings.state_dir, &settings.events)?;
        let options = EntityWatchOptions {
            settings: &settings.entities,
            state_dir: &settings.state_dir,
            store: context.store()?,
            observer: &context.observer,
            topology: (settings.causes.enabled)
                .then(|| TopologyCache::new(&settings.causes, &settings.state_dir)),
            events: writer
                .as_ref()
                .map_or_else(EventPublisher::off, EventWriter::publisher),
            #[cfg(feature = "learned")]
            models: wiring::registry(settings)?,
            #[cfg(feature = "learned")]
            networks: networks(settings)?,
        };
        let watcher = EntityWatcher::new(options, reporter)?;
        let graphite = wiring::graphite(settings, &context.observer)?;
        let prefix = wiring::prefix(settings, "entities");
        watcher.run(
            graphite.as_ref().map(|graphite| (graphite, prefix.as_str())),
            context.stop,
        );
        client.finish(role::CONFIRM_PATIENCE);
        Ok(())
    }
}

/// With a trainer, jobs of networks are judged by them.
#[cfg(feature = "learned")]
fn networks(settings: &Settings) -> Result<Option<NetworkPlace>, ProcessError> {
    if !settings.training.enabled {
        return Ok(None);
    }
    Ok(Some(NetworkPlace {
        queue: trainer::queue(settings)?,
        registry: wiring::registry(settings)?,
    }))
}
