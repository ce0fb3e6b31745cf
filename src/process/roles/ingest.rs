//! Takes points in.

use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::ingest;
use crate::process::{ProcessError, wiring};
use crate::stop::Stop;
use crate::store::{AnyConnect, Connect};

/// The role of that name.
#[derive(Debug)]
pub(super) struct IngestRole;

impl Role for IngestRole {
    fn name(&self) -> &'static str {
        "ingest"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.ingest.enabled
    }

    fn observes(&self) -> bool {
        true
    }

    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let options = wiring::ingest_options(context.settings, &context.observer)?;
        let bound = ingest::Ingest::bind(options)?;
        let change = bound.changing();
        context.run.live.on_change("ingest", move |settings| {
            change(wiring::ingest_policy(settings));
            Ok(())
        });
        take_in(bound, context.store()?, context.settings, context.stop)
    }
}

/// Serves an ingest that is bound already.
pub(crate) fn take_in(
    ingest: ingest::Ingest,
    store: &AnyConnect,
    settings: &Settings,
    stop: &Stop,
) -> Result<(), ProcessError> {
    for (service, address) in ingest.addresses() {
        tracing::info!(
            "taking {} on {address}, storing in {}",
            service.what,
            store.describe()
        );
    }
    let graphite = wiring::graphite(settings, ingest.observer())?;
    let prefix = wiring::prefix(settings, "ingest");
    let graphite = graphite.as_ref().map(|graphite| (graphite, prefix.as_str()));
    // Here and not further in: the writer is hot.
    match store.clone() {
        AnyConnect::Redis(connect) => ingest.run(connect, &settings.state_dir, graphite, stop)?,
        AnyConnect::Embedded(connect) => ingest.run(connect, &settings.state_dir, graphite, stop)?,
    }
    Ok(())
}
