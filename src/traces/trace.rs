//! A trace that is complete: its spans with each below the one that caused it.
//!
//! What spans say of their parents is not to be trusted. A parent that is not there leaves an orphan, spans that are each
//! other's ancestors are a loop; both hang below a root that is only thought of, and are counted. All in linear time and
//! without recursion, but for sorting.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::assembler::ClosedTrace;
use super::ids::{SpanId, TraceId};
use super::span::{CallSide, ReceivedSpan};

/// A complete trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AssembledTrace {
    /// Its id.
    pub(super) id: TraceId,
    /// Its spans, parents before children, siblings by their start; at least one.
    pub(super) spans: Vec<LinkedSpan>,
    /// What was wrong with it.
    pub(super) defects: TraceDefects,
}

/// A span in its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinkedSpan {
    /// The span.
    pub(super) span: ReceivedSpan,
    /// The place of its parent in the list; `None` below the root that is only thought of, and of a root.
    pub(super) above: Option<usize>,
    /// How many spans are above it.
    pub(super) depth: usize,
}

/// What was wrong with a trace as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceDefects {
    /// Spans that came more than once.
    pub duplicates: u64,
    /// Spans whose parent is not there.
    pub orphans: u64,
    /// Spans that are among their own ancestors; counted once a loop.
    pub loops: u64,
    /// Whether spans were dropped, or may still come.
    pub partial: bool,
}

impl TraceDefects {
    /// Whether all spans are there and in their places, so that what is missing in the trace is missing in the system.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.orphans == 0 && self.loops == 0 && !self.partial
    }
}

impl AssembledTrace {
    /// Puts the spans of a closed trace in their places.
    #[must_use]
    pub(super) fn assemble(closed: ClosedTrace) -> Self {
        let ClosedTrace { id, spans, partial } = closed;
        let mut defects = TraceDefects {
            partial,
            ..TraceDefects::default()
        };
        let mut spans = once_each(spans, &mut defects);
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.duration), span.id));
        let above = parents(&spans, &mut defects);
        let order = in_order(&above, &mut defects);
        Self {
            id,
            spans: placed(spans, &order),
            defects,
        }
    }

    /// When it began, Unix nanoseconds.
    #[must_use]
    pub(super) fn start(&self) -> u64 {
        self.spans
            .iter()
            .map(|linked| linked.span.start)
            .min()
            .unwrap_or(0)
    }

    /// From the first start to the last end, nanoseconds.
    #[must_use]
    pub(super) fn duration(&self) -> u64 {
        let end = self.spans.iter().map(|linked| linked.span.end()).max();
        end.unwrap_or(0).saturating_sub(self.start())
    }

    /// The span the others are below: the only root, or else the longest of the roots and orphans.
    #[must_use]
    pub(super) fn root(&self) -> &ReceivedSpan {
        let roots = self.spans.iter().filter(|linked| linked.above.is_none());
        let longest = roots.max_by_key(|linked| (linked.span.parent.is_none(), linked.span.duration));
        // The first of all spans is a root, and there is at least one span.
        &longest.unwrap_or(&self.spans[0]).span
    }
}

/// Leaves out what came more than once. Of two spans with one id where one makes a call and the other answers it, the second
/// is the called side, even if it does not say so.
fn once_each(spans: Vec<ReceivedSpan>, defects: &mut TraceDefects) -> Vec<ReceivedSpan> {
    let mut kept: Vec<ReceivedSpan> = Vec::with_capacity(spans.len());
    let mut known: HashMap<(SpanId, bool), usize> = HashMap::with_capacity(spans.len());
    for mut span in spans {
        if let Some(&other) = known.get(&(span.id, span.shared)) {
            let is_second_side = !span.shared && !known.contains_key(&(span.id, true));
            match (kept[other].kind, span.kind) {
                (CallSide::Client, CallSide::Server) if is_second_side => span.shared = true,
                (CallSide::Server, CallSide::Client) if is_second_side => {
                    kept[other].shared = true;
                    known.insert((span.id, true), other);
                }
                _ => {
                    defects.duplicates += 1;
                    continue;
                }
            }
        }
        known.insert((span.id, span.shared), kept.len());
        kept.push(span);
    }
    kept
}

/// The place of each span's parent among `spans`.
fn parents(spans: &[ReceivedSpan], defects: &mut TraceDefects) -> Vec<Option<usize>> {
    let places = spans
        .iter()
        .enumerate()
        .map(|(place, span)| ((span.id, span.shared), place));
    let places: HashMap<(SpanId, bool), usize> = places.collect();
    let mut above = Vec::with_capacity(spans.len());
    for span in spans {
        let calling = places.get(&(span.id, false)).filter(|_| span.shared);
        // What happens within a call is below its called side, if both sides have one id.
        let named = || {
            let id = span.parent?;
            let called = places
                .get(&(id, true))
                .filter(|place| spans[**place].service == span.service);
            called
                .or_else(|| places.get(&(id, false)))
                .or_else(|| places.get(&(id, true)))
        };
        let found = calling.or_else(named).copied();
        defects.orphans += u64::from(found.is_none() && span.parent.is_some());
        above.push(found);
    }
    above
}

/// A span in the list that is made: its place among the spans by start, the place of its parent in the list, its depth.
type PlaceInOrder = (usize, Option<usize>, usize);

/// All spans, parents before children, siblings in their order. The earliest span of a loop becomes a root.
fn in_order(above: &[Option<usize>], defects: &mut TraceDefects) -> Vec<PlaceInOrder> {
    let mut children = vec![Vec::new(); above.len()];
    for (place, parent) in above.iter().enumerate() {
        if let Some(parent) = *parent {
            children[parent].push(place);
        }
    }
    let mut order = Vec::with_capacity(above.len());
    let mut seen = vec![false; above.len()];
    let roots = (0..above.len()).filter(|place| above[*place].is_none());
    roots.for_each(|root| visit(root, &children, &mut seen, &mut order));
    // What no root leads to hangs on a loop.
    for place in 0..above.len() {
        if !seen[place] {
            defects.loops += 1;
            visit(earliest_of_loop(place, above), &children, &mut seen, &mut order);
        }
    }
    order
}

/// Adds a span and all below it that were not seen yet.
fn visit(root: usize, children: &[Vec<usize>], seen: &mut [bool], order: &mut Vec<PlaceInOrder>) {
    let mut waiting = vec![(root, None, 0)];
    while let Some((place, parent, depth)) = waiting.pop() {
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        let here = order.len();
        order.push((place, parent, depth));
        let below = children[place].iter().rev();
        waiting.extend(below.map(|child| (*child, Some(here), depth + 1)));
    }
}

/// The earliest span of the loop that is above `place`, where no root is.
fn earliest_of_loop(place: usize, above: &[Option<usize>]) -> usize {
    // Going up leads into the loop, at whatever place of it; going round finds the earliest.
    let mut entry = place;
    let mut passed = HashSet::new();
    while passed.insert(entry) {
        entry = above[entry].unwrap_or(entry);
    }
    let (mut earliest, mut next) = (entry, above[entry].unwrap_or(entry));
    while next != entry {
        earliest = earliest.min(next);
        next = above[next].unwrap_or(entry);
    }
    earliest
}

fn placed(spans: Vec<ReceivedSpan>, order: &[PlaceInOrder]) -> Vec<LinkedSpan> {
    let mut spans: Vec<Option<ReceivedSpan>> = spans.into_iter().map(Some).collect();
    let placed = order.iter().filter_map(|&(place, above, depth)| {
        let span = spans[place].take()?;
        Some(LinkedSpan { span, above, depth })
    });
    placed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::span;
    use proptest::prelude::*;

    fn assembled(spans: Vec<ReceivedSpan>) -> AssembledTrace {
        let id = spans[0].trace;
        AssembledTrace::assemble(ClosedTrace {
            id,
            spans,
            partial: false,
        })
    }

    /// The number of each span, that of its parent (0 for none) and its depth.
    fn tree(trace: &AssembledTrace) -> Vec<(u64, u64, usize)> {
        let number = |linked: &LinkedSpan| u64::from_str_radix(&linked.span.id.to_string(), 16).unwrap();
        let each = trace.spans.iter().map(|linked| {
            let above = linked.above.map_or(0, |above| number(&trace.spans[above]));
            (number(linked), above, linked.depth)
        });
        each.collect()
    }

    #[test]
    fn spans_in_any_order_find_their_places() {
        let trace = assembled(vec![
            span(1, 4, 2),
            span(1, 3, 1),
            span(1, 2, 1),
            span(1, 1, 0),
            span(1, 3, 1),
        ]);
        assert_eq!(tree(&trace), [(1, 0, 0), (2, 1, 1), (4, 2, 2), (3, 1, 1)]);
        assert_eq!(trace.defects.duplicates, 1);
        assert!(trace.defects.is_whole());
        assert_eq!((trace.root().start, trace.duration()), (trace.start(), 8_000_000));
    }

    #[test]
    fn orphans_and_loops_hang_below_a_root_that_is_thought_of() {
        let trace = assembled(vec![
            span(1, 1, 99),
            span(1, 2, 1),
            // A loop of two with one below it that starts before them.
            span(1, 3, 5),
            span(1, 4, 5),
            span(1, 5, 4),
        ]);
        assert_eq!(
            tree(&trace),
            [(1, 0, 0), (2, 1, 1), (4, 0, 0), (5, 4, 1), (3, 5, 2)]
        );
        assert_eq!((trace.defects.orphans, trace.defects.loops), (1, 1));
    }

    #[test]
    fn both_sides_of_a_call_may_have_one_id() {
        for said in [true, false] {
            let client = ReceivedSpan {
                kind: CallSide::Client,
                service: "front".into(),
                ..span(1, 2, 1)
            };
            let server = ReceivedSpan {
                kind: CallSide::Server,
                shared: said,
                start: client.start + 1,
                ..span(1, 2, 1)
            };
            let root = ReceivedSpan {
                service: "front".into(),
                ..span(1, 1, 0)
            };
            let trace = assembled(vec![span(1, 3, 2), server.clone(), client, root, server]);
            assert_eq!(
                tree(&trace),
                [(1, 0, 0), (2, 1, 1), (2, 2, 2), (3, 2, 3)],
                "{said}"
            );
            assert_eq!(trace.defects.duplicates, 1);
            assert!(trace.spans[2].span.shared);
        }
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let mut spans: Vec<_> = (1..=100_000).map(|number| span(1, number, number - 1)).collect();
        assert_eq!(assembled(spans.clone()).spans[99_999].depth, 99_999);
        // Closed to a loop.
        spans[0].parent = Some(spans[99_999].id);
        assert_eq!(assembled(spans).defects.loops, 1);
    }

    proptest! {
        #[test]
        fn every_span_is_there_once_and_behind_its_parent(parents in prop::collection::vec(0u64..12, 1..12), turn in 0usize..12) {
            let numbered = parents.iter().zip(1u64..);
            let mut spans: Vec<_> = numbered.map(|(parent, number)| span(1, number, *parent)).collect();
            let turns = turn % spans.len();
            let trace = assembled(spans.clone());
            spans.rotate_left(turns);
            prop_assert_eq!(&assembled(spans), &trace, "the order in which they came does not matter");
            let mut ids: Vec<_> = trace.spans.iter().map(|linked| linked.span.id).collect();
            ids.sort_unstable();
            ids.dedup();
            prop_assert_eq!(ids.len(), parents.len());
            for (place, linked) in trace.spans.iter().enumerate() {
                let depth = linked.above.map(|above| trace.spans[above].depth + 1);
                prop_assert!(linked.above.is_none_or(|above| above < place));
                prop_assert_eq!(linked.depth, depth.unwrap_or(0));
            }
        }
    }
}
