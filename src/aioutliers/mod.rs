//! What rb-aioutliers leaves behind: its `config.ini` as settings, and its models.
//!
//! Every key of the configuration is carried over or named. A model is a `.keras` file (weights and the description of the
//! network) and an `.ini` beside it (columns, limits); both are read as data: the network must be the one that is known here
//! ([`network`]), whatever else a file may describe.

mod configuration;
pub mod hdf5;
mod import;
mod ini;
mod network;
pub mod zip;

use std::path::PathBuf;

pub use configuration::import as import_configuration;
pub use import::{ImportedModel, read_model, read_models};

/// Why something of rb-aioutliers cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AioutliersError {
    /// A file or folder that cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no INI file.
    #[error("`{}` line {line}: {why}", path.display())]
    Ini {
        /// Where.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A model that is not the network that is known here, or is broken.
    #[error("the model `{}` is refused: {why}", path.display())]
    Model {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}
