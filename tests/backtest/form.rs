//! What is read, and what is written for it.

use super::{file, points, put, replayed, rows};
use crate::common::skywatch::Setup;

#[test]
fn every_row_comes_out_as_it_went_in() {
    let setup = Setup::new();
    let input = setup.path("in");
    put(&input.join("plain.csv"), "1700000000,1\n1700000060,1.50\n");
    put(
        &input.join("deep/er/x.csv"),
        "timestamp,value\r\n2014-04-01 00:00:05,19.7610\r\n2014-04-01 00:05:05,nan\r\n",
    );
    put(
        &input.join("mixed.csv"),
        "\u{feff}when,what,more\n1700000000000, 7 ,x\n\nlater,8\n1700000000.5,9\n1700000000.5,1\n5,3\n42",
    );
    put(
        &input.join("swapped.csv"),
        "value,timestamp\n3.5,\"2014-04-01T00:00:05Z\"\n",
    );
    put(&input.join("notes.txt"), "not a row\n");
    let output = setup.path("out");
    let said = replayed(
        &setup,
        &[
            "--input",
            &input.display().to_string(),
            "--output",
            &output.display().to_string(),
        ],
    );
    assert!(said.contains("metrics    4, 11 rows, 6 points"), "{said}");
    let written = |name: &str| -> Vec<(String, String)> {
        rows(&output.join(name))
            .into_iter()
            .map(|(time, value, ..)| (time, value))
            .collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(time, value)| ((*time).to_owned(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(
        written("plain.csv"),
        pairs(&[("1700000000", "1"), ("1700000060", "1.50")])
    );
    assert_eq!(
        written("deep/er/x.csv"),
        pairs(&[("2014-04-01 00:00:05", "19.7610"), ("2014-04-01 00:05:05", "nan")])
    );
    assert_eq!(
        written("mixed.csv"),
        pairs(&[
            ("1700000000000", " 7 "),
            ("later", "8"),
            ("1700000000.5", "9"),
            ("1700000000.5", "1"),
            ("5", "3"),
            ("42", "")
        ])
    );
    assert_eq!(
        written("swapped.csv"),
        pairs(&[("\"2014-04-01T00:00:05Z\"", "3.5")])
    );
    let files = std::fs::read_dir(&output).unwrap().count();
    assert_eq!(files, 4, "nothing is left beside the files");
}

/// The same series as seconds, milliseconds and dates has the same scores.
#[test]
fn a_time_is_a_time_however_it_is_written() {
    let setup = Setup::new();
    let points = points(6, 3);
    let date = |time: f64| {
        jiff::Timestamp::from_second(time as i64)
            .unwrap()
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    };
    let lines = |form: &dyn Fn(f64) -> String| -> String {
        points
            .iter()
            .map(|&(time, value)| format!("{},{value}\n", form(time)))
            .collect()
    };
    let input = setup.path("in");
    put(&input.join("seconds.csv"), &file(&points));
    put(&input.join("millis.csv"), &lines(&|time| format!("{time}000")));
    put(&input.join("dates.csv"), &lines(&date));
    let output = setup.path("out");
    replayed(
        &setup,
        &[
            "--input",
            &input.display().to_string(),
            "--output",
            &output.display().to_string(),
        ],
    );
    let scores = |name: &str| -> Vec<(f32, bool)> {
        rows(&output.join(name))
            .into_iter()
            .map(|(.., score, alarm)| (score, alarm))
            .collect()
    };
    assert_eq!(scores("seconds.csv").len(), points.len());
    assert!(
        scores("seconds.csv").iter().any(|(score, _)| *score > 0.0),
        "it says something"
    );
    assert_eq!(scores("seconds.csv"), scores("millis.csv"));
    assert_eq!(scores("seconds.csv"), scores("dates.csv"));
}

#[test]
fn the_rest_is_about_scores_and_never_about_alarms() {
    let setup = Setup::new();
    let input = setup.path("in/m.csv");
    put(&input, &file(&points(12, 1)));
    let replay = |rest: &[&str], profile: &str| {
        let output = setup.path(&format!("out{}{profile}", rest.concat()));
        let arguments = [
            "--input",
            &input.display().to_string(),
            "--output",
            &output.display().to_string(),
            "--profile",
            profile,
        ];
        replayed(&setup, &[&arguments, rest].concat());
        rows(&output.join("m.csv"))
    };
    for profile in ["adaptive", "skyline"] {
        let raw = replay(&["--rest", "off"], profile);
        let usual = replay(&[], profile);
        let shipped = replay(&["--rest", "16h"], profile);
        let short = replay(&["--rest", "10m"], profile);
        assert_eq!(usual, shipped);
        assert!(
            raw.iter().all(|(.., score, alarm)| *alarm == (*score >= 1.0)),
            "{profile}"
        );
        for other in [&usual, &short] {
            assert!(
                raw.iter()
                    .zip(other)
                    .all(|(a, b)| a.3 == b.3 && (b.2 == a.2 || b.2 == 0.0)),
                "{profile}"
            );
        }
        let spoken = |rows: &[(String, String, f32, bool)]| rows.iter().filter(|row| row.2 > 0.0).count();
        assert!(
            spoken(&raw) > spoken(&short) && spoken(&short) > spoken(&usual),
            "{profile}"
        );
    }
}
