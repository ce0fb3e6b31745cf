//! What is told of followed metrics that are well: when their newest point was, and what it says now.

use std::sync::Arc;

use super::super::rule::AlarmRule;
use super::super::testing::{Worker, options};
use crate::status::{FollowedOutcome, WorkerProgress};
use crate::stop::Stop;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use crate::store::{Connect as _, Points as _, Sample};

const START: f64 = 1_700_000_100.0;

#[test]
fn the_newest_value_is_told_as_people_read_it() {
    for cache in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let connect =
            EmbeddedConnect::open(&EmbeddedOptions::new(folder.path().join("store"))).expect("a store");
        let mut store = connect.connect().expect("a store");
        let mut total = 1e6;
        let mut samples = Vec::new();
        for step in 0..2 * 1_440_u32 {
            let time = START + 60.0 * f64::from(step);
            let value = 100.0 + f64::from(step * 7_919 % 101) / 10.0;
            total += value;
            for (metric, value) in [("gauge", value), ("counter", total), ("nobody", value)] {
                samples.push(Sample { metric, time, value });
            }
        }
        store.append(&samples).expect("room");
        let newest = samples[samples.len() - 3];
        let options = options(folder.path(), 86_400.0, cache, (0, 1), AlarmRule::plain(0.0));
        let mut worker = Worker::new(connect, options, WorkerProgress::default(), Stop::default());
        worker.take_over(["gauge", "counter", "nobody"].map(Arc::from).to_vec());
        // The second time nothing is new.
        for pass in 1..=2 {
            let report = worker.look_following(pass, newest.time + 20.0, &["gauge", "counter", "gone"]);
            assert_eq!(report.tally.analyzed(), 3);
            let mut outcomes = report.outcomes;
            outcomes.sort_by(|a, b| a.0.cmp(&b.0));
            let [(counter, of_counter), (gauge, of_gauge)] = &outcomes[..] else {
                panic!("{outcomes:?}")
            };
            assert_eq!((&**counter, &**gauge), ("counter", "gauge"));
            let (at, value) = (newest.time, newest.value);
            assert_eq!(of_gauge, &FollowedOutcome::Normal { at, value });
            let FollowedOutcome::Normal {
                at: time,
                value: grown,
            } = of_counter
            else {
                panic!("{of_counter:?}")
            };
            assert!(*time == at && (grown - value).abs() < 1e-6, "{of_counter:?}");
        }
    }
}
