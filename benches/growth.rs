//! Time and memory against metrics, window length, share anomalous and cores.
//!
//! `scripts/bench growth` prints the tables that `docs/performance.md` keeps and draws `docs/growth-*.svg`. The largest
//! shape is 100,000 metrics (2 GB of Redis); `LARGEST=10000` stops earlier.

mod harness;

use std::fmt::Write as _;
use std::io::Write as _;

use harness::{Measured, Shape};

const USUAL: Shape = Shape {
    metrics: 10_000,
    points: 1_440,
    anomalous: 0.0,
    warm_passes: 3,
    cold_rounds: 3,
    cores: 0,
    days: 1,
    profile: "skyline",
    places: None,
};

fn main() {
    let largest: usize = std::env::var("LARGEST")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(100_000);
    let metrics = [100, 1_000, 10_000, 100_000]
        .into_iter()
        .filter(|&n| n <= largest);
    let by_metrics = series("metrics", metrics.map(|metrics| Shape { metrics, ..USUAL }));
    draw(
        "growth-time",
        "microseconds a metric",
        &by_metrics,
        &[
            ("cold pass", |m| 1e6 / m.cold_series_s),
            ("warm pass", |m| 1e6 / m.warm_metrics_s),
        ],
    );
    draw(
        "growth-memory",
        "peak megabytes of the analyzer",
        &by_metrics,
        &[("measured", |m| m.peak_rss_mb), ("budget", |m| m.rss_budget_mb)],
    );
    series(
        "points",
        [288, 1_440, 8_640].map(|points| Shape { points, ..USUAL }),
    );
    series(
        "anomalous",
        [0.0, 0.01, 1.0].map(|anomalous| Shape { anomalous, ..USUAL }),
    );
    series("cores", [1, 2].map(|cores| Shape { cores, ..USUAL }));
}

fn series(what: &str, shapes: impl IntoIterator<Item = Shape>) -> Vec<Measured> {
    say(&format!(
        "\n| {what} | bare MGET series/s | cold series/s | ÷ MGET | warm metrics/s | refetched | peak MB | budget MB |"
    ));
    say("|---|---|---|---|---|---|---|---|");
    let measured = shapes.into_iter().map(|shape| {
        let m = harness::measure(shape);
        let varied = match what {
            "metrics" => m.metrics.to_string(),
            "points" => m.points.to_string(),
            "anomalous" => format!("{} %", m.anomalous * 100.0),
            _ => m.cores.to_string(),
        };
        say(&format!(
            "| {varied} | {:.0} | {:.0} | {:.2} | {:.0} | {:.2} % | {:.0} | {:.0} |",
            m.mget_series_s,
            m.cold_series_s,
            m.cold_of_mget,
            m.warm_metrics_s,
            m.warm_refetched_share * 100.0,
            m.peak_rss_mb,
            m.rss_budget_mb
        ));
        m
    });
    measured.collect()
}

fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
}

/// One line of a plot: its name, and what it shows of a measurement.
type Line = (&'static str, fn(&Measured) -> f64);

/// A plot with both axes logarithmic.
fn draw(file: &str, title: &str, measured: &[Measured], lines: &[Line]) {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 300.0;
    const MARGIN: f64 = 60.0;
    let values: Vec<f64> = lines.iter().flat_map(|(_, of)| measured.iter().map(of)).collect();
    let low = values
        .iter()
        .copied()
        .fold(f64::INFINITY, f64::min)
        .log10()
        .floor();
    let high = values.iter().copied().fold(0.0, f64::max).log10().ceil();
    let most = measured.last().map_or(1.0, |m| m.metrics as f64).log10();
    let x = |metrics: f64| MARGIN + (metrics.log10() - 2.0) / (most - 2.0).max(1.0) * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| {
        HEIGHT - MARGIN - (value.log10() - low) / (high - low).max(1.0) * (HEIGHT - 2.0 * MARGIN)
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#667085\"><title>{title}</title><text x=\"{MARGIN}\" y=\"24\" font-size=\"14\">{title}, against metrics</text>"
    );
    for decade in low as i32..=high as i32 {
        let at = y(10f64.powi(decade));
        let _ = write!(
            svg,
            "<path d=\"M{MARGIN} {at:.1}H{}\" stroke=\"#d0d5dd\"/><text x=\"8\" y=\"{:.1}\">{}</text>",
            WIDTH - MARGIN,
            at + 4.0,
            10f64.powi(decade)
        );
    }
    for m in measured {
        let at = x(m.metrics as f64);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - MARGIN + 20.0,
            m.metrics
        );
    }
    for (index, (name, of)) in lines.iter().enumerate() {
        let colour = ["#2e6be6", "#b42318"][index % 2];
        let points: Vec<String> = measured
            .iter()
            .map(|m| format!("{:.1},{:.1}", x(m.metrics as f64), y(of(m))))
            .collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}</text>",
            points.join(" "),
            WIDTH - MARGIN - 90.0,
            24 + 16 * index
        );
    }
    svg.push_str("</svg>\n");
    std::fs::write(format!("docs/{file}.svg"), svg).expect("docs/ can be written");
}
