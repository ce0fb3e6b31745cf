//! A value that must not be seen.

use std::fmt;

use crate::field::{Refused, Value};
use crate::raw::Written;

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

impl Value for Secret {
    fn read(written: &Written) -> Result<Self, Refused> {
        written
            .as_text()
            .map(Self::new)
            .ok_or_else(|| Refused::new("expected text in quotes"))
    }

    fn show(&self) -> String {
        "***".to_owned()
    }

    fn mask(_: &str) -> String {
        "***".to_owned()
    }
}
