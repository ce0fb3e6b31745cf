use proptest::prelude::*;

use super::drawing::px;
use super::scale::ValueScale;
use super::*;
use crate::anomaly::Expected;

const DAY: [u32; 2] = [1_795_182_120, 60];

fn day() -> (Vec<f64>, Vec<f64>) {
    let times: Vec<f64> = (0..1_440).map(|i| f64::from(DAY[0] + i * DAY[1])).collect();
    let values = times
        .iter()
        .map(|time| 50.0 + 20.0 * (time / 13_750.0).sin())
        .collect();
    (times, values)
}

/// Panics unless `xml` is well-formed as far as a chart can go wrong: one root, balanced tags,
/// quoted attributes without doubles, known entities, only characters XML allows.
fn assert_well_formed(xml: &str) {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(xml.chars().all(allowed), "a character XML does not allow");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        assert!(
            !open.is_empty() || text.is_empty(),
            "text outside the root: {text}"
        );
        assert_entities(text);
        let end = start + rest[start..].find('>').expect("a tag is closed");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "tags are balanced");
        } else {
            let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()),
                "tag `{name}`"
            );
            assert_attributes(attributes);
            if !closed {
                open.push(name);
            }
        }
        assert!(
            !open.is_empty() || rest.is_empty(),
            "something follows the root: {rest}"
        );
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

fn assert_attributes(mut attributes: &str) {
    let mut seen = Vec::new();
    while let Some((name, rest)) = attributes.split_once("=\"") {
        let name = name.trim_start();
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "attribute `{name}`"
        );
        assert!(!seen.contains(&name), "attribute `{name}` is given twice");
        seen.push(name);
        let (value, rest) = rest.split_once('"').expect("an attribute is closed");
        assert!(!value.contains('<'));
        assert!(!value.contains("NaN") && !value.contains("inf"), "{name}={value}");
        assert_entities(value);
        attributes = rest;
    }
    assert!(attributes.trim().is_empty(), "left over: {attributes}");
}

fn assert_entities(text: &str) {
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(
            known.iter().any(|entity| text[at..].starts_with(entity)),
            "{}",
            &text[at..]
        );
    }
}

fn count(svg: &str, what: &str) -> usize {
    svg.matches(what).count()
}

#[test]
fn a_small_chart_is_written_exactly_like_this() {
    let times = [0.0, 60.0, 120.0, 180.0, 600.0, 660.0];
    let values = [1.0, 2.0, 1.5, 2.5, 2.0, 9.0];
    let svg = Chart::new("web1 <cpu>", &times, &values)
        .expected(Expected {
            low: 0.5,
            high: 3.0,
            centre: 1.8,
        })
        .mark(ChartMark {
            at: 660.0,
            value: 9.0,
        })
        .size(320, 120)
        .theme(Theme::Light)
        .svg();
    insta::assert_snapshot!(svg.replace("><", ">\n<"));
    assert_well_formed(&svg);
}

#[test]
fn gaps_break_the_line() {
    let (mut times, mut values) = day();
    let whole = Chart::new("m", &times, &values).size(4_000, 200).svg();
    times.drain(300..400);
    values.drain(300..400);
    let broken = Chart::new("m", &times, &values).size(4_000, 200).svg();
    let strokes = |svg: &str| {
        let line = svg
            .split("<path d=\"")
            .find(|path| path.contains("stroke-width=\"1.4\""))
            .unwrap();
        count(line.split('"').next().unwrap(), "M")
    };
    assert_eq!((strokes(&whole), strokes(&broken)), (1, 2));
}

#[test]
fn many_points_make_no_larger_chart() {
    let times: Vec<f64> = (0..100_000).map(f64::from).collect();
    let values: Vec<f64> = times.iter().map(|time| (time * 0.7).sin()).collect();
    let svg = Chart::new("m", &times, &values).size(900, 240).svg();
    assert!(svg.len() < 60_000, "{} bytes", svg.len());
    assert!(svg.contains("100000 points"));
    assert_well_formed(&svg);
}

#[test]
fn one_spike_among_many_points_reaches_its_height() {
    let times: Vec<f64> = (0..100_000).map(f64::from).collect();
    let mut values = vec![1.0; times.len()];
    values[70_000] = 100.0;
    let svg = Chart::new("", &times, &values).size(320, 200).svg();
    let points = points::finite_points(&times, &values);
    let y = ValueScale::new(&points, None, None, 10.0, 178.0);
    let top = px(y.pixel(100.0));
    assert!(svg.contains(&format!(" {top}L")), "no corner at height {top}");
}

#[test]
fn names_are_text_whatever_they_hold() {
    let long = "x".repeat(4_096);
    for name in [
        "<script>alert(1)</script>",
        "a\nBcc: x@y",
        "*.{}",
        "\"'&",
        "🔥 temp",
        "\u{0}\u{202e}",
        &long,
    ] {
        for theme in [Theme::Page, Theme::Light, Theme::Dark] {
            let svg = Chart::new(name, &[0.0, 60.0], &[1.0, 2.0]).theme(theme).svg();
            assert_well_formed(&svg);
            assert!(!svg.contains("<script"));
            assert!(svg.len() < 6_000);
        }
    }
}

#[test]
fn nothing_to_draw_is_said() {
    let svg = Chart::new("m", &[], &[]).svg();
    assert_well_formed(&svg);
    assert_eq!(
        count(&svg, "no points"),
        2,
        "once for the eye and once in the description"
    );
    let svg = Chart::new("m", &[5.0], &[f64::NAN])
        .mark(ChartMark {
            at: 5.0,
            value: f64::NAN,
        })
        .svg();
    assert_well_formed(&svg);
}

#[test]
fn it_is_accessible_and_complete_in_itself() {
    let (times, values) = day();
    let svg = Chart::new("m", &times, &values).rate(true).svg();
    assert!(svg.contains(r#"role="img""#) && svg.contains("<title>m</title>"));
    assert!(svg.contains(
        "<desc>1440 changes per step of a counter from 2026-11-20 13:42 UTC to 2026-11-21 13:41 UTC; \
         lowest 30, highest 70</desc>"
    ));
    assert_eq!(count(&svg, "http"), 1, "the namespace and nothing else");
    assert!(!svg.contains(" id=") && !svg.contains("href") && !svg.contains("<script"));
}

#[test]
fn a_mark_outside_the_window_is_left_out() {
    let (times, values) = day();
    let marked = |at| {
        Chart::new("m", &times, &values)
            .mark(ChartMark { at, value: 1.0 })
            .svg()
    };
    assert_eq!(count(&marked(0.0), "<circle"), 0);
    assert_eq!(count(&marked(times[1_439] + 60.0), "<circle"), 1);
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3f64,
        1 => proptest::num::f64::ANY,
        1 => Just(0.0),
        1 => 1.79e9..1.8e9f64,
    ]
}

proptest! {
    #[test]
    fn any_input_gives_well_formed_output_twice_the_same(
        name in "(?s).{0,60}",
        points in proptest::collection::vec((any_number(), any_number()), 0..200),
        band in proptest::option::of((any_number(), any_number(), any_number())),
        mark in proptest::option::of((any_number(), any_number())),
        (width, height) in (0u32..2_000, 0u32..500),
        theme in prop_oneof![Just(Theme::Page), Just(Theme::Light), Just(Theme::Dark)],
    ) {
        let (times, values): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
        let mut chart = Chart::new(&name, &times, &values).size(width, height).theme(theme);
        if let Some((low, high, centre)) = band {
            chart = chart.expected(Expected { low, high, centre });
        }
        if let Some((at, value)) = mark {
            chart = chart.mark(ChartMark { at, value });
        }
        let svg = chart.svg();
        assert_well_formed(&svg);
        prop_assert_eq!(svg, chart.svg());
    }
}
