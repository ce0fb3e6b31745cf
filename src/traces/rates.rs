//! Rates, errors and latencies of services and of calls between them, as metrics.
//!
//! A request of a service is a span where work for it begins: one that answers a call, or whose parent is another service's.
//! Counted where traces are complete, so a minute's figures are of the traces that were completed in it. The latency of a
//! call is the caller's, which has the network in it, where the caller has a span of its own for the call.

use std::collections::BTreeMap;

use super::points::NamedPoint;
use super::sketch::DurationSketch;
use super::span::CallSide;
use super::trace::AssembledTrace;

/// Which latencies become metrics.
const QUANTILES: [(f64, &str); 3] = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")];
/// Seconds without a request after which a service is given up: until then it has rates of zero, so that it shows when one
/// falls silent.
const GIVEN_UP_AFTER: f64 = 3_600.0;
/// Seconds that a trace may have ended ago, or ahead of our clock, to say something about now: files hold old ones.
const RECENT: f64 = 600.0;

/// What was counted since the last time it was asked for.
#[derive(Debug)]
pub(super) struct ServiceRates {
    max_services: usize,
    max_edges: usize,
    services: BTreeMap<String, CallTally>,
    /// By caller and called.
    edges: BTreeMap<(String, String), CallTally>,
    /// Unix seconds at which counting began.
    begun: f64,
}

#[derive(Debug, Default)]
struct CallTally {
    requests: u64,
    errors: u64,
    latencies: DurationSketch,
    /// Unix seconds of the last request.
    seen: f64,
}

/// What a trace added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RatesAdded {
    /// Requests and calls for which there was no room.
    pub(super) beyond: u64,
    /// Whether the trace is too old, or too far ahead, to be counted.
    pub(super) is_old: bool,
}

impl ServiceRates {
    /// Counts from `now` on, Unix seconds, so many services and pairs of them.
    pub(super) fn new(max_services: usize, max_edges: usize, now: f64) -> Self {
        Self {
            max_services,
            max_edges,
            services: BTreeMap::new(),
            edges: BTreeMap::new(),
            begun: now,
        }
    }

    /// Counts a trace.
    pub(super) fn add(&mut self, trace: &AssembledTrace, now: f64) -> RatesAdded {
        let end = (trace.start() + trace.duration()) as f64 / 1e9;
        if (now - end).abs() > RECENT {
            return RatesAdded {
                beyond: 0,
                is_old: true,
            };
        }
        let mut beyond = 0;
        for linked in &trace.spans {
            let span = &linked.span;
            let caller = linked.above.map(|above| &trace.spans[above].span);
            let is_called = matches!(span.kind, CallSide::Server | CallSide::Consumer);
            let begins = match caller {
                Some(caller) => caller.service != span.service,
                // Where the parent did not come, nobody knows whose it was.
                None => span.parent.is_none(),
            };
            if !begins && !is_called {
                continue;
            }
            let service = part(&span.service);
            let of_service = tally(&mut self.services, service.clone(), self.max_services);
            count(of_service, span.failed, span.duration, now, &mut beyond);
            if let Some(caller) = caller.filter(|_| begins) {
                let edge = (part(&caller.service), service);
                let of_edge = tally(&mut self.edges, edge, self.max_edges);
                let seconds = match caller.kind {
                    CallSide::Client => caller.duration,
                    _ => span.duration,
                };
                let has_failed = span.failed || (caller.kind == CallSide::Client && caller.failed);
                count(of_edge, has_failed, seconds, now, &mut beyond);
            }
        }
        RatesAdded {
            beyond,
            is_old: false,
        }
    }

    /// The points of what was counted until `now`, Unix seconds, and begins anew.
    pub(super) fn take(&mut self, now: f64) -> Vec<NamedPoint> {
        let seconds = (now - self.begun).max(1e-3);
        self.begun = now;
        let mut points = Vec::new();
        for (service, tally) in &mut self.services {
            tally.take(&format!("traces.{service}"), seconds, now, &mut points);
        }
        for ((caller, called), tally) in &mut self.edges {
            tally.take(
                &format!("traces.{caller}.calls.{called}"),
                seconds,
                now,
                &mut points,
            );
        }
        self.services.retain(|_, tally| now - tally.seen < GIVEN_UP_AFTER);
        self.edges.retain(|_, tally| now - tally.seen < GIVEN_UP_AFTER);
        points
    }
}

impl CallTally {
    fn take(&mut self, name: &str, seconds: f64, time: f64, points: &mut Vec<NamedPoint>) {
        let counted = std::mem::take(self);
        self.seen = counted.seen;
        let mut point = |end: &str, value: f64| {
            let metric = format!("{name}.{end}");
            points.push(NamedPoint { metric, time, value });
        };
        point("requests", counted.requests as f64 / seconds);
        point("errors", counted.errors as f64 / seconds);
        for (q, end) in QUANTILES {
            if let Some(latency) = counted.latencies.quantile(q) {
                point(end, latency);
            }
        }
    }
}

/// The tally under a key, if it is there or there is room for it.
fn tally<K: Ord>(tallies: &mut BTreeMap<K, CallTally>, key: K, most: usize) -> Option<&mut CallTally> {
    if tallies.len() >= most && !tallies.contains_key(&key) {
        return None;
    }
    Some(tallies.entry(key).or_default())
}

fn count(tally: Option<&mut CallTally>, has_failed: bool, duration: u64, now: f64, beyond: &mut u64) {
    let Some(tally) = tally else {
        *beyond += 1;
        return;
    };
    tally.requests += 1;
    tally.errors += u64::from(has_failed);
    tally.latencies.add(duration);
    tally.seen = now;
}

/// A service's name as a part of a metric's: nothing in it parts or ends one.
pub(super) fn part(service: &str) -> String {
    let fit = |c: char| {
        if c.is_alphanumeric() || c == '-' || c == '_' {
            c
        } else {
            '_'
        }
    };
    service.chars().map(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::assembler::ClosedTrace;
    use crate::traces::span::ReceivedSpan;
    use crate::traces::testing::span;

    const NOW: f64 = 1_700_000_001.0;

    fn of(service: &str, kind: CallSide, failed: bool, span: ReceivedSpan) -> ReceivedSpan {
        ReceivedSpan {
            service: service.into(),
            kind,
            failed,
            ..span
        }
    }

    /// A page that calls a shop, which works within and calls a store; the store fails, and the shop's caller waits longer.
    fn trace() -> AssembledTrace {
        let waits = ReceivedSpan {
            duration: 9_000_000,
            ..span(1, 2, 1)
        };
        let spans = vec![
            of("page", CallSide::Server, false, span(1, 1, 0)),
            of("page", CallSide::Client, false, waits),
            of("my.shop", CallSide::Server, false, span(1, 3, 2)),
            of("my.shop", CallSide::Internal, false, span(1, 4, 3)),
            of("store", CallSide::Internal, true, span(1, 5, 4)),
            // Whose it is nobody knows.
            of("store", CallSide::Internal, false, span(1, 6, 99)),
        ];
        AssembledTrace::assemble(ClosedTrace {
            id: spans[0].trace,
            spans,
            partial: false,
        })
    }

    fn values(points: &[NamedPoint]) -> BTreeMap<&str, f64> {
        points.iter().map(|point| (&*point.metric, point.value)).collect()
    }

    #[test]
    fn requests_errors_and_latencies_of_services_and_calls() {
        let mut rates = ServiceRates::new(9, 9, NOW - 10.0);
        assert_eq!(rates.add(&trace(), NOW), RatesAdded::default());
        let points = rates.take(NOW);
        let found = values(&points);
        assert_eq!(found["traces.page.requests"], 0.1);
        assert_eq!(found["traces.my_shop.requests"], 0.1);
        assert_eq!(
            (found["traces.store.requests"], found["traces.store.errors"]),
            (0.1, 0.1)
        );
        assert_eq!(found["traces.my_shop.calls.store.errors"], 0.1);
        let near = |name: &str, seconds: f64| (found[name] / seconds - 1.0).abs() < 0.02;
        assert!(
            near("traces.page.calls.my_shop.p99", 0.009),
            "the caller waits longer"
        );
        assert!(near("traces.my_shop.p50", 0.005));
        assert_eq!(found.len(), 5 * 5);
        // A minute without requests has rates of zero and no latency; an hour of them nothing.
        let points = rates.take(NOW + 60.0);
        assert_eq!(
            (values(&points)["traces.page.requests"], points.len()),
            (0.0, 5 * 2)
        );
        rates.take(NOW + 3_601.0);
        assert!(rates.take(NOW + 3_660.0).is_empty());
    }

    #[test]
    fn services_are_bounded_and_old_traces_say_nothing_of_now() {
        let mut rates = ServiceRates::new(2, 0, NOW);
        assert_eq!(rates.add(&trace(), NOW).beyond, 1 + 2);
        assert!(rates.add(&trace(), NOW + 700.0).is_old);
        assert_eq!(rates.take(NOW + 1.0).len(), 2 * 5);
    }
}
