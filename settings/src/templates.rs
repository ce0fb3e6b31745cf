//! How templates are found in lines of text.

use regex::Regex;

use crate::check::Check;
use crate::choice::choice;
use crate::section::Section;

/// What makes lines belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LineGrouping {
    /// All words in the same places, except where a place has proven to vary.
    #[default]
    Variables,
    /// Drain as published: enough words in the same places.
    Drain,
}
choice!(LineGrouping { "variables" => Variables, "drain" => Drain });

options! {
    /// How templates are found in lines of text.
    pub LineTemplates {
        /// What makes lines belong together.
        grouping: LineGrouping = LineGrouping::Variables,
        /// Whether what is a value in any program's log is masked.
        general_masks: bool = true,
        /// Masks that are applied before, each as `NAME=REGULAR EXPRESSION`.
        masks: Vec<String> = Vec::new(),
        /// Characters at which words end, beside blanks.
        delimiters: String = String::new(),
        /// Share of words that must be equal.
        similarity: f64 = 0.5 => 0.0..=1.0,
        /// With `variables`, different words in one place that prove it a variable.
        words: usize = 6 => 2..,
        /// With `drain`, levels of its tree.
        depth: usize = 4 => 3..=64,
        /// With `drain`, children of a node of its tree.
        max_children: usize = 100 => 1..,
        /// Templates that are known at the same time.
        max_clusters: usize = 10_000 => 1..,
    }
}

impl LineTemplates {
    /// The masks: name and regular expression.
    pub fn masks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.masks.iter().filter_map(|mask| mask.split_once('='))
    }
}

impl Section for LineTemplates {
    fn check(&self, check: &mut Check<'_>) {
        let is_name = |name: &str| {
            name == "*" || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        };
        let is_mask = |mask: &String| {
            let parts = mask.split_once('=');
            parts.is_some_and(|(name, pattern)| is_name(name) && Regex::new(pattern).is_ok())
        };
        check.require(
            self.masks.iter().all(is_mask),
            "masks",
            &self.masks,
            "expected masks such as `'CASE=case-\\d+'`: a name of letters, digits and `_`, or `*`, and a regular expression \
             without look-around",
        );
        let mark = |c: char| c.is_alphanumeric() || matches!(c, '<' | '>' | '*' | '_');
        check.require(
            !self.delimiters.contains(mark),
            "delimiters",
            &self.delimiters,
            "expected none of letters, digits, `<`, `>`, `*`, `_`",
        );
    }
}
