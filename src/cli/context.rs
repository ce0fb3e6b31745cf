//! What every subcommand is given and gives back: settings, a line to print, a failure with its exit code.

use std::path::PathBuf;

use clap::Args;
use skywatch_settings::{Loaded, SettingsError, Sources};

use crate::imported::{ImportOutcome, ImportedSettings};
use crate::log::last_words;
use crate::process::{LiveSettings, Reloader};
use crate::web::LiveSettingsTable;

/// The settings of the service that packages install.
pub(super) const PACKAGE_SETTINGS: &str = "/etc/skywatch/skywatch.toml";

/// Where settings come from, for every subcommand.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
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

/// A command's settings, and the arguments that led to them.
pub(super) struct Context {
    pub(super) loaded: Loaded,
    pub(super) global: Global,
}

impl Context {
    /// Settings from all their places.
    ///
    /// # Errors
    /// Settings and arguments that are refused.
    pub(super) fn resolve(global: Global) -> Result<Self, CommandFailure> {
        let mut flags = Vec::new();
        for assignment in &global.set {
            let Some((key, value)) = assignment.split_once('=') else {
                // What stands behind a blank may be a password.
                let key = assignment.split([' ', ':']).next().unwrap_or_default();
                let more = if key.len() < assignment.len() { " …" } else { "" };
                return Err(CommandFailure::Arguments(format!(
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
        .map_err(CommandFailure::Settings)?;
        Ok(Self { loaded, global })
    }
}

impl Context {
    /// Reads these settings again from where they came, for roles that take others over while they run, and keeps `shown` as they are
    /// in force.
    pub(super) fn reloader(&self, live: LiveSettings, shown: LiveSettingsTable) -> Reloader {
        let global = self.global.clone();
        let read = move || match Self::resolve(global.clone()) {
            Ok(context) => Ok(context.loaded),
            Err(CommandFailure::Settings(error)) => Err(error),
            // Arguments were taken once and are the same.
            Err(_) => Err(SettingsError { problems: Vec::new() }),
        };
        Reloader::new(&self.loaded, live, shown, Box::new(read))
    }
}

impl Global {
    /// The store that was asked for.
    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// The settings file: the one that was asked for, else the one that the environment names.
    pub(super) fn settings_file(&self) -> Option<PathBuf> {
        let named = || Some(PathBuf::from(std::env::var_os("SKYWATCH_CONFIG")?));
        self.config.clone().or_else(named)
    }

    /// The state folder that was asked for.
    pub(super) fn state_dir(&self) -> Option<&std::path::Path> {
        self.state_dir.as_deref()
    }

    /// Takes settings from `file`, if one is given.
    pub(super) fn use_file(&mut self, file: Option<&PathBuf>) {
        self.config = file.cloned().or_else(|| self.config.take());
    }

    /// The arguments that make a child resolve the same settings.
    pub(super) fn as_arguments(&self) -> Vec<String> {
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

/// A line on standard output, or several; foreign text in it steers no terminal. A reader who has seen enough is no failure.
pub(super) fn say(line: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let lines: Vec<_> = line.split('\n').map(skywatch_alerters::text::one_line).collect();
    match writeln!(std::io::stdout().lock(), "{}", lines.join("\n")) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Settings on standard output, what became of each key on standard error.
pub(super) fn say_imported(imported: ImportedSettings) -> anyhow::Result<()> {
    say(imported.settings.trim_end())?;
    for note in imported.notes {
        let key = note.key;
        last_words(&match note.outcome {
            ImportOutcome::Carried(setting) => format!("carried over: {key} :: {setting}"),
            ImportOutcome::Left(why) => format!("NOT carried over: {key} :: {why}"),
            ImportOutcome::ToDo(what) => format!("to be done: {key} :: {what}"),
        });
    }
    Ok(())
}

/// Why a command failed, by exit code.
pub(super) enum CommandFailure {
    /// Settings that are refused: 2.
    Settings(SettingsError),
    /// Arguments that clap cannot judge: 2.
    Arguments(String),
    /// No process runs of which something was asked: 3.
    NotRunning(String),
    /// Anything else: 1.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for CommandFailure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}
