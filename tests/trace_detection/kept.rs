//! `skywatch traces train` and `detect`: a model is fitted, kept, and says what is wrong with traces.

use serde_json::Value;

use super::{lines, put};
use crate::common::skywatch::Setup;

/// Too few for a network, which would take a minute: what is kept of one is tried beside its code.
const TRAINING: usize = 190;

#[test]
fn a_model_is_fitted_kept_and_names_the_guilty_span() {
    let setup = Setup::new();
    let folder = setup.path("traces");
    put(&folder, "normal", &lines("normal-train", TRAINING));
    let mut asked = lines("abnormal-test", 456);
    asked.retain(|line| line.contains("synthetic:foreign") || line.contains("synthetic:latency"));
    put(&folder, "asked", &asked);
    let path = |name: &str| folder.join(name).display().to_string();

    let ended = setup.run(&["traces", "detect", &path("asked.jsonl")]);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("there is no model `traces`"), "{}", ended.log);

    let ended = setup.run(&["traces", "train", &path("normal.jsonl")]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(ended.stdout.contains("serves"), "{}", ended.stdout);
    let ended = setup.run(&["models"]);
    assert!(
        ended.stdout.contains("templates of 114 traces, no network"),
        "{}",
        ended.stdout
    );

    let ended = setup.run(&["traces", "detect", &path("asked.jsonl"), "--json"]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let judged: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(judged.len(), asked.len());
    let alarms: Vec<_> = judged.iter().filter(|trace| trace["alarm"] == true).collect();
    assert!(
        alarms.len() > asked.len() / 4,
        "{} of {}",
        alarms.len(),
        asked.len()
    );
    for alarm in alarms {
        let worst = &alarm["reasons"][0];
        assert!(
            worst["span_id"].is_string() && !worst["text"].as_str().unwrap().is_empty(),
            "{alarm}"
        );
    }

    let ended = setup.run(&["traces", "detect", &path("asked.jsonl")]);
    for words in ["; found `", "self time ", "× its 99th percentile"] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    asked.insert(1, "not JSON".to_owned());
    put(&folder, "asked", &asked);
    let again = setup.run(&["traces", "detect", &path("asked.jsonl")]);
    assert_eq!((again.code(), &again.stdout), (1, &ended.stdout));
    assert!(again.log.contains("line 2 is not a trace"), "{}", again.log);
}
