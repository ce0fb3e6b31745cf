//! The command-line tools, by the original's names: `hview-client`, `hview-server`, `hview-mkrc`, `hview-logtail`. The same are subcommands of
//! `skywatch health`.
//!
//! Commands, flags and texts are the original's. What differs is said in `docs/health.md`: exit codes mean something (0 done,
//! 1 refused or not reached, 2 a wrong command line), and half a report is not sent.

mod client;
mod config;
mod flags;
mod json;
mod line;
mod logtail;
mod mkrc;
mod server;
mod terminal;
mod text;

use std::process::ExitCode;

pub(super) use self::json::{transition as transition_as_json, verdict as verdict_as_json};
use self::terminal::{ToolError, complain};
use crate::stop::Stop;

/// One of the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Asks and reports.
    Client,
    /// Serves, by flags or by a file of the original.
    Server,
    /// Makes such files.
    Mkrc,
    /// Reports what a log says.
    Logtail,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Client, Self::Server, Self::Mkrc, Self::Logtail];

    /// The tool of a name, with or without `hview-`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("hview-").unwrap_or(name);
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Its name, without `hview-`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Mkrc => "mkrc",
            Self::Logtail => "logtail",
        }
    }

    /// Whether it goes on until it is asked to stop.
    #[must_use]
    pub fn serves(self) -> bool {
        self == Self::Server
    }

    /// Runs it over the arguments that follow its name, one that serves until `stop` is said. What it has to say about a
    /// failure goes to standard error.
    #[must_use]
    pub fn run(self, arguments: Vec<String>, stop: &Stop) -> ExitCode {
        let outcome = match self {
            Self::Client => client::run(arguments),
            Self::Server => server::run(arguments, stop),
            Self::Mkrc => mkrc::run(arguments),
            Self::Logtail => logtail::run(arguments),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let text = error.to_string();
                if !text.is_empty() {
                    complain(&text);
                }
                ExitCode::from(if matches!(error, ToolError::Usage(_)) {
                    2
                } else {
                    1
                })
            }
        }
    }
}
