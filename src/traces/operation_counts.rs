//! Templates of operations as metrics, service by service: rates, and how many are new or have vanished.
//!
//! The detectors' own templates begin anew with each fit; here ids stay, since they stand in the names of metrics, and outlive the
//! process.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skywatch_algorithms::templates::{Counting, MinerSnapshot, TemplateTally};
use skywatch_algorithms::traces::OperationMiner;

use super::points::NamedPoint;
use super::rates::part;
use super::state_file;
use super::trace::AssembledTrace;

/// The version of the form; of another one nothing is read.
const VERSION: u32 = 1;
/// Seconds between two times that what is learnt is written down.
const SAVE_EACH: f64 = 600.0;
/// Seconds without a span after which a service is forgotten.
const FORGOTTEN_AFTER: f64 = 7.0 * 86_400.0;

/// What is counted of operations.
pub(super) struct OperationCounts {
    /// Where it is kept.
    path: PathBuf,
    max_services: usize,
    /// Operations with a metric of their own, over all services.
    max_rates: usize,
    services: BTreeMap<String, CountedService>,
    /// Unix seconds at which counting began, and at which it was last written down.
    begun: f64,
    saved: f64,
}

struct CountedService {
    miner: OperationMiner,
    tally: TemplateTally,
    /// Unix seconds of its last span.
    seen: f64,
}

/// What is kept on disk.
#[derive(Serialize, Deserialize)]
struct SavedCounts {
    services: BTreeMap<String, SavedOperationCounts>,
}

#[derive(Serialize, Deserialize)]
struct SavedOperationCounts {
    miner: MinerSnapshot,
    tally: TemplateTally,
    seen: f64,
}

impl OperationCounts {
    /// Counts from `now` on, Unix seconds, with what an earlier run has left at `path`.
    pub(super) fn open(path: PathBuf, max_services: usize, max_rates: usize, now: f64) -> Self {
        let saved: Option<SavedCounts> = state_file::read(&path, VERSION);
        let saved = saved.map_or_else(BTreeMap::new, |saved| saved.services);
        let restored =
            saved
                .into_iter()
                .filter_map(|(name, saved)| match OperationMiner::restore(&saved.miner) {
                    Ok(miner) => Some((
                        name,
                        CountedService {
                            miner,
                            tally: saved.tally,
                            seen: saved.seen,
                        },
                    )),
                    Err(error) => {
                        tracing::warn!("traces :: operations of `{name}` are learnt anew :: {error}");
                        None
                    }
                });
        Self {
            services: restored.collect(),
            path,
            max_services,
            max_rates,
            begun: now,
            saved: now,
        }
    }

    /// Counts the spans of a trace; of one that is too long ago only what is new in it. How many spans there was no room for.
    pub(super) fn add(&mut self, trace: &AssembledTrace, is_old: bool, now: f64) -> u64 {
        let counting = if is_old { Counting::Late } else { Counting::Fresh };
        let mut beyond = 0;
        for linked in &trace.spans {
            let name = part(&linked.span.service);
            if self.services.len() >= self.max_services && !self.services.contains_key(&name) {
                beyond += 1;
                continue;
            }
            let service = self.services.entry(name).or_insert_with(CountedService::new);
            let update = service.miner.learn(&linked.span.operation);
            service.tally.count(&update, counting);
            service.seen = now;
        }
        beyond
    }

    /// The points of what was counted until `now`, Unix seconds, and begins anew.
    pub(super) fn take(&mut self, now: f64) -> Vec<NamedPoint> {
        let seconds = (now - self.begun).max(1e-3);
        self.begun = now;
        self.services
            .retain(|_, service| now - service.seen < FORGOTTEN_AFTER);
        let mut room = self.max_rates;
        for service in self.services.values() {
            room = room.saturating_sub(service.tally.rates());
        }
        let mut points = Vec::new();
        for (name, service) in &mut self.services {
            let own = service.tally.rates();
            let miner = &service.miner;
            service.tally.close(
                own + room,
                |cluster| miner.words(cluster),
                |end, count| {
                    // Of a template how often a second, as of services; the others are counts.
                    let value = if end.starts_with("template.") {
                        count / seconds
                    } else {
                        count
                    };
                    let end = if end == "lines" { "spans" } else { end };
                    // Every operation has a form.
                    if end != "unmatched" {
                        points.push(NamedPoint {
                            metric: format!("traces.{name}.{end}"),
                            time: now,
                            value,
                        });
                    }
                },
            );
            // What has given up its metric makes room with the next interval.
            room -= service.tally.rates().saturating_sub(own).min(room);
        }
        points
    }

    /// Writes down what is learnt when it is time.
    pub(super) fn tick(&mut self, now: f64) {
        if now - self.saved >= SAVE_EACH {
            self.save(now);
        }
    }

    /// Writes down what is learnt; what goes wrong is logged.
    pub(super) fn save(&mut self, now: f64) {
        self.saved = now;
        let saved = |service: &CountedService| SavedOperationCounts {
            miner: service.miner.snapshot(),
            tally: service.tally.clone(),
            seen: service.seen,
        };
        let services = self
            .services
            .iter()
            .map(|(name, service)| (name.clone(), saved(service)));
        let counts = SavedCounts {
            services: services.collect(),
        };
        if let Err(error) = state_file::write(&self.path, VERSION, &counts) {
            tracing::error!(
                "operations of traces not written to `{}` :: {error}",
                self.path.display()
            );
        }
    }
}

impl CountedService {
    fn new() -> Self {
        Self {
            miner: OperationMiner::default(),
            tally: TemplateTally::default(),
            seen: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::assembler::ClosedTrace;
    use crate::traces::span::ReceivedSpan;
    use crate::traces::testing::span;

    const NOW: f64 = 1_700_000_001.0;

    /// A trace of one service with these operations.
    fn trace(operations: &[String]) -> AssembledTrace {
        let made = |(operation, number): (&String, u64)| ReceivedSpan {
            operation: operation.as_str().into(),
            service: "my.shop".into(),
            ..span(1, number, number - 1)
        };
        let spans = operations.iter().zip(1..).map(made).collect();
        AssembledTrace::assemble(ClosedTrace {
            id: span(1, 1, 0).trace,
            spans,
            partial: false,
        })
    }

    fn values(points: &[NamedPoint]) -> BTreeMap<&str, f64> {
        points.iter().map(|point| (&*point.metric, point.value)).collect()
    }

    #[test]
    fn operations_have_rates_are_new_once_and_vanish_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operations");
        let mut counts = OperationCounts::open(path.clone(), 9, 9, NOW);
        let cart = |user: u32| trace(&[format!("GET /users/{user}/cart"), "SELECT cart".to_owned()]);
        for second in 1..=25 {
            assert_eq!(counts.add(&cart(second), false, NOW), 0);
            let points = counts.take(NOW + f64::from(second));
            let found = values(&points);
            assert_eq!(
                (found["traces.my_shop.spans"], found["traces.my_shop.templates"]),
                (2.0, 2.0)
            );
            assert_eq!(found["traces.my_shop.new"], if second == 1 { 2.0 } else { 0.0 });
        }
        counts.save(NOW);
        let mut counts = OperationCounts::open(path, 9, 9, NOW + 25.0);
        let select = || trace(&["SELECT cart".to_owned(), "SELECT prices".to_owned()]);
        let (mut vanished, mut missing) = (0.0, 0.0);
        for minute in 1..=40 {
            (0..60).for_each(|_| {
                counts.add(&select(), false, NOW);
            });
            let points = counts.take(NOW + 25.0 + 60.0 * f64::from(minute));
            let found = values(&points);
            assert_eq!(found["traces.my_shop.template.2_select_cart"], 1.0, "a second");
            assert_eq!(
                found["traces.my_shop.template.1_get_users_cart"], 0.0,
                "its silence is seen"
            );
            assert_eq!(found["traces.my_shop.new"], if minute == 1 { 1.0 } else { 0.0 });
            vanished += found["traces.my_shop.vanished"];
            missing = found["traces.my_shop.missing"];
        }
        assert_eq!((vanished, missing), (1.0, 1.0));
    }

    #[test]
    fn services_and_rates_are_bounded_and_old_traces_bring_only_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operations");
        let mut counts = OperationCounts::open(path, 1, 2, NOW);
        let operations: Vec<_> = ["a", "b", "c", "d"].map(str::to_owned).into();
        for _ in 0..20 {
            counts.add(&trace(&operations), false, NOW);
        }
        counts.add(&trace(&["e".to_owned()]), true, NOW);
        let mut other = trace(&operations);
        other
            .spans
            .iter_mut()
            .for_each(|linked| linked.span.service = "other".into());
        assert_eq!(counts.add(&other, false, NOW), 4);
        let points = counts.take(NOW + 1.0);
        let found = values(&points);
        assert_eq!(
            (found["traces.my_shop.spans"], found["traces.my_shop.new"]),
            (80.0, 5.0)
        );
        assert_eq!(
            points
                .iter()
                .filter(|point| point.metric.contains(".template."))
                .count(),
            2
        );
        assert!(counts.take(NOW + FORGOTTEN_AFTER).is_empty());
    }
}
