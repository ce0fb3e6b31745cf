//! A disk that takes nothing more, by the limit a process has on the size of its files.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

const PATH: &str = "HISTORY_TEST_FULL";
const END: &str = "HISTORY_TEST_END";

/// Sets how long a file of this very process may become, in bytes.
fn limit(bytes: &str) {
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--fsize={bytes}:")])
        .status();
    assert!(status.expect("prlimit, of util-linux").success());
}

fn batch(id: u64) -> HistoryBatch {
    HistoryBatch {
        incidents: vec![incident(id, "web1.cpu", Phase::Open)],
        transitions: vec![transition(id, None, Phase::Open)],
        notices: vec![posting(&format!("n.{id}"), "ops", &[id])],
        ..HistoryBatch::new(AT)
    }
}

fn full_disk(path: &Path, end: &str) {
    // What the limit does besides refusing: it sends a signal that kills whoever does not catch it.
    let _id =
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false))).unwrap();
    limit("0");
    let error = History::open(path).unwrap_err();
    assert!(error.is_of_disk(), "{error:?}");
    limit("unlimited");
    let mut history = History::open(path).unwrap();

    limit("1000000");
    let mut committed = 0;
    let error = loop {
        match history.commit(&batch(committed + 1)) {
            Ok(()) => committed += 1,
            Err(error) => break error,
        }
    };
    assert!(committed > 2, "{committed}");
    assert!(error.is_of_disk() && error.is_retryable(), "{error:?}");
    assert!(error.hint().unwrap().contains("free space"));
    let mut pending = batch(committed + 1);
    for id in committed + 2..committed + 12 {
        assert!(history.commit(&batch(id)).unwrap_err().is_of_disk());
        pending.absorb(batch(id));
    }
    limit("1000");
    assert!(history.sent("n.1", AT, None).unwrap_err().is_of_disk());
    // What is there can still be read, and nothing else is there.
    assert_eq!(history.load(AT).unwrap().next_incident, committed + 1);
    assert_eq!(history.waiting("ops", 9_999, AT).unwrap().len() as u64, committed);
    assert_sound(&history);
    if end == "die" {
        println!("committed {committed}");
        std::process::exit(0);
    }
    limit("unlimited");
    history.commit(&pending).unwrap();
    assert!(history.sent("n.1", AT, None).unwrap());
    println!("committed {}", committed + 11);
}

#[test]
fn a_full_disk_takes_nothing_back_and_once_there_is_space_all_goes_on() {
    if let Ok(path) = std::env::var(PATH) {
        return full_disk(Path::new(&path), &std::env::var(END).unwrap());
    }
    for end in ["die", "go on"] {
        let place = Place::new();
        let test = "history::tests::disk::a_full_disk_takes_nothing_back_and_once_there_is_space_all_goes_on";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(PATH, place.path())
            .env(END, end)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{end}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("committed "));
        let committed: u64 = line.expect("a count").parse().unwrap();
        let mut history = place.open();
        assert_sound(&history);
        let saved = history.load(AT).unwrap();
        assert_eq!(
            ids(&saved.incidents),
            (1..=committed).collect::<Vec<_>>(),
            "{end}"
        );
        let sent = u64::from(end == "go on");
        assert_eq!(
            history.waiting("ops", 9_999, AT).unwrap().len() as u64,
            committed - sent
        );
        history.commit(&batch(committed + 1)).unwrap();
    }
}
