//! The law of tails: what a reader has put together from tails is, once canonical, what a whole
//! read gives, over histories of arrival in order, late, doubled and in bursts, with trims between.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use skywatch::store::{Points, Tail};
use skywatch_algorithms::{SameTime, Series};

use super::backends::{Backend, Read, append, fetch, points};

const WINDOW: f64 = 900.0;
const GRACE: f64 = 240.0;
const METRICS: usize = 3;

/// Trims one metric to a time; no point older than the last argument is in any metric's window.
pub(crate) type Trim<'t, B> = dyn FnMut(&mut B, &str, f64, f64) + 't;

/// One thing that happens to one metric, or to its reader.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// So many points a minute apart.
    InOrder(u32),
    /// One point so many seconds before the newest.
    Late(u32),
    /// A run of points that were written before, by its start and length.
    Again(usize, usize),
    Trim,
    Read,
}

/// What may happen in a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Seconds a point may be late.
    pub(crate) most_late: u32,
    /// Longest run of points that is sent again; 0 for none ever.
    pub(crate) most_again: usize,
}

pub(crate) fn steps(kind: Kind) -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        6 => (1u32..4).prop_map(Step::InOrder),
        1 => (10u32..60).prop_map(Step::InOrder),
        2 => (1..kind.most_late).prop_map(Step::Late),
        2 => (0usize..1_000, 0..=kind.most_again).prop_map(|(start, length)| Step::Again(start, length)),
        2 => Just(Step::Trim),
        5 => Just(Step::Read),
    ];
    proptest::collection::vec((0..METRICS, step), 1..60)
}

/// One metric: what was written, and what its reader has.
struct Metric<C> {
    name: String,
    written: Vec<(f64, f64)>,
    newest: f64,
    window: Series,
    cursor: Option<C>,
    /// Since its last read points were sent again, or its front was cut. Not both: together they
    /// can undo each other's traces, which is the one thing a tail does not see.
    sent_again: bool,
    cut: bool,
}

impl<C> Metric<C> {
    /// Time of the newest point written.
    fn last(&self) -> f64 {
        self.written
            .iter()
            .map(|point| point.0)
            .fold(f64::NEG_INFINITY, f64::max)
    }
}

/// Plays a history, and holds the reader against a whole read after each of its reads.
pub(crate) fn play<B: Backend>(
    backend: &mut B,
    case: usize,
    history: &[(usize, Step)],
    trim: &mut Trim<'_, B>,
) {
    let mut store = backend.store();
    let mut metrics: Vec<Metric<B::Cursor>> = (0..METRICS)
        .map(|number| Metric {
            name: format!("case{case}.{number}"),
            written: Vec::new(),
            newest: 1_700_000_000.0,
            window: Series::default(),
            cursor: None,
            sent_again: false,
            cut: false,
        })
        .collect();
    for (number, step) in history {
        let metric = &mut metrics[*number];
        match step {
            Step::InOrder(count) => {
                let newest = metric.newest;
                let time = |minute| newest + 60.0 * f64::from(minute);
                let new: Vec<_> = (1..=*count)
                    .map(|minute| (time(minute), f64::from(minute % 7)))
                    .collect();
                metric.newest = time(*count);
                write(&mut store, metric, &new);
            }
            Step::Late(seconds) => {
                let point = (metric.newest - f64::from(*seconds), -f64::from(*seconds));
                write(&mut store, metric, &[point]);
            }
            Step::Again(start, length) if !metric.cut => {
                metric.sent_again = true;
                let start = start % metric.written.len().max(1);
                let run: Vec<_> = metric.written.iter().skip(start).take(*length).copied().collect();
                write(&mut store, metric, &run);
            }
            Step::Trim if !metric.written.is_empty() && !metric.sent_again => {
                metric.cut = true;
                let name = metric.name.clone();
                let limit = metric.last() - WINDOW - GRACE;
                let written = metrics.iter().filter(|metric| !metric.written.is_empty());
                let oldest = written.map(Metric::last).fold(f64::INFINITY, f64::min);
                trim(backend, &name, limit, oldest - WINDOW - GRACE);
            }
            Step::Again(..) | Step::Trim => {}
            Step::Read => metrics.iter_mut().for_each(|metric| read(&mut store, metric)),
        }
    }
}

fn write<C>(store: &mut impl Points, metric: &mut Metric<C>, new: &[(f64, f64)]) {
    append(store, &metric.name, new);
    metric.written.extend(new);
}

fn read<P: Points<Cursor: std::fmt::Debug>>(store: &mut P, metric: &mut Metric<P::Cursor>) {
    (metric.sent_again, metric.cut) = (false, false);
    let mut lost = true;
    if let Some(cursor) = metric.cursor.take() {
        let mut next = None;
        let mut each = |_: usize, series: &mut Series, tail: Tail<P::Cursor>| match tail {
            Tail::Unchanged => lost = false,
            Tail::New { cursor, .. } => {
                lost = false;
                next = Some(cursor);
                metric.window.times.extend(&series.times);
                metric.window.values.extend(&series.values);
            }
            Tail::Lost => {}
            other => panic!("{other:?}"),
        };
        store
            .fetch_tails(&[(&metric.name, &cursor)], &mut Series::default(), &mut each)
            .expect("a read");
        metric.cursor = next.or(Some(cursor));
    }
    let Some(Read::Found(mut whole, cursor)) = fetch(store, &[&metric.name]).pop() else {
        assert!(metric.written.is_empty());
        return;
    };
    whole.canonicalise_by(WINDOW, SameTime::Smallest);
    if lost {
        (metric.window, metric.cursor) = (whole, Some(cursor));
        return;
    }
    metric.window.canonicalise_by(WINDOW, SameTime::Smallest);
    assert_eq!(points(&metric.window), points(&whole));
}

pub(crate) fn run<B: Backend>(backend: &mut B, cases: u32, kind: Kind, trim: &mut Trim<'_, B>) {
    // Named for what a failure is to be found by; a seed in a file would need the same server.
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let case = Cell::new(0);
    let shared = std::cell::RefCell::new((backend, trim));
    let outcome = TestRunner::new(config).run(&steps(kind), |history| {
        case.set(case.get() + 1);
        let (backend, trim) = &mut *shared.borrow_mut();
        play(*backend, case.get(), &history, *trim);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

pub(crate) fn tails_add_up_to_whole_reads(backend: &mut impl Backend) {
    let kind = Kind {
        most_late: 1_500,
        most_again: 12,
    };
    run(backend, 300, kind, &mut |backend, metric, time, all| {
        backend.trim(metric, time, all)
    });
}

#[test]
fn points_sent_again_behind_new_ones_do_not_hide_these() {
    let backend = super::Redis::start();
    let mut store = backend.store();
    let minutes = |range: std::ops::Range<u32>| -> Vec<(f64, f64)> {
        range
            .map(|minute| (1_700_000_000.0 + 60.0 * f64::from(minute), f64::from(minute)))
            .collect()
    };
    append(&mut store, "a", &minutes(0..20));
    let (_, cursor) = super::backends::whole(&mut store, "a");
    append(&mut store, "a", &minutes(20..21));
    append(&mut store, "a", &minutes(10..20));
    let (_, new) = super::backends::tail(&mut store, "a", &cursor);
    assert!(new.contains(&minutes(20..21)[0]), "{new:?}");
}
