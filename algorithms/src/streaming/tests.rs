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
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
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
    let (mut one, mut memory) = (Adaptive::default(), InMemoryHours::default());
    for &(time, value) in &points {
        one.observe(time, value, &mut memory);
    }
    let (mut other, mut memory) = (Adaptive::default(), InMemoryHours::default());
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
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
    for (minute, &(time, value)) in points.iter().enumerate() {
        let reading = state.observe(time, value, &mut memory);
        if minute == at {
            assert!(reading.is_alarm(), "{reading:?} {:?}", state.parts());
            let report = state.report();
            assert_eq!(report.parts[0].detector, "spike");
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
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
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
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
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
        let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
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
        let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
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
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
    for &(time, value) in &points[..=8_500] {
        let forecast = if time < points[8_500].0 {
            expected(time)
        } else {
            1000.0
        };
        state.observe_with(time, value, Some(forecast), &mut memory);
    }
    let report = state.report();
    assert_eq!((report.parts[0].detector, report.expected), ("learned", 1000.0));
    assert!(report.low < 1000.0 && report.high > 1000.0 && report.low > report.observed);
    assert!(
        report.sentence.contains("far below what was learnt"),
        "{}",
        report.sentence
    );
}

#[test]
fn a_forecast_that_is_no_number_is_no_vote() {
    let points = series(3_000);
    let (mut one, mut other) = (Adaptive::default(), Adaptive::default());
    let mut memory = InMemoryHours::default();
    for &(time, value) in &points {
        one.observe(time, value, &mut memory.clone());
        for forecast in [f64::NAN, f64::INFINITY] {
            other.observe_with(time, value, Some(forecast), &mut memory);
        }
    }
    assert_eq!(one, other);
}

/// Shows points a `step` apart; whether each is an alarm, and the state.
fn shown(step: f64, values: impl IntoIterator<Item = f64>) -> (Vec<bool>, Adaptive) {
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
    let mut alarms = Vec::new();
    for (point, value) in (0..).zip(values) {
        let is_judged = state.is_ready();
        let time = 1.7e9 + step * f64::from(point);
        alarms.push(state.observe(time, value, &mut memory).is_alarm() && is_judged);
    }
    (alarms, state)
}

#[test]
fn what_stood_still_and_moves_far_is_an_alarm_and_a_last_digit_is_not() {
    for (before, after) in [
        (10.0, 2.0),
        (100.0, 330.0),
        (0.0, 10_000.0),
        (0.25, 4.0),
        (-5.0, 50.0),
        (3e9, 3e10),
    ] {
        let (alarms, _) = shown(
            60.0,
            (0..2_000).map(|point| if point < 1_990 { before } else { after }),
        );
        assert!(alarms[1_990..1_993].contains(&true), "{before} to {after}");
        assert!(!alarms[..1_990].contains(&true));
    }
    for (before, after) in [
        (10.0, 11.0),
        (0.0, 1.0),
        (512.0, 640.0),
        (0.25, 0.26),
        (3e9, 3.000_001e9),
        (16.0, 8.0),
    ] {
        let (alarms, _) = shown(
            60.0,
            (0..2_000).map(|point| if point < 1_990 { before } else { after }),
        );
        assert!(!alarms.contains(&true), "{before} to {after}");
    }
}

#[test]
fn what_is_hardly_known_is_not_taken_for_normal() {
    // Two hours of nothing, and then something for good.
    let (alarms, state) = shown(
        60.0,
        (0..300).map(|point| if point < 120 { 0.0 } else { 10_000.0 }),
    );
    assert!(alarms[120..123].contains(&true));
    assert_eq!(state.standing(1.0), MetricStanding::Settled { before: 0.0 });
    assert!(!state.is_rate());
}

#[test]
fn a_level_that_stays_is_settled_and_one_that_returns_is_usual() {
    let noise = |point: u32| f64::from(point * 7919 % 101) / 100.0;
    let (alarms, state) = shown(
        60.0,
        (0..6_000).map(|point| if point < 5_800 { 10.0 } else { 60.0 } + noise(point)),
    );
    assert!(
        alarms[5_800] && !alarms[5_999],
        "told, and taken for usual after an hour"
    );
    let MetricStanding::Settled { before } = state.standing(1.0) else {
        panic!("{:?}", state.standing(1.0))
    };
    assert!((10.0..11.0).contains(&before), "{before}");
    let values = (0..6_000).map(|point| if (5_800..5_810).contains(&point) { 60.0 } else { 10.0 } + noise(point));
    let (alarms, state) = shown(60.0, values);
    assert!(alarms[5_800]);
    assert_eq!(state.standing(1.0), MetricStanding::Usual);
}

#[test]
fn what_is_settled_says_from_where() {
    for (before, after) in [(1.0, 0.0), (50.0, 19.0), (10.0, 60.0), (5.0, 0.0)] {
        let values = (0..3_000).map(|point| if point < 2_900 { before } else { after });
        let (alarms, state) = shown(60.0, values);
        assert!(alarms[2_900..2_903].contains(&true), "{before} to {after}");
        assert_eq!(
            state.standing(1.0),
            MetricStanding::Settled { before },
            "{before} to {after}"
        );
    }
}

#[test]
fn every_step_is_judged() {
    for step in [10.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0] {
        let value = |point: u32| {
            100.0 + f64::from(point * 7919 % 101) / 50.0 + if point == 190 { 400.0 } else { 0.0 }
        };
        let (alarms, state) = shown(step, (0..200).map(value));
        assert!(alarms[190], "{step} s");
        assert!(!alarms[..190].contains(&true), "{step} s");
        assert_eq!(state.step(), step);
    }
}

#[test]
fn a_counter_that_is_read_more_often_finds_the_same() {
    let mut seed = 7u64;
    let mut total = 1e6f64;
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
    let mut time = 1.7e9;
    let mut alarms = Vec::new();
    for point in 0..20_000u32 {
        // Three days by the minute, then ten seconds; for an hour near the end its rate is a tenth.
        let step: f64 = if point < 3 * 1440 { 60.0 } else { 10.0 };
        time += step;
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let noise = (seed >> 40) as f64 / f64::from(1 << 24);
        let rate = if (18_000..18_360).contains(&point) {
            3.0
        } else {
            30.0
        };
        total += (step * rate + (step * rate).sqrt() * 3.4 * (noise - 0.5)).round();
        if state.observe(time, total, &mut memory).is_alarm() {
            alarms.push(point);
        }
    }
    assert!(state.is_rate());
    assert!(
        !alarms.is_empty() && alarms.iter().all(|point| (18_000..18_500).contains(point)),
        "{alarms:?}"
    );
}

#[test]
fn a_band_is_where_the_metric_can_be_and_would_be_no_alarm() {
    // A count of 0 to 3 that was never below zero.
    let values = (0..5_000u32).map(|point| f64::from(point * 7919 % 101 % 4));
    let (_, state) = shown(60.0, values);
    let report = state.report();
    assert!(
        report.low == 0.0 && report.high > 3.0 && report.high < 60.0,
        "{report:?}"
    );
    for sensitivity in [0.5, 1.0, 2.0] {
        let report = state.report_at(sensitivity);
        for (value, is_alarm) in [(report.high * 0.999, false), (report.high * 3.0, true)] {
            let mut copy = state.clone();
            let reading = copy.observe(state.time + 60.0, value, &mut InMemoryHours::default());
            assert_eq!(
                reading.at(sensitivity) >= 1.0,
                is_alarm,
                "{sensitivity} {value} {report:?}"
            );
        }
    }
}

#[test]
fn a_score_at_a_higher_sensitivity_is_no_lower() {
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
    for &(time, value) in &series(4_000) {
        let reading = state.observe(
            time,
            value
                * if (time as u64).is_multiple_of(977) {
                    1.5
                } else {
                    1.0
                },
            &mut memory,
        );
        let scores = [0.2, 0.5, 1.0, 2.0, 5.0].map(|sensitivity| reading.at(sensitivity));
        assert!(scores.is_sorted(), "{scores:?}");
        assert_eq!(reading.at(1.0), reading.score);
    }
}
