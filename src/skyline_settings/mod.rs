//! Settings out of a Skyline's `settings.py`.
//!
//! The file is read as text and never executed ([`python`]). What a name means is worked out for the names that are known
//! ([`scalars`], [`receivers`], [`alert_rules`]); of every other it is said why nothing becomes of it ([`left`]). Secrets are not
//! repeated: the settings name files for them, which the caller may have written.
//!
//! Behaviour and defaults of the original: earthgecko/skyline 4, `skyline/settings.py`, and etsy/skyline, `src/settings.py`.

mod alert_rules;
mod conversion;
mod left;
mod patterns;
mod python;
mod receivers;
mod scalars;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use conversion::SkylineConversion;
pub use conversion::SkylineImport;
pub use python::PythonError;

/// The largest file that is read; the original has 212 kB.
const MOST_BYTES: u64 = 4 << 20;

/// Why a file gives no settings.
#[derive(Debug, thiserror::Error)]
pub enum SkylineError {
    /// A file that cannot be read, or is no text.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not Python.
    #[error("`{}` is not Python: {source}", path.display())]
    NotPython {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        source: PythonError,
    },
}

/// Reads a `settings.py` and says in settings what it says; secrets are looked for in files of the folder `secrets`.
///
/// # Errors
/// A file that cannot be read or is not Python. A name that is not known is a note and no error.
pub fn import(path: &Path, secrets: &Path) -> Result<SkylineImport, SkylineError> {
    let unreadable = |source| SkylineError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut source = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut source)
        .map_err(unreadable)?;
    if source.len() as u64 > MOST_BYTES {
        let reason = format!("more than {MOST_BYTES} bytes");
        return Err(unreadable(std::io::Error::other(reason)));
    }
    let assignments = python::assignments(&source).map_err(|source| SkylineError::NotPython {
        path: path.to_owned(),
        source,
    })?;
    let mut conversion = SkylineConversion::new(assignments, secrets);
    scalars::convert(&mut conversion);
    let people = receivers::convert(&mut conversion);
    alert_rules::convert(&mut conversion, people);
    left::convert(&mut conversion);
    Ok(conversion.finish())
}
