//! Drain's tree of fixed depth: by number of words, then by leading words, to the clusters that are worth comparing.
//!
//! The steps are those of He et al. (ICWS 2017) in the reading of LogPAI and Drain3: in a search an exact child goes before the
//! wildcard's; similarity counts equal words that are no wildcards; of equal similarity more wildcards win, then the first.

use std::collections::HashMap;

use super::clusters::ClusterTable;
use super::options::{DrainOptions, FullSearch};
use super::tokens::{TokenTable, VALUE};

/// Parent of the nodes of the first level, which are keyed by number of words.
const ROOT: u32 = u32::MAX;

#[derive(Debug, Clone)]
struct PrefixNode {
    parent: u32,
    key: u32,
    /// Children, the wildcard's among them.
    children: u32,
    /// Clusters that end here, by age.
    clusters: Vec<u32>,
    /// Whether it waits for being used again.
    is_free: bool,
}

/// The tree. Nodes that lead to no cluster any more are taken out.
#[derive(Debug, Clone)]
pub(super) struct PrefixTree {
    options: DrainOptions,
    edges: HashMap<(u32, u32), u32>,
    nodes: Vec<PrefixNode>,
    free: Vec<u32>,
}

impl PrefixTree {
    pub(super) fn new(options: DrainOptions) -> Self {
        Self {
            options,
            edges: HashMap::new(),
            nodes: Vec::new(),
            free: Vec::new(),
        }
    }

    /// The leading words that are levels of the tree.
    fn leading<'t>(&self, tokens: &'t [u32]) -> &'t [u32] {
        &tokens[..tokens.len().min(self.options.depth - 3)]
    }

    /// The most similar cluster at the end of the line's way through the tree, if it is similar enough.
    pub(super) fn search(&self, tokens: &[u32], clusters: &ClusterTable) -> Option<u32> {
        let leaf = self.leaf(tokens)?;
        let mut best = None;
        for &slot in &self.nodes[leaf as usize].clusters {
            let score = similarity(&clusters.get(slot).tokens, tokens);
            if best.is_none_or(|(found, _)| score > found) {
                best = Some((score, slot));
            }
        }
        let ((equal, _), slot) = best?;
        let share = if tokens.is_empty() {
            1.0
        } else {
            equal as f64 / tokens.len() as f64
        };
        (share >= self.options.similarity).then_some(slot)
    }

    /// The cluster whose template holds for a line word by word, wildcards for any; of several the one with the fewest wildcards,
    /// then the first.
    pub(super) fn matching(&self, tokens: &[u32], clusters: &ClusterTable) -> Option<u32> {
        let on_the_way = || {
            let leaf = self.leaf(tokens)?;
            most_specific(
                self.nodes[leaf as usize].clusters.iter().copied(),
                tokens,
                clusters,
            )
        };
        let anywhere = || most_specific(clusters.iter().map(|(slot, _)| slot), tokens, clusters);
        match self.options.full_search {
            FullSearch::Never => on_the_way(),
            FullSearch::Fallback => on_the_way().or_else(anywhere),
            FullSearch::Always => anywhere(),
        }
    }

    fn leaf(&self, tokens: &[u32]) -> Option<u32> {
        let mut node = *self.edges.get(&(ROOT, tokens.len() as u32))?;
        for &token in self.leading(tokens) {
            let exact = self.edges.get(&(node, token));
            node = *exact.or_else(|| self.edges.get(&(node, VALUE)))?;
        }
        Some(node)
    }

    /// The way on which a new cluster of these words is put: its leading words, or wildcards in their place.
    pub(super) fn new_way(&self, tokens: &[u32], table: &TokenTable) -> Vec<u32> {
        let mut way = Vec::new();
        let mut node = self.edges.get(&(ROOT, tokens.len() as u32)).copied();
        for &token in self.leading(tokens) {
            let child = |key| node.and_then(|node| self.edges.get(&(node, key)).copied());
            let is_new = child(token).is_none();
            let numeric = self.options.parametrize_numeric_tokens && table.traits(token).has_digit;
            // The last place is kept for the wildcard's child.
            let children = node.map_or(0, |node| self.nodes[node as usize].children) as usize;
            let taken = children + usize::from(child(VALUE).is_none());
            let key = if is_new && (numeric || taken >= self.options.max_children) {
                VALUE
            } else {
                token
            };
            way.push(key);
            node = child(key);
        }
        way
    }

    /// Puts a cluster at the end of `way`; gives back its leaf.
    pub(super) fn insert(&mut self, length: usize, way: &[u32], slot: u32) -> u32 {
        let mut node = self.child_or_new(ROOT, length as u32);
        for &key in way {
            node = self.child_or_new(node, key);
        }
        self.nodes[node as usize].clusters.push(slot);
        node
    }

    fn child_or_new(&mut self, parent: u32, key: u32) -> u32 {
        if let Some(&node) = self.edges.get(&(parent, key)) {
            return node;
        }
        let node = PrefixNode {
            parent,
            key,
            children: 0,
            clusters: Vec::new(),
            is_free: false,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.nodes[at as usize] = node;
                at
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        self.edges.insert((parent, key), at);
        if parent != ROOT {
            self.nodes[parent as usize].children += 1;
        }
        at
    }

    /// The way to a leaf, its number of words left out.
    pub(super) fn way(&self, leaf: u32) -> Vec<u32> {
        let mut way = Vec::new();
        let mut node = &self.nodes[leaf as usize];
        while node.parent != ROOT {
            way.push(node.key);
            node = &self.nodes[node.parent as usize];
        }
        way.reverse();
        way
    }

    /// Takes a cluster out of its leaf.
    pub(super) fn remove(&mut self, leaf: u32, slot: u32) {
        self.nodes[leaf as usize].clusters.retain(|&other| other != slot);
        let mut at = leaf;
        while at != ROOT {
            let &PrefixNode {
                parent,
                key,
                children,
                ref clusters,
                ..
            } = &self.nodes[at as usize];
            if children > 0 || !clusters.is_empty() {
                break;
            }
            self.edges.remove(&(parent, key));
            self.nodes[at as usize].is_free = true;
            self.free.push(at);
            if parent != ROOT {
                self.nodes[parent as usize].children -= 1;
            }
            at = parent;
        }
    }

    /// Gives every word its number in another table.
    pub(super) fn renumber(&mut self, renumber: &mut impl FnMut(u32) -> u32) {
        let (nodes, edges) = (&mut self.nodes, &mut self.edges);
        edges.clear();
        for (at, node) in nodes.iter_mut().enumerate().filter(|(_, node)| !node.is_free) {
            if node.parent != ROOT {
                node.key = renumber(node.key);
            }
            edges.insert((node.parent, node.key), at as u32);
        }
    }
}

fn most_specific(slots: impl Iterator<Item = u32>, tokens: &[u32], clusters: &ClusterTable) -> Option<u32> {
    let holding = slots.filter(|&slot| {
        let template = &clusters.get(slot).tokens;
        template.len() == tokens.len()
            && template
                .iter()
                .zip(tokens)
                .all(|(t, word)| t == word || *t == VALUE)
    });
    let rank = |slot: u32| {
        let cluster = clusters.get(slot);
        (cluster.tokens.iter().filter(|&&t| t == VALUE).count(), cluster.id)
    };
    holding.min_by_key(|&slot| rank(slot))
}

/// Equal words that are no wildcards, and wildcards of the template.
fn similarity(template: &[u32], tokens: &[u32]) -> (usize, usize) {
    let equal = template
        .iter()
        .zip(tokens)
        .filter(|(t, word)| t == word && **t != VALUE)
        .count();
    (equal, template.iter().filter(|&&t| t == VALUE).count())
}
