//! Series with known answers, computed with numpy, pandas, scipy and statsmodels from the definitions of the tests.

use std::f64::consts::TAU;

use skywatch_algorithms::registry::nine;
use skywatch_algorithms::statistics::{
    Ewm, EwmWeights, LeastSquaresLine, Moments, adf, extent, histogram, ks, median,
};
use skywatch_algorithms::{BallotMark, ClassicFlavour, Ensemble, Rules, Scratch, Series};

const LAST: f64 = 1_700_000_000.0;

/// `n` points, `step` seconds apart, the last at [`LAST`].
fn series(n: i64, step: i64, value: impl Fn(i64) -> f64) -> Series {
    let mut series = Series::default();
    for i in 0..n {
        series.push(LAST - ((n - 1 - i) * step) as f64, value(i));
    }
    series
}

/// A sine of period 360 points with a sawtooth of ±5 on it.
fn base(i: i64) -> f64 {
    100.0 + 10.0 * (TAU * i as f64 / 360.0).sin() + ((i * 7919 % 101) - 50) as f64 / 10.0
}

fn ends_in(count: usize, value: f64) -> Series {
    let mut series = series(1441, 60, base);
    let n = series.len();
    series.values[n - count..].fill(value);
    series
}

fn last_ten_minutes_up(mut series: Series) -> Series {
    for (time, value) in series.times.iter().zip(&mut series.values) {
        if *time >= LAST - 600.0 {
            *value += 40.0;
        }
    }
    series
}

fn a() -> Series {
    ends_in(3, 200.0)
}

fn b() -> Series {
    ends_in(1, 200.0)
}

fn c() -> Series {
    ends_in(3, 0.0)
}

fn d() -> Series {
    last_ten_minutes_up(series(8641, 10, base))
}

fn f() -> Series {
    let noise = |i: i64| ((i * 7919 + (i * i % 9973) * 31) % 101 - 50) as f64 / 10.0;
    last_ten_minutes_up(series(8641, 10, |i| 50.0 + noise(i)))
}

fn triggered(rules: Rules, series: &Series) -> Vec<String> {
    let ensemble = Ensemble::classic(rules);
    let ballot = ensemble.ballot(series.window(), LAST, &mut Scratch::new());
    let votes = ensemble.names().zip(ballot.marks());
    let mut names: Vec<String> = votes
        .filter(|(_, mark)| *mark == BallotMark::Anomalous)
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort();
    names
}

fn all_but(missing: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = nine(ClassicFlavour::Earthgecko)
        .iter()
        .map(|detector| detector.name().to_owned())
        .collect();
    names.retain(|name| !missing.contains(&name.as_str()));
    names.sort();
    names
}

#[test]
fn votes() {
    for rules in [Rules::earthgecko(), Rules::etsy()] {
        assert_eq!(triggered(rules, &a()), all_but(&["histogram_bins", "ks_test"]));
        assert_eq!(triggered(rules, &b()), all_but(&["grubbs", "ks_test"]));
        assert_eq!(triggered(rules, &c()), all_but(&["grubbs", "ks_test"]));
        let not = [
            "median_absolute_deviation",
            "stddev_from_moving_average",
            "ks_test",
        ];
        assert_eq!(triggered(rules, &d()), all_but(&not));
        assert_eq!(triggered(rules, &series(1441, 60, base)), Vec::<String>::new());
        assert_eq!(
            triggered(rules, &f()),
            all_but(&["stddev_from_moving_average", "histogram_bins"])
        );
    }
}

#[track_caller]
fn close(actual: f64, expected: f64) {
    assert!(
        (actual - expected).abs() <= 6e-11 * expected.abs().max(1.0),
        "{actual}, not {expected}"
    );
}

#[test]
fn statistics() {
    let rows = [
        (
            a(),
            [
                200.0,
                100.2026533789,
                8.9053946819,
                8.9023041406,
                99.9807810440,
                6.4961023619,
            ],
        ),
        (
            b(),
            [
                132.8254936562,
                100.0628036086,
                8.0911621526,
                8.0883541837,
                99.9791169082,
                6.4712638409,
            ],
        ),
        (
            c(),
            [
                0.0,
                99.7862758633,
                8.9051356882,
                8.9020452367,
                99.9098300563,
                6.4741747067,
            ],
        ),
        (
            d(),
            [
                140.7588269895,
                100.2817035065,
                8.1863344717,
                8.1858607666,
                100.1738173826,
                6.4767746454,
            ],
        ),
    ];
    for (series, [tail, mean, sample, population, middle, spread]) in rows {
        let moments = Moments::of(&series.values);
        close(series.window().tail_mean(), tail);
        close(moments.mean(), mean);
        close(moments.sd_sample(), sample);
        close(moments.sd_population(), population);
        let mut buffer = Vec::new();
        let found = median(&series.values, &mut buffer);
        close(found, middle);
        close(
            skywatch_algorithms::statistics::median_absolute_deviation(&series.values, found, &mut buffer),
            spread,
        );
    }
}

#[test]
fn moving_average_head_and_line() {
    let rows = [
        (
            a(),
            100.8182251023,
            25.0620284279,
            [99.866650, 8.5108887, 8.5079329],
        ),
        (
            b(),
            96.9811449161,
            15.3434628778,
            [100.006597, 7.6529103, 7.6502525],
        ),
        (
            c(),
            89.2826920117,
            22.6444730286,
            [-99.855572, 8.5107078, 8.5077522],
        ),
        (
            d(),
            123.1305758524,
            20.4680213276,
            [38.0226968, 8.1765824, 8.1761092],
        ),
    ];
    for (series, mean, sd, [deviation, sample, population]) in rows {
        let mut weights = EwmWeights::default();
        let (last, head) = series.values.split_last().expect("there are points");
        let ewm = Ewm::of(weights.of(series.len()), &series.values);
        close(last - ewm.deviation, mean);
        close(ewm.sd, sd);
        let head = Moments::of(head);
        for (actual, expected) in [
            (head.deviation(*last), deviation),
            (head.sd_sample(), sample),
            (head.sd_population(), population),
        ] {
            assert!((actual - expected).abs() < 6e-7, "{actual}, not {expected}");
        }
    }
    let rows = [
        (a(), -4.0615718207e-05, [101.5495087, 8.8474691, 8.8443987]),
        (b(), -5.0294027782e-05, [34.9323744, 7.9931271, 7.9903531]),
        (c(), -6.9450615122e-05, [-96.7901763, 8.7346811, 8.7316498]),
        (d(), 1.0297231733e-05, [40.0323860, 8.1823034, 8.1818299]),
    ];
    for (series, slope, [tail, sample, population]) in rows {
        let line = LeastSquaresLine::of(series.window(), &Moments::of(&series.values));
        assert!((line.slope / slope - 1.0).abs() < 1e-9, "{line:?}");
        for (actual, expected) in [
            (line.tail, tail),
            (line.sd_sample(), sample),
            (line.sd_population(), population),
        ] {
            assert!((actual - expected).abs() < 6e-8, "{actual}, not {expected}");
        }
    }
}

#[test]
fn histograms() {
    let counts = |series: &Series| -> Vec<usize> {
        let bins = histogram::Bins::truncated(extent(&series.values));
        (0..histogram::BINS)
            .map(|bin| bins.count(bin, &series.values))
            .collect()
    };
    assert_eq!(
        counts(&a()),
        [309, 431, 437, 261, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    );
    assert!((extent(&a().values).min - 85.101523).abs() < 6e-7);
    assert_eq!(
        counts(&series(1441, 60, base)),
        [45, 69, 99, 116, 132, 110, 101, 94, 101, 112, 135, 112, 98, 72, 45]
    );
}

#[test]
fn ten_minutes_against_the_hour() {
    let samples = |series: &Series| -> (Vec<f64>, Vec<f64>) {
        let n = series.len();
        // 10 s apart: the last 61 points are at or after now − 600, the 300 before them in the hour.
        (
            series.values[n - 361..n - 61].to_vec(),
            series.values[n - 61..].to_vec(),
        )
    };
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    let (reference, probe) = samples(&d());
    let found = ks::two_sample(&sorted(reference.clone()), &sorted(probe), &mut Vec::new());
    assert_eq!(found.d, 1.0);
    assert!((found.p / 2.16e-70 - 1.0).abs() < 1e-2);
    let found = adf::test(&reference, &mut adf::Buffers::default()).expect("300 values");
    close(found.statistic, -0.0734731681);
    close(found.p, 0.9520174446);
    assert_eq!(found.lag, 10);
    let (reference, _) = samples(&f());
    let found = adf::test(&reference, &mut adf::Buffers::default()).expect("300 values");
    close(found.statistic, -18.2552231906);
    assert_eq!(found.lag, 0);
}

#[test]
fn the_test_both_projects_have() {
    let mut flat = series(86_401, 1, |_| 1.0);
    flat.values[86_400] = 1000.0;
    assert_eq!(flat.window().tail_mean(), 334.0);
    let expected = all_but(&["median_absolute_deviation", "ks_test"]);
    assert_eq!(triggered(Rules::earthgecko(), &flat), expected);
    assert!(
        Ensemble::classic(Rules::earthgecko())
            .judge(flat.window(), LAST, &mut Scratch::new())
            .is_anomalous()
    );
}
