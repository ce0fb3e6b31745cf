//! Everything that can be wrong with the settings.

use std::fmt;
use std::path::PathBuf;

use crate::origin::Origin;

/// One thing wrong with the settings, written for the person who must mend it: what and where on the first line, what
/// to do on the `hint:` line. Secrets are masked before they get here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The settings file is missing, not permitted or not UTF-8.
    #[error("cannot read settings file `{}`: {reason}\nhint: {mend}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
        /// What to do.
        mend: &'static str,
    },
    /// The settings file is not TOML.
    #[error("broken TOML in {} line {line} column {column}: {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from one.
        line: usize,
        /// Column in characters, from one.
        column: usize,
        /// What the parser missed.
        what: String,
    },
    /// No section has that name.
    #[error("unknown section `[{section}]`{}\nhint: {hint}", origin.place())]
    UnknownSection {
        /// The name as written.
        section: String,
        /// Where it is written.
        origin: Origin,
        /// What was probably meant.
        hint: String,
    },
    /// A section's name is used as a key.
    #[error("`{section}` is a section, not a value{}\nhint: write `[{section}]` and its keys below it", origin.place())]
    NotASection {
        /// The section.
        section: String,
        /// Where it is written.
        origin: Origin,
    },
    /// No option has that name.
    #[error("unknown key `{key}`{}\nhint: {hint}", origin.place())]
    UnknownKey {
        /// The dotted key as written.
        key: String,
        /// Where it is written.
        origin: Origin,
        /// What was probably meant.
        hint: String,
    },
    /// The value is of the wrong kind or beyond its limits.
    #[error("wrong value `{value}` for `{key}`{}\nhint: {expected}", origin.place())]
    WrongValue {
        /// The dotted key.
        key: String,
        /// The value as written, secrets masked.
        value: String,
        /// Where it is written.
        origin: Origin,
        /// What would have been right, with an example.
        expected: String,
    },
    /// Two options do not go together, or one misses another.
    #[error("{what}{}\nhint: {hint}", origin.place())]
    Conflict {
        /// What does not fit.
        what: String,
        /// Where the option that somebody set is written.
        origin: Origin,
        /// What to change.
        hint: String,
    },
    /// The file that a `*_file` option names gives no secret.
    #[error("cannot read the secret `{key}` from `{}`{}: {reason}\nhint: `{key}` names a file that holds the secret and nothing else", path.display(), origin.place())]
    UnreadableSecret {
        /// The `*_file` option.
        key: String,
        /// The file it names.
        path: PathBuf,
        /// Where it is named.
        origin: Origin,
        /// What went wrong.
        reason: String,
    },
}

/// The settings were refused. Holds every problem found, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}
