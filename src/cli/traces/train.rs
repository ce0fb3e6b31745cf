//! `skywatch traces train FILE…`: the detectors of traces, fitted by the trainer and kept as a model.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::cli::context::{CommandFailure, Context};
use crate::cli::train;
use crate::jobs::{Task, TracesJob};
use crate::traces::TRACES_MODEL;
use crate::{log, process};

#[derive(Debug, Args)]
pub(crate) struct TrainTracesArguments {
    /// Files of normal traces, a JSON object a line, plain or gzip
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The model's name
    #[arg(long, value_name = "NAME", default_value = TRACES_MODEL)]
    model: String,
    /// Only enqueue it, for whichever trainer is free
    #[arg(long)]
    enqueue: bool,
}

pub(super) fn run(context: &Context, arguments: TrainTracesArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    // A name that cannot be, and a file that is not there, are refused now, not by a job that failed.
    process::wiring::registry(settings)?.pointer(&arguments.model)?;
    let whole = |file: &PathBuf| {
        file.canonicalize()
            .with_context(|| format!("cannot read `{}`", file.display()))
    };
    let files = arguments.files.iter().map(whole).collect::<Result<_, _>>()?;
    let job = TracesJob {
        model: arguments.model,
        files,
        chosen: None,
    };
    train::submit(context, &Task::of(&job), arguments.enqueue)
}
