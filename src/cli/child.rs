//! `skywatch child ROLE`: what `run` starts; not meant to be typed.

use std::path::PathBuf;

use clap::Args;

use super::context::{CommandFailure, Context};
use crate::log;
use crate::net::slots;
use crate::process::{self, LiveSettings, LivenessReporter, Role, RunOptions, roles};
use crate::status::Liveness;
use crate::stop::Stop;
use crate::web::LiveSettingsTable;

#[derive(Debug, Args)]
pub(super) struct ChildArguments {
    #[arg(value_parser = roles::named)]
    role: &'static dyn Role,
    #[arg(long)]
    passes: Option<u64>,
    #[arg(long)]
    summary: Option<PathBuf>,
    /// Of the trainer: end when there is nothing to do
    #[cfg(feature = "learned")]
    #[arg(long)]
    drain: bool,
    /// Of the trainer: learn from this file
    #[cfg(feature = "learned")]
    #[arg(long)]
    histories: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &ChildArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    slots::raise_descriptors();
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::GoesOn)?;
    let live = LiveSettings::default();
    let shown = LiveSettingsTable::default();
    let mut reloader = context.reloader(live.clone(), shown.clone());
    process::die_with_parent(&stop, move || {
        // The parent, which has read them just before, says what became of them.
        if let Some(why) = reloader.reload().refused {
            tracing::error!("settings not read anew, those before stay in force :: {why}");
        }
    })?;
    let liveness = Liveness::default();
    let _pulse = LivenessReporter::start(liveness.clone())?;
    let run = RunOptions {
        passes: arguments.passes,
        summary: arguments.summary.clone(),
        global: context.global.as_arguments(),
        settings: shown,
        live,
        #[cfg(feature = "learned")]
        trainer: process::TrainerRun {
            drain: arguments.drain,
            histories: arguments.histories.clone(),
        },
    };
    Ok(process::run_role(
        arguments.role,
        settings,
        &run,
        liveness,
        &stop,
    )?)
}
