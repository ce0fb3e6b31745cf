//! `skywatch causes`: what broke first.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::context::{CommandFailure, say};
use crate::causes;

#[derive(Debug, Args)]
pub(super) struct CausesArguments {
    #[command(subcommand)]
    what: CausesCommand,
}

#[derive(Debug, Subcommand)]
enum CausesCommand {
    /// Rank the suspects of every case in a folder
    Eval(CauseEvalArguments),
}

#[derive(Debug, Args)]
struct CauseEvalArguments {
    /// Folder with cases: measurements before and after a fault, or around an alarm with a call graph
    folder: PathBuf,
    /// Seconds by which the border between before and after is taken to lie too late (or too early); cases without a call graph
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    shift: i64,
    /// Where the rankings go, as JSON; standard output if not given
    #[arg(long, value_name = "OUT.json")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &CausesArguments) -> Result<(), CommandFailure> {
    let CausesCommand::Eval(arguments) = &arguments.what;
    let rankings = causes::evaluate(&arguments.folder, arguments.shift)?;
    let text = serde_json::to_string_pretty(&rankings).context("cannot write the rankings")?;
    match &arguments.output {
        Some(path) => std::fs::write(path, format!("{text}\n"))
            .with_context(|| format!("cannot write `{}`", path.display()))?,
        None => say(&text)?,
    }
    Ok(())
}
