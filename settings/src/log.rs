//! The program's own log.

use crate::choice::choice;
use crate::section::Section;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what may fail soon.
    Warn,
    /// And what a Skyline operator knows: a few lines a pass.
    #[default]
    Info,
    /// And what a developer asks for.
    Debug,
    /// And everything.
    Trace,
}
choice!(LogLevel { "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug, "trace" => Trace });

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
choice!(LogFormat { "text" => Text, "json" => Json });

options! {
    /// The program's own log, on standard error.
    pub Log {
        /// The least important line that is written.
        level: LogLevel = LogLevel::Info,
        /// How a line looks.
        format: LogFormat = LogFormat::Text,
    }
}

impl Section for Log {}
