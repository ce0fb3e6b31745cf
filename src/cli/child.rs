//! `skywatch child ROLE`: what `run` starts; not meant to be typed.

use std::path::PathBuf;

use clap::Args;

use super::{Context, Failure, log};
use crate::process::{self, Pulse, Role, RunOptions};
use crate::status::Beat;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    role: Role,
    #[arg(long)]
    passes: Option<u64>,
    #[arg(long)]
    summary: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop)?;
    process::die_with_parent(&stop)?;
    let beat = Beat::default();
    let _pulse = Pulse::start(beat.clone())?;
    let run = RunOptions {
        passes: arguments.passes,
        summary: arguments.summary.clone(),
    };
    Ok(process::run_role(arguments.role, settings, &run, beat, &stop)?)
}
