//! What must hold for every series, not only for those somebody thought of.

use proptest::prelude::*;
use skywatch_algorithms::statistics::{Ewm, EwmWeights, LeastSquaresLine, Moments, near};
use skywatch_algorithms::{
    BallotMark, Ensemble, Rules, SameTime, Scratch, Series, Verdict, Window, registry,
};

/// All detectors that have a name, those that are not asked by default among them.
fn all(rules: Rules) -> Ensemble {
    let detectors = registry::names().filter_map(|name| registry::by_name(name, rules.flavour));
    Ensemble::with_detectors(rules, detectors.collect()).expect("there is room")
}

fn rules() -> impl Strategy<Value = Rules> {
    prop_oneof![Just(Rules::earthgecko()), Just(Rules::etsy())].prop_map(|rules| Rules {
        min_length: 1,
        ..rules
    })
}

/// Times a step apart, sometimes with gaps; values of a few characters, some of them on edges and ties.
fn usual() -> impl Strategy<Value = Series> {
    let value = prop_oneof![
        4 => -10.0..10.0f64,
        3 => (-3..3i32).prop_map(f64::from),
        1 => Just(1e6),
    ];
    let step = prop_oneof![Just(10.0), Just(60.0), Just(300.0)];
    let tail = prop::collection::vec(prop_oneof![Just(0.0), -80.0..80.0f64, Just(3.0)], 0..5);
    (step, prop::collection::vec((value, 1..4u8), 1..400), tail).prop_map(|(step, points, tail)| {
        let mut series = Series::default();
        let mut time = 1.7e9;
        for (value, gap) in points.into_iter().chain(tail.into_iter().map(|v| (v, 1))) {
            time += step * if gap == 3 { 2.0 } else { 1.0 };
            series.push(time, value);
        }
        series
    })
}

/// Anything at all: NaN, infinities, subnormals, disorder.
fn anything() -> impl Strategy<Value = Series> {
    let times = prop_oneof![any::<f64>(), 1.7e9..1.7001e9, Just(1.7e9), Just(f64::NAN)];
    let values = prop_oneof![
        any::<f64>(),
        -1.0..1.0f64,
        Just(f64::INFINITY),
        Just(5e-324),
        Just(f64::MAX)
    ];
    prop::collection::vec((times, values), 0..200).prop_map(|points| {
        let mut series = Series::default();
        for (time, value) in points {
            series.push(time, value);
        }
        series
    })
}

fn now(series: &Series) -> f64 {
    series.times.last().copied().unwrap_or(0.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(series in anything(), rules in rules(), shift in any::<f64>()) {
        let ensemble = all(rules);
        let mut scratch = Scratch::new();
        for now in [now(&series), shift, f64::NAN] {
            let _ = ensemble.judge(series.window(), now, &mut scratch);
            prop_assert!(ensemble.ballot(series.window(), now, &mut scratch).is_full());
            prop_assert_eq!(ensemble.explain(series.window(), now, &mut scratch).len(), registry::names().len());
        }
        let mut canonical = series.clone();
        canonical.canonicalise(86_400.0);
        let mut rates = Series::default();
        skywatch_algorithms::counter::rates(canonical.window(), &mut rates);
        let _ = skywatch_algorithms::counter::never_decreasing(canonical.window());
    }

    #[test]
    fn stopping_early_changes_no_verdict(series in usual(), rules in rules(), consensus in 1..10usize) {
        let ensemble = all(Rules { consensus, ..rules });
        let mut scratch = Scratch::new();
        let full = ensemble.ballot(series.window(), now(&series), &mut scratch);
        if let Verdict::Judged { anomalous, ballot } = ensemble.judge(series.window(), now(&series), &mut scratch) {
            prop_assert_eq!(anomalous, ensemble.is_consensus(&full));
            prop_assert!(!anomalous || ballot == full);
            for (early, full) in ballot.marks().zip(full.marks()) {
                prop_assert!(early == BallotMark::NotCast || early == full);
            }
        }
    }

    #[test]
    fn a_warm_scratch_changes_nothing(a in usual(), b in usual(), rules in rules()) {
        let ensemble = all(rules);
        let mut warm = Scratch::new();
        ensemble.ballot(a.window(), now(&a), &mut warm);
        let after = ensemble.ballot(b.window(), now(&b), &mut warm);
        prop_assert_eq!(after, ensemble.ballot(b.window(), now(&b), &mut Scratch::new()));
    }

    /// Scaling by a power of two is exact, so every vote stays, but for least_squares, which rounds.
    #[test]
    fn votes_do_not_depend_on_the_unit(series in usual(), rules in rules(), power in -20..20i32) {
        let ensemble = all(rules);
        let mut scratch = Scratch::new();
        let mut scaled = series.clone();
        scaled.values.iter_mut().for_each(|v| *v *= 2f64.powi(power));
        let before = ensemble.ballot(series.window(), now(&series), &mut scratch);
        let after = ensemble.ballot(scaled.window(), now(&series), &mut scratch);
        for (name, (before, after)) in ensemble.names().zip(before.marks().zip(after.marks())) {
            prop_assert!(name == "least_squares" || before == after, "{}: {:?} {:?}", name, before, after);
        }
    }

    /// Shifting integers by an integer is exact too; only the tests with a division before the comparison (bins, and
    /// the regression of the Dickey-Fuller test) may see it.
    #[test]
    fn votes_do_not_depend_on_the_level(series in usual(), rules in rules(), shift in -1000..1000i32) {
        let ensemble = all(rules);
        let mut scratch = Scratch::new();
        let mut whole = series.clone();
        whole.values.iter_mut().for_each(|v| *v = (*v * 3.0).round());
        let mut shifted = whole.clone();
        shifted.values.iter_mut().for_each(|v| *v += f64::from(shift) * 3.0);
        let before = ensemble.ballot(whole.window(), now(&series), &mut scratch);
        let after = ensemble.ballot(shifted.window(), now(&series), &mut scratch);
        for (name, (before, after)) in ensemble.names().zip(before.marks().zip(after.marks())) {
            let exact = !["histogram_bins", "ks_test"].contains(&name);
            prop_assert!(!exact || before == after, "{}: {:?} {:?}", name, before, after);
        }
    }

    /// Turned upside down, the two-sided tests say the same.
    #[test]
    fn two_sided_tests_have_two_sides(series in usual(), rules in rules()) {
        let ensemble = all(rules);
        let mut scratch = Scratch::new();
        let mut turned = series.clone();
        turned.values.iter_mut().for_each(|v| *v = -*v);
        let before = ensemble.ballot(series.window(), now(&series), &mut scratch);
        let after = ensemble.ballot(turned.window(), now(&series), &mut scratch);
        for (name, (before, after)) in ensemble.names().zip(before.marks().zip(after.marks())) {
            let one_sided = ["grubbs", "histogram_bins"].contains(&name);
            prop_assert!(one_sided || before == after, "{}: {:?} {:?}", name, before, after);
        }
    }

    /// What `exceeds` relies on: far closer than the band in which the plain form is asked.
    #[test]
    fn fast_forms_are_close_to_plain_ones(series in usual()) {
        let values = &series.values;
        let close = |fast: f64, plain: f64, size: f64| {
            (fast - plain).abs() <= 1e-10 * plain.abs() + 1e-12 * size || fast.is_nan() && plain.is_nan()
        };
        let (fast, plain) = (Moments::of(values), Moments::plain(values));
        prop_assert!(near(fast.squares, plain.squares) && close(fast.offset, plain.offset, plain.sd_population()));
        let mut weights = EwmWeights::default();
        let (ewm, plain_ewm) = (Ewm::of(weights.of(values.len()), values), Ewm::plain(weights.of(values.len()), values));
        prop_assert!(close(ewm.sd, plain_ewm.sd, 0.0) && close(ewm.deviation, plain_ewm.deviation, plain.sd_population()));
        let (line, plain_line) = (LeastSquaresLine::of(series.window(), &fast), LeastSquaresLine::plain(series.window()));
        let spread = plain.sd_population();
        prop_assert!(close(line.sd_sample(), plain_line.sd_sample(), spread), "{line:?} {plain_line:?}");
        prop_assert!(close(line.tail, plain_line.tail, spread), "{line:?} {plain_line:?}");
    }

    #[test]
    fn canonical_is_canonical(series in usual(), order in any::<u64>(), repeats in 0..20usize, duration in 1.0..1e5f64) {
        let mut shuffled = Series::default();
        let n = series.len();
        let mut places: Vec<usize> = (0..n).chain((0..repeats).map(|i| i * 7 % n)).collect();
        // A multiplicative step as a cheap shuffle.
        places.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(order | 1).rotate_left(17));
        for (k, i) in places.into_iter().enumerate() {
            shuffled.push(series.times[i], series.values[i] + if k % 2 == 0 { 0.0 } else { 1.0 });
        }
        let mut last_stays = shuffled.clone();
        last_stays.canonicalise(duration);
        for (time, value) in last_stays.times.iter().zip(&last_stays.values) {
            let stored = shuffled.times.iter().rposition(|t| t == time).expect("it was stored");
            prop_assert_eq!(shuffled.values[stored], *value);
        }
        let mut sorted = shuffled.clone();
        let cut = sorted.canonicalise_by(duration, SameTime::Smallest);
        prop_assert_eq!(&last_stays.times, &sorted.times);
        prop_assert!(sorted.times.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(sorted.len() + cut.duplicates + cut.surplus, shuffled.len());
        let last = now(&sorted);
        prop_assert!(sorted.times.iter().all(|&t| t > last - duration));
        for (time, value) in sorted.times.iter().zip(&sorted.values) {
            let same_time = shuffled.times.iter().zip(&shuffled.values).filter(|(t, _)| *t == time);
            prop_assert!(same_time.map(|(_, v)| *v).fold(f64::INFINITY, f64::min) == *value);
        }
        let mut again = sorted.clone();
        prop_assert_eq!(again.canonicalise(duration), skywatch_algorithms::CanonicalCut::default());
        prop_assert_eq!(&again, &sorted);
        let mut reversed = shuffled.clone();
        reversed.times.reverse();
        reversed.values.reverse();
        reversed.canonicalise_by(duration, SameTime::Smallest);
        prop_assert_eq!(&reversed, &sorted);
    }
}

#[test]
fn unsorted_windows_find_the_same_hour() {
    let mut series = Series::default();
    for i in 0..288 {
        series.push(1.7e9 + 300.0 * f64::from(i), f64::from(i * 7919 % 101));
    }
    let ensemble = Ensemble::classic(Rules::earthgecko());
    let sorted = ensemble.explain(series.window(), now(&series), &mut Scratch::new());
    // Two points of the hour change places; order matters to no mean.
    series.times.swap(3, 9);
    series.values.swap(3, 9);
    let unsorted = ensemble.explain(
        Window::new(&series.times, &series.values),
        now(&series),
        &mut Scratch::new(),
    );
    let hour = |explained: &[skywatch_algorithms::Explained]| explained[1].comparison;
    assert!(near(hour(&sorted).measured, hour(&unsorted).measured));
    assert!(near(hour(&sorted).limit, hour(&unsorted).limit));
}
