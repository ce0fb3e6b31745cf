//! A metric of few points costs no state, and loses none of its points by that, however slow it is.

use std::sync::Arc;

use super::super::player::{AdaptivePlayer, RowScorer};
use crate::analyzer::rule::AlarmRule;
use crate::analyzer::testing::{Worker, options};
use crate::status::WorkerProgress;
use crate::stop::Stop;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use crate::store::{Connect as _, Points as _, Sample};

const START: f64 = 1_700_000_000.0;
const WINDOW: f64 = 86_400.0;

/// Shows a worker one metric point by point, a pass after each; answers at which point it had a state first. From then
/// on the state must be that of a replay of all points.
fn first_state(steps: impl Iterator<Item = f64>) -> Option<usize> {
    let folder = tempfile::tempdir().expect("a folder");
    let connect = EmbeddedConnect::open(&EmbeddedOptions::new(folder.path().join("store"))).expect("a store");
    let mut store = connect.connect().expect("a store");
    let rule = AlarmRule::plain(0.0);
    let options = options(folder.path(), WINDOW, true, (0, 1), rule.clone());
    let mut worker = Worker::new(connect, options, WorkerProgress::default(), Stop::default());
    worker.take_over(vec![Arc::from("few")]);
    let mut replay = RowScorer::new(AdaptivePlayer::default(), Arc::from([rule]));
    replay.begin("few");
    let (mut first, mut time) = (None, START);
    for (index, step) in steps.enumerate() {
        time += step;
        let value = (index * 7 % 5) as f64;
        let sample = Sample {
            metric: "few",
            time,
            value,
        };
        store.append(&[sample]).expect("room");
        replay.row(time, value, f64::NAN);
        let report = worker.look(index as u64 + 1, time + 1.0);
        assert!(report.tally.reasons.is_empty(), "{:?}", report.tally.reasons);
        let is_warming = !replay.player().state().is_ready();
        assert_eq!(report.tally.warming, u64::from(is_warming), "point {index}");
        let state = worker.states().pop();
        if let Some((_, state)) = state {
            first.get_or_insert(index + 1);
            let mut expected = Vec::new();
            replay.player().state().write(&mut expected);
            assert!(state == expected, "point {index}");
        }
    }
    first
}

#[test]
fn no_state_is_made_before_there_is_enough_to_judge_by() {
    assert_eq!(first_state(std::iter::repeat_n(60.0, 19)), None);
    assert_eq!(first_state(std::iter::repeat_n(60.0, 40)), Some(20));
}

#[test]
fn a_metric_slower_than_the_window_learns_each_point() {
    // The window holds one point of the first, and two of the second.
    assert_eq!(first_state(std::iter::repeat_n(100_000.0, 60)), Some(2));
    assert_eq!(first_state(std::iter::repeat_n(40_000.0, 60)), Some(4));
}

#[test]
fn a_gap_longer_than_the_window_loses_no_points() {
    let steps = (0..40).map(|index| if index == 7 { 3.0 * WINDOW } else { 300.0 });
    assert_eq!(first_state(steps), Some(8));
}
