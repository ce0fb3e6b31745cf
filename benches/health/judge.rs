//! A verdict in memory: a subject with eight observers, each with ten observations of three metrics.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skywatch::health::{Incoming, Options, Plane};
use skywatch_algorithms::verdicts::{SECOND, Status};

use crate::world::percentiles;

const SUBJECTS: usize = 1_000;
const OBSERVERS: usize = 8;
const OBSERVATIONS: usize = 10;
/// Verdicts that are timed.
const VERDICTS: usize = 20_000;

/// The majority's verdict, ours, and what a report costs in memory, our verdict on its subject included.
pub(crate) fn judge() -> Value {
    let mut plane = Plane::new(Options::default());
    let names: Vec<String> = (0..SUBJECTS).map(|n| format!("service:checkout-{n}")).collect();
    let handles: Vec<(String, u64)> = (0..OBSERVERS)
        .map(|n| format!("client@{n}"))
        .map(|observer| {
            let handle = plane.register("bench", &observer, SECOND).expect("room");
            (observer, handle)
        })
        .collect();
    let mut now = 1_000 * SECOND;
    let mut taken = Vec::with_capacity(SUBJECTS * OBSERVERS * OBSERVATIONS);
    for round in 0..OBSERVATIONS {
        for subject in &names {
            for (number, (observer, handle)) in handles.iter().enumerate() {
                now += SECOND / 10_000;
                // One observer in eight finds writes failing, as a gray failure looks.
                let write = if number == 0 {
                    Status::Unhealthy
                } else {
                    Status::Healthy
                };
                let report = Incoming {
                    observer,
                    subject,
                    at: now,
                    metrics: vec![
                        ("ping", Status::Healthy, 90.0),
                        ("read", Status::Healthy, round as f32),
                        ("write", write, 40.0),
                    ],
                };
                let begun = Instant::now();
                plane.submit(*handle, &report, now).expect("room");
                taken.push(begun.elapsed());
                // Nobody writes them down here.
                drop(plane.take_rows());
            }
        }
    }
    let timed = |verdict: &dyn Fn(&str)| {
        let times: Vec<Duration> = (0..VERDICTS)
            .map(|number| {
                let begun = Instant::now();
                verdict(&names[number % SUBJECTS]);
                begun.elapsed()
            })
            .collect();
        percentiles(times)
    };
    json!({
        "majority": timed(&|subject| {
            std::hint::black_box(plane.inference(subject).expect("a verdict"));
        }),
        "verdict": timed(&|subject| {
            std::hint::black_box(plane.verdict(subject, now).expect("a verdict"));
        }),
        "report_in_memory": percentiles(taken),
    })
}
