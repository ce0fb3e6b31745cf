//! What several nodes that look at different things, or at the same ones, say of subjects together.
//!
//! A pass speaks for the metrics of its virtual shards, and only as long as no later pass of another node has looked at them. Of
//! entities and traces a finder speaks for those it has seen last. A component is ill if it is for any node: one node without a
//! way to the store is not made well by another that has one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use skywatch_alerters::Subject;
use skywatch_alerters::incident::{Observation, ObservedOutcome};

use crate::cluster::{ShardSet, VIRTUAL_SHARDS, VirtualShard};

/// How long after this node has begun to lead components are not called well: who has seen them ill has not reported yet.
const SETTLES_IN: Duration = Duration::from_secs(20);

/// What one report was of.
pub(super) struct ReportScope<'r> {
    /// The finder, and its node.
    pub(super) finder: &'r str,
    pub(super) node: &'r str,
    /// The kind of subject of which it has looked at all.
    pub(super) all_of: Option<&'r str>,
    /// The virtual shards whose metrics it has looked at.
    pub(super) shards: Option<ShardSet>,
    /// When its pass began, Unix seconds.
    pub(super) pass_at: f64,
    /// Whether other nodes live.
    pub(super) has_others: bool,
}

/// What is known of who looks at what.
pub(super) struct NodeScopes {
    began: Instant,
    /// When the newest pass began that has looked at each virtual shard, Unix seconds, and whose it was.
    passes: Vec<(f64, String)>,
    /// Which finder has seen a subject last that is neither a metric nor a component.
    seen_by: HashMap<Subject, String>,
    /// For which nodes a component is ill.
    ill: BTreeMap<String, BTreeSet<String>>,
}

impl NodeScopes {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            passes: vec![(f64::NEG_INFINITY, String::new()); VIRTUAL_SHARDS],
            seen_by: HashMap::new(),
            ill: BTreeMap::new(),
        }
    }

    /// The finder, of those that have looked at it, whose pass over a metric was the newest.
    pub(super) fn finder_of(&self, metric: &str) -> Option<&str> {
        let (_, finder) = &self.passes[VirtualShard::of(metric).index()];
        (!finder.is_empty()).then_some(finder.as_str())
    }

    /// Whether the component of that name is ill for any node.
    pub(super) fn is_ill(&self, component: &str) -> bool {
        self.ill.contains_key(component)
    }

    /// A node is not heard of any more: nothing it has said of components counts.
    pub(super) fn gone(&mut self, node: &str) {
        self.ill.retain(|_, nodes| {
            nodes.remove(node);
            !nodes.is_empty()
        });
    }

    /// What follows from a report: what it has seen and may speak for, and that nothing is known of subjects of lasting incidents
    /// that it should have seen and has not.
    pub(super) fn judged<'i>(
        &mut self,
        scope: &ReportScope<'_>,
        seen: Vec<Observation>,
        lasting: impl Iterator<Item = &'i Subject>,
    ) -> Vec<Observation> {
        let shards = scope.shards.map(|shards| self.current(scope, &shards));
        let mut judged: Vec<Observation> = Vec::with_capacity(seen.len());
        for observation in seen {
            match &observation.subject {
                Subject::Metric(name) if shards.is_some_and(|shards| !shards.has_metric(name)) => {}
                Subject::Component(_) => judged.extend(self.component(scope, observation)),
                Subject::Metric(_) => judged.push(observation),
                subject => {
                    let subject = subject.clone();
                    self.seen_by.insert(subject, scope.finder.to_owned());
                    judged.push(observation);
                }
            }
        }
        if let Some(kind) = scope.all_of {
            let looked_at: HashSet<Subject> = judged
                .iter()
                .filter(|observation| !matches!(observation.outcome, ObservedOutcome::Unknown))
                .map(|observation| observation.subject.clone())
                .collect();
            let mut known: HashSet<Subject> = HashSet::new();
            for subject in lasting.filter(|subject| subject.kind().name == kind) {
                known.insert(subject.clone());
                if !looked_at.contains(subject) && self.speaks_for(scope, shards.as_ref(), subject) {
                    judged.push(Observation {
                        subject: subject.clone(),
                        outcome: ObservedOutcome::Unknown,
                    });
                }
            }
            self.seen_by.retain(|subject, _| {
                subject.kind().name != kind || known.contains(subject) || looked_at.contains(subject)
            });
        }
        judged
    }

    /// The virtual shards at which no other node has looked since.
    fn current(&mut self, scope: &ReportScope<'_>, shards: &ShardSet) -> ShardSet {
        let mut current = ShardSet::default();
        for shard in shards.iter() {
            let (at, finder) = &mut self.passes[shard.index()];
            if scope.pass_at >= *at || finder == scope.finder {
                *at = scope.pass_at;
                if finder != scope.finder {
                    scope.finder.clone_into(finder);
                }
                current.insert(shard);
            }
        }
        current
    }

    fn speaks_for(&self, scope: &ReportScope<'_>, shards: Option<&ShardSet>, subject: &Subject) -> bool {
        match (subject, shards) {
            (Subject::Metric(name), Some(shards)) => shards.has_metric(name),
            (Subject::Metric(_), None) => true,
            _ => match self.seen_by.get(subject) {
                Some(finder) => finder == scope.finder,
                None => !scope.has_others,
            },
        }
    }

    /// What a node says of a component, if that changes what all say together.
    fn component(&mut self, scope: &ReportScope<'_>, mut observation: Observation) -> Option<Observation> {
        let name = observation.subject.name().to_owned();
        if let ObservedOutcome::Anomalous(anomaly) = &mut observation.outcome {
            if scope.has_others {
                anomaly.sentence = format!("node `{}`: {}", scope.node, anomaly.sentence);
            }
            self.ill.entry(name).or_default().insert(scope.node.to_owned());
            return Some(observation);
        }
        if let Some(nodes) = self.ill.get_mut(&name) {
            if !matches!(observation.outcome, ObservedOutcome::Unknown) {
                nodes.remove(scope.node);
            }
            if !nodes.is_empty() {
                return None;
            }
            self.ill.remove(&name);
            return Some(observation);
        }
        // Whoever has said so to the node that led before may not have said it again.
        (!scope.has_others || self.began.elapsed() >= SETTLES_IN).then_some(observation)
    }
}

#[cfg(test)]
mod tests {
    use skywatch_alerters::{Anomaly, Severity};

    use super::*;

    fn scope<'s>(finder: &'s str, node: &'s str, shards: ShardSet, pass_at: f64) -> ReportScope<'s> {
        ReportScope {
            finder,
            node,
            all_of: Some(Subject::METRIC),
            shards: Some(shards),
            pass_at,
            has_others: true,
        }
    }

    fn normal(subject: Subject) -> Observation {
        Observation {
            subject,
            outcome: ObservedOutcome::Normal { at: 1.0, value: 1.0 },
        }
    }

    fn ill(component: &str) -> Observation {
        let subject = Subject::Component(component.to_owned());
        let anomaly =
            Anomaly::new(subject.clone(), Severity::Critical, 1.0).with_sentence("it fails".to_owned());
        Observation {
            subject,
            outcome: ObservedOutcome::Anomalous(Box::new(anomaly)),
        }
    }

    #[test]
    fn a_pass_speaks_for_its_own_metrics_and_not_for_what_another_has_seen_since() {
        let mut scopes = NodeScopes::new();
        let metric = "web.load".to_owned();
        let incident = Subject::Metric(metric.clone());
        let own: ShardSet = [VirtualShard::of(&metric)].into_iter().collect();
        let others = ShardSet::FULL.without(&own);
        let mut judged = |finder: &str, shards, at, seen: Vec<Observation>| {
            let node = finder.split_once('@').map_or("", |(_, node)| node);
            let found = scopes.judged(&scope(finder, node, shards, at), seen, [&incident].into_iter());
            (found.len(), found.first().map(|first| first.outcome.clone()))
        };
        assert_eq!(judged("analyzer@b", others, 10.0, Vec::new()), (0, None));
        let unknown = (1, Some(ObservedOutcome::Unknown));
        assert_eq!(judged("analyzer@a", own, 11.0, Vec::new()), unknown);
        // It has become another node's, and what the first one has left over comes late.
        let seen = || vec![normal(Subject::Metric(metric.clone()))];
        assert_eq!(judged("analyzer@b", ShardSet::FULL, 12.0, seen()).0, 1);
        assert_eq!(judged("analyzer@a", own, 11.5, seen()), (0, None));
        assert_eq!(scopes.finder_of(&metric), Some("analyzer@b"));
    }

    #[test]
    fn a_component_is_ill_as_long_as_it_is_for_any_node() {
        let mut scopes = NodeScopes::new();
        scopes.began -= SETTLES_IN;
        let mut says = |node: &str, observation: Observation| {
            let finder = format!("analyzer@{node}");
            let scope = ReportScope {
                all_of: None,
                ..scope(&finder, node, ShardSet::FULL, 1.0)
            };
            scopes.judged(&scope, vec![observation], std::iter::empty()).pop()
        };
        let well = || normal(Subject::Component("skywatch.store".to_owned()));
        assert_eq!(says("a", well()), Some(well()));
        let Some(Observation {
            outcome: ObservedOutcome::Anomalous(anomaly),
            ..
        }) = says("b", ill("skywatch.store"))
        else {
            panic!("it is told");
        };
        assert_eq!(anomaly.sentence, "node `b`: it fails");
        assert_eq!(says("a", well()), None);
        assert_eq!(says("b", well()), Some(well()));
        says("b", ill("skywatch.store"));
        scopes.gone("b");
        let scope = scope("analyzer@a", "a", ShardSet::FULL, 2.0);
        assert_eq!(scopes.judged(&scope, vec![well()], std::iter::empty()), [well()]);
    }
}
