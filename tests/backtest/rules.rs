//! What is an alarm follows the settings of the live analyzer: sensitivity, direction, least change, and what overrides
//! say of some metrics.

use super::{file, points, put, replayed, rows};
use crate::common::series::field;
use crate::common::skywatch::Setup;

type Row = (String, String, f32, bool);

/// The rows of a file of ten days after a replay with these settings and arguments.
fn judged(settings: &[(&str, &str)], arguments: &[&str]) -> Vec<Row> {
    let mut setup = Setup::new();
    for (key, value) in settings {
        setup = setup.with(key, value);
    }
    put(&setup.path("in/web.cpu.csv"), &file(&points(10, 5)));
    let (input, output) = (setup.path("in").display().to_string(), setup.path("out"));
    let output_text = output.display().to_string();
    let usual = ["--input", &input, "--output", &output_text, "--rest", "off"];
    replayed(&setup, &[&usual[..], arguments].concat());
    rows(&output.join("web.cpu.csv"))
}

fn alarms(rows: &[Row]) -> usize {
    rows.iter().filter(|row| row.3).count()
}

#[test]
fn settings_say_what_is_an_alarm() {
    let plain = judged(&[], &[]);
    assert!(alarms(&plain) > 0);
    let low = judged(&[("adaptive.sensitivity", "0.2")], &[]);
    for (low, plain) in low.iter().zip(&plain) {
        assert!(low.2 <= plain.2, "{low:?} {plain:?}");
        assert_eq!(low.3, low.2 >= 1.0);
    }
    assert!(alarms(&low) < alarms(&plain));
    assert_eq!(judged(&[], &["--sensitivity", "0.2"]), low);
    assert_eq!(
        judged(&[("adaptive.overrides", "web.*  sensitivity=0.2")], &[]),
        low,
        "a file is the metric of its name"
    );
    assert_eq!(
        judged(&[("adaptive.overrides", "db.* sensitivity=0.2")], &[]),
        plain
    );
    // All that is strange in these points goes up.
    let up = judged(&[("adaptive.direction", "up")], &[]);
    let down = judged(&[("adaptive.direction", "down")], &[]);
    assert!(alarms(&up) > 0 && alarms(&down) < alarms(&up));
    for ((plain, up), down) in plain.iter().zip(&up).zip(&down) {
        assert_eq!(plain.3, up.3 || down.3);
        assert!([0.0, plain.2].contains(&up.2) && [0.0, plain.2].contains(&down.2));
    }
    assert_eq!(
        alarms(&judged(&[("adaptive.min_absolute_change", "1000")], &[])),
        0
    );
    assert_eq!(
        alarms(&judged(
            &[
                ("adaptive.min_absolute_change", "1000"),
                ("adaptive.overrides", "=web.cpu min_absolute_change=0")
            ],
            &[]
        )),
        alarms(&plain)
    );
}

#[test]
fn a_metric_of_quarter_hours_is_judged() {
    let setup = Setup::new();
    let input = setup.path("in/quarter_hourly.csv");
    put(&input, &file(&field("quarter_hourly_spike.csv")));
    let output = setup.path("out");
    let (input, output_text) = (input.display().to_string(), output.display().to_string());
    replayed(&setup, &["--input", &input, "--output", &output_text]);
    let rows = rows(&output.join("quarter_hourly.csv"));
    let last = rows.last().unwrap();
    assert!(last.3 && last.2 >= 1.0, "{last:?}");
}

/// Carbon's rule: of one time the last counts. A row that corrects the newest value is judged, and only what was said
/// last is learnt.
#[test]
fn a_corrected_value_is_judged_again_and_the_first_one_forgotten() {
    let setup = Setup::new();
    let plain = points(10, 5);
    let wild: Vec<(f64, f64)> = plain
        .iter()
        .flat_map(|&(time, value)| [(time, value + 3_000.0), (time, value)])
        .collect();
    put(&setup.path("in/plain.csv"), &file(&plain));
    put(&setup.path("in/wild.csv"), &file(&wild));
    let output = setup.path("out");
    let (input, output_text) = (
        setup.path("in").display().to_string(),
        output.display().to_string(),
    );
    let said = replayed(
        &setup,
        &["--input", &input, "--output", &output_text, "--rest", "off"],
    );
    assert!(said.contains(&format!("{} points", 2 * plain.len())), "{said}");
    let (plain, wild) = (rows(&output.join("plain.csv")), rows(&output.join("wild.csv")));
    let corrected: Vec<&Row> = wild.iter().skip(1).step_by(2).collect();
    assert_eq!(corrected, plain.iter().collect::<Vec<_>>());
    let first = wild.iter().step_by(2).skip(2 * 288);
    let (count, heard) = first.fold((0, 0), |(all, alarms), row| {
        (all + 1, alarms + usize::from(row.3))
    });
    assert!(heard * 10 > count * 9, "{heard} of {count}");
}
