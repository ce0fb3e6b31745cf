//! Grouping by proof: a word is a constant until its place has shown to vary.
//!
//! With values masked, most of what is left are the words somebody wrote into a statement, and two lines that differ in one of them
//! (`VM Paused`, `VM Resumed`) come from two statements. Drain's similarity takes them for one as soon as the rest agrees. Here a
//! line belongs to a cluster only if all its words do, and when a new cluster is made, those that differ from it in a few places
//! are looked at: they become one if each of these places is proven a variable, by any of
//!
//! - `words` different words in it, all else equal (as IPLoM and Brain count; a set that is written out in code, such as states
//!   and HTTP methods, is small, and names of users and files are not);
//! - a masked value in it, in one of the templates (`values_prove`);
//! - two different words with a digit in them (`J18-U01`, `J18-U11`; `numbered_words`), Drain's own rule for leading words;
//! - one key before `=` or `:`, and a masked value behind it (`rhost=<*>`, `rhost=localhost`; `values_prove`).
//!
//! The first place needs more than different words: programs begin a statement with what it is about (Drain's reason for its tree).
//! Templates are compared only if they agree in half of the places that hold no value, so that `foo <*>` and `bar <*>` stay two.
//!
//! A new cluster costs O(clusters of this length × words); a line that is known costs the clusters with its length and first word.

use std::collections::{BTreeSet, HashMap};

use super::clusters::ClusterTable;
use super::options::VariableOptions;
use super::tokens::{TokenTable, VALUE, VARIABLE};

/// Places that are looked at, one a bit; lines with more words are grouped only when equal.
const WIDEST: usize = u128::BITS as usize;
/// Sets of places tried for one new cluster, the smallest first. What a log shows are one to three; more of them means that nothing
/// of it is constant.
const MOST_SETS: usize = 64;

/// The clusters by what a line of theirs begins with.
#[derive(Debug, Clone)]
pub(super) struct LengthIndex {
    options: VariableOptions,
    by_length: HashMap<u32, Vec<u32>>,
    by_first: HashMap<(u32, u32), Vec<u32>>,
}

/// Clusters that are one: the places in which they vary, and their slots.
#[derive(Debug)]
pub(super) struct Union {
    places: u128,
    pub(super) slots: Vec<u32>,
}

impl Union {
    /// Whether the place is a variable of the united cluster.
    pub(super) fn varies(&self, place: usize) -> bool {
        place < WIDEST && self.places >> place & 1 == 1
    }
}

impl LengthIndex {
    pub(super) fn new(options: VariableOptions) -> Self {
        Self {
            options,
            by_length: HashMap::new(),
            by_first: HashMap::new(),
        }
    }

    /// The cluster whose words the line has, variables aside; of several the one with the fewest variables, then the first.
    pub(super) fn search(&self, tokens: &[u32], clusters: &ClusterTable) -> Option<u32> {
        let first = tokens.first().copied().unwrap_or(VALUE);
        let candidates = [first, VARIABLE]
            .into_iter()
            .filter_map(|first| self.by_first.get(&(tokens.len() as u32, first)));
        let mut best = None;
        for &slot in candidates.flatten() {
            let cluster = clusters.get(slot);
            let mut variables = 0_usize;
            let holds = cluster.tokens.iter().zip(tokens).all(|(&t, &word)| {
                variables += usize::from(t == VARIABLE);
                t == word || t == VARIABLE
            });
            let rank = (variables, cluster.id);
            if holds && best.is_none_or(|(found, _)| rank < found) {
                best = Some((rank, slot));
            }
        }
        best.map(|(_, slot)| slot)
    }

    pub(super) fn insert(&mut self, slot: u32, clusters: &ClusterTable) {
        let tokens = &clusters.get(slot).tokens;
        let first = tokens.first().copied().unwrap_or(VALUE);
        self.by_length.entry(tokens.len() as u32).or_default().push(slot);
        self.by_first
            .entry((tokens.len() as u32, first))
            .or_default()
            .push(slot);
    }

    pub(super) fn remove(&mut self, slot: u32, tokens: &[u32]) {
        let first = tokens.first().copied().unwrap_or(VALUE);
        remove_from(&mut self.by_length, tokens.len() as u32, slot);
        remove_from(&mut self.by_first, (tokens.len() as u32, first), slot);
    }

    /// Sorts all clusters in anew, after their words have got other numbers.
    pub(super) fn rebuild(&mut self, clusters: &ClusterTable) {
        self.by_length.clear();
        self.by_first.clear();
        let mut slots: Vec<_> = clusters
            .iter()
            .map(|(slot, cluster)| (cluster.id, slot))
            .collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            self.insert(slot, clusters);
        }
    }

    /// Which clusters are one with the new or changed cluster in `slot`, itself among them.
    pub(super) fn union(&self, slot: u32, clusters: &ClusterTable, table: &TokenTable) -> Option<Union> {
        let tokens = &clusters.get(slot).tokens;
        if tokens.len() > WIDEST {
            return None;
        }
        let mut others = Vec::new();
        let mut sets = BTreeSet::new();
        for &other in self.by_length.get(&(tokens.len() as u32))? {
            if other == slot {
                continue;
            }
            let (places, is_similar) = self.compare(tokens, &clusters.get(other).tokens);
            if is_similar {
                others.push((other, places));
                sets.insert((places.count_ones(), places));
            }
        }
        sets.into_iter().take(MOST_SETS).find_map(|(_, places)| {
            let within = others.iter().filter(|(_, differing)| differing & !places == 0);
            let slots: Vec<u32> = within.map(|&(other, _)| other).chain([slot]).collect();
            let proven = (0..tokens.len())
                .filter(|place| places >> place & 1 == 1)
                .all(|place| {
                    let words = slots.iter().map(|&slot| clusters.get(slot).tokens[place]);
                    self.is_variable(place, words, table)
                });
            proven.then_some(Union { places, slots })
        })
    }

    /// The places in which two templates differ, and whether they agree in enough of the others.
    fn compare(&self, one: &[u32], other: &[u32]) -> (u128, bool) {
        let (mut places, mut values) = (0_u128, 0);
        for (place, (a, b)) in one.iter().zip(other).enumerate() {
            places |= u128::from(a != b) << place;
            values += usize::from(a == b && (*a == VALUE || *a == VARIABLE));
        }
        let words = one.len() - values;
        let agreeing = words - places.count_ones() as usize;
        (
            places,
            words > 0 && agreeing as f64 >= self.options.similarity * words as f64,
        )
    }

    /// Whether `words`, seen in one `place` with all else equal, prove it a variable.
    fn is_variable(&self, place: usize, words: impl Iterator<Item = u32>, table: &TokenTable) -> bool {
        let mut distinct: Vec<u32> = words.collect();
        distinct.sort_unstable();
        distinct.dedup();
        if place > 0 && distinct.len() >= self.options.words {
            return true;
        }
        let traits: Vec<_> = distinct.iter().map(|&word| table.traits(word)).collect();
        let with_digit = traits
            .iter()
            .filter(|traits| traits.has_digit && !traits.is_masked)
            .count();
        if with_digit >= self.options.numbered_words {
            return true;
        }
        if !self.options.values_prove {
            return false;
        }
        let key = table.key(distinct[0]);
        let is_one_key = !key.is_empty() && distinct.iter().all(|&word| table.key(word) == key);
        traits.iter().any(|traits| traits.is_value)
            || (is_one_key && traits.iter().any(|traits| traits.is_key_masked))
    }
}

fn remove_from<K: std::hash::Hash + Eq>(lists: &mut HashMap<K, Vec<u32>>, key: K, slot: u32) {
    if let Some(list) = lists.get_mut(&key) {
        list.retain(|&other| other != slot);
        if list.is_empty() {
            lists.remove(&key);
        }
    }
}
