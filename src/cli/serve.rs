//! `skywatch serve`: the outlier service alone.

use clap::Args;
use skywatch_settings::StoreUrl;

use super::context::{CommandFailure, Context};
use crate::log;
use crate::net::slots;
use crate::observer::Observer;
use crate::process;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(super) struct ServeArguments {}

/// A Redis is shared with whoever else uses it; an embedded store is one process' only, which this need not be.
pub(super) fn run(context: &Context, _: &ServeArguments) -> Result<(), CommandFailure> {
    let mut settings = context.loaded.settings.clone();
    settings.outliers.enabled = true;
    log::start(&settings.log);
    slots::raise_descriptors();
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::GoesOn)?;
    let store = match settings.store.url {
        StoreUrl::Embedded if settings.outliers.store_source => {
            let why = "`outliers.store_source` needs a Redis for `skywatch serve`: the embedded store belongs to `skywatch run`\n\
                       hint: set `outliers.enabled = true` there, or name a Redis in `store.url`";
            return Err(CommandFailure::Arguments(why.to_owned()));
        }
        StoreUrl::Embedded => None,
        StoreUrl::Redis(_) => Some(process::store(&settings)?),
    };
    Ok(process::serve_outliers(
        &settings,
        store.as_ref(),
        &Observer::off(),
        &stop,
    )?)
}
