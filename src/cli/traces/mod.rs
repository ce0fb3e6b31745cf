//! `skywatch traces`: detectors of traces, on files.

mod eval;

use clap::{Args, Subcommand};

use super::context::CommandFailure;

#[derive(Debug, Args)]
pub(super) struct TracesArguments {
    #[command(subcommand)]
    command: TracesCommand,
}

#[derive(Debug, Subcommand)]
enum TracesCommand {
    /// Fit on normal traces, judge labelled ones, and print how well that went
    Eval(eval::EvalArguments),
}

pub(super) fn run(arguments: TracesArguments) -> Result<(), CommandFailure> {
    match arguments.command {
        TracesCommand::Eval(arguments) => eval::run(&arguments),
    }
}
