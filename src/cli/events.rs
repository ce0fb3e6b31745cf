//! `skywatch events`: what waits for other programs, and whether it would reach them.

use clap::{Args, Subcommand};
use skywatch_alerters::host;

use super::context::{CommandFailure, Context, say};
use crate::clock::unix_now;
use crate::events::{self, OutboxOptions, SinkOptions};

#[derive(Debug, Args)]
pub(super) struct EventsArguments {
    #[command(subcommand)]
    command: Option<EventsCommand>,
    /// What is counted as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Send a test message to each sink, and say what became of it
    Test,
}

pub(super) fn run(context: &Context, arguments: &EventsArguments) -> Result<(), CommandFailure> {
    if !context.loaded.settings.events.is_wanted() {
        return Err(CommandFailure::Arguments(
            "events go nowhere\nhint: set `events.kafka_brokers`, `events.webhook_url`, `events.file` or `events.stdout`".to_owned(),
        ));
    }
    match arguments.command {
        None => show(context, arguments.json),
        Some(EventsCommand::Test) => test(context),
    }
}

fn show(context: &Context, json: bool) -> Result<(), CommandFailure> {
    let figures = events::figures(&context.loaded.settings.state_dir, unix_now())?;
    if json {
        let figures: serde_json::Map<_, _> = figures.into_iter().map(|(name, n)| (name, n.into())).collect();
        say(&serde_json::to_string_pretty(&figures)?)?;
        return Ok(());
    }
    if figures.is_empty() {
        say("nothing was published yet, and nobody has sent")?;
    }
    for (name, value) in figures {
        say(&format!("{name:<36} {value}"))?;
    }
    Ok(())
}

fn test(context: &Context) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    let forms = OutboxOptions::of_settings(&settings.events)?.forms;
    let sinks = SinkOptions::of_settings(&settings.events, false);
    let trials = events::try_sinks(&sinks, &forms, &host::name(), unix_now())?;
    let mut failed = 0;
    for trial in &trials {
        match &trial.failure {
            None => say(&format!("{}: taken", trial.place))?,
            Some(why) => {
                failed += 1;
                say(&format!("{}: NOT taken: {why}", trial.place))?;
            }
        }
    }
    if failed > 0 {
        return Err(anyhow::anyhow!("{failed} of {} sinks took no message", trials.len()).into());
    }
    Ok(())
}
