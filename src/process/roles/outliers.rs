//! Serves outliers.

use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::observer::Observer;
use crate::outliers::{OutlierOptions, OutlierServer};
use crate::process::{ProcessError, wiring};
use crate::stop::Stop;
use crate::store::AnyConnect;

/// The role of that name.
#[derive(Debug)]
pub(super) struct OutliersRole;

impl Role for OutliersRole {
    fn name(&self) -> &'static str {
        "outliers"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.outliers.enabled
    }

    /// For queries about its metrics.
    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let store = context.store()?;
        serve_outliers(context.settings, Some(store), &context.observer, context.stop)
    }
}

/// Serves outliers as the settings say, until `stop` is said.
pub(crate) fn serve_outliers(
    settings: &Settings,
    store: Option<&AnyConnect>,
    observer: &Observer,
    stop: &Stop,
) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    let window = settings.store.full_duration.as_secs_f64();
    let server = OutlierServer::bind(OutlierOptions {
        settings: settings.outliers.clone(),
        druid: settings.druid.clone(),
        consul: settings.consul.clone(),
        access: wiring::outliers_access(settings)?,
        registry: wiring::registry(settings)?,
        refresh: settings.models.refresh,
        store: store.map(|store| (store.clone(), window)),
    })?;
    tracing::info!(
        "taking requests for outliers on {}, which asks {}",
        server.address(),
        server.describe()
    );
    let graphite = wiring::graphite(settings, observer)?;
    let prefix = wiring::prefix(settings, "outliers");
    let graphite = graphite.as_ref().map(|graphite| (graphite, prefix.as_str()));
    Ok(server.run(&settings.state_dir, graphite, stop)?)
}
