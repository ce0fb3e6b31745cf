//! Labels, comparison, and the summary.

use serde_json::Value;

use super::{file, put, replayed};
use crate::common::skywatch::Setup;

/// Ten days of a quiet series with an excursion on the last, far beyond anything before.
fn excursion() -> Vec<(f64, f64)> {
    let mut points = super::points(10, 1);
    for (index, (_, value)) in points.iter_mut().enumerate() {
        *value = 50.0 + (*value * 1_000.0) % 1.0 + f64::from(index as u32 * 7_919 % 101) / 50.0;
        if (2_700..2_712).contains(&index) {
            *value += 500.0;
        }
    }
    points
}

fn setup() -> (Setup, String, String) {
    let setup = Setup::new();
    let points = excursion();
    put(&setup.path("in/a/x.csv"), &file(&points));
    put(&setup.path("in/b.csv"), &file(&points[..2_000]));
    let at = points[2_700].0;
    let labels = format!(
        "{{\"a/x.csv\": [[{}, {}]], \"b.csv\": []}}",
        at - 600.0,
        at + 6_000.0
    );
    put(&setup.path("labels.json"), &labels);
    let (input, labels) = (
        setup.path("in").display().to_string(),
        setup.path("labels.json").display().to_string(),
    );
    (setup, input, labels)
}

#[test]
fn what_is_found_of_what_was_wrong() {
    let (setup, input, labels) = setup();
    for profile in ["adaptive", "skyline"] {
        let said = replayed(
            &setup,
            &[
                "--input",
                &input,
                "--labels",
                &labels,
                "--profile",
                profile,
                "--json",
            ],
        );
        let summary: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(summary["profile"], profile);
        let all = &summary["labelled"];
        assert_eq!(
            (&all["windows"], &all["found"], &all["recall"]),
            (&1.into(), &1.into(), &1.0.into()),
            "{said}"
        );
        assert_eq!(all["delay"], 600.0, "{said}");
        let right = all["right"].as_u64().unwrap();
        let wrong = all["wrong"].as_u64().unwrap();
        assert_eq!(
            all["precision"].as_f64().unwrap(),
            right as f64 / (right + wrong) as f64
        );
        assert_eq!(summary["by_metric"].as_array().unwrap().len(), 2);
        assert_eq!(summary["by_metric"][0]["metric"], "a/x.csv");
        assert_eq!(
            summary["metric_days"].as_f64().unwrap(),
            (2_879.0 + 1_999.0) * 300.0 / 86_400.0
        );
    }
}

#[test]
fn two_profiles_side_by_side() {
    let (setup, input, labels) = setup();
    let said = replayed(
        &setup,
        &[
            "--input",
            &input,
            "--labels",
            &labels,
            "--compare",
            "skyline",
            "adaptive",
        ],
    );
    let (_, table) = said.split_once("     skyline    adaptive  difference\n").unwrap();
    let row = |title: &str| -> Vec<f64> {
        let line = table.lines().find(|line| line.starts_with(title)).unwrap();
        line[title.len()..]
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect()
    };
    for title in [
        "alarms",
        "incidents per 1,000 metric-days",
        "precision",
        "recall",
        "F1",
    ] {
        let [one, other, difference] = row(title)[..] else {
            panic!("{table}")
        };
        assert!((other - one - difference).abs() < 0.11, "{title}: {table}");
    }
    let both = replayed(
        &setup,
        &["--input", &input, "--compare", "skyline", "adaptive", "--json"],
    );
    let both: Value = serde_json::from_str(&both).unwrap();
    assert_eq!(
        (&both[0]["profile"], &both[1]["profile"]),
        (&"skyline".into(), &"adaptive".into())
    );
}

#[test]
fn the_summary_reads_like_this() {
    let setup = Setup::new();
    put(
        &setup.path("in/quiet.csv"),
        "timestamp,value\n0,1\n43200,1\n86400,1\n",
    );
    let said = replayed(&setup, &["--input", &setup.path("in").display().to_string()]);
    assert_eq!(
        said,
        "profile    adaptive\n\
         metrics    1, 3 rows, 3 points, 1.0 metric-days\n\
         incidents  0, 0.0 per 1,000 metric-days (0 rows with an alarm)\n\
         alerts     0, 0.0000 a metric-day, after a rest of 16 h\n\n"
    );
}
