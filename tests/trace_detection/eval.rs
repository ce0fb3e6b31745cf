//! `skywatch traces eval`: figures, and that no label has a part in any score.

use std::path::Path;

use serde_json::Value;

use super::{lines, put};
use crate::common::skywatch::Setup;

/// Too few for a network: the counting detectors alone, which take a second.
const TRAINING: usize = 190;

fn evaluated(setup: &Setup, folder: &Path) -> (Value, Vec<Value>) {
    let (folder, scores) = (folder.display().to_string(), setup.path("scores.jsonl"));
    let scores_path = scores.display().to_string();
    let ended = setup.run(&[
        "traces",
        "eval",
        &folder,
        "--seed",
        "3",
        "--json",
        "--scores",
        &scores_path,
    ]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    let text = std::fs::read_to_string(scores).unwrap();
    let scores = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (serde_json::from_str(&ended.stdout).unwrap(), scores.collect())
}

fn without_labels(line: &str) -> String {
    let mut trace: Value = serde_json::from_str(line).unwrap();
    let fields = trace.as_object_mut().unwrap();
    fields.remove("label");
    fields.remove("fault");
    trace.to_string()
}

#[test]
fn labels_and_the_order_of_traces_have_no_part_in_scores() {
    let setup = Setup::new();
    let (training, normal) = (lines("normal-train", TRAINING), lines("normal-test", 200));
    let abnormal = lines("abnormal-test", 456);
    let labelled = setup.path("labelled");
    put(&labelled, "normal-train", &training);
    put(&labelled, "normal-test", &normal);
    put(&labelled, "abnormal-test", &abnormal);
    let (figures, mut scores) = evaluated(&setup, &labelled);
    assert_eq!(
        (&figures["normal"], &figures["abnormal"]),
        (&200.into(), &456.into())
    );
    let combined = &figures["overall"][0];
    assert_eq!(combined["name"], "combined");
    assert!(combined["auc"].as_f64().unwrap() > 0.9, "{combined}");
    assert!(
        combined["false_alarm_rate"].as_f64().unwrap() < 0.15,
        "{combined}"
    );
    let foreign = &figures["faults"]["synthetic:foreign"];
    assert!(foreign["scores"][0]["auc"].as_f64().unwrap() > 0.95, "{foreign}");

    // Both files in one order that mixes them, half in each, and nobody says what is what.
    let mut mixed: Vec<String> = normal
        .iter()
        .chain(&abnormal)
        .map(|line| without_labels(line))
        .collect();
    mixed.sort_by_key(|line| {
        line.bytes()
            .fold(7_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte))
    });
    let (one, other) = mixed.split_at(mixed.len() / 2);
    let shuffled = setup.path("shuffled");
    put(
        &shuffled,
        "normal-train",
        &training
            .iter()
            .map(|line| without_labels(line))
            .collect::<Vec<_>>(),
    );
    put(&shuffled, "normal-test", one);
    put(&shuffled, "abnormal-test", other);
    let (figures, mut again) = evaluated(&setup, &shuffled);
    assert_eq!((&figures["normal"], &figures["abnormal"]), (&0.into(), &0.into()));
    // A synthetic trace may have the id of the normal one it was made of, so pairs are compared by all they say.
    for scored in [&mut scores, &mut again] {
        scored.iter_mut().for_each(|trace| trace["label"] = Value::Null);
        scored.sort_by_key(ToString::to_string);
    }
    assert!(scores == again, "scores differ");
}

#[test]
fn what_cannot_be_read_or_learnt_from_is_said() {
    let setup = Setup::new();
    let folder = setup.path("some");
    let ask = || {
        let ended = setup.run(&["traces", "eval", &folder.display().to_string()]);
        assert_eq!(ended.code(), 1);
        ended.log
    };
    put(&folder, "normal-train", &lines("normal-train", 39));
    put(&folder, "normal-test", &[]);
    assert!(ask().contains("there is no `abnormal-test.jsonl.gz` or `abnormal-test.jsonl`"));
    put(&folder, "abnormal-test", &["{\"trace_id\":\"x\"}".to_owned()]);
    assert!(ask().contains("line 1 is not a trace: missing field `spans`"));
    put(&folder, "abnormal-test", &[]);
    assert!(ask().contains("39 traces, at least 40 are needed"));
}
