//! `skywatch votes` against the reference: every golden line, both flavours.

use serde_json::Value;

use crate::common::series::{golden, golden_file};
use crate::common::skywatch::Setup;

fn agrees(flavour: &str) {
    let setup = Setup::new();
    let file = golden_file();
    let ended = setup.run(&["votes", file.to_str().unwrap(), "--flavour", flavour]);
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(ended.log, "", "nothing but answers");
    let lines = golden();
    assert!(lines.len() > 100);
    assert_eq!(ended.stdout.lines().count(), lines.len());
    let mut wrong = Vec::new();
    for (line, answer) in lines.iter().zip(ended.stdout.lines()) {
        assert!(answer.starts_with(r#"{"name":"#), "{answer}");
        let answer: Value = serde_json::from_str(answer).unwrap();
        let mut check = |what: &str, ours: &Value, theirs: Value| {
            if *ours != theirs {
                wrong.push(format!("{}: {what} is {ours}, not {theirs}", line.name));
            }
        };
        check("name", &answer["name"], line.name.as_str().into());
        let consensus = &line.consensus[flavour];
        check("outcome", &answer["outcome"], consensus.outcome.as_str().into());
        check("anomalous", &answer["anomalous"], consensus.anomalous.into());
        check("datapoint", &answer["datapoint"], consensus.datapoint.into());
        let results = if flavour == "etsy" {
            &line.results_etsy
        } else {
            &line.results
        };
        assert_eq!(results.len(), 9);
        assert_eq!(answer["results"].as_object().unwrap().len(), 9, "{answer}");
        for (detector, result) in results {
            if !line.fragile.contains_key(detector) {
                check(detector, &answer["results"][detector], (*result).into());
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn earthgecko_answers_as_the_reference() {
    agrees("earthgecko");
}

#[test]
fn etsy_answers_as_the_reference() {
    agrees("etsy");
}

#[test]
fn a_malformed_line_is_named_by_file_and_line() {
    let setup = Setup::new();
    let good = r#"{"name": "a", "now": 60, "series": [[0, 1.5], [60, 2]]}"#;
    let file = setup.path("questions.jsonl");
    let path = file.to_str().unwrap();
    for (bad, what) in [
        ("{\"name\": \"b\", \"now\": 60, \"series\": [[0, 1.5], [60", "EOF"),
        ("{\"name\": \"b\", \"series\": []}", "`now`"),
        (
            "{\"name\": \"b\", \"now\": 60, \"series\": [[0, \"x\"]]}",
            "\"x\"",
        ),
        ("not JSON", "expected"),
    ] {
        std::fs::write(&file, format!("{good}\n\n{bad}\n{good}\n")).unwrap();
        let ended = setup.run(&["votes", path]);
        assert_eq!(ended.code(), 1, "{bad}");
        assert!(ended.log.contains(&format!("`{path}` line 3")), "{}", ended.log);
        assert!(ended.log.contains(what), "{}", ended.log);
    }
    let ended = setup.run(&["votes", "nowhere.jsonl"]);
    assert_eq!(ended.code(), 1);
    assert!(ended.log.contains("`nowhere.jsonl`"), "{}", ended.log);
    let ended = setup.run(&["votes", path, "--flavour", "vanilla"]);
    assert_eq!(ended.code(), 2);
    assert!(
        ended.log.contains("earthgecko") && ended.log.contains("etsy"),
        "{}",
        ended.log
    );
}
