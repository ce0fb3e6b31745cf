//! The shallow scorers on the files of NAB: one request a file.
//!
//! `NAB=FOLDER cargo bench -p skywatch-algorithms --bench shallow`; the folder holds `data/` and `labels/windows.json`.
//! Average precision: rows ranked by score, a row is right inside a labelled window, the mean over files with labels.
//! Event recall: labelled windows with an outlier in them. Precision: outliers inside a window. All files together.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks and may fail"
)]

use std::collections::BTreeMap;
use std::path::Path;

use skywatch_algorithms::shallow::{ForestOptions, Scorer};

type Labels = BTreeMap<String, Vec<(String, String)>>;

struct File {
    times: Vec<f64>,
    values: Vec<f64>,
    windows: Vec<(f64, f64)>,
}

fn main() {
    let folder = std::env::var("NAB").unwrap_or_default();
    if folder.is_empty() {
        println!("shallow: nothing measured\nhint: `NAB=FOLDER` names the benchmark's folder");
        return;
    }
    let folder = Path::new(&folder);
    let labels = std::fs::read_to_string(folder.join("labels/windows.json")).unwrap();
    let labels: Labels = serde_json::from_str(&labels).unwrap();
    let files: Vec<File> = labels
        .iter()
        .map(|(name, windows)| read(&folder.join("data").join(name), windows))
        .collect();
    for (name, scorer) in [
        (
            "forest, as rb-aioutliers has it",
            Scorer::Forest(ForestOptions::default()),
        ),
        ("scales", Scorer::default()),
    ] {
        report(name, &scorer, &files);
    }
}

fn read(path: &Path, windows: &[(String, String)]) -> File {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip(1).filter_map(|line| line.split_once(','));
    let (times, values) = rows
        .map(|(time, value)| (seconds(time), value.trim().parse::<f64>().unwrap()))
        .unzip();
    let windows = windows
        .iter()
        .map(|(from, to)| (seconds(from), seconds(to)))
        .collect();
    File {
        times,
        values,
        windows,
    }
}

/// `2014-02-14 14:30:00`, UTC (days from civil, Hinnant).
fn seconds(text: &str) -> f64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (month, day) = (part(5, 7), part(8, 10));
    let year = part(0, 4) - i64::from(month <= 2);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    (days * 86_400 + part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19)) as f64
}

fn report(name: &str, scorer: &Scorer, files: &[File]) {
    let start = std::time::Instant::now();
    let (mut precisions, mut windows, mut hit, mut right, mut wrong) = (Vec::new(), 0, 0, 0, 0);
    let mut halves = [[0; 4]; 2];
    let mut rows = 0;
    for (number, file) in files.iter().enumerate() {
        let found = scorer.judge(&file.times, &file.values);
        rows += found.len();
        let inside = |time: f64| {
            file.windows
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&time))
        };
        let ranked: Vec<(f64, bool)> = found
            .iter()
            .map(|found| (found.score, inside(file.times[found.row])))
            .collect();
        if !file.windows.is_empty() {
            precisions.push(average_precision(ranked));
        }
        let outliers: Vec<f64> = found
            .iter()
            .filter(|found| found.is_outlier)
            .map(|found| file.times[found.row])
            .collect();
        let caught = file
            .windows
            .iter()
            .filter(|(from, to)| outliers.iter().any(|time| (*from..=*to).contains(time)));
        let (caught, good) = (
            caught.count(),
            outliers.iter().filter(|time| inside(**time)).count(),
        );
        windows += file.windows.len();
        hit += caught;
        right += good;
        wrong += outliers.len() - good;
        let add = [file.windows.len(), caught, good, outliers.len() - good];
        halves[number % 2]
            .iter_mut()
            .zip(add)
            .for_each(|(sum, add)| *sum += add);
    }
    let f1 = |windows: usize, hit: usize, right: usize, wrong: usize| {
        let (recall, precision) = (
            hit as f64 / windows as f64,
            right as f64 / (right + wrong).max(1) as f64,
        );
        (
            recall,
            precision,
            2.0 * recall * precision / (recall + precision).max(1e-9),
        )
    };
    let (recall, precision, whole) = f1(windows, hit, right, wrong);
    let [even, odd] = halves.map(|[windows, hit, right, wrong]| f1(windows, hit, right, wrong).2);
    let mean = precisions.iter().sum::<f64>() / precisions.len() as f64;
    println!(
        "{name}: average precision {mean:.3}, event recall {recall:.3}, precision {precision:.3}, F1 {whole:.3} (every other \
         file {even:.2}, the others {odd:.2}); {:.2} µs a row",
        start.elapsed().as_secs_f64() * 1e6 / rows as f64
    );
}

/// Ties count together.
fn average_precision(mut ranked: Vec<(f64, bool)>) -> f64 {
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = ranked.iter().filter(|(_, inside)| *inside).count() as f64;
    let (mut sum, mut right, mut before) = (0.0, 0.0, 0.0);
    for (place, (score, inside)) in ranked.iter().enumerate() {
        right += f64::from(u8::from(*inside));
        if ranked.get(place + 1).is_none_or(|(next, _)| next != score) {
            sum += (right - before) / all * right / (place + 1) as f64;
            before = right;
        }
    }
    sum
}
