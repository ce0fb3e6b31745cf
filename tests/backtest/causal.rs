//! A row depends on itself and those before it.

use super::{file, points, put, replayed, rows};
use crate::common::skywatch::Setup;

#[test]
fn what_follows_a_row_does_not_change_it() {
    let setup = Setup::new();
    let whole = setup.path("in/whole.csv");
    let mut points = points(10, 5);
    // Not all of it is in order.
    points.swap(700, 701);
    points[1_500] = points[1_499];
    let text = file(&points);
    put(&whole, &text);
    let lines: Vec<&str> = text.lines().collect();
    let cuts = [1, 2, 50, 289, 701, 702, 1_441, 1_501, 2_200, points.len() - 1];
    for cut in cuts {
        put(
            &setup.path(&format!("in/cut{cut}.csv")),
            &lines[..=cut].join("\n"),
        );
    }
    for profile in ["adaptive", "skyline"] {
        let output = setup.path(profile);
        let (input, into) = (
            setup.path("in").display().to_string(),
            output.display().to_string(),
        );
        replayed(
            &setup,
            &["--input", &input, "--output", &into, "--profile", profile],
        );
        let all = rows(&output.join("whole.csv"));
        assert_eq!(all.len(), points.len());
        assert!(all.iter().any(|row| row.3), "{profile} finds something");
        for cut in cuts {
            assert_eq!(
                rows(&output.join(format!("cut{cut}.csv"))),
                all[..cut],
                "{profile}, cut after {cut}"
            );
        }
    }
}

/// Families learn from all metrics at once: what comes after a moment must not change what was said before it.
#[test]
fn what_is_learnt_later_does_not_change_what_was_said() {
    let setup = Setup::new();
    let days = 8;
    let cut = 5 * 288 + 100;
    for metric in 0..4 {
        let points = points(days, 10 * metric + 1);
        put(&setup.path(&format!("whole/m{metric}.csv")), &file(&points));
        put(&setup.path(&format!("cut/m{metric}.csv")), &file(&points[..cut]));
    }
    // A time that is wrong by decades costs no fit for each day of them.
    let far = "timestamp,value\n1,1\n1700000000,2\n1700000060,3\n";
    put(&setup.path("whole/far.csv"), far);
    put(&setup.path("cut/far.csv"), far);
    let scores = |input: &str, profile: &str| -> Vec<Vec<(String, String, f32, bool)>> {
        let output = setup.path(&format!("{input}-{profile}"));
        let (from, to) = (
            setup.path(input).display().to_string(),
            output.display().to_string(),
        );
        replayed(&setup, &["--input", &from, "--output", &to, "--profile", profile]);
        (0..4)
            .map(|metric| rows(&output.join(format!("m{metric}.csv"))))
            .collect()
    };
    let (whole, part, without) = (
        scores("whole", "learned"),
        scores("cut", "learned"),
        scores("whole", "adaptive"),
    );
    for ((whole, part), without) in whole.iter().zip(&part).zip(&without) {
        assert_eq!(&whole[..cut], part);
        assert_eq!(whole[..288], without[..288], "nothing is learnt on the first day");
    }
    assert_ne!(whole, without, "the model is heard");
}

/// The classic profile's score reaches 1 exactly where the golden verdict on the window is "anomalous".
#[test]
fn the_classic_score_is_the_verdict() {
    let setup = Setup::new();
    let mut expected = Vec::new();
    for golden in crate::common::series::golden() {
        let (Some(first), Some(last)) = (golden.series.first(), golden.series.last()) else {
            continue;
        };
        let is_sorted = golden.series.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let (span, last) = (last.0 - first.0, last.0);
        let Some(verdict) = golden.consensus.get("earthgecko") else {
            continue;
        };
        // The last row is judged at its own time: comparable where the reference looked at that moment, and the window
        // holds all points.
        if !is_sorted || span >= 86_400.0 || golden.now - last > 60.0 || !golden.fragile.is_empty() {
            continue;
        }
        let finite = golden.series.iter().all(|(_, value)| value.is_finite());
        if finite && verdict.outcome == "ok" {
            put(
                &setup.path(&format!("in/{}.csv", expected.len())),
                &file(&golden.series),
            );
            expected.push((golden.name.clone(), verdict.anomalous));
        }
    }
    assert!(
        expected.len() >= 10,
        "only {} golden series can be compared",
        expected.len()
    );
    let (input, output) = (setup.path("in").display().to_string(), setup.path("out"));
    let arguments = [
        "--input",
        &input,
        "--output",
        &output.display().to_string(),
        "--profile",
        "skyline",
    ];
    let as_it_stands = ["--set", "analyzer.counters_as_rates=false"];
    replayed(&setup, &[&arguments[..], &as_it_stands].concat());
    for (index, (name, anomalous)) in expected.iter().enumerate() {
        let last = rows(&output.join(format!("{index}.csv"))).pop().unwrap();
        assert_eq!(last.3, *anomalous, "{name}");
    }
}
