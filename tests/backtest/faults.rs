//! What cannot be replayed is said, and by which exit code.

use super::{backtest, file, points, put, rows};
use crate::common::skywatch::Setup;

#[test]
fn what_is_wrong_is_said() {
    let setup = Setup::new();
    put(&setup.path("in/good.csv"), &file(&points(1, 1)));
    put(&setup.path("empty/notes.txt"), "nothing");
    put(&setup.path("wrong.json"), "{\"a\": [[2, 1]]}");
    let path = |name: &str| setup.path(name).display().to_string();
    let wrong = |arguments: &[&str], code: i32, why: &str| {
        let ended = backtest(&setup, arguments);
        assert_eq!(ended.code(), code, "{arguments:?}: {}", ended.log);
        assert!(ended.log.contains(why), "{arguments:?}: {}", ended.log);
    };
    let (input, missing) = (path("in"), path("missing"));
    wrong(
        &["--input", &missing],
        1,
        &format!("error: cannot read `{missing}`: No such file"),
    );
    wrong(&["--input", &path("empty")], 1, "there is no `*.csv` in");
    wrong(
        &["--input", &input, "--output", &path("in/out")],
        2,
        "lies in the input",
    );
    wrong(
        &["--input", &input, "--output", &path("in")],
        2,
        "hint: the same paths would be written",
    );
    wrong(
        &["--input", &input, "--output", &path("wrong.json")],
        1,
        "cannot write",
    );
    wrong(
        &["--input", &input, "--labels", &path("wrong.json")],
        1,
        "has no labels: a window of `a` ends before it starts",
    );
    wrong(
        &["--input", &input, "--rest", "soon"],
        2,
        "expected a time such as `6h`",
    );
    wrong(
        &["--input", &input, "--profile", "best"],
        2,
        "expected `adaptive`, `skyline` or `learned`",
    );
    wrong(
        &["--input", &input, "--profile", "learned", "--fit-each", "1m"],
        2,
        "expected a time of at least an hour",
    );
    wrong(&["--metrics", "/(/"], 2, "the pattern `/(/` is wrong");
    wrong(&[], 2, "--input <PATH>");
    assert!(!setup.path("in/out").exists());
}

/// A file that gives nothing does not keep the others from being replayed, but is not passed over in silence.
#[test]
fn a_file_without_a_usable_row_is_named() {
    let setup = Setup::new();
    put(&setup.path("in/good.csv"), &file(&points(1, 1)));
    put(&setup.path("in/bad.csv"), "timestamp,value\nyesterday,x\n");
    put(&setup.path("in/none.csv"), "");
    let (input, output) = (setup.path("in").display().to_string(), setup.path("out"));
    let ended = backtest(
        &setup,
        &["--input", &input, "--output", &output.display().to_string()],
    );
    assert_eq!(ended.code(), 1);
    assert!(
        ended
            .log
            .contains("no row with a time and a number in `bad.csv` and 1 more\nhint: rows are"),
        "{}",
        ended.log
    );
    assert_eq!(rows(&output.join("good.csv")).len(), 288);
    assert_eq!(
        rows(&output.join("bad.csv")),
        [("yesterday".to_owned(), "x".to_owned(), 0.0, false)]
    );
    assert_eq!(rows(&output.join("none.csv")), []);
}

#[test]
fn a_full_disk_is_said_and_leaves_no_half_file() {
    let setup = Setup::new();
    put(&setup.path("in/m.csv"), &file(&points(60, 1)));
    let (input, output) = (setup.path("in").display().to_string(), setup.path("out"));
    let setup = setup.after("ulimit -f 64");
    let ended = backtest(
        &setup,
        &["--input", &input, "--output", &output.display().to_string()],
    );
    assert_eq!(ended.code(), 1, "{}", ended.log);
    let line = ended.line("error: cannot write `");
    assert!(line.contains("File too large"), "{line}");
    assert_eq!(std::fs::read_dir(&output).unwrap().count(), 0);
}
