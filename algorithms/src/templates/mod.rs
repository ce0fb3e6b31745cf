//! Templates: which lines of text were written by the same statement, learnt line by line.
//!
//! A [`TemplateMiner`] [masks](MaskPattern) values, splits what is left at blanks, and finds the cluster a line belongs to, whose
//! template is the words its lines have in common. Two ways to group share masks, ids, bounds and snapshots:
//! [`TemplateGrouping::Drain`] is Drain as published (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree",
//! ICWS 2017; options of Drain3), and [`TemplateGrouping::Variables`], the default, takes a word for a constant until its place
//! has proven to vary. `docs/algorithms/templates.md` says why, and what each part of it is worth.
//!
//! Ids are numbers in the order of creation: the same lines in the same order give the same ids, and a snapshot keeps them. Memory
//! is bounded by the number of clusters, of which the least recently used gives way.
//!
//! ```
//! use skywatch_algorithms::templates::{MinerOptions, TemplateMiner};
//!
//! let mut miner = TemplateMiner::new(&MinerOptions::default())?;
//! let first = miner.learn("Received block blk_-38 of size 67108864 from 10.251.42.9").cluster;
//! let second = miner.learn("Received block blk_7 of size 3 from 10.251.42.11").cluster;
//! assert_eq!(first, second);
//! assert_eq!(miner.template(first).as_deref(), Some("Received block blk_<*> of size <*> from <*>"));
//! # Ok::<(), skywatch_algorithms::templates::TemplateError>(())
//! ```

mod clusters;
mod index;
mod masking;
mod miner;
mod options;
mod prefix_tree;
pub mod scanner;
mod snapshot;
mod tally;
mod tokens;
mod update;
mod variables;
mod words;

pub use clusters::ClusterId;
pub use masking::{MaskPattern, WILDCARD};
pub use miner::TemplateMiner;
pub use options::{DrainOptions, FullSearch, MinerOptions, TemplateGrouping, VariableOptions};
pub use snapshot::MinerSnapshot;
pub use tally::{Counting, TemplateTally};
pub use update::{EvictedTemplate, MinerUpdate, TemplateChange, TemplateParameter};

/// What a miner refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A mask's name that could not be told from text.
    #[error("a mask cannot be called `{0}`\nhint: letters, digits and `_`, or `*` alone")]
    MaskName(String),
    /// A mask's expression that cannot be read.
    #[error(
        "the pattern of mask `{name}` is no regular expression: {reason}\nhint: there is no look-around; capture the value itself as `(?<value>…)`"
    )]
    MaskPattern {
        /// The mask.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An option out of its range.
    #[error("`{option}` is {given}, expected {expected}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What was given.
        given: String,
        /// What is possible.
        expected: &'static str,
    },
    /// A snapshot that this miner cannot go on from.
    #[error("the snapshot cannot be used: {0}")]
    Snapshot(String),
}
