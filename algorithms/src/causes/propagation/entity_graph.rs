//! Which entity's faults reach which other one, cut to what leads to the one that is ill.

use std::collections::{BTreeMap, BTreeSet};

/// Score that an edge has at least, so that a way over two entities without any has a length.
const LEAST_SCORE: f64 = 1e-6;

/// Entities and the ways of faults between them, from who has it to who suffers: from callee to caller.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultWays {
    /// By the end of the way, where it begins.
    into: BTreeMap<String, BTreeSet<String>>,
}

impl FaultWays {
    /// These ways, each from cause to consequence. Loops of one are left out.
    pub fn new<'e>(ways: impl IntoIterator<Item = (&'e str, &'e str)>) -> Self {
        let mut graph = Self::default();
        for (source, target) in ways {
            if source != target {
                graph
                    .into
                    .entry(target.to_owned())
                    .or_default()
                    .insert(source.to_owned());
            }
        }
        graph
    }

    /// All ways, ordered.
    pub fn ways(&self) -> impl Iterator<Item = (&str, &str)> {
        self.into.iter().flat_map(|(target, sources)| {
            sources
                .iter()
                .map(move |source| (source.as_str(), target.as_str()))
        })
    }

    fn remove(&mut self, source: &str, target: &str) {
        if let Some(sources) = self.into.get_mut(target) {
            sources.remove(source);
        }
    }

    /// The graph as a fault comes to `front`: from there against the ways, the entity with the higher score first; of two
    /// ways in opposite directions the one that is walked stays. Then what leads out of `front` goes, and what leads
    /// to where that leads.
    #[must_use]
    pub fn towards(&self, front: &str, score: impl Fn(&str) -> f64) -> Self {
        let mut cut = self.clone();
        let (mut visited, mut open) = (BTreeSet::from([front.to_owned()]), vec![front.to_owned()]);
        // Depth first, without recursion: graphs are somebody else's. A node is left once no source of it is unvisited.
        while let Some(node) = open.last().cloned() {
            let mut sources: Vec<String> = cut.into.get(&node).into_iter().flatten().cloned().collect();
            sources.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| a.cmp(b)));
            for source in &sources {
                cut.remove(&node, source);
            }
            match sources.into_iter().find(|source| visited.insert(source.clone())) {
                Some(next) => open.push(next),
                None => drop(open.pop()),
            }
        }
        let out: Vec<String> = (cut.ways().filter(|(source, _)| *source == front))
            .map(|(_, target)| target.to_owned())
            .collect();
        for target in out {
            cut.into.remove(&target);
        }
        cut
    }

    /// Entities beside one, whichever way faults go.
    pub(super) fn neighbours(&self, entity: &str) -> BTreeSet<&str> {
        self.ways()
            .filter_map(|(source, target)| match (source == entity, target == entity) {
                (true, false) => Some(target),
                (false, true) => Some(source),
                _ => None,
            })
            .collect()
    }

    /// The shortest way between two entities, both ends included, over ways in either direction of length `2 / (a + b)` with
    /// the scores of their ends (Dijkstra); `None` where there is none.
    #[must_use]
    pub fn path(&self, from: &str, to: &str, score: impl Fn(&str) -> f64) -> Option<Vec<String>> {
        let mut done: BTreeMap<&str, Option<&str>> = BTreeMap::new();
        let mut open: BTreeMap<&str, (f64, Option<&str>)> = BTreeMap::from([(from, (0.0, None))]);
        while let Some((node, (length, before))) = nearest(&open) {
            open.remove(node);
            done.insert(node, before);
            if node == to {
                let mut path: Vec<String> =
                    std::iter::successors(Some(node), |node| done.get(node).copied().flatten())
                        .map(str::to_owned)
                        .collect();
                path.reverse();
                return Some(path);
            }
            for next in self.neighbours(node) {
                let reached = length + 2.0 / (score(node) + score(next)).max(LEAST_SCORE);
                let known = open.get(next).map_or(f64::INFINITY, |(length, _)| *length);
                if !done.contains_key(next) && reached < known {
                    open.insert(next, (reached, Some(node)));
                }
            }
        }
        None
    }
}

type Nearest<'n> = (&'n str, (f64, Option<&'n str>));

fn nearest<'n>(open: &BTreeMap<&'n str, (f64, Option<&'n str>)>) -> Option<Nearest<'n>> {
    let nearest = open.iter().min_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    Some((nearest.0, *nearest.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(graph: &FaultWays) -> Vec<(&str, &str)> {
        graph.ways().collect()
    }

    #[test]
    fn of_two_opposite_ways_the_one_to_the_front_stays() {
        let graph = FaultWays::new([
            ("db", "cart"),
            ("cart", "db"),
            ("cart", "shop"),
            ("shop", "cart"),
            ("mail", "shop"),
            ("shop", "news"),
            ("paper", "news"),
            ("a", "a"),
        ]);
        let cut = graph.towards("shop", |entity| f64::from(u8::from(entity == "cart")));
        // What leads out of the shop goes, and what leads to the news with it.
        assert_eq!(ways(&cut), [("db", "cart"), ("cart", "shop"), ("mail", "shop")]);
    }

    #[test]
    fn the_way_over_worse_entities_is_shorter() {
        let graph = FaultWays::new([("db", "cart"), ("cart", "shop"), ("db", "mail"), ("mail", "shop")]);
        let path = |ill: &'static str| {
            graph
                .path("db", "shop", |entity| if entity == ill { 1.0 } else { 0.1 })
                .expect("a way")
        };
        assert_eq!(path("cart"), ["db", "cart", "shop"]);
        assert_eq!(path("mail"), ["db", "mail", "shop"]);
        assert_eq!(graph.path("shop", "shop", |_| 0.0), Some(vec!["shop".to_owned()]));
        assert_eq!(graph.path("shop", "moon", |_| 0.0), None);
    }
}
