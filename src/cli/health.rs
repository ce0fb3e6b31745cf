//! `skywatch health`: the health plane, and the tools of the original, which may also be called by their own names
//! (`hview-client` and so on, as a link to this program).

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::context::{CommandFailure, Context};
use crate::health::Tool;
use crate::log;
use crate::net::slots;
use crate::process;
use crate::stop::Stop;

#[derive(Debug, Args)]
pub(super) struct HealthArguments {
    #[command(subcommand)]
    command: HealthCommand,
}

#[derive(Debug, Subcommand)]
enum HealthCommand {
    /// Serve the health plane alone, by the settings
    Serve,
    /// Ask a health plane, or report to one (`hview-client`)
    Client,
    /// Serve a health plane by flags or by a file of the original (`hview-server`)
    Server,
    /// Make such files (`hview-mkrc`)
    Mkrc,
    /// Report what a log says (`hview-logtail`)
    Logtail,
}

/// The tool that a command line asks for, with its arguments. Its flags are Go's, so clap is not asked.
pub(super) fn tool(arguments: &[OsString]) -> Option<(Tool, Vec<String>)> {
    let text = |argument: &OsString| argument.to_string_lossy().into_owned();
    let program = arguments
        .first()
        .map(|program| Path::new(program).file_name().unwrap_or_default())?;
    let called = program.to_string_lossy();
    let (tool, rest) = if called.starts_with("hview-") {
        (Tool::of_name(&called)?, arguments.get(1..)?)
    } else if arguments.get(1)? == "health" {
        (Tool::of_name(&text(arguments.get(2)?))?, arguments.get(3..)?)
    } else {
        return None;
    };
    Some((tool, rest.iter().map(text).collect()))
}

/// Runs a tool.
pub(super) fn run_tool(tool: Tool, arguments: Vec<String>) -> ExitCode {
    let stop = Stop::new();
    // The others end by a signal as any program does.
    let signals = tool
        .serves()
        .then(|| process::stop_on_signal(&stop, process::Hangup::Ends));
    match signals.transpose() {
        Ok(_signals) => tool.run(arguments, &stop),
        Err(error) => {
            log::last_words(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

pub(super) fn run(context: &Context, arguments: &HealthArguments) -> Result<(), CommandFailure> {
    match arguments.command {
        HealthCommand::Serve => serve(context),
        // `tool` has taken them, unless options of ours stand before `health`.
        HealthCommand::Client | HealthCommand::Server | HealthCommand::Mkrc | HealthCommand::Logtail => Err(CommandFailure::Arguments(
            "the health tools have flags of their own\nhint: write `skywatch health client …`, with no option before".to_owned(),
        )),
    }
}

fn serve(context: &Context) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    log::start(&settings.log);
    slots::raise_descriptors();
    let stop = Stop::new();
    let _signals = process::stop_on_signal(&stop, process::Hangup::GoesOn)?;
    Ok(process::serve_health(settings, None, &stop)?)
}
