//! Microseconds a series: each detector alone, the whole ballot, and the verdict that stops early.
//!
//! `cargo bench -p skywatch-algorithms`. Each on a normal series (noise on a daily wave) and on one that every test
//! has reason to look at closely (the same with a spike at the end), at 288, 1,440 and 8,640 points a day. A pool of
//! series is cycled through, so that neither the branch predictor nor the cache knows the next one.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use skywatch_algorithms::{ClassicFlavour, Ensemble, Rules, Scratch, Series, WindowStats, registry};

const LAST: f64 = 1.7e9;
const DAY: f64 = 86_400.0;
const POOL: usize = 64;

/// A linear congruential generator (Knuth's MMIX) is random enough here.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn pool(n: usize, spike: f64) -> Vec<Series> {
    let mut noise = Noise(n as u64);
    let step = DAY / n as f64;
    let one = |_| {
        let mut series = Series::default();
        for i in 0..n {
            let wave = (i as f64 / n as f64 * std::f64::consts::TAU).sin();
            let bell = (0..6).map(|_| noise.next()).sum::<f64>() - 3.0;
            series.push(LAST - (n - 1 - i) as f64 * step, 100.0 + 10.0 * wave + 5.0 * bell);
        }
        series.values[n - 3..].iter_mut().for_each(|v| *v += spike);
        series
    };
    (0..POOL).map(one).collect()
}

fn detectors(criterion: &mut Criterion) {
    let mut scratch = Scratch::new();
    for (kind, spike) in [("normal", 0.0), ("anomalous", 150.0)] {
        for n in [288, 1440, 8640] {
            let pool = pool(n, spike);
            let mut group = criterion.benchmark_group(format!("{kind}/{n}"));
            for name in registry::names() {
                let detector =
                    registry::by_name(name, ClassicFlavour::Earthgecko).expect("every name has a detector");
                let mut series = pool.iter().cycle();
                group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                    bencher.iter(|| {
                        let window = series.next().expect("a cycle does not end").sorted_window();
                        detector.vote(&mut WindowStats::new(black_box(window), LAST, DAY, &mut scratch))
                    });
                });
            }
            let ensemble = Ensemble::classic(Rules::earthgecko());
            let mut series = pool.iter().cycle();
            group.bench_function("ballot", |bencher| {
                bencher.iter(|| {
                    let window = series.next().expect("a cycle does not end").sorted_window();
                    ensemble.ballot(black_box(window), LAST, &mut scratch)
                });
            });
            let mut series = pool.iter().cycle();
            group.bench_function("judge", |bencher| {
                bencher.iter(|| {
                    let window = series.next().expect("a cycle does not end").sorted_window();
                    ensemble.judge(black_box(window), LAST, &mut scratch)
                });
            });
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(600));
    targets = detectors
}
criterion_main!(benches);
