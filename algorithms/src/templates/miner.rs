//! The miner: lines in, clusters and their templates out.

use std::collections::HashMap;

use super::TemplateError;
use super::clusters::{ClusterId, ClusterTable, LineCluster};
use super::index::ClusterIndex;
use super::masking::{MaskedLine, Masking, WILDCARD};
use super::options::MinerOptions;
use super::snapshot::{MinerSnapshot, SavedCluster};
use super::tokens::{TokenTable, VALUE, VARIABLE};
use super::update::{EvictedTemplate, MinerUpdate, TemplateChange, TemplateParameter};
use super::variables::Union;
use super::words::{as_token, filled, words};

/// Masked lines whose cluster is remembered; when there are more, all are forgotten. At some 100 bytes a line 2 MB.
const REMEMBERED: usize = 16_384;
/// … and no more than so many for each cluster there may be, so that a small miner stays small.
const REMEMBERED_OF_A_CLUSTER: usize = 4;
/// A masked line longer than this many bytes is not worth remembering.
const LONGEST_REMEMBERED: usize = 4_096;
/// New words before the table is cleared of those no template has any more, however few are in use.
const LEAST_CLEARED: usize = 4_096;

/// Learns templates line by line. O(length of the line) for a line like one before; others are compared with the clusters of as many words.
#[derive(Debug, Clone)]
pub struct TemplateMiner {
    options: MinerOptions,
    masking: Masking,
    table: TokenTable,
    clusters: ClusterTable,
    index: ClusterIndex,
    lines: u64,
    /// What was found for a masked line. It holds while nothing has changed among the clusters of its length.
    remembered: HashMap<Box<str>, Remembered>,
    /// How often something has changed among the clusters of each length.
    changes: Vec<u32>,
    /// Words at which the table is cleared.
    clear_at: usize,
    masked: MaskedLine,
    tokens: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    slot: u32,
    length: u32,
    change: u32,
}

impl TemplateMiner {
    /// A miner that knows no line yet.
    ///
    /// # Errors
    /// Masks that cannot be used, and options out of their range.
    pub fn new(options: &MinerOptions) -> Result<Self, TemplateError> {
        options.check()?;
        let masking = Masking::new(&options.masks, options.general_masks)?;
        Ok(Self {
            options: options.clone(),
            table: TokenTable::new(&masking),
            masking,
            clusters: ClusterTable::default(),
            index: ClusterIndex::new(options.grouping),
            lines: 0,
            remembered: HashMap::new(),
            changes: Vec::new(),
            clear_at: clear_at(0),
            masked: MaskedLine::default(),
            tokens: Vec::new(),
        })
    }

    /// Takes a line in: finds its cluster or makes one.
    pub fn learn(&mut self, line: &str) -> MinerUpdate {
        self.lines += 1;
        let mut masked = std::mem::take(&mut self.masked);
        self.masking.apply(line, &mut masked);
        let update = match self.recall(&masked.text) {
            Some(slot) => self.count(slot, TemplateChange::None),
            None => self.learn_masked(&masked.text),
        };
        self.masked = masked;
        update
    }

    /// The cluster whose template holds for a line word by word, wildcards for any; nothing is learnt.
    #[must_use]
    pub fn find(&self, line: &str) -> Option<ClusterId> {
        Some(self.look_up(line)?.1.id)
    }

    fn look_up(&self, line: &str) -> Option<(MaskedLine, &LineCluster)> {
        let mut masked = MaskedLine::default();
        self.masking.apply(line, &mut masked);
        let cluster = self.clusters.get(self.find_masked(&masked.text)?);
        Some((masked, cluster))
    }

    /// The cluster of a line as [`find`](Self::find) finds it, and what stands in the line for the wildcards of its template, from
    /// left to right. A list that was masked as one value is one parameter.
    #[must_use]
    pub fn parameters<'m, 'l>(
        &'m self,
        line: &'l str,
    ) -> Option<(ClusterId, Vec<TemplateParameter<'m, 'l>>)> {
        let (masked, cluster) = self.look_up(line)?;
        let mut parameters = Vec::new();
        for (at, &token) in words(&masked.text, &self.options.delimiters).zip(&cluster.tokens) {
            let within = masked
                .values
                .iter()
                .filter(|value| at.start <= value.at.start && value.at.end <= at.end);
            let is_one = within.clone().next().is_some_and(|value| value.at == at);
            if (token == VALUE || token == VARIABLE) && !is_one {
                let value = &line[masked.raw(at)];
                parameters.push(TemplateParameter { mask: "*", value });
            } else if self.masking.has_general() && filled(&masked.text[at.clone()]).is_some() {
                parameters.push(TemplateParameter { mask: "*", value: "" });
            } else {
                parameters.extend(within.map(|value| TemplateParameter {
                    mask: self.masking.name(value.by),
                    value: &line[value.raw.clone()],
                }));
            }
        }
        Some((cluster.id, parameters))
    }

    /// The cluster of a line as [`find`](Self::find) finds it, and its template as it stands in the line: values and what varies are
    /// `<*>`, what is between words stays.
    #[must_use]
    pub fn template_of(&self, line: &str) -> Option<(ClusterId, String)> {
        let (masked, cluster) = self.look_up(line)?;
        let mut template = String::with_capacity(masked.text.len());
        let mut copied = 0;
        for (at, &token) in words(&masked.text, &self.options.delimiters).zip(&cluster.tokens) {
            if token == VALUE || token == VARIABLE {
                template.push_str(&masked.text[copied..at.start]);
                template.push_str(WILDCARD);
                copied = at.end;
            }
        }
        template.push_str(&masked.text[copied..]);
        Some((cluster.id, template))
    }

    /// The template of a cluster: its words with a blank between, `<*>` where they vary. O(clusters).
    #[must_use]
    pub fn template(&self, cluster: ClusterId) -> Option<String> {
        let (slot, _) = self.clusters.iter().find(|(_, found)| found.id == cluster)?;
        Some(self.text(slot))
    }

    /// Every cluster: id, template, number of lines; by id.
    #[must_use]
    pub fn templates(&self) -> Vec<(ClusterId, String, u64)> {
        let clusters = self.clusters.iter();
        let mut templates: Vec<_> = clusters
            .map(|(slot, cluster)| (cluster.id, self.text(slot), cluster.lines))
            .collect();
        templates.sort_unstable_by_key(|(id, _, _)| *id);
        templates
    }

    /// Lines taken in.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// How many clusters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Whether nothing was learnt yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clusters.len() == 0
    }

    fn text(&self, slot: u32) -> String {
        let tokens = self.clusters.get(slot).tokens.iter();
        tokens
            .map(|&token| self.table.text(token))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What was found for this masked line, if it still holds.
    fn recall(&self, text: &str) -> Option<u32> {
        let found = self.remembered.get(text)?;
        (self.changes.get(found.length as usize).copied().unwrap_or(0) == found.change).then_some(found.slot)
    }

    fn remember(&mut self, text: &str, slot: u32, length: usize) {
        if text.len() > LONGEST_REMEMBERED {
            return;
        }
        if self.remembered.len() >= REMEMBERED.min(REMEMBERED_OF_A_CLUSTER * self.options.max_clusters) {
            self.remembered.clear();
        }
        let change = self.changes.get(length).copied().unwrap_or(0);
        let found = Remembered {
            slot,
            length: length as u32,
            change,
        };
        match self.remembered.get_mut(text) {
            Some(old) => *old = found,
            None => {
                self.remembered.insert(text.into(), found);
            }
        }
    }

    /// Says that what was found for lines of so many words may not hold any more.
    fn note_change(&mut self, length: usize) {
        if self.changes.len() <= length {
            self.changes.resize(length + 1, 0);
        }
        // An entry survives a turn of the counter only if its text is not seen for four billion changes.
        self.changes[length] = self.changes[length].wrapping_add(1);
    }

    fn find_masked(&self, text: &str) -> Option<u32> {
        if let Some(slot) = self.recall(text) {
            return Some(slot);
        }
        let mut tokens = Vec::new();
        self.tokenise(text, &mut tokens);
        match &self.index {
            ClusterIndex::Drain(tree) => tree.matching(&tokens, &self.clusters),
            ClusterIndex::Variables(index) => index.search(&tokens, &self.clusters),
        }
    }

    /// The numbers of a masked line's words.
    fn tokenise(&self, text: &str, tokens: &mut Vec<u32>) {
        tokens.clear();
        let general = self.masking.has_general();
        tokens.extend(
            words(text, &self.options.delimiters).map(|at| self.table.id(as_token(&text[at], general))),
        );
    }

    fn learn_masked(&mut self, text: &str) -> MinerUpdate {
        let mut tokens = std::mem::take(&mut self.tokens);
        self.tokenise(text, &mut tokens);
        let found = match &self.index {
            ClusterIndex::Drain(tree) => tree.search(&tokens, &self.clusters),
            ClusterIndex::Variables(index) => index.search(&tokens, &self.clusters),
        };
        let update = match found {
            Some(slot) => {
                let change = self.accept(slot, &tokens);
                // Only what a search would find again: Drain takes a line that is nothing but values for another cluster each time.
                if change == TemplateChange::None {
                    self.remember(text, slot, tokens.len());
                }
                self.count(slot, change)
            }
            None => self.create(text, &mut tokens),
        };
        self.tokens = tokens;
        update
    }

    fn count(&mut self, slot: u32, change: TemplateChange) -> MinerUpdate {
        self.clusters.touch(slot);
        let cluster = self.clusters.get_mut(slot);
        cluster.lines += 1;
        MinerUpdate {
            cluster: cluster.id,
            change,
            absorbed: Vec::new(),
            evicted: None,
        }
    }

    /// Makes wildcards of the places where a line differs from Drain's most similar template.
    fn accept(&mut self, slot: u32, tokens: &[u32]) -> TemplateChange {
        let ClusterIndex::Drain(_) = self.index else {
            return TemplateChange::None;
        };
        let mut change = TemplateChange::None;
        for (place, token) in self.clusters.get_mut(slot).tokens.iter_mut().zip(tokens) {
            if place != token && *place != VALUE {
                *place = VALUE;
                change = TemplateChange::Changed;
            }
        }
        if change == TemplateChange::Changed {
            self.note_change(tokens.len());
        }
        change
    }

    /// Makes a cluster of a line, and one of all that it proves to be one with it. Fills in the numbers of new words.
    fn create(&mut self, text: &str, tokens: &mut Vec<u32>) -> MinerUpdate {
        let evicted = if self.clusters.len() >= self.options.max_clusters {
            self.evict()
        } else {
            None
        };
        if self.table.len() >= self.clear_at {
            self.clear_words();
        }
        tokens.clear();
        let general = self.masking.has_general();
        for at in words(text, &self.options.delimiters) {
            tokens.push(self.table.intern(as_token(&text[at], general)));
        }
        let mut slot = self.clusters.create(tokens);
        self.index.insert(slot, None, &mut self.clusters, &self.table);
        self.note_change(tokens.len());
        let mut update = self.count(slot, TemplateChange::Created);
        update.evicted = evicted;
        while let Some(union) = self.index.union(slot, &self.clusters, &self.table) {
            slot = self.unite(&union, &mut update);
        }
        update
    }

    /// Makes one cluster of several, the oldest of them; gives back its slot.
    fn unite(&mut self, union: &Union, update: &mut MinerUpdate) -> u32 {
        let oldest = union
            .slots
            .iter()
            .copied()
            .min_by_key(|&slot| self.clusters.get(slot).id);
        let oldest = oldest.expect("a union has clusters");
        let mut lines = 0;
        for &slot in &union.slots {
            lines += self.clusters.get(slot).lines;
            self.index.remove(slot, self.clusters.get(slot));
            if slot != oldest {
                let absorbed = self.clusters.remove(slot).id;
                // The line's own cluster was made a moment ago; nobody has heard of it.
                if update.change != TemplateChange::Created || absorbed != update.cluster {
                    update.absorbed.push(absorbed);
                }
            }
        }
        let cluster = self.clusters.get_mut(oldest);
        cluster.lines = lines;
        for (place, token) in cluster.tokens.iter_mut().enumerate() {
            if union.varies(place) {
                *token = VARIABLE;
            }
        }
        (update.cluster, update.change) = (cluster.id, TemplateChange::Changed);
        let length = cluster.tokens.len();
        self.index.insert(oldest, None, &mut self.clusters, &self.table);
        self.clusters.touch(oldest);
        self.note_change(length);
        oldest
    }

    /// Forgets the least recently used cluster.
    fn evict(&mut self) -> Option<EvictedTemplate> {
        let slot = self.clusters.oldest()?;
        let template = self.text(slot);
        self.index.remove(slot, self.clusters.get(slot));
        let cluster = self.clusters.remove(slot);
        self.note_change(cluster.tokens.len());
        Some(EvictedTemplate {
            cluster: cluster.id,
            template,
            lines: cluster.lines,
        })
    }

    /// Takes words that no template has any more out of the table, and gives the others new numbers.
    fn clear_words(&mut self) {
        let mut table = TokenTable::new(&self.masking);
        let mut renumber = |old: u32| {
            if old == VARIABLE {
                VARIABLE
            } else {
                table.intern(self.table.text(old))
            }
        };
        self.clusters.renumber(&mut renumber);
        if let ClusterIndex::Drain(tree) = &mut self.index {
            tree.renumber(&mut renumber);
        }
        if let ClusterIndex::Variables(index) = &mut self.index {
            index.rebuild(&self.clusters);
        }
        self.clear_at = clear_at(table.len());
        self.table = table;
    }

    /// What was learnt, to go on from later.
    #[must_use]
    pub fn snapshot(&self) -> MinerSnapshot {
        let text = |&token: &u32| (token != VARIABLE).then(|| self.table.text(token).to_owned());
        let clusters = self.clusters.by_age().map(|slot| {
            let cluster = self.clusters.get(slot);
            let way = match &self.index {
                ClusterIndex::Drain(tree) => tree.way(cluster.home),
                ClusterIndex::Variables(_) => Vec::new(),
            };
            SavedCluster {
                id: cluster.id,
                lines: cluster.lines,
                template: cluster.tokens.iter().map(text).collect(),
                way: way
                    .into_iter()
                    .map(|key| self.table.text(key).to_owned())
                    .collect(),
            }
        });
        MinerSnapshot {
            version: MinerSnapshot::VERSION,
            options: self.options.clone(),
            lines: self.lines,
            last_id: self.clusters.last_id(),
            clusters: clusters.collect(),
        }
    }

    /// A miner that goes on from where the snapshot was taken.
    ///
    /// # Errors
    /// A snapshot of another form, or one that holds what no miner has written.
    pub fn restore(snapshot: &MinerSnapshot) -> Result<Self, TemplateError> {
        snapshot.check()?;
        let mut miner = Self::new(&snapshot.options)?;
        let mut slots = Vec::with_capacity(snapshot.clusters.len());
        for saved in &snapshot.clusters {
            let words = saved.template.iter();
            let tokens: Vec<_> = words
                .map(|word| word.as_deref().map_or(VARIABLE, |word| miner.table.intern(word)))
                .collect();
            slots.push((saved, miner.clusters.insert(saved.id, &tokens, saved.lines)));
        }
        // Leaves hold their clusters by age.
        slots.sort_unstable_by_key(|(saved, _)| saved.id);
        for (saved, slot) in slots {
            let way: Vec<_> = saved.way.iter().map(|key| miner.table.intern(key)).collect();
            miner
                .index
                .insert(slot, Some(way), &mut miner.clusters, &miner.table);
        }
        miner.clusters.set_last_id(snapshot.last_id);
        miner.lines = snapshot.lines;
        miner.clear_at = clear_at(miner.table.len());
        Ok(miner)
    }
}

/// The size at which a table that now holds `words` is cleared: twice that, so that clearing costs a constant for each new word.
fn clear_at(words: usize) -> usize {
    2 * words + LEAST_CLEARED
}
