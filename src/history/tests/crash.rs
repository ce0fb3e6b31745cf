//! A process that is killed while it writes, and one that reads while another writes.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

const PATH: &str = "HISTORY_TEST_WRITER";

/// Commits one incident with its notice after the other for ever, and says each number once it is committed.
fn write_for_ever(path: &Path) -> ! {
    let mut history = History::open(path).unwrap();
    let first = history.load(AT).unwrap().next_incident;
    for id in first.. {
        let batch = HistoryBatch {
            incidents: vec![incident(id, &format!("web{id}.cpu"), Phase::Open)],
            transitions: vec![transition(id, None, Phase::Open)],
            notices: vec![posting(&format!("n.{id}"), "ops", &[id])],
            ..HistoryBatch::new(AT)
        };
        history.commit(&batch).unwrap();
        println!("committed {id}");
        if id % 4 == 0 {
            assert!(history.sent(&format!("n.{id}"), AT, None).unwrap());
            println!("sent {id}");
        }
        if id % 100 == 0 {
            // So that some die while the log is folded in.
            history
                .connection
                .pragma_query_value(None, "wal_checkpoint", |_| Ok(()))
                .unwrap();
        }
    }
    unreachable!("there is always a next number");
}

fn writer(test: &str, path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            &format!("history::tests::crash::{test}"),
        ])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// Counts of incidents, notices, steps and of incidents whose notice is there.
fn counts(reader: &HistoryReader) -> [u64; 4] {
    let sql = "SELECT (SELECT count(*) FROM incidents), (SELECT count(*) FROM notices),
                      (SELECT count(*) FROM transitions),
                      (SELECT count(*) FROM incidents i JOIN incident_notices t ON t.incident = i.id
                           JOIN notices n ON n.seq = t.notice AND n.id = 'n.' || i.id)";
    let row =
        |row: &rusqlite::Row<'_>| Ok([0, 1, 2, 3].map(|column| columns::number(row.get(column).unwrap())));
    reader.rows(sql, [], row).unwrap().remove(0)
}

#[test]
fn a_killed_writer_loses_nothing_it_committed() {
    if let Ok(path) = std::env::var(PATH) {
        write_for_ever(Path::new(&path));
    }
    let place = Place::new();
    let mut last = 0;
    let mut sent = Vec::new();
    for round in 0..8_u64 {
        let (mut child, mut output) = writer("a_killed_writer_loses_nothing_it_committed", &place.path());
        let mut lines = Vec::new();
        let mut line = String::new();
        while !line.starts_with("committed") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the writer writes");
        }
        lines.push(line);
        // Any moment will do; no two rounds have the same.
        std::thread::sleep(Duration::from_micros(1_000 + 37_123 * (round * 5 % 8)));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.extend(output.lines().map(Result::unwrap));
        for line in &lines {
            // The last line may be cut.
            if let Some(id) = line
                .trim()
                .strip_prefix("committed ")
                .and_then(|id| id.parse().ok())
            {
                last = u64::max(last, id);
            }
            if let Some(id) = line.trim().strip_prefix("sent ") {
                sent.push(format!("n.{id}"));
            }
        }

        let history = place.open();
        assert_sound(&history);
        let found = counts(&history);
        assert!(found[0] >= last, "{found:?} of {last}");
        assert!(found.iter().all(|count| *count == found[0]), "{found:?}");
        assert_eq!(history.load(AT).unwrap().next_incident, found[0] + 1);
        let marked: Vec<String> = history
            .rows("SELECT id FROM notices WHERE state = 'sent'", [], |row| {
                row.get(0)
            })
            .unwrap();
        // The very last word may be cut: `sent 12` of `sent 124`.
        for id in &sent[..sent.len().saturating_sub(1)] {
            assert!(marked.contains(id), "{id} was marked as sent");
        }
        sent.pop();
    }
    assert!(last > 20, "{last} commits in all rounds");
}

#[test]
fn another_process_reads_whole_commits_while_one_writes() {
    if let Ok(path) = std::env::var(PATH) {
        write_for_ever(Path::new(&path));
    }
    let place = Place::new();
    drop(place.open());
    let (mut child, mut output) = writer(
        "another_process_reads_whole_commits_while_one_writes",
        &place.path(),
    );
    let reader = HistoryReader::open(&place.path()).unwrap();
    let start = Instant::now();
    let mut seen = vec![0];
    while start.elapsed() < Duration::from_secs(20) && seen.len() < 20 {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let found = counts(&reader);
        assert!(found.iter().all(|count| *count == found[0]), "{found:?}");
        if let Some(id) = line.trim().strip_prefix("committed ") {
            assert!(found[0] >= id.parse().unwrap(), "{found:?}: {line}");
        }
        if found[0] > seen[seen.len() - 1] {
            seen.push(found[0]);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(seen.len(), 20, "the reader saw the writer go on: {seen:?}");
}
