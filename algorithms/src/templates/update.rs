//! What a miner says of a line.

use super::clusters::ClusterId;

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerUpdate {
    /// The cluster it belongs to.
    pub cluster: ClusterId,
    /// What that did to the cluster.
    pub change: TemplateChange,
    /// Clusters that became part of `cluster` by it; their ids are not used any more.
    pub absorbed: Vec<ClusterId>,
    /// The cluster that gave way to it.
    pub evicted: Option<EvictedTemplate>,
}

/// What a line did to its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateChange {
    /// It is the first.
    Created,
    /// A place became a wildcard.
    Changed,
    /// Nothing but the count.
    None,
}

/// A cluster that was forgotten because there were too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvictedTemplate {
    /// Its id.
    pub cluster: ClusterId,
    /// Its template.
    pub template: String,
    /// Its lines.
    pub lines: u64,
}

/// A value in a line, in the place of a wildcard of its template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateParameter<'m, 'l> {
    /// The name of the mask that found it; `*` for a word in a place that varies.
    pub mask: &'m str,
    /// The value as it stands in the line.
    pub value: &'l str,
}
