//! Settings out of gala-anteater's configuration.
//!
//! Every key of the original is in a [table](mapping), with what becomes of it or why nothing does; one that is not there is named,
//! too, so that nothing is passed over in silence. Files are read within bounds, and aliases of YAML are refused, as a few of
//! them can stand for more than there is memory.

mod error;
mod jobs;
mod mapping;
#[cfg(test)]
mod tests;
mod yaml;

use std::path::PathBuf;

use crate::imported::ImportedSettings;
pub use error::AnteaterError;
use mapping::Conversion;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnteaterFiles {
    /// `gala-anteater.yaml`.
    pub configuration: PathBuf,
    /// `metricinfo.json`.
    pub metric_info: Option<PathBuf>,
    /// The folder with the jobs.
    pub jobs: Option<PathBuf>,
}

/// Reads a configuration and says in settings what it says.
///
/// # Errors
/// A file that cannot be read or is no configuration. A key that is not known is a note and no error.
pub fn import(files: &AnteaterFiles) -> Result<ImportedSettings, AnteaterError> {
    let configuration = yaml::read(&files.configuration)?;
    let mut conversion = Conversion::default();
    conversion.configuration(&configuration);
    if let Some(path) = &files.metric_info {
        conversion.metric_info(path, jobs::count_metrics(path)?);
    }
    if let Some(folder) = &files.jobs {
        conversion.jobs(&jobs::read(folder)?);
    }
    Ok(conversion.finish())
}
