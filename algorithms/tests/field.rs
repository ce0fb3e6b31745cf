//! Small inputs that people complained about, in `../shared/field`: what its README says is found, and nothing else.

use std::path::PathBuf;

use skywatch_algorithms::streaming::{Adaptive, InMemoryHours};

/// The times and values of a file, and the rows at which a usually sensitive detector raises an alarm.
fn alarms(name: &str) -> (Vec<(f64, f64)>, Vec<usize>) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/field"));
    let path = folder.join(name).with_extension("csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let rows: Vec<(f64, f64)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let (time, value) = line.split_once(',').expect("two columns");
            (time.parse().expect("a time"), value.parse().expect("a value"))
        })
        .collect();
    let (mut state, mut memory) = (Adaptive::default(), InMemoryHours::default());
    let mut alarms = Vec::new();
    for (row, &(time, value)) in rows.iter().enumerate() {
        let is_judged = state.is_ready();
        if state.observe(time, value, &mut memory).is_alarm() && is_judged {
            alarms.push(row);
        }
    }
    (rows, alarms)
}

#[test]
fn what_stood_still_and_moves_is_told_by_its_third_point() {
    for name in ["const10_to_2", "const100_to_330", "zero_then_10000_for_6h"] {
        let (rows, alarms) = alarms(name);
        let first = rows.iter().position(|row| row.1 != rows[0].1).expect("it moves");
        let told = alarms.first().copied();
        assert!(
            told.is_some_and(|told| (first..first + 3).contains(&told)),
            "{name}: {told:?}, moved at {first}"
        );
    }
}

#[test]
fn a_counter_that_began_again_early_is_told_when_its_rate_falls_and_not_before() {
    let (rows, alarms) = alarms("counter_reset_at_point30_drop2h");
    let rates: Vec<f64> = rows.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    let usual = rates[100];
    let falls = 1
        + (100..rates.len())
            .find(|&row| rates[row] < 0.1 * usual)
            .expect("it falls");
    let first = alarms.first().copied();
    assert!(
        first.is_some_and(|first| (falls..falls + 3).contains(&first)),
        "{first:?}, fell at {falls}"
    );
    assert!(alarms.iter().all(|&row| row < falls + 24 + 6), "{alarms:?}");
}

#[test]
fn a_point_each_quarter_of_an_hour_is_judged() {
    let (rows, alarms) = alarms("quarter_hourly_spike");
    assert_eq!(alarms, [rows.len() - 1]);
}

#[test]
fn a_change_of_the_clocks_is_at_most_one_incident() {
    let (rows, alarms) = alarms("dst_spring_daily_curve");
    let opened = alarms
        .windows(2)
        .filter(|pair| rows[pair[1]].0 - rows[pair[0]].0 > 1800.0);
    assert!(
        opened.count() + usize::from(!alarms.is_empty()) <= 1,
        "{alarms:?}"
    );
}

#[test]
fn a_weekly_job_is_known_after_its_third_time() {
    let (rows, alarms) = alarms("weekly_batch_5_sundays");
    let fourth = rows[0].0 + 22.0 * 86_400.0;
    let late: Vec<usize> = alarms.into_iter().filter(|&row| rows[row].0 > fourth).collect();
    assert!(late.is_empty(), "{late:?}");
}
