//! Serves the pages.

use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::live_value::LiveValue;
use crate::process::{LiveSettings, ProcessError};
use crate::stop::Stop;
use crate::store::AnyConnect;
use crate::web::{self, LiveSettingsTable};

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
        let live = &context.run.live;
        serve(
            bound,
            context.store()?,
            context.settings,
            shown,
            live,
            context.stop,
        )
    }
}

/// Serves pages on a socket that is bound already.
pub(crate) fn serve(
    web: web::Web,
    store: &AnyConnect,
    settings: &Settings,
    shown: LiveSettingsTable,
    live: &LiveSettings,
    stop: &Stop,
) -> Result<(), ProcessError> {
    if let Some(url) = web.url() {
        tracing::info!("pages on {url}");
    }
    let adaptive = LiveValue::new(settings.adaptive.clone());
    let in_force = adaptive.clone();
    live.on_change("web", move |settings| {
        in_force.replace(settings.adaptive.clone());
        Ok(())
    });
    Ok(web.run(store, settings, shown, adaptive, stop)?)
}
