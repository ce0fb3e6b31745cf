//! `scripts/accuracy`, as far as it needs neither its data nor a package from a registry.

use std::path::Path;
use std::process::{Command, Output};

fn accuracy(arguments: &[&str]) -> Output {
    Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/accuracy"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_help_names_every_set() {
    let said = accuracy(&["--help"]);
    let text = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.status.code(), Some(0), "{text}");
    for set in ["kpi", "cloud", "nab", "ordinary", "servers", "labelled", "field"] {
        assert!(
            text.lines().any(|line| line.starts_with(&format!("  {set} "))),
            "{set}: {text}"
        );
    }
}

#[test]
fn what_cannot_be_measured_is_said_before_anything_is_built() {
    for (arguments, word) in [
        (&["kpi", "lab"][..], "unknown set `lab`; known are kpi, cloud"),
        (
            &["--against", "/nowhere/before.json"],
            "`/nowhere/before.json` is no file",
        ),
        (
            &["--binary", "/nowhere/skywatch"],
            "`/nowhere/skywatch` is no file",
        ),
    ] {
        let said = accuracy(arguments);
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{text}");
        assert!(text.contains(word), "{text}");
    }
}
