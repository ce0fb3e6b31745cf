//! The clusters and the order in which they were used.

/// A cluster's id: 1 for the first that a miner made, and so on; none is given twice.
pub type ClusterId = u64;

/// One cluster.
#[derive(Debug, Clone)]
pub(super) struct LineCluster {
    pub(super) id: ClusterId,
    pub(super) tokens: Box<[u32]>,
    /// Lines that belong to it, those of absorbed clusters included.
    pub(super) lines: u64,
    /// Where the grouping keeps it.
    pub(super) home: u32,
    newer: u32,
    older: u32,
}

const NONE: u32 = u32::MAX;

/// Clusters in slots that are used again, linked from the most to the least recently used.
#[derive(Debug, Clone)]
pub(super) struct ClusterTable {
    slots: Vec<Option<LineCluster>>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    last_id: ClusterId,
}

impl Default for ClusterTable {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            last_id: 0,
        }
    }
}

impl ClusterTable {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn last_id(&self) -> ClusterId {
        self.last_id
    }

    pub(super) fn set_last_id(&mut self, id: ClusterId) {
        self.last_id = id;
    }

    pub(super) fn get(&self, slot: u32) -> &LineCluster {
        self.slots[slot as usize]
            .as_ref()
            .expect("slots in use hold a cluster")
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> &mut LineCluster {
        self.slots[slot as usize]
            .as_mut()
            .expect("slots in use hold a cluster")
    }

    /// The slots in use with their clusters, in no useful order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &LineCluster)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, cluster)| Some((slot as u32, cluster.as_ref()?)))
    }

    /// The slots in use, the least recently used first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = u32> {
        let some = |slot: u32| (slot != NONE).then_some(slot);
        std::iter::successors(some(self.oldest), move |&slot| some(self.get(slot).newer))
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// A new cluster with the next id, the most recently used.
    pub(super) fn create(&mut self, tokens: &[u32]) -> u32 {
        self.last_id += 1;
        self.insert(self.last_id, tokens, 0)
    }

    /// A cluster with an id that it has already.
    pub(super) fn insert(&mut self, id: ClusterId, tokens: &[u32], lines: u64) -> u32 {
        let cluster = LineCluster {
            id,
            tokens: tokens.into(),
            lines,
            home: 0,
            newer: NONE,
            older: NONE,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(cluster);
                slot
            }
            None => {
                self.slots.push(Some(cluster));
                u32::try_from(self.slots.len() - 1).expect("memory ends before so many clusters")
            }
        };
        self.link_newest(slot);
        slot
    }

    pub(super) fn remove(&mut self, slot: u32) -> LineCluster {
        self.unlink(slot);
        self.free.push(slot);
        self.slots[slot as usize]
            .take()
            .expect("slots in use hold a cluster")
    }

    /// Gives every word its number in another table.
    pub(super) fn renumber(&mut self, renumber: &mut impl FnMut(u32) -> u32) {
        for token in self
            .slots
            .iter_mut()
            .flatten()
            .flat_map(|cluster| &mut cluster.tokens)
        {
            *token = renumber(*token);
        }
    }

    /// Makes a cluster the most recently used.
    pub(super) fn touch(&mut self, slot: u32) {
        if self.newest != slot {
            self.unlink(slot);
            self.link_newest(slot);
        }
    }

    fn link_newest(&mut self, slot: u32) {
        let before = std::mem::replace(&mut self.newest, slot);
        let cluster = self.get_mut(slot);
        (cluster.older, cluster.newer) = (before, NONE);
        if before == NONE {
            self.oldest = slot;
        } else {
            self.get_mut(before).newer = slot;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let &LineCluster { newer, older, .. } = self.get(slot);
        if newer == NONE {
            self.newest = older;
        } else {
            self.get_mut(newer).older = older;
        }
        if older == NONE {
            self.oldest = newer;
        } else {
            self.get_mut(older).newer = newer;
        }
    }
}
