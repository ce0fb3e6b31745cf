//! Entities in files, black box: the real binary over folders as benchmarks have them.

#[cfg(feature = "learned")]
mod aom;
mod detector_jobs;
mod faults;
mod live;
#[cfg(feature = "learned")]
mod networks;
mod real;
mod stored;

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::skywatch::{Ended, Setup};

/// Metrics that follow one hidden daily one, and a fourth on its own; rows `broken` have the second one part from the
/// others.
fn rows(from: usize, count: usize, broken: Range<usize>) -> Vec<[f64; 4]> {
    let row = |at: usize| {
        let noise = |salt: usize| ((at * 4 + salt).wrapping_mul(2_654_435_761) % 1_000) as f64 / 1_000.0;
        let hidden = (at as f64 / 100.0 * std::f64::consts::TAU).sin() + 0.3 * noise(0);
        let second = if broken.contains(&at) { -hidden } else { hidden };
        [
            hidden + 0.05 * noise(1),
            40.0 * second,
            5.0 - hidden + 0.05 * noise(2),
            noise(3),
        ]
    };
    (from..from + count).map(row).collect()
}

fn table(rows: &[[f64; 4]], label: Option<Range<usize>>) -> String {
    let mut text = String::from("m0,m1,m2,m3");
    text += if label.is_some() { ",label\n" } else { "\n" };
    for (at, [a, b, c, d]) in rows.iter().enumerate() {
        write!(text, "{a:.6},{b:.6},{c:.6},{d:.6}").unwrap();
        if let Some(label) = &label {
            write!(text, ",{}", u8::from(label.contains(&at))).unwrap();
        }
        text.push('\n');
    }
    text
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

fn eval(setup: &Setup, folder: &str, output: &str) -> Ended {
    let path = |name| setup.path(name).display().to_string();
    setup.run(&["entities", "eval", &path(folder), "--output", &path(output)])
}

/// Scores and alarms of an output.
fn judged(path: &Path) -> Vec<(f64, bool)> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("score,alarm"));
    let row = |line: &str| {
        let (score, alarm) = line.split_once(',').unwrap();
        (score.parse().unwrap(), alarm == "1")
    };
    lines.map(row).collect()
}

#[test]
fn metrics_that_part_are_found_and_the_label_changes_nothing() {
    let setup = Setup::new();
    let (training, test) = (rows(0, 1_500, 0..0), rows(1_500, 300, 1_700..1_720));
    for (folder, label) in [("plain", None), ("labelled", Some(200..220))] {
        put(
            &setup.path(folder).join("web-1/train.csv.gz"),
            &table(&training, None),
        );
        put(
            &setup.path(folder).join("web-1/test.csv.gz"),
            &table(&test, label),
        );
    }
    // Another entity, its test with a label that says the opposite and its rows cut short: what comes later or is said
    // by labels has no effect on a row.
    put(
        &setup.path("labelled").join("web-2/train.csv.gz"),
        &table(&training, None),
    );
    put(
        &setup.path("labelled").join("web-2/test.csv.gz"),
        &table(&test[..210], Some(0..200)),
    );
    for (folder, output) in [("plain", "out"), ("labelled", "out-labelled")] {
        let ended = eval(&setup, folder, output);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert!(
            ended
                .stdout
                .contains("web-1: 4 metrics, 1500 rows learnt, 300 judged"),
            "{}",
            ended.stdout
        );
    }
    let output = |folder: &str, entity: &str| std::fs::read(setup.path(folder).join(entity)).unwrap();
    let whole = output("out", "web-1.csv");
    assert_eq!(whole, output("out-labelled", "web-1.csv"));
    assert!(whole.starts_with(&output("out-labelled", "web-2.csv")));

    let judged = judged(&setup.path("out/web-1.csv"));
    let alarms = |range: Range<usize>| judged[range].iter().filter(|(_, is_alarm)| *is_alarm).count();
    assert!(alarms(200..220) >= 15, "{judged:?}");
    assert!(alarms(0..200) <= 2, "{judged:?}");
}

#[test]
fn what_judges_can_be_chosen() {
    let setup = Setup::new();
    put(
        &setup.path("in/pod/train.csv.gz"),
        &table(&rows(0, 1_500, 0..0), None),
    );
    put(
        &setup.path("in/pod/test.csv.gz"),
        &table(&rows(1_500, 300, 1_700..1_720), None),
    );
    let chosen = |detectors: &str| {
        let path = |name| setup.path(name).display().to_string();
        let arguments = [
            "entities",
            "eval",
            &path("in"),
            "--output",
            &path("out"),
            "--detectors",
            detectors,
        ];
        setup.run(&arguments)
    };
    for detectors in ["subspace", "baselines,neighbours"] {
        let ended = chosen(detectors);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        let judged = judged(&setup.path("out/pod.csv"));
        assert!(
            judged[200..220].iter().filter(|(_, is_alarm)| *is_alarm).count() >= 10,
            "{detectors} {judged:?}"
        );
    }
    #[cfg(feature = "learned")]
    for network in ["vae", "usad"] {
        let ended = chosen(network);
        assert_eq!(ended.code(), 0, "{}", ended.log);
        assert_eq!(judged(&setup.path("out/pod.csv")).len(), 300);
    }
    let ended = chosen("subspace,oracle");
    assert_eq!(ended.code(), 2);
    assert!(
        ended.log.contains("`oracle` is none of `subspace`"),
        "{}",
        ended.log
    );
}

#[test]
fn missing_values_are_neither_zeros_nor_alarms() {
    let setup = Setup::new();
    let training = table(&rows(0, 1_500, 0..0), None);
    let mut test: Vec<String> = table(&rows(1_500, 100, 0..0), None)
        .lines()
        .map(str::to_owned)
        .collect();
    for line in &mut test[20..40] {
        let fields: Vec<&str> = line.split(',').collect();
        *line = format!("{},,{},NaN", fields[0], fields[2]);
    }
    for line in &mut test[60..70] {
        *line = ",,,".to_owned();
    }
    put(&setup.path("in/pod/train.csv.gz"), &training);
    put(&setup.path("in/pod/test.csv.gz"), &test.join("\n"));
    let ended = eval(&setup, "in", "out");
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        ended.stdout.contains("80 values missing, 10 rows without any"),
        "{}",
        ended.stdout
    );
    let judged = judged(&setup.path("out/pod.csv"));
    assert_eq!(judged.len(), 100);
    assert!(
        judged
            .iter()
            .all(|(score, is_alarm)| score.is_finite() && !is_alarm),
        "{judged:?}"
    );
    // Of a row without values nothing is known: it has what was known last.
    assert!((59..69).all(|at| judged[at] == judged[58]));
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let setup = Setup::new();
    let refused = |folder: &str, words: &str| {
        let ended = eval(&setup, folder, "out");
        assert_eq!(ended.code(), 1, "{}", ended.log);
        assert!(ended.log.contains(words), "{}", ended.log);
    };
    let good = table(&rows(0, 200, 0..0), None);
    put(&setup.path("bad/pod/train.csv.gz"), &good);
    put(
        &setup.path("bad/pod/test.csv.gz"),
        "m0,m1,m2,m3\n1,2,3,4\n1,x,3,4\n",
    );
    refused("bad", "pod/test.csv.gz` line 3: `x` is no finite number");
    put(&setup.path("alone/pod/train.csv.gz"), &good);
    refused("alone", "has no `test.csv.gz` beside it");
    put(
        &setup.path("few/pod/train.csv.gz"),
        &table(&rows(0, 20, 0..0), None),
    );
    put(&setup.path("few/pod/test.csv.gz"), &good);
    refused(
        "few",
        "pod/train.csv.gz`: 20 rows with values to learn from, at least 100 are needed",
    );
    std::fs::create_dir_all(setup.path("cut/pod")).unwrap();
    let whole = std::fs::read(setup.path("bad/pod/train.csv.gz")).unwrap();
    std::fs::write(setup.path("cut/pod/train.csv.gz"), &whole[..whole.len() / 2]).unwrap();
    put(&setup.path("cut/pod/test.csv.gz"), &good);
    refused("cut", "cannot read");
    std::fs::create_dir_all(setup.path("empty")).unwrap();
    refused("empty", "there is no `ENTITY/train.csv.gz`");
}
