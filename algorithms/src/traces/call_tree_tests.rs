use super::*;

/// `(id, parent, operation, start, duration)`, all in the service `s`.
fn spans(rows: &[(u64, Option<u64>, &str, i64, i64)]) -> Vec<TraceSpan> {
    let span =
        |&(id, parent, operation, start_us, duration_us): &(u64, Option<u64>, &str, i64, i64)| TraceSpan {
            id,
            parent,
            service: "s".to_owned(),
            operation: operation.to_owned(),
            start_us,
            duration_us,
            failed: false,
        };
    rows.iter().map(span).collect()
}

fn tree(spans: &[TraceSpan]) -> (CallTree, Vec<String>) {
    let mut templates = SpanTemplates::default();
    // In the order of their names, whatever the order of the spans.
    let mut sorted: Vec<_> = spans.iter().collect();
    sorted.sort_by(|a, b| a.operation.cmp(&b.operation));
    for span in sorted {
        templates.learn(span);
    }
    let tree = CallTree::build(spans, &templates, SiblingOrder::Canonical);
    let names = tree
        .nodes
        .iter()
        .map(|node| spans[node.span as usize].operation.clone());
    let names = names.collect();
    (tree, names)
}

#[test]
fn the_order_is_the_same_whatever_the_order_of_arrival_and_of_calls_side_by_side() {
    // b and c run side by side, d after them; x is a call of c.
    let one = spans(&[
        (1, None, "root", 0, 100),
        (2, Some(1), "b", 10, 30),
        (3, Some(1), "c", 12, 30),
        (4, Some(3), "x", 15, 5),
        (5, Some(1), "d", 60, 20),
    ]);
    let mut other = spans(&[
        (5, Some(1), "d", 60, 20),
        (3, Some(1), "c", 10, 30),
        (4, Some(3), "x", 15, 5),
        (1, None, "root", 0, 100),
        (2, Some(1), "b", 12, 30),
    ]);
    let (tree_one, names) = tree(&one);
    assert_eq!(names, ["root", "b", "c", "x", "d"]);
    for _ in 0..5 {
        other.rotate_left(1);
        let (tree_other, names) = tree(&other);
        assert_eq!(names, ["root", "b", "c", "x", "d"]);
        assert_eq!(tree_other.shape, tree_one.shape);
    }
    let links = |number: usize| {
        (
            tree_one.nodes[number].first_child,
            tree_one.nodes[number].next_sibling,
        )
    };
    assert_eq!(links(0), (1, NO_NODE));
    assert_eq!(links(2), (3, 4));
}

#[test]
fn self_time_is_what_no_child_covers() {
    let (tree, _) = tree(&spans(&[
        (1, None, "root", 0, 100),
        (2, Some(1), "b", 10, 30),
        (3, Some(1), "c", 20, 30),
        // Reaches beyond its parent: only 10 of it count.
        (4, Some(1), "d", 90, 50),
    ]));
    let own: Vec<u64> = tree.nodes.iter().map(|node| node.self_us).collect();
    assert_eq!(own, [100 - 40 - 10, 30, 30, 50]);
    assert_eq!(tree.duration_us, 100);
}

#[test]
fn malformed_traces_keep_every_span_and_say_what_was_wrong() {
    let (tree, names) = tree(&spans(&[
        (1, None, "root", 0, 100),
        (2, Some(2), "own", 1, 1),
        (3, Some(99), "orphan", 2, -5),
        (4, Some(5), "ring", 3, 1),
        (5, Some(6), "ring", 3, 1),
        (6, Some(4), "ring", 3, 1),
        (7, Some(5), "tail", -10, 1),
        (1, Some(1), "again", 4, 1),
    ]));
    assert_eq!(names.len(), 8);
    let expected = MalformedSpans {
        duplicate_ids: 1,
        own_parents: 2,
        loops: 1,
        orphans: 1,
        negative_durations: 1,
        early_starts: 1,
    };
    assert_eq!(tree.malformed, expected);
    let mut seen: Vec<u32> = tree.nodes.iter().map(|node| node.span).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..8).collect::<Vec<_>>());
}

#[test]
fn a_hundred_thousand_nested_spans_and_as_many_beside_each_other_are_built_at_once() {
    let nested: Vec<_> = (1..=100_000)
        .map(|id| (id, (id > 1).then(|| id - 1), "deep", id as i64, 1))
        .collect();
    assert_eq!(tree(&spans(&nested)).0.nodes.last().unwrap().depth, 99_999);
    let flat: Vec<_> = (1..=100_000)
        .map(|id| (id, (id > 1).then_some(1), "wide", 0, 1))
        .collect();
    assert_eq!(tree(&spans(&flat)).0.nodes.len(), 100_000);
    let ring: Vec<_> = (1..=100_000)
        .map(|id| (id, Some(id % 100_000 + 1), "ring", 0, 1))
        .collect();
    let ring = tree(&spans(&ring)).0;
    assert_eq!((ring.nodes.len(), ring.malformed.loops), (100_000, 1));
}

#[test]
fn times_at_the_ends_of_their_range_do_no_harm() {
    let (tree, _) = tree(&spans(&[
        (1, None, "root", i64::MAX, i64::MAX),
        (2, Some(1), "a", i64::MIN, i64::MAX),
        (3, Some(1), "b", i64::MIN, i64::MIN),
    ]));
    assert_eq!(tree.nodes.len(), 3);
    assert!(
        CallTree::build(&[], &SpanTemplates::default(), SiblingOrder::Canonical)
            .nodes
            .is_empty()
    );
}
