//! What earlier versions have left on disk is read: every sample of `tests/formats`, and all of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;

/// What the log says of state that is not taken up.
const TROUBLE: [&str; 7] = [
    "put aside",
    "another version",
    "damaged",
    "cannot be used",
    "is left out",
    "learnt anew",
    "checksum",
];

/// All samples, and whether each is of a node with the embedded store.
fn samples() -> Vec<(PathBuf, bool)> {
    let samples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats")).unwrap();
    let samples = samples.map(|entry| entry.unwrap().path());
    let folders = samples.filter(|path| path.is_dir());
    folders
        .map(|path| (path.join("store").exists(), path))
        .map(|(is_node, path)| (path, is_node))
        .collect()
}

/// The databases of a state folder, by the names of their files; one that was put aside has another name.
fn databases(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let ends = ["-wal", "-shm", ".lock"];
    names
        .filter(|name| name.contains(".sqlite") && !ends.iter().any(|end| name.ends_with(end)))
        .collect()
}

/// Settings with the roles that keep something.
fn with_all_roles(setup: Setup) -> Setup {
    setup
        .with("health.enabled", "true")
        .with("health.listen", "127.0.0.1:0")
        .with("traces.enabled", "true")
        .with("traces.otlp_grpc_listen", "")
        .with("traces.otlp_http_listen", "")
        .with("traces.zipkin_listen", "127.0.0.1:0")
        .with("entities.enabled", "true")
        .with("entities.series", r"['^(?<entity>[^.]+)\.(?<metric>.+)$']")
        .with("events.stdout", "true")
}

fn done(setup: &Setup, arguments: &[&str]) -> (String, String) {
    let ended = setup.run(arguments);
    assert_eq!(ended.code(), 0, "{arguments:?}: {}{}", ended.stdout, ended.log);
    (ended.stdout, ended.log)
}

/// Restores a sample, and holds silences and incidents against what was in it.
fn restored(setup: &Setup, sample: &Path) -> PathBuf {
    done(setup, &["restore", sample.to_str().unwrap()]);
    let (silences, _) = done(setup, &["silence", "list", "--all"]);
    assert!(silences.contains("kept.over.versions"), "{silences}");
    let (incidents, _) = done(setup, &["incidents", "--all"]);
    assert!(incidents.contains("sample.m0"), "{incidents}");
    setup.path("state")
}

/// Runs three passes over the state, and holds the log against [`TROUBLE`].
fn run(setup: &Setup, state: &Path) -> String {
    let kept = databases(state);
    assert!(kept.len() >= 5, "{kept:?}");
    let (_, log) = done(setup, &["run", "--passes", "3"]);
    for trouble in TROUBLE {
        assert!(!log.contains(trouble), "`{trouble}` in {log}");
    }
    assert_eq!(databases(state), kept, "none was put aside and begun anew");
    log
}

#[test]
fn samples_of_every_version_are_read() {
    let samples: Vec<_> = samples().into_iter().filter(|(_, is_node)| !is_node).collect();
    assert!(!samples.is_empty());
    for (sample, _) in samples {
        let redis = RedisServer::start();
        let setup = with_all_roles(Setup::new().on(&redis));
        let state = restored(&setup, &sample);
        let log = run(&setup, &state);
        assert!(log.contains("states of 3 metrics taken up"), "{log}");
    }
}

#[cfg(feature = "learned")]
mod nodes {
    use std::fs;

    use serde_json::Value;
    use skywatch::models::kinds::KINDS;
    use skywatch::models::{Folder, ModelKind, ModelRegistry};
    use skywatch::store::embedded::{EmbeddedConnect, EmbeddedOptions};
    use skywatch::store::{Connect as _, Fetched, Points as _};
    use skywatch_algorithms::Series;

    use super::*;

    /// Points of a metric in a store.
    fn points(state: &Path, metric: &str) -> usize {
        let connect = EmbeddedConnect::open(&EmbeddedOptions::new(state.join("store"))).unwrap();
        let mut read = None;
        let mut store = connect.connect().unwrap();
        let each = &mut |_: usize, series: &mut Series, found: Fetched<_>| {
            assert!(matches!(found, Fetched::Found { .. }), "{metric}");
            read = Some(series.times.len());
        };
        store.fetch(&[metric], &mut Series::default(), each).unwrap();
        read.unwrap()
    }

    /// Which kinds of jobs there are in each state: each with what it is about.
    fn jobs(setup: &Setup) -> BTreeSet<(String, String)> {
        let (listed, _) = done(setup, &["jobs", "--json"]);
        let jobs: Vec<Value> = serde_json::from_str(&listed).unwrap();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |job: &Value| (word(&job["state"]), word(&job["task"]["kind"]));
        jobs.iter().map(of).collect()
    }

    /// The kinds of all models; each version is loaded, as it is before one is gone back to.
    fn models(state: &Path) -> BTreeSet<&'static str> {
        let registry = ModelRegistry::new(Folder::new(state.join("models")));
        let mut kinds = BTreeSet::new();
        for model in registry.names().unwrap() {
            for version in registry.versions(&model).unwrap() {
                let card = registry.card(&model, &version, None).unwrap();
                let kind = ModelKind::of_card(&card).unwrap();
                assert!(!kind.describe(&card).unwrap().is_empty());
                registry.roll_back(&model, Some(&version)).unwrap();
                kinds.insert(kind.name);
            }
        }
        kinds
    }

    #[test]
    fn samples_of_nodes_with_the_embedded_store_are_read() {
        let mut kinds = BTreeSet::new();
        for (sample, _) in samples().into_iter().filter(|(_, is_node)| *is_node) {
            let setup = with_all_roles(Setup::new())
                // What lay in the store then is judged now.
                .with("store.full_duration", "36500d")
                .with("store.grace", "36500d")
                .with("analyzer.stale_period", "36500d")
                .with("logs.interval", "1s");
            let log = setup.path("app.log");
            fs::write(
                &log,
                "2026-11-29 01:00:00 INFO connection from 10.1.1.1 accepted\n",
            )
            .unwrap();
            let setup = setup.with("logs.files", &format!("app:iso8601={}", log.display()));
            let state = restored(&setup, &sample);
            assert_eq!(points(&state, "sample.m1"), 1_401);
            kinds.extend(models(&state));
            let queued = jobs(&setup);
            for (state, kind) in [
                ("done", "families"),
                ("done", "sequence"),
                ("done", "traces"),
                ("done", "entity-network"),
                ("dead", "sequence"),
                ("queued", "families"),
                ("queued", "sensor"),
            ] {
                assert!(
                    queued.contains(&(state.to_owned(), kind.to_owned())),
                    "{state} {kind} in {queued:?}"
                );
            }
            let log = run(&setup, &state);
            assert!(log.contains("metrics taken up"), "{log}");
            // What was taught and not yet taken in is known now; the line of the log is of a template that was.
            let names = fs::read(state.join("memory/names")).unwrap();
            assert!(String::from_utf8_lossy(&names).contains("sample.taught"));
            let templates = fs::read_to_string(state.join("logs/app.csv")).unwrap();
            assert!(templates.contains("\n1,31,"), "{templates}");
        }
        let known: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(
            kinds, known,
            "a sample of each kind of model lies in tests/formats"
        );
    }
}
