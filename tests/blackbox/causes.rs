//! `skywatch causes eval` on recorded faults (`../shared/causes`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::skywatch::Setup;

type Rankings = BTreeMap<String, Vec<String>>;

fn shared() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/causes");
    assert!(path.is_dir(), "recorded faults are needed at {}", path.display());
    path
}

fn eval(setup: &Setup, folder: &Path, more: &[&str]) -> Rankings {
    let out = setup.path("rankings.json");
    let places = [folder.to_str().unwrap(), "--output", out.to_str().unwrap()];
    let ended = setup.run(&[&["causes", "eval"], places.as_slice(), more].concat());
    assert_eq!(
        (ended.code(), ended.log.as_str(), ended.stdout.as_str()),
        (0, "", "")
    );
    serde_json::from_str(&fs::read_to_string(out).unwrap()).unwrap()
}

/// Share of the cases under `group` whose true cause is the first suspect, services and nodes compared as `score.py` does.
fn found_first(rankings: &Rankings, group: &str) -> f64 {
    let truth: Value =
        serde_json::from_str(&fs::read_to_string(shared().join("truth.json")).unwrap()).unwrap();
    let cases: Vec<_> = truth
        .as_object()
        .unwrap()
        .iter()
        .filter(|(case, _)| case.starts_with(group))
        .collect();
    let is_right = |(case, truth): &&(&String, &Value)| {
        let first = &rankings[*case][0];
        match truth["service"].as_str() {
            Some(service) => first.split('_').next().unwrap().trim_end_matches("-db") == service,
            None => first == truth["node"].as_str().unwrap(),
        }
    };
    cases.iter().filter(is_right).count() as f64 / cases.len() as f64
}

#[test]
fn the_cause_is_among_the_first_suspects_and_a_late_border_does_no_harm() {
    let setup = Setup::new();
    let exact = eval(&setup, &shared(), &[]);
    assert_eq!(exact.len(), 36);
    let late = eval(&setup, &shared(), &["--shift", "60"]);
    let early = eval(&setup, &shared(), &["--shift", "-30"]);
    let shop = [&exact, &late, &early].map(|rankings| found_first(rankings, "sock-shop/"));
    assert!(shop[0] >= 0.95 && shop[1] >= 0.9 && shop[2] >= 0.95, "{shop:?}");
    let pets = found_first(&exact, "petshop/");
    assert!(pets > 0.7, "{pets}");
}

/// Copies the tables and graphs of a folder, its case folders under names that say nothing; gives back which became which.
fn renamed(from: &Path, to: &Path, old: &str, new: &str, names: &mut Vec<(String, String)>) {
    fs::create_dir_all(to).unwrap();
    names.push((old.to_owned(), new.to_owned()));
    let mut entries: Vec<_> = fs::read_dir(from)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // Another order than by the old names.
    entries.sort_by_key(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .bytes()
            .rev()
            .collect::<Vec<_>>()
    });
    for (number, path) in entries.iter().enumerate() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            let join = |before: &str, name: &str| {
                [before, name]
                    .iter()
                    .filter(|p| !p.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join("/")
            };
            let other = format!("case-{number}");
            renamed(
                path,
                &to.join(&other),
                &join(old, name),
                &join(new, &other),
                names,
            );
        } else if name != "truth.json" {
            fs::copy(path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn names_of_cases_tell_nothing() {
    let setup = Setup::new();
    let original = eval(&setup, &shared(), &[]);
    let mut names = Vec::new();
    let copy = setup.path("copy");
    renamed(&shared(), &copy, "", "", &mut names);
    let other = eval(&setup, &copy, &[]);
    assert_eq!(other.len(), original.len());
    for (old, new) in names.iter().filter(|(old, _)| original.contains_key(old)) {
        assert_eq!(other[new], original[old], "{old}");
    }
}

#[test]
fn what_is_no_case_is_refused_by_name() {
    let setup = Setup::new();
    let folder = setup.path("cases");
    fs::create_dir(&folder).unwrap();
    let run = || setup.run(&["causes", "eval", folder.to_str().unwrap()]);
    let ended = run();
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("no case in"), "{}", ended.log);
    fs::write(folder.join("normal.csv"), "time,a\n1,2\n").unwrap();
    fs::write(folder.join("anomalous.csv"), "time,a\n1,2,3\n").unwrap();
    let ended = run();
    assert_eq!(ended.code(), 1);
    assert!(
        ended.log.contains("anomalous.csv") && ended.log.contains("line 2 has 3 values"),
        "{}",
        ended.log
    );
}
