//! The waterfall of a trace: its spans below each other, a bar each, from its begin to its end.

use minijinja::{Value, context};

use crate::traces::{SpanDocument, TraceDocument};

/// Spans that are drawn; a page of so many has some 2 MB. Those with findings, and what is above them, are among them.
const DRAWN: usize = 3_000;
/// Indents that are drawn, and the width of one, rem: names have to fit beside them on a small screen.
const INDENTS: usize = 10;
const INDENT: f64 = 0.7;
/// Least width of a bar, percent: what is short is seen as well.
const THINNEST: f64 = 0.3;

/// The rows, and how many spans have none.
pub(super) fn rows(document: &TraceDocument) -> (Vec<Value>, usize) {
    let own = own_times(&document.spans);
    let shown = shown(&document.spans);
    let rows = document
        .spans
        .iter()
        .zip(&own)
        .zip(&shown)
        .filter(|(_, shown)| **shown);
    let rows: Vec<Value> = rows.map(|((span, own), _)| row(document, span, *own)).collect();
    let left_out = document.spans.len() - rows.len();
    (rows, left_out)
}

fn row(document: &TraceDocument, span: &SpanDocument, own: u64) -> Value {
    let whole = (document.duration_us as f64).max(1.0);
    let left = 100.0 * span.start_us.saturating_sub(document.start_us) as f64 / whole;
    let width = (100.0 * span.duration_us as f64 / whole).max(THINNEST);
    // A clock that is wrong does not draw over the edge.
    let left = left.clamp(0.0, 100.0 - THINNEST);
    context! {
        number => span.span_id,
        indent => span.depth.min(INDENTS) as f64 * INDENT,
        service => span.service.as_str(),
        operation => span.operation.as_str(),
        took => time(span.duration_us as f64),
        own => (own < span.duration_us).then(|| time(own as f64)),
        failed => span.status == "ERROR",
        findings => span.findings.clone(),
        message => span.message.as_str(),
        left => format!("{left:.2}"),
        width => format!("{:.2}", width.min(100.0 - left)),
    }
}

/// Which spans are drawn: the first ones, and what leads to those with findings.
fn shown(spans: &[SpanDocument]) -> Vec<bool> {
    let mut shown = vec![false; spans.len()];
    let guilty = spans
        .iter()
        .enumerate()
        .filter(|(_, span)| !span.findings.is_empty());
    for (place, _) in guilty {
        let mut next = Some(place);
        while let Some(place) = next.filter(|place| !std::mem::replace(&mut shown[*place], true)) {
            next = above(&spans[place], spans.len());
        }
    }
    let mut room = DRAWN.saturating_sub(shown.iter().filter(|shown| **shown).count());
    for shown in shown.iter_mut().filter(|shown| !**shown) {
        if room == 0 {
            break;
        }
        room -= 1;
        *shown = true;
    }
    shown
}

/// The place of a span's parent.
fn above(span: &SpanDocument, spans: usize) -> Option<usize> {
    let place = usize::try_from(span.parent_id?).ok()?.checked_sub(1)?;
    (place < spans).then_some(place)
}

/// Microseconds of each span in which none of its children works.
fn own_times(spans: &[SpanDocument]) -> Vec<u64> {
    let mut busy: Vec<Vec<(u64, u64)>> = vec![Vec::new(); spans.len()];
    for span in spans {
        if let Some(parent) = above(span, spans.len()) {
            let end = |span: &SpanDocument| span.start_us.saturating_add(span.duration_us);
            let within = &spans[parent];
            let (from, to) = (span.start_us.max(within.start_us), end(span).min(end(within)));
            if from < to {
                busy[parent].push((from, to));
            }
        }
    }
    let own = spans.iter().zip(&mut busy).map(|(span, busy)| {
        busy.sort_unstable();
        let mut reached = 0;
        let covered: u64 = busy
            .iter()
            .map(|&(from, to)| {
                let new = to.saturating_sub(from.max(reached));
                reached = reached.max(to);
                new
            })
            .sum();
        span.duration_us.saturating_sub(covered)
    });
    own.collect()
}

/// Microseconds for people.
pub(super) fn time(micros: f64) -> String {
    match micros {
        micros if micros >= 1e6 => format!("{:.2} s", micros / 1e6),
        micros if micros >= 1e4 => format!("{:.0} ms", micros / 1e3),
        micros if micros >= 1e3 => format!("{:.1} ms", micros / 1e3),
        micros => format!("{micros:.0} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u64, parent: u64, start: u64, duration: u64) -> SpanDocument {
        SpanDocument {
            span_id: number,
            parent_id: (parent > 0).then_some(parent),
            id: String::new(),
            service: "shop".to_owned(),
            operation: "work".to_owned(),
            kind: "server".to_owned(),
            start_us: start,
            duration_us: duration,
            status: "UNSET".to_owned(),
            message: String::new(),
            depth: 0,
            findings: Vec::new(),
        }
    }

    #[test]
    fn a_span_has_the_time_for_itself_that_no_child_covers() {
        // Two that overlap, one that begins before its parent, one beyond its end.
        let spans = [
            span(1, 0, 100, 100),
            span(2, 1, 110, 30),
            span(3, 1, 130, 20),
            span(4, 1, 50, 55),
            span(5, 1, 190, 500),
        ];
        assert_eq!(own_times(&spans), [100 - 40 - 5 - 10, 30, 20, 55, 500]);
    }

    #[test]
    fn what_leads_to_a_finding_is_drawn_however_many_spans_there_are() {
        let mut spans: Vec<_> = (1..=DRAWN as u64 + 500)
            .map(|number| span(number, u64::from(number > 1), 0, 1))
            .collect();
        spans.push(span(DRAWN as u64 + 501, DRAWN as u64 + 500, 0, 1));
        let last = spans.len() - 1;
        spans[last].findings.push("it is slow".to_owned());
        let shown = shown(&spans);
        assert_eq!(shown.iter().filter(|shown| **shown).count(), DRAWN);
        assert!(shown[0] && shown[last] && shown[last - 1] && !shown[last - 2]);
    }
}
