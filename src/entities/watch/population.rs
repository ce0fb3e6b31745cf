//! All entities that are watched, within bounds of number and bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use skywatch_settings::Entities;

use super::counters::EntityCounters;
use super::rules::EntityRules;
use super::source::{FetchedPart, FetchedValues};
use super::watched::WatchedEntity;

/// All entities by name.
#[derive(Debug)]
pub(super) struct EntityPopulation {
    pub(super) entities: BTreeMap<Arc<str>, WatchedEntity>,
    rules: EntityRules,
    most_entities: usize,
    most_bytes: usize,
    /// Bytes of values that are held.
    held_bytes: usize,
}

impl EntityPopulation {
    pub(super) fn new(settings: &Entities) -> Self {
        Self {
            entities: BTreeMap::new(),
            rules: EntityRules::of(settings),
            most_entities: settings.max_entities,
            most_bytes: settings.max_bytes,
            held_bytes: 0,
        }
    }

    /// Takes a part of what a source gives.
    pub(super) fn take(&mut self, part: FetchedPart, counters: &mut EntityCounters) {
        match part {
            FetchedPart::Values(values) => self.put(values, counters),
            FetchedPart::Answered {
                metric,
                series,
                left_out,
            } => counters.answered(&metric, series, &left_out),
            FetchedPart::NoAnswer { metric, why } => counters.unanswered(&metric, why),
        }
    }

    fn put(&mut self, fetched: FetchedValues, counters: &mut EntityCounters) {
        if !self.entities.contains_key(&*fetched.entity) {
            if self.entities.len() >= self.most_entities {
                counters.refused_entities += 1;
                return;
            }
            let name: Arc<str> = fetched.entity.as_str().into();
            let entity = WatchedEntity::new(Arc::clone(&name), fetched.labels, &self.rules);
            self.entities.insert(name, entity);
        }
        let bytes = self.held_bytes;
        let Some(entity) = self.entities.get_mut(&*fetched.entity) else {
            return;
        };
        let column = match entity.ring.column(&fetched.metric) {
            Some(column) => column,
            None if bytes + entity.ring.bytes_a_metric() > self.most_bytes => {
                counters.without_room += 1;
                return;
            }
            None => {
                self.held_bytes += entity.ring.bytes_a_metric();
                entity.ring.add(&fetched.metric)
            }
        };
        for (step, value) in fetched.values {
            if entity.ring.put(column, step, value) {
                counters.values += 1;
                entity.last_value = entity.last_value.max(step);
            } else {
                counters.too_old += 1;
            }
        }
    }

    /// Judges all entities up to a step.
    pub(super) fn judge(&mut self, newest: i64, counters: &mut EntityCounters) {
        let rules = &self.rules;
        let judged = self
            .entities
            .par_iter_mut()
            .map(|(_, entity)| entity.judge(newest, rules));
        let (judged, unjudged) = judged.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        counters.rows_judged += judged;
        counters.rows_unjudged += unjudged;
    }

    /// Whether there is room for what is learnt of one more entity, of so many bytes.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let learnt: usize = self.entities.values().map(WatchedEntity::detector_bytes).sum();
        self.held_bytes + learnt + bytes <= self.most_bytes
    }

    /// Lets go of those that have had no value for as long as values are held, and says which.
    pub(super) fn forget(&mut self, newest: i64) -> Vec<Arc<str>> {
        let oldest = newest - self.rules.history;
        let is_gone = |entity: &WatchedEntity| entity.last_value < oldest;
        let gone: Vec<_> = self
            .entities
            .values()
            .filter(|entity| is_gone(entity))
            .map(|entity| Arc::clone(&entity.name))
            .collect();
        for name in &gone {
            if let Some(entity) = self.entities.remove(name) {
                self.held_bytes -= entity.ring.len() * entity.ring.bytes_a_metric();
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::entities::watch::fitting::fit_anew;

    /// Ten hours of minutes are held.
    fn settings() -> Entities {
        Entities {
            step: Duration::from_secs(60),
            history: Duration::from_secs(600 * 60),
            ..Entities::default()
        }
    }

    /// Values of a metric of an entity at these steps.
    fn put(population: &mut EntityPopulation, entity: &str, metric: &str, steps: std::ops::Range<i64>) {
        let salt = metric.bytes().map(u64::from).sum::<u64>();
        // Noise: no value follows from those before, nor from another metric's.
        let noise = |step: i64| (step as u64 ^ (salt << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let values = steps.map(|step| (step, (((noise(step) * 2_654_435_761) >> 20) & 0x7F) as f64));
        let part = FetchedPart::Values(FetchedValues {
            metric: metric.into(),
            entity: entity.to_owned(),
            labels: BTreeMap::new(),
            values: values.collect(),
        });
        population.take(part, &mut EntityCounters::default());
    }

    #[test]
    fn one_whose_label_changes_is_another_and_the_old_one_is_let_go_when_nothing_of_it_is_held() {
        let mut population = EntityPopulation::new(&settings());
        put(&mut population, "web-1", "load", 0..500);
        put(&mut population, "web-2", "load", 0..500);
        let held = population.held_bytes;
        // It is called otherwise from now on.
        put(&mut population, "web-2-new", "load", 500..1_100);
        put(&mut population, "web-1", "load", 500..1_100);
        assert_eq!(
            population.forget(1_099),
            Vec::<Arc<str>>::new(),
            "some of it is held"
        );
        assert_eq!(population.forget(1_100), [Arc::from("web-2")]);
        let names: Vec<&str> = population.entities.keys().map(|name| &**name).collect();
        assert_eq!(names, ["web-1", "web-2-new"]);
        assert_eq!(population.held_bytes, held, "and its memory is free");
    }

    #[test]
    fn a_metric_that_vanishes_is_learnt_no_more_after_an_hour() {
        let rules = EntityRules::of(&settings());
        let mut population = EntityPopulation::new(&settings());
        for metric in ["disk", "load"] {
            put(&mut population, "web-1", metric, 0..600);
        }
        let fit = |population: &mut EntityPopulation, newest: i64| {
            let entity = population.entities.get_mut("web-1").expect("it is there");
            let training = entity.training(newest, &rules).expect("enough");
            let fitted = fit_anew(&training).expect("a detector");
            entity.begin_fit();
            entity.install(fitted, newest, &rules);
            training
                .metrics
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(fit(&mut population, 599), ["disk", "load"]);
        put(&mut population, "web-1", "load", 600..800);
        let mut due = Vec::new();
        for newest in 600..800 {
            population.judge(newest, &mut EntityCounters::default());
            let entity = population.entities.get("web-1").expect("it is there");
            due.extend(entity.is_fit_due(newest, &rules).then_some(newest));
        }
        // Until then it is judged by what is left.
        assert_eq!(due.first(), Some(&720), "{due:?}");
        assert_eq!(fit(&mut population, 799), ["load"]);
    }
}
