//! Passes of the real binary over a real Redis: series a second, cold and warm, beside a bare MGET of the same keys.
//!
//! `scripts/bench pass`. Sized by environment variables: `METRICS` (20,000), `POINTS` (1,440), `ANOMALOUS` (0, share of
//! metrics with a spike at the end), `WARM_PASSES` (5), `COLD_ROUNDS` (5), `CORES` (0 for all),
//! `PLACES` (decimal places of the values; without it they have all that a double has). A round is a bare MGET and
//! then the first pass of a fresh process; medians count, and ratios are taken within a round. Between warm passes every metric gets one
//! point and loses one at the front, as a live trimmer would do it. Prints one line of JSON.

mod harness;

use std::io::Write as _;

fn main() {
    let number = |name: &str, default: f64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let measured = harness::measure(harness::Shape {
        metrics: number("METRICS", 20_000.0) as usize,
        points: number("POINTS", 1_440.0) as usize,
        anomalous: number("ANOMALOUS", 0.0),
        warm_passes: number("WARM_PASSES", 5.0) as usize,
        cold_rounds: number("COLD_ROUNDS", 5.0) as usize,
        cores: number("CORES", 0.0) as usize,
        days: 1,
        profile: "skyline",
        places: std::env::var("PLACES").ok().and_then(|text| text.parse().ok()),
    });
    let line = serde_json::to_string(&measured).expect("figures are JSON");
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
}
