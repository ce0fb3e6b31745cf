//! The command line: one file a subcommand.
//!
//! Two types, after ripgrep: [`Cli`] records what was typed; [`Context`] owns the settings resolved from
//! it. Everything that can be refused is refused in the step between, with exit code 2.

mod ask;
mod backfill;
mod backtest;
mod child;
mod demo;
mod explain;
mod health;
mod incidents;
#[cfg(feature = "learned")]
mod jobs;
#[cfg(feature = "learned")]
mod models;
mod notices;
mod routes;
mod run;
mod send;
mod settings;
mod silence;
#[cfg(feature = "learned")]
mod train;
mod votes;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use skywatch_settings::{Loaded, SettingsError, Sources};

use crate::backfill::BackfillError;
use crate::backtest::BacktestError;
use crate::demo::DemoError;
use crate::files;
use crate::log::{self, last_words};
use crate::process::ProcessError;

/// Exit code for a command line or settings that are refused.
const REFUSED: u8 = 2;

/// Watches every metric beside your Graphite and Redis, and owns the alert.
#[derive(Debug, Parser)]
#[command(name = "skywatch", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where settings come from, for every subcommand.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Settings file (TOML); `skywatch settings --example` prints one with every option
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One option, as `analyzer.workers=2`; may be given again, goes before the environment
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Short for `--set store.url=URL`
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    /// Short for `--set state_dir=DIR`
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take points in, look at every metric, alert, serve pages
    Run(run::Arguments),
    /// Show it all working: made-up metrics, planted anomalies, nothing to configure
    Demo(demo::Arguments),
    /// Judge series from a file with all nine classic detectors
    Votes(votes::Arguments),
    /// Fill windows from a Graphite, from files or from another Redis
    Backfill(backfill::Arguments),
    /// Replay past points through a profile: scores, incidents, and how well labels are found
    Backtest(backtest::Arguments),
    /// Replay a file of points through any protocol that is taken in
    Send(send::Arguments),
    /// Print every setting with where it came from
    Settings(settings::Arguments),
    /// Show what is wrong, or the whole life of one incident
    Incidents(incidents::Arguments),
    /// Take an incident: nobody is reminded of it any more
    Ack(incidents::AckArguments),
    /// Close an incident: it is over because you say so, and nothing new begins unless it becomes worse or was well
    Close(incidents::CloseArguments),
    /// Say nothing about some metrics for a while
    Silence(silence::Arguments),
    /// Show who would be told of a metric, and why
    RouteTest(routes::RouteArguments),
    /// Send a test notice to everybody a route leads to
    AlertTest(routes::TestArguments),
    /// Show notices that reached nobody, try them again, or drop them
    Notices(notices::Arguments),
    /// Everything about one metric: its window, every detector, its incident, who is told
    Explain(explain::Arguments),
    /// The health plane: serve it, ask it, report to it
    Health(health::Arguments),
    /// Fit the learned detectors now
    #[cfg(feature = "learned")]
    Train(train::Arguments),
    /// Show what trainers have done, do and are to do
    #[cfg(feature = "learned")]
    Jobs(jobs::Arguments),
    /// Show fitted models, or let an earlier one serve again
    #[cfg(feature = "learned")]
    Models(models::Arguments),
    /// One child of `run`
    #[command(hide = true)]
    Child(child::Arguments),
}

/// Runs the command line `arguments` (the first is the program's name).
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    if let Some((tool, arguments)) = health::tool(&arguments) {
        files::keep_private();
        return tool.run(arguments);
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
        Command::Backtest(_) | Command::Settings(_) | Command::Send(_) | Command::Votes(_)
    ) {
        files::keep_private();
    }
    let outcome = match cli.command {
        Command::Run(arguments) => with(cli.global, |context| run::run(context, &arguments)),
        Command::Child(arguments) => with(cli.global, |context| child::run(context, &arguments)),
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
        Command::Health(arguments) => with(cli.global, |context| health::run(context, &arguments)),
        #[cfg(feature = "learned")]
        Command::Train(arguments) => with(cli.global, |context| train::run(context, arguments)),
        #[cfg(feature = "learned")]
        Command::Jobs(arguments) => with(cli.global, |context| jobs::run(context, arguments)),
        #[cfg(feature = "learned")]
        Command::Models(arguments) => with(cli.global, |context| models::run(context, arguments)),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Send(arguments) => send::run(&arguments),
        Command::Votes(arguments) => votes::run(&arguments),
    };
    log::finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Settings(error)) => {
            last_words(&error.to_string());
            ExitCode::from(REFUSED)
        }
        Err(Failure::Arguments(error)) => {
            last_words(&format!("error: {error}"));
            ExitCode::from(REFUSED)
        }
        Err(Failure::Other(error)) => {
            last_words(&format!("error: {}", with_causes(&error)));
            if let Some(hint) = hint(&error) {
                last_words(&format!("hint: {hint}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs a command over the settings that the global arguments lead to.
fn with(global: Global, command: impl FnOnce(&Context) -> Result<(), Failure>) -> Result<(), Failure> {
    command(&Context::resolve(global)?)
}

/// A line on standard output, or several; foreign text in it steers no terminal. A reader who has seen enough is no failure.
fn say(line: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let lines: Vec<_> = line.split('\n').map(skywatch_alerters::text::one_line).collect();
    match writeln!(std::io::stdout().lock(), "{}", lines.join("\n")) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Why a command failed, by exit code.
enum Failure {
    /// Settings that are refused: 2.
    Settings(SettingsError),
    /// Arguments that clap cannot judge: 2.
    Arguments(String),
    /// Anything else: 1.
    Other(anyhow::Error),
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

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// A command's settings, and the arguments that led to them.
struct Context {
    loaded: Loaded,
    global: Global,
}

impl Context {
    fn resolve(global: Global) -> Result<Self, Failure> {
        let mut flags = Vec::new();
        for assignment in &global.set {
            let Some((key, value)) = assignment.split_once('=') else {
                // What stands behind a blank may be a password.
                let key = assignment.split([' ', ':']).next().unwrap_or_default();
                let more = if key.len() < assignment.len() { " …" } else { "" };
                return Err(Failure::Arguments(format!(
                    "`--set {key}{more}` is not of the form KEY=VALUE\nhint: such as `--set analyzer.workers=2`"
                )));
            };
            flags.push((key.trim().to_owned(), value.trim().to_owned(), "--set".to_owned()));
        }
        if let Some(url) = &global.store {
            flags.push(("store.url".to_owned(), url.clone(), "--store".to_owned()));
        }
        if let Some(folder) = &global.state_dir {
            flags.push((
                "state_dir".to_owned(),
                folder.display().to_string(),
                "--state-dir".to_owned(),
            ));
        }
        let env = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        let loaded = skywatch_settings::load(Sources {
            file: global.config.clone(),
            env: env.collect(),
            flags,
        })
        .map_err(Failure::Settings)?;
        Ok(Self { loaded, global })
    }
}

impl Global {
    /// The arguments that make a child resolve the same settings.
    fn as_arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        if let Some(config) = &self.config {
            add("--config", config.display().to_string());
        }
        for assignment in &self.set {
            add("--set", assignment.clone());
        }
        if let Some(url) = &self.store {
            add("--store", url.clone());
        }
        if let Some(folder) = &self.state_dir {
            add("--state-dir", folder.display().to_string());
        }
        arguments
    }
}
