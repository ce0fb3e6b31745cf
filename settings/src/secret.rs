//! A value that must not be seen, and the file it may stand in.

use std::fmt;
use std::path::Path;

use crate::field::{OptionValue, RefusedValue};
use crate::written::Written;

/// A password or token. `Debug` and `Display` print `***`; only [`Secret::expose`] gives the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be printed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that hands it to a server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl OptionValue for Secret {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        written
            .as_text()
            .map(Self::new)
            .ok_or_else(|| RefusedValue::new("expected text in quotes"))
    }

    fn show(&self) -> String {
        "***".to_owned()
    }

    fn mask(_: &str) -> String {
        "***".to_owned()
    }
}

/// The secret in a file: all of it but the line end that editors leave.
pub(crate) fn read_file(path: &Path) -> Result<Written, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("the file is empty".to_owned()),
        secret if secret.contains('\n') => Err("the file holds more than one line".to_owned()),
        secret => Ok(Written::Text(secret.to_owned())),
    }
}
