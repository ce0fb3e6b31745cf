//! `skywatch traces`: detectors of traces, on files.

#[cfg(feature = "learned")]
mod detect;
mod eval;
#[cfg(feature = "learned")]
mod train;

use clap::{Args, Subcommand};

use super::context::CommandFailure;
#[cfg(feature = "learned")]
use super::context::{Context, Global};

#[derive(Debug, Args)]
pub(super) struct TracesArguments {
    #[command(subcommand)]
    command: TracesCommand,
}

#[derive(Debug, Subcommand)]
enum TracesCommand {
    /// Fit the detectors to files of normal traces, by the trainer, and keep them as a model
    #[cfg(feature = "learned")]
    Train(train::TrainTracesArguments),
    /// Judge traces of files by a model, and say what is wrong with those that are anomalous
    #[cfg(feature = "learned")]
    Detect(detect::DetectArguments),
    /// Fit on normal traces, judge labelled ones, and print how well that went
    Eval(eval::EvalArguments),
}

#[cfg(feature = "learned")]
pub(super) fn run(global: Global, arguments: TracesArguments) -> Result<(), CommandFailure> {
    match arguments.command {
        TracesCommand::Eval(arguments) => eval::run(&arguments),
        TracesCommand::Train(arguments) => train::run(&Context::resolve(global)?, arguments),
        TracesCommand::Detect(arguments) => detect::run(&Context::resolve(global)?, &arguments),
    }
}

#[cfg(not(feature = "learned"))]
pub(super) fn run(_: super::context::Global, arguments: TracesArguments) -> Result<(), CommandFailure> {
    match arguments.command {
        TracesCommand::Eval(arguments) => eval::run(&arguments),
    }
}
