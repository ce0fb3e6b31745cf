//! Lines of text and their templates.
//!
//! How a line becomes a template is in [`skywatch_algorithms::templates`]; here is where lines come from and where what was found
//! goes. [`assign`] reads a whole file; [`follow`] follows files as they grow, and makes metrics of what it finds.

mod assign;
mod csv;
mod delivery;
mod follower;
mod lines;
mod watched;

pub use assign::{AssignedLines, assign};
pub use follower::{FollowOptions, follow};
pub use watched::WatchedFile;

use std::io;
use std::path::PathBuf;

use skywatch_algorithms::templates::{
    DrainOptions, MaskPattern, MinerOptions, TemplateError, TemplateGrouping, VariableOptions,
};
use skywatch_settings::{LineGrouping, LineTemplates};

/// Why lines have no templates.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// A file that cannot be read, or is no gzip stream to its end.
    #[error("cannot read `{}`: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The folder for what is learnt cannot be made.
    #[error("cannot make the folder `{}`: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// Options that the miner refuses.
    #[error(transparent)]
    Options(#[from] TemplateError),
}

/// A miner's options as the settings have them.
#[must_use]
pub fn miner_options(settings: &LineTemplates) -> MinerOptions {
    let grouping = match settings.grouping {
        LineGrouping::Variables => TemplateGrouping::Variables(VariableOptions {
            words: settings.words,
            similarity: settings.similarity,
            ..VariableOptions::default()
        }),
        LineGrouping::Drain => TemplateGrouping::Drain(DrainOptions {
            similarity: settings.similarity,
            depth: settings.depth,
            max_children: settings.max_children,
            ..DrainOptions::default()
        }),
    };
    let mask = |(name, pattern): (&str, &str)| MaskPattern {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
    };
    MinerOptions {
        masks: settings.masks().map(mask).collect(),
        general_masks: settings.general_masks,
        delimiters: settings.delimiters.clone(),
        grouping,
        max_clusters: settings.max_clusters,
    }
}
