use super::*;

/// A daily curve with a small noise, the same each time.
fn series(points: u32) -> Vec<(f64, f64)> {
    let mut seed = 1u64;
    let noise = |seed: &mut u64| {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    (0..points)
        .map(|minute| {
            let day = f64::from(minute) / 1440.0 * std::f64::consts::TAU;
            (
                1.7e9 + 60.0 * f64::from(minute),
                100.0 + 40.0 * day.sin() + 4.0 * noise(&mut seed) + noise(&mut seed),
            )
        })
        .collect()
}

#[test]
fn a_state_is_at_most_four_kibibytes_and_goes_on_bit_for_bit_where_it_was_written() {
    let points = series(20_000);
    let (mut state, mut memory) = (Adaptive::default(), Hours::default());
    let mut without = Vec::new();
    state.write(&mut without);
    for (point, &(time, value)) in points[..12_345].iter().enumerate() {
        let forecast = (point > 5_000).then_some(100.0);
        state.observe_with(time, value, forecast, &mut memory);
    }
    let mut bytes = Vec::new();
    state.write(&mut bytes);
    assert_eq!(without.len(), bytes.len());
    assert!(bytes.len() <= 4096, "{} bytes written", bytes.len());
    assert!(
        size_of::<Adaptive>() <= 4096,
        "{} bytes kept",
        size_of::<Adaptive>()
    );
    let mut left = bytes.as_slice();
    let mut read = Adaptive::read(&mut left).unwrap();
    assert!(left.is_empty());
    assert_eq!(read, state);
    assert_eq!(Adaptive::read(&mut &bytes[1..]), None);
    let mut memory_of_read = memory.clone();
    for &(time, value) in &points[12_345..] {
        let one = state.observe(time, value, &mut memory).score;
        let other = read.observe(time, value, &mut memory_of_read).score;
        assert_eq!(one.to_bits(), other.to_bits());
    }
}

#[test]
fn fitting_a_window_is_observing_its_points() {
    let points = series(5_000);
    let (times, values): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (mut one, mut memory) = (Adaptive::default(), Hours::default());
    for &(time, value) in &points {
        one.observe(time, value, &mut memory);
    }
    let (mut other, mut memory) = (Adaptive::default(), Hours::default());
    // Windows overlap, as those of two passes do.
    other.fit(Window::new(&times[..3_000], &values[..3_000]), &mut memory);
    other.fit(Window::new(&times[1_000..], &values[1_000..]), &mut memory);
    assert_eq!(one, other);
}

#[test]
fn quiet_noise_is_quiet_and_what_is_planted_is_found_and_told() {
    let mut points = series(12 * 1440);
    let at = 11 * 1440 + 100;
    points[at].1 += 30.0;
    let (mut state, mut memory) = (Adaptive::default(), Hours::default());
    for (minute, &(time, value)) in points.iter().enumerate() {
        let reading = state.observe(time, value, &mut memory);
        if minute == at {
            assert!(reading.is_alarm(), "{reading:?} {:?}", state.parts());
            let report = state.report();
            assert_eq!(report.parts[0].detector, "step");
            assert!(
                report.observed > report.high && report.low < report.expected,
                "{report:?}"
            );
            assert!(report.sentence.contains("above"), "{}", report.sentence);
        } else if minute > 1440 {
            assert!(
                !reading.is_alarm(),
                "minute {minute}: {reading:?} {:?}",
                state.parts()
            );
        }
    }
}

#[test]
fn late_repeated_and_impossible_points_change_nothing() {
    let (mut state, mut memory) = (Adaptive::default(), Hours::default());
    for &(time, value) in &series(3_000) {
        state.observe(time, value, &mut memory);
    }
    let before = state.clone();
    let last = before.last_time().unwrap();
    for (time, value) in [
        (last, 1.0),
        (last - 60.0, 1.0),
        (f64::NAN, 1.0),
        (last + 60.0, f64::NAN),
        (last + 60.0, f64::INFINITY),
    ] {
        assert_eq!(state.observe(time, value, &mut memory), Reading::default());
    }
    assert_eq!(state, before);
}

#[test]
fn a_counter_is_judged_by_its_rate_and_a_reset_is_no_alarm() {
    let (mut state, mut memory) = (Adaptive::default(), Hours::default());
    let mut total = 5.0e8;
    for (minute, &(time, value)) in series(9 * 1440).iter().enumerate() {
        total += 60.0 * value;
        if minute == 8 * 1440 {
            total = 60.0 * value;
        }
        let reading = state.observe(time, total, &mut memory);
        assert!(minute < 1440 || !reading.is_alarm(), "minute {minute}");
    }
    assert!(state.report().is_rate);
    assert!((state.report().expected - 100.0).abs() < 60.0);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever comes, nothing panics and every score is a finite number from 0 up.
    #[test]
    fn any_numbers_give_finite_scores(
        points in proptest::collection::vec((0.0f64..40_000.0, proptest::num::f64::ANY), 1..600),
        repeat in 1usize..8,
    ) {
        let (mut state, mut memory) = (Adaptive::default(), Hours::default());
        let mut time = 1.6e9;
        for _ in 0..repeat {
            for &(step, value) in &points {
                time += step;
                let score = state.observe(time, value, &mut memory).score;
                proptest::prop_assert!(score.is_finite() && score >= 0.0);
            }
        }
        let _ = state.report();
    }
}

#[test]
fn a_model_is_heard_about_what_it_expected_and_nothing_else() {
    let mut points = series(9_000);
    points[8_500].1 += 60.0;
    let expected = |time: f64| 100.0 + 40.0 * ((time - 1.7e9) / 86_400.0 * std::f64::consts::TAU).sin();
    // The part of the model at each point, if it is right about the level and if it is half a wave late.
    let parts = |late: f64| -> Vec<f32> {
        let (mut state, mut memory) = (Adaptive::default(), Hours::default());
        let of = points.iter().map(|&(time, value)| {
            state.observe_with(time, value, Some(expected(time - late)), &mut memory);
            state.parts()[PARTS.len() - 1]
        });
        of.collect()
    };
    let right = parts(0.0);
    assert!(right[8_500] >= 1.0, "{}", right[8_500]);
    assert!(right[..8_500].iter().all(|&score| score < 1.0), "it is quiet");
    // A model that is always wrong has a law of large errors, and is not believed.
    let wrong = parts(43_200.0);
    assert!(wrong.iter().all(|&score| score < 1.0));
    let (mut state, mut memory) = (Adaptive::default(), Hours::default());
    for &(time, value) in &points[..=8_500] {
        let forecast = if time < points[8_500].0 {
            expected(time)
        } else {
            -1000.0
        };
        state.observe_with(time, value, Some(forecast), &mut memory);
    }
    let report = state.report();
    assert_eq!((report.parts[0].detector, report.expected), ("learned", -1000.0));
    assert!(report.low < -1000.0 && report.high > -1000.0 && report.high < report.observed);
    assert!(
        report.sentence.contains("far above what was learnt"),
        "{}",
        report.sentence
    );
}

#[test]
fn a_forecast_that_is_no_number_is_no_vote() {
    let points = series(3_000);
    let (mut one, mut other) = (Adaptive::default(), Adaptive::default());
    let mut memory = Hours::default();
    for &(time, value) in &points {
        one.observe(time, value, &mut memory.clone());
        for forecast in [f64::NAN, f64::INFINITY] {
            other.observe_with(time, value, Some(forecast), &mut memory);
        }
    }
    assert_eq!(one, other);
}
