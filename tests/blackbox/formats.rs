//! What earlier versions have left on disk is read: every sample of `tests/formats`, and all of it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::common::redis::RedisServer;
use crate::common::skywatch::Setup;

/// The databases of a state folder, by the names of their files; one that was put aside has another name.
fn databases(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let ends = ["-wal", "-shm", ".lock"];
    names
        .filter(|name| name.contains(".sqlite") && !ends.iter().any(|end| name.ends_with(end)))
        .collect()
}

fn read(sample: &Path) {
    let redis = RedisServer::start();
    let setup = Setup::new()
        .on(&redis)
        .with("health.enabled", "true")
        .with("health.listen", "127.0.0.1:0")
        .with("traces.enabled", "true")
        .with("traces.otlp_grpc_listen", "")
        .with("traces.otlp_http_listen", "")
        .with("traces.zipkin_listen", "127.0.0.1:0")
        .with("entities.enabled", "true")
        .with("entities.series", r"['^(?<entity>[^.]+)\.(?<metric>.+)$']")
        .with("events.stdout", "true");
    let done = |arguments: &[&str]| {
        let ended = setup.run(arguments);
        assert_eq!(ended.code(), 0, "{arguments:?}: {}{}", ended.stdout, ended.log);
        (ended.stdout, ended.log)
    };
    done(&["restore", sample.to_str().unwrap()]);
    let state = setup.path("state");
    let kept = databases(&state);
    assert!(kept.len() >= 5, "{kept:?}");
    let (silences, _) = done(&["silence", "list", "--all"]);
    assert!(silences.contains("kept.over.versions"), "{silences}");
    let (incidents, _) = done(&["incidents", "--all"]);
    assert!(incidents.contains("sample.m0"), "{incidents}");
    let (_, log) = done(&["run", "--passes", "3"]);
    assert!(log.contains("states of 3 metrics taken up"), "{log}");
    for trouble in ["put aside", "another version", "damaged"] {
        assert!(!log.contains(trouble), "{log}");
    }
    assert_eq!(databases(&state), kept, "none was put aside and begun anew");
}

#[test]
fn samples_of_every_version_are_read() {
    let samples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/formats")).unwrap();
    let samples: Vec<_> = samples
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(!samples.is_empty());
    for sample in samples {
        read(&sample);
    }
}
