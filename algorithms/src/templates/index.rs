//! Where clusters are looked for: Drain's tree, or by length and first word.

use super::clusters::{ClusterTable, LineCluster};
use super::options::TemplateGrouping;
use super::prefix_tree::PrefixTree;
use super::tokens::TokenTable;
use super::variables::{LengthIndex, Union};

/// The way a miner groups.
#[derive(Debug, Clone)]
pub(super) enum ClusterIndex {
    Drain(PrefixTree),
    Variables(LengthIndex),
}

impl ClusterIndex {
    pub(super) fn new(grouping: TemplateGrouping) -> Self {
        match grouping {
            TemplateGrouping::Drain(options) => Self::Drain(PrefixTree::new(options)),
            TemplateGrouping::Variables(options) => Self::Variables(LengthIndex::new(options)),
        }
    }

    /// Puts a cluster where it is found; in Drain's tree on a `way` that it had before, or on a new one.
    pub(super) fn insert(
        &mut self,
        slot: u32,
        way: Option<Vec<u32>>,
        clusters: &mut ClusterTable,
        table: &TokenTable,
    ) {
        match self {
            Self::Drain(tree) => {
                let cluster = clusters.get_mut(slot);
                let way = way.unwrap_or_else(|| tree.new_way(&cluster.tokens, table));
                cluster.home = tree.insert(cluster.tokens.len(), &way, slot);
            }
            Self::Variables(index) => index.insert(slot, clusters),
        }
    }

    pub(super) fn remove(&mut self, slot: u32, cluster: &LineCluster) {
        match self {
            Self::Drain(tree) => tree.remove(cluster.home, slot),
            Self::Variables(index) => index.remove(slot, &cluster.tokens),
        }
    }

    pub(super) fn union(&self, slot: u32, clusters: &ClusterTable, table: &TokenTable) -> Option<Union> {
        match self {
            Self::Drain(_) => None,
            Self::Variables(index) => index.union(slot, clusters, table),
        }
    }
}
