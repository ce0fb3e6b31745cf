//! Serves the pages.

use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::process::ProcessError;
use crate::stop::Stop;
use crate::store::AnyConnect;
use crate::web::{self, SettingsTable};

/// The role of that name.
#[derive(Debug)]
pub(super) struct WebRole;

impl Role for WebRole {
    fn name(&self) -> &'static str {
        "web"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.web.enabled
    }

    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let bound = web::Web::bind(context.settings)?;
        let shown = context.run.settings.clone();
        serve(bound, context.store()?, context.settings, shown, context.stop)
    }
}

/// Serves pages on a socket that is bound already.
pub(crate) fn serve(
    web: web::Web,
    store: &AnyConnect,
    settings: &Settings,
    shown: SettingsTable,
    stop: &Stop,
) -> Result<(), ProcessError> {
    if let Some(url) = web.url() {
        tracing::info!("pages on {url}");
    }
    Ok(web.run(store, settings, shown, stop)?)
}
