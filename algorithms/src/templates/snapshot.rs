//! What a miner has learnt, for going on after a restart.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::TemplateError;
use super::clusters::ClusterId;
use super::options::{MinerOptions, TemplateGrouping};

/// Everything a [`TemplateMiner`](super::TemplateMiner) has learnt, in any format of serde. A miner made from it goes on as the one
/// it was taken from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinerSnapshot {
    /// The form of this type.
    pub(super) version: u32,
    /// How it was learnt; other options would have made other clusters.
    pub(super) options: MinerOptions,
    pub(super) lines: u64,
    pub(super) last_id: ClusterId,
    /// The least recently used first.
    pub(super) clusters: Vec<SavedCluster>,
}

/// One cluster of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedCluster {
    pub(super) id: ClusterId,
    pub(super) lines: u64,
    /// Its words; `None` for a place that has proven to vary.
    pub(super) template: Vec<Option<String>>,
    /// Drain: the keys from the tree's level of lengths to its leaf.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) way: Vec<String>,
}

impl MinerSnapshot {
    /// Raised when saved clusters would be read wrongly.
    pub(super) const VERSION: u32 = 1;

    /// Refuses what no miner has written.
    pub(super) fn check(&self) -> Result<(), TemplateError> {
        let require = |holds: bool, reason: &str| {
            if holds {
                Ok(())
            } else {
                Err(TemplateError::Snapshot(reason.to_owned()))
            }
        };
        require(self.version == Self::VERSION, "it has another form")?;
        require(
            self.clusters.len() <= self.options.max_clusters,
            "it has more clusters than it may",
        )?;
        let ids: HashSet<_> = self.clusters.iter().map(|cluster| cluster.id).collect();
        require(ids.len() == self.clusters.len(), "a cluster is in it twice")?;
        require(
            ids.iter().all(|id| (1..=self.last_id).contains(id)),
            "a cluster's id was not given yet",
        )?;
        let levels = match self.options.grouping {
            TemplateGrouping::Drain(options) => options.depth.saturating_sub(3),
            TemplateGrouping::Variables(_) => 0,
        };
        let is_whole = |cluster: &SavedCluster| cluster.way.len() == levels.min(cluster.template.len());
        require(
            self.clusters.iter().all(is_whole),
            "a cluster has no place in the tree",
        )
    }

    /// The options it was learnt with.
    #[must_use]
    pub fn options(&self) -> &MinerOptions {
        &self.options
    }
}
