//! What follows what: probabilities of symbols in contexts, from the coarsest to the finest.
//!
//! Interpolated Witten–Bell smoothing (Witten and Bell 1991; Chen and Goodman 1999, equation 16): with n symbols seen in a context, d
//! of them different, and c of them this one, p = (c + d·p′) / (n + d), where p′ is the probability in the next coarser context, and at last
//! 1/V. A context in which one symbol always followed finds another one very improbable; one in which something new follows
//! now and then does not. Learnt a step at a time; a context remembers about the last [`WINDOW`] steps, so what a
//! deploy brings is usual after a few dozens of them, and what it ended is forgotten.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::TemplateId;
use super::key::sorted;

/// Steps after which the counts of a context are halved.
const WINDOW: u32 = 4_096;

/// Contexts that are kept at most, some 100 MB; steps in further ones are judged by coarser contexts.
const MOST_CONTEXTS: usize = 1_000_000;

/// Counts of what followed, by context.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Successors {
    #[serde(with = "sorted")]
    contexts: HashMap<u64, Followers>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Followers {
    total: u32,
    counts: Vec<(TemplateId, u32)>,
}

impl Followers {
    fn count(&self, symbol: TemplateId) -> u32 {
        let found = self.counts.iter().find(|(known, _)| *known == symbol);
        found.map_or(0, |(_, count)| *count)
    }

    fn add(&mut self, symbol: TemplateId) {
        self.total += 1;
        match self.counts.iter_mut().find(|(known, _)| *known == symbol) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((symbol, 1)),
        }
        if self.total >= WINDOW {
            self.counts.iter_mut().for_each(|(_, count)| *count /= 2);
            self.counts.retain(|(_, count)| *count > 0);
            self.total = self.counts.iter().map(|(_, count)| *count).sum();
        }
    }
}

impl Successors {
    /// Counts `symbol` in all of its contexts.
    pub(super) fn learn(&mut self, contexts: &[u64], symbol: TemplateId) {
        for context in contexts {
            if self.contexts.len() < MOST_CONTEXTS || self.contexts.contains_key(context) {
                self.contexts.entry(*context).or_default().add(symbol);
            }
        }
    }

    /// −ln p of `symbol` where these contexts, coarsest first, hold, and `symbols` are known in all.
    pub(super) fn surprise(&self, contexts: &[u64], symbol: TemplateId, symbols: usize) -> f64 {
        let mut probability = 1.0 / (symbols.max(1) + 1) as f64;
        for context in contexts {
            if let Some(followers) = self.contexts.get(context) {
                let different = followers.counts.len() as f64;
                let seen = f64::from(followers.count(symbol));
                probability = (seen + different * probability) / (f64::from(followers.total) + different);
            }
        }
        -probability.ln()
    }

    /// The commonest symbols in the finest of the contexts that is known, with their shares, and how often that context was seen.
    pub(super) fn expected(&self, contexts: &[u64], most: usize) -> (Vec<(TemplateId, f64)>, u32) {
        let finest = contexts
            .iter()
            .rev()
            .find_map(|context| self.contexts.get(context));
        let Some(followers) = finest else {
            return (Vec::new(), 0);
        };
        let mut all = followers.counts.clone();
        all.sort_by_key(|(symbol, count)| (std::cmp::Reverse(*count), *symbol));
        all.truncate(most);
        let total = f64::from(followers.total);
        let shares = all
            .into_iter()
            .map(|(symbol, count)| (symbol, f64::from(count) / total));
        (shares.collect(), followers.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probability_is_the_formula() {
        let mut successors = Successors::default();
        for symbol in [5, 5, 5, 6] {
            successors.learn(&[1, 2], symbol);
        }
        successors.learn(&[1], 7);
        // Coarse: n 5, d 3, V 9; fine: n 4, d 2.
        let coarse = (1.0 + 3.0 / 10.0) / 8.0;
        let fine: f64 = (2.0 * coarse) / 6.0;
        assert!((successors.surprise(&[1, 2], 7, 9) + fine.ln()).abs() < 1e-12);
        // An unknown context changes nothing.
        assert!((successors.surprise(&[1, 2, 77], 7, 9) + fine.ln()).abs() < 1e-12);
        assert_eq!(successors.expected(&[1, 2], 1), (vec![(5, 0.75)], 4));
    }

    #[test]
    fn what_is_new_becomes_usual_after_a_few_dozens() {
        let mut successors = Successors::default();
        for _ in 0..100_000 {
            successors.learn(&[1], 5);
        }
        let first = successors.surprise(&[1], 6, 100);
        for _ in 0..50 {
            successors.learn(&[1], 6);
        }
        assert!(first > 11.0 && successors.surprise(&[1], 6, 100) < 4.7);
        // And what it replaced is forgotten.
        for _ in 0..100_000 {
            successors.learn(&[1], 6);
        }
        assert_eq!(successors.expected(&[1], 5).0.len(), 1);
    }
}
