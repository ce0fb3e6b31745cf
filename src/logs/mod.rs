//! Lines of text and their templates.
//!
//! How a line becomes a template is in [`skywatch_algorithms::templates`]; here is where lines come from and where what was found
//! goes. [`assign`] reads a whole file.

mod assign;
mod lines;

pub use assign::{AssignedLines, LogsError, assign};

use skywatch_algorithms::templates::{
    DrainOptions, MaskPattern, MinerOptions, TemplateGrouping, VariableOptions,
};
use skywatch_settings::{LineGrouping, LineTemplates};

/// A miner's options as the settings have them.
#[must_use]
pub fn miner_options(settings: &LineTemplates) -> MinerOptions {
    let grouping = match settings.grouping {
        LineGrouping::Variables => TemplateGrouping::Variables(VariableOptions {
            words: settings.words,
            similarity: settings.similarity,
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
