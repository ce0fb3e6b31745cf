//! How a miner works.

use serde::{Deserialize, Serialize};

use super::{MaskPattern, TemplateError};

/// How a miner masks, groups and forgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinerOptions {
    /// Masks of one's own, applied in order before the general ones.
    pub masks: Vec<MaskPattern>,
    /// Whether what is a value in any program's log is masked; see [`super::scanner`].
    pub general_masks: bool,
    /// Characters at which words end, beside blanks.
    pub delimiters: String,
    /// What makes lines belong together.
    pub grouping: TemplateGrouping,
    /// Clusters kept; one more, and the least recently used is forgotten.
    pub max_clusters: usize,
}

impl Default for MinerOptions {
    fn default() -> Self {
        Self {
            masks: Vec::new(),
            general_masks: true,
            delimiters: String::new(),
            grouping: TemplateGrouping::Variables(VariableOptions::default()),
            // At some 300 bytes a cluster 3 MB; programs have hundreds of log statements, large systems thousands.
            max_clusters: 10_000,
        }
    }
}

/// What makes lines belong together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TemplateGrouping {
    /// Drain as published: enough words in the same places.
    Drain(DrainOptions),
    /// All words in the same places, except where a place has proven to vary.
    Variables(VariableOptions),
}

/// The options of Drain, by their names in Drain3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DrainOptions {
    /// Share of words that must be equal, 0 to 1.
    pub similarity: f64,
    /// Levels of the tree, root, length and leaf among them: 4 looks at one leading word, 3 at none.
    pub depth: usize,
    /// Children of a node; further words share the wildcard's.
    pub max_children: usize,
    /// Whether a leading word with a digit goes to the wildcard's child.
    pub parametrize_numeric_tokens: bool,
    /// Where a line is looked for when nothing is to be learnt from it.
    pub full_search: FullSearch,
}

/// Where Drain looks for the template of a line from which nothing is to be learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FullSearch {
    /// On the line's way through the tree.
    Never,
    /// There, and if nothing holds, among all clusters with as many words.
    Fallback,
    /// Among all clusters with as many words.
    Always,
}

impl Default for DrainOptions {
    fn default() -> Self {
        Self {
            similarity: 0.4,
            depth: 4,
            max_children: 100,
            parametrize_numeric_tokens: true,
            full_search: FullSearch::Never,
        }
    }
}

/// When a place in a template has proven to vary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VariableOptions {
    /// Different words in one place, all else equal, that prove it a variable.
    pub words: usize,
    /// The same of words with a digit in them.
    pub numbered_words: usize,
    /// Whether a masked value in the place proves it, too. Where short words and values stand side by side, as in the paths of
    /// URLs (`/orders/17`, `/orders/search`), it does not.
    pub values_prove: bool,
    /// Share of the places without a value in which two templates must agree, 0 to 1, before the others are looked at.
    pub similarity: f64,
}

impl Default for VariableOptions {
    fn default() -> Self {
        Self {
            words: 6,
            numbered_words: 2,
            values_prove: true,
            similarity: 0.5,
        }
    }
}

impl MinerOptions {
    pub(super) fn check(&self) -> Result<(), TemplateError> {
        let require = |holds: bool, option, given: String, expected| {
            if holds {
                Ok(())
            } else {
                Err(TemplateError::Option {
                    option,
                    given,
                    expected,
                })
            }
        };
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        require(
            self.max_clusters >= 1,
            "max_clusters",
            self.max_clusters.to_string(),
            "1 or more",
        )?;
        let marks = |c: char| c.is_alphanumeric() || matches!(c, '<' | '>' | '*' | '_');
        require(
            !self.delimiters.contains(marks),
            "delimiters",
            self.delimiters.clone(),
            "none of letters, digits, `<`, `>`, `*`, `_`",
        )?;
        match self.grouping {
            TemplateGrouping::Drain(options) => {
                require(
                    is_share(options.similarity),
                    "similarity",
                    options.similarity.to_string(),
                    "0 to 1",
                )?;
                require(
                    options.depth >= 3,
                    "depth",
                    options.depth.to_string(),
                    "3 or more",
                )?;
                require(
                    options.max_children >= 1,
                    "max_children",
                    options.max_children.to_string(),
                    "1 or more",
                )
            }
            TemplateGrouping::Variables(options) => {
                require(
                    is_share(options.similarity),
                    "similarity",
                    options.similarity.to_string(),
                    "0 to 1",
                )?;
                for (option, words) in [
                    ("words", options.words),
                    ("numbered_words", options.numbered_words),
                ] {
                    require(words >= 2, option, words.to_string(), "2 or more")?;
                }
                Ok(())
            }
        }
    }
}
