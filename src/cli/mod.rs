//! The command line: one file a subcommand.
//!
//! Two types, after ripgrep: [`Cli`] records what was typed; [`Context`](context::Context) owns the settings resolved from
//! it. Everything that can be refused is refused in the step between, with exit code 2.

mod ask;
mod backfill;
mod backtest;
mod backup;
mod causes;
mod check;
mod child;
mod context;
mod demo;
mod entities;
mod events;
mod explain;
mod generate;
mod health;
#[cfg(feature = "learned")]
mod import_aioutliers;
mod import_anteater;
mod import_skyline;
mod incidents;
mod init;
#[cfg(feature = "learned")]
mod jobs;
#[cfg(feature = "learned")]
mod models;
mod notices;
mod reload;
mod routes;
mod run;
mod send;
#[cfg(feature = "learned")]
mod serve;
mod settings;
mod silence;
mod status;
mod templates;
mod traces;
#[cfg(feature = "learned")]
mod train;
mod votes;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backfill::BackfillError;
use crate::backtest::BacktestError;
use crate::demo::DemoError;
use crate::files;
use crate::log::{self, last_words};
use crate::process::ProcessError;
use context::{CommandFailure, Context, Global};

/// Exit code for a command line or settings that are refused.
const REFUSED: u8 = 2;
/// Exit code of a question about a process that does not run, as of service managers.
const NOT_RUNNING: u8 = 3;

/// Watches every metric beside your Graphite and Redis, and owns the alert.
#[derive(Debug, Parser)]
#[command(name = "skywatch", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take points in, look at every metric, alert, serve pages
    Run(run::RunArguments),
    /// Begin: asks for store, mail and Graphite, tries each, writes the settings
    Init(init::InitArguments),
    /// Show it all working: made-up metrics, planted anomalies, nothing to configure
    Demo(demo::DemoArguments),
    /// Judge series from a file with all nine classic detectors
    Votes(votes::VotesArguments),
    /// Fill windows from a Graphite, from files or from another Redis
    Backfill(backfill::BackfillArguments),
    /// Copy all that is kept into a folder, while a process works with it
    Backup(backup::BackupArguments),
    /// Bring back what `backup` has copied
    Restore(backup::RestoreArguments),
    /// Replay past points through a profile: scores, incidents, and how well labels are found
    Backtest(backtest::BacktestArguments),
    /// Replay a file of points through any protocol that is taken in
    Send(send::SendArguments),
    /// Try settings: is all they lead to there, and what is to be done where it is not
    Check(check::CheckArguments),
    /// Is it working? Children, last pass, points, notices; exit code 1 if something is wrong, 3 if it does not run
    Status(status::StatusArguments),
    /// Have the running process read its settings anew, and say what takes a restart
    Reload(reload::ReloadArguments),
    /// Print every setting with where it came from
    Settings(settings::SettingsArguments),
    /// Show what is wrong, or the whole life of one incident
    Incidents(incidents::IncidentsArguments),
    /// Take an incident: nobody is reminded of it any more
    Ack(incidents::AckArguments),
    /// Close an incident: it is over because you say so, and nothing new begins unless it becomes worse or was well
    Close(incidents::CloseArguments),
    /// Say nothing about some metrics for a while
    Silence(silence::SilenceArguments),
    /// Show who would be told of a metric, and why
    RouteTest(routes::RouteArguments),
    /// Send a test notice to everybody a route leads to
    AlertTest(routes::TestArguments),
    /// Show notices that reached nobody, try them again, or drop them
    Notices(notices::NoticesArguments),
    /// Everything about one metric: its window, every detector, its incident, who is told
    Explain(explain::ExplainArguments),
    /// Find the template of every line of a log
    Templates(templates::TemplatesArguments),
    /// What broke first: what moved with an incident, or the suspects of recorded faults
    Causes(causes::CausesArguments),
    /// All metrics of a machine, a pod or an application at once
    Entities(entities::EntitiesArguments),
    /// What waits for other programs; `test` sends each of them a message
    Events(events::EventsArguments),
    /// Settings out of a configuration of gala-anteater; what is not carried over is named
    ImportAnteater(import_anteater::ImportAnteaterArguments),
    /// Settings out of a Skyline's settings.py; what is not carried over is named
    ImportSkyline(import_skyline::ImportSkylineArguments),
    /// Settings out of rb-aioutliers' `config.ini`, and its models; what is not carried over is named
    #[cfg(feature = "learned")]
    ImportAioutliers(import_aioutliers::ImportAioutliersArguments),
    /// The health plane: serve it, ask it, report to it
    Health(health::HealthArguments),
    /// Anomalous traces in files: fit, judge, measure
    Traces(traces::TracesArguments),
    /// Fit the learned detectors now
    #[cfg(feature = "learned")]
    Train(train::TrainArguments),
    /// Show what trainers have done, do and are to do
    #[cfg(feature = "learned")]
    Jobs(jobs::JobsArguments),
    /// Show fitted models, or let an earlier one serve again
    #[cfg(feature = "learned")]
    Models(models::ModelsArguments),
    /// Serve outliers of Druid's timeseries over HTTP, and nothing else
    #[cfg(feature = "learned")]
    Serve(serve::ServeArguments),
    /// Manual, completions and reference, for packages and documentation
    #[command(hide = true)]
    Generate(generate::GenerateArguments),
    /// One child of `run`
    #[command(hide = true)]
    Child(child::ChildArguments),
}

/// Runs the command line `arguments` (the first is the program's name).
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    if let Some((tool, arguments)) = health::tool(&arguments) {
        files::keep_private();
        return health::run_tool(tool, arguments);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with code 0, errors to stderr with code 2: clap knows.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(REFUSED));
        }
    };
    // What is written for others to read keeps the modes its user asks for.
    if !matches!(
        cli.command,
        Command::Backtest(_)
            | Command::Causes(_)
            | Command::Entities(_)
            | Command::Generate(_)
            | Command::ImportAnteater(_)
            | Command::ImportSkyline(_)
            | Command::Settings(_)
            | Command::Send(_)
            | Command::Templates(_)
            | Command::Traces(_)
            | Command::Votes(_)
    ) {
        files::keep_private();
    }
    let outcome = match cli.command {
        Command::Run(arguments) => with(cli.global, |context| run::run(context, &arguments)),
        Command::Child(arguments) => with(cli.global, |context| child::run(context, &arguments)),
        Command::Backup(arguments) => with(cli.global, |context| backup::back_up(context, &arguments)),
        Command::Restore(arguments) => with(cli.global, |context| backup::restore(context, &arguments)),
        Command::Check(arguments) => with(cli.global, |context| check::run(context, &arguments)),
        Command::Reload(arguments) => reload::run(cli.global, &arguments),
        Command::Status(arguments) => with(cli.global, |context| status::run(context, &arguments)),
        Command::Settings(arguments) => with(cli.global, |context| settings::run(context, &arguments)),
        Command::Backfill(arguments) => with(cli.global, |context| backfill::run(context, arguments)),
        Command::Backtest(arguments) => with(cli.global, |context| backtest::run(context, &arguments)),
        Command::Incidents(arguments) => with(cli.global, |context| incidents::run(context, arguments)),
        Command::Ack(arguments) => with(cli.global, |context| incidents::acknowledge(context, arguments)),
        Command::Close(arguments) => with(cli.global, |context| incidents::close(context, arguments)),
        Command::Silence(arguments) => with(cli.global, |context| silence::run(context, arguments)),
        Command::RouteTest(arguments) => with(cli.global, |context| routes::route_test(context, arguments)),
        Command::AlertTest(arguments) => with(cli.global, |context| routes::alert_test(context, arguments)),
        Command::Notices(arguments) => with(cli.global, |context| notices::run(context, arguments)),
        Command::Explain(arguments) => with(cli.global, |context| explain::run(context, arguments)),
        Command::Templates(arguments) => templates::run(cli.global, &arguments),
        Command::Events(arguments) => with(cli.global, |context| events::run(context, &arguments)),
        Command::Health(arguments) => with(cli.global, |context| health::run(context, &arguments)),
        #[cfg(feature = "learned")]
        Command::Serve(arguments) => with(cli.global, |context| serve::run(context, &arguments)),
        #[cfg(feature = "learned")]
        Command::Train(arguments) => with(cli.global, |context| train::run(context, arguments)),
        #[cfg(feature = "learned")]
        Command::Jobs(arguments) => with(cli.global, |context| jobs::run(context, arguments)),
        #[cfg(feature = "learned")]
        Command::Models(arguments) => with(cli.global, |context| models::run(context, arguments)),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Causes(arguments) => causes::run(cli.global, &arguments),
        Command::Generate(arguments) => generate::run(&arguments, <Cli as clap::CommandFactory>::command),
        Command::Init(arguments) => init::run(&cli.global, arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Entities(arguments) => entities::run(cli.global, &arguments),
        #[cfg(feature = "learned")]
        Command::ImportAioutliers(arguments) => import_aioutliers::run(cli.global, &arguments),
        Command::ImportAnteater(arguments) => import_anteater::run(arguments),
        Command::ImportSkyline(arguments) => import_skyline::run(arguments),
        Command::Traces(arguments) => traces::run(cli.global, arguments),
        Command::Votes(arguments) => votes::run(&arguments),
    };
    log::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandFailure::Settings(error)) => {
            last_words(&error.to_string());
            ExitCode::from(REFUSED)
        }
        Err(CommandFailure::Arguments(error)) => {
            last_words(&format!("error: {error}"));
            ExitCode::from(REFUSED)
        }
        Err(CommandFailure::NotRunning(why)) => {
            last_words(&format!("error: {why}"));
            ExitCode::from(NOT_RUNNING)
        }
        Err(CommandFailure::Other(error)) => {
            last_words(&format!("error: {}", with_causes(&error)));
            if let Some(hint) = hint(&error) {
                last_words(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs a command over the settings that the global arguments lead to.
fn with(
    global: Global,
    command: impl FnOnce(&Context) -> Result<(), CommandFailure>,
) -> Result<(), CommandFailure> {
    command(&Context::resolve(global)?)
}

/// An error and what led to it; a cause whose words are there already is not said twice.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// What a person could do about an error, where its crate knows and its text does not say.
fn hint(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<ProcessError>() {
        error.hint()
    } else if let Some(error) = error.downcast_ref::<BackfillError>() {
        error.hint()
    } else if let Some(error) = error.downcast_ref::<BacktestError>() {
        error.hint()
    } else {
        error.downcast_ref::<DemoError>()?.hint()
    }
}
