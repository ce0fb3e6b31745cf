//! What the history costs: a wave of incidents at once, a usual pass, a start.
//!
//! `cargo bench --bench history`, or `scripts/bench history`. Sized by environment variables: `INCIDENTS` (20,000) and
//! `FOLDER`, the disk to measure. Beside each figure that waits for the disk stands what the disk itself takes.

#![expect(
    clippy::print_stdout,
    reason = "figures on standard output are what it is for"
)]

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use skywatch::history::{Filter, History, HistoryBatch, PassRecord, Posting};
use skywatch_alerters::incident::{Incident, IncidentTransition, Phase};
use skywatch_alerters::notice::NewsKind;
use skywatch_alerters::sample::{self, AT};
use skywatch_alerters::{DetectorVote, Severity, Subject, Votes};

fn main() {
    let incidents = std::env::var("INCIDENTS").ok().and_then(|text| text.parse().ok());
    let incidents: u64 = incidents.unwrap_or(20_000);
    let folder = match std::env::var_os("FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder");
    let path = folder.path().join("history.sqlite");
    let mut history = History::open(&path).expect("a history");

    for (what, phase, from) in [
        ("opened", Phase::Open, None),
        ("acknowledged", Phase::Acknowledged, Some(Phase::Open)),
        ("resolved", Phase::Resolved, Some(Phase::Acknowledged)),
    ] {
        let wave = wave(incidents, phase, from);
        timed(&format!("{incidents} incidents and transitions, {what}"), || {
            history.commit(&wave).expect("a commit");
        });
    }
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    let log = std::fs::metadata(folder.path().join("history.sqlite-wal")).map_or(0, |file| file.len());
    println!(
        "{:>10.1} MB  the file, and {:.1} MB its log",
        bytes as f64 / 1e6,
        log as f64 / 1e6
    );

    let mut each = Vec::new();
    for id in incidents + 1..incidents + 201 {
        let usual = usual(id);
        let begun = Instant::now();
        history.commit(&usual).expect("a commit");
        each.push(begun.elapsed().as_secs_f64());
    }
    median("a pass with one incident and its notice", &mut each);
    let mut each = Vec::new();
    for id in incidents + 1..incidents + 201 {
        let begun = Instant::now();
        assert!(history.sent(&format!("n.{id}"), AT, None).expect("a mark"));
        each.push(begun.elapsed().as_secs_f64());
    }
    median("a notice marked as sent", &mut each);
    median(
        "the disk itself: 4 kB appended and forced",
        &mut bare_disk(folder.path()),
    );

    let subject = Subject::Metric(name(7));
    let asked = vec![(&subject, incidents + 1); 25];
    timed("how often before, for 25 subjects", || {
        assert_eq!(history.before(&asked, 0.0).expect("an answer")[0].count, 1);
    });
    timed("the newest 100 incidents", || {
        assert_eq!(
            history.incidents(&Filter::default(), 100).expect("a list").len(),
            100
        );
    });
    timed("figures of a day", || {
        assert!(history.day(AT, AT + 86_400.0).expect("figures").opened > 0);
    });
    drop(history);
    let mut history = None;
    timed("opened again, with the whole file checked", || {
        history = History::open(&path).ok();
    });
    let mut history = history.expect("a history");
    timed("loaded, with all that ended lately", || {
        let saved = history.load(0.0).expect("a state");
        assert_eq!(saved.incidents.len() as u64, incidents + 200);
    });
    let mut slices = Vec::new();
    loop {
        let begun = Instant::now();
        let more = history.prune(f64::MAX, 500).expect("a slice").more;
        slices.push(begun.elapsed().as_secs_f64());
        if !more {
            break;
        }
    }
    median("500 incidents let go of", &mut slices);
}

fn timed(what: &str, work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    println!("{:>10.1} ms  {what}", begun.elapsed().as_secs_f64() * 1e3);
}

fn median(what: &str, seconds: &mut [f64]) {
    seconds.sort_by(f64::total_cmp);
    println!(
        "{:>10.2} ms  {what} (median; longest {:.2})",
        seconds[seconds.len() / 2] * 1e3,
        seconds[seconds.len() - 1] * 1e3
    );
}

/// What no database can be faster than.
fn bare_disk(folder: &Path) -> Vec<f64> {
    let open =
        |path: &Path| -> std::io::Result<File> { OpenOptions::new().create(true).append(true).open(path) };
    let mut file = open(&folder.join("bare")).expect("a file");
    (0..200)
        .map(|_| {
            let begun = Instant::now();
            file.write_all(&[7; 4_096]).expect("a write");
            file.sync_data().expect("a disk");
            begun.elapsed().as_secs_f64()
        })
        .collect()
}

fn name(id: u64) -> String {
    format!("servers.rack{}.host{}.cpu.user", id % 40, id)
}

/// As the ensemble finds it: nine detectors, all with both sides of their comparison.
fn incident(id: u64, phase: Phase) -> Incident {
    let name = name(id);
    let mut anomaly = sample::anomaly(&name).without_window();
    let votes = (0..9).map(|detector| DetectorVote {
        detector: format!("stddev_from_average_{detector}"),
        answer: Some(detector % 3 > 0),
        measured: 8.123_456 + id as f64,
        limit: 3.0,
    });
    anomaly = anomaly.with_votes(votes.collect::<Votes>());
    Incident {
        id,
        subject: Subject::Metric(name),
        phase,
        since: AT,
        opened_at: Some(AT),
        closed_at: (phase == Phase::Resolved).then_some(AT + 600.0),
        ending: None,
        expected: anomaly.expected,
        value: Some(anomaly.observed),
        accepted: false,
        level_before: None,
        begun: vec![AT],
        looks: 0b111,
        last_at: AT,
        last_anomalous: AT,
        quiet: 0.0,
        unknown_since: None,
        anomaly,
        severity: Severity::Warning,
        ack: None,
        returns: 0,
        told: Default::default(),
        waiting: Default::default(),
        silenced_by: None,
        silence_ended_at: None,
        silence_ended_by: None,
        inhibited_by: None,
    }
}

fn step(incident: u64, from: Option<Phase>, to: Phase) -> IncidentTransition {
    IncidentTransition {
        incident,
        at: AT,
        from,
        to,
        why: "seen 3 of the last 5 times".into(),
    }
}

fn wave(incidents: u64, phase: Phase, from: Option<Phase>) -> HistoryBatch {
    HistoryBatch {
        incidents: (1..=incidents).map(|id| incident(id, phase)).collect(),
        transitions: (1..=incidents).map(|id| step(id, from, phase)).collect(),
        ..HistoryBatch::new(AT)
    }
}

fn usual(id: u64) -> HistoryBatch {
    let mut notice = sample::notice(vec![sample::item(&name(id), NewsKind::Opened)]);
    notice.id = format!("n.{id}");
    notice.thread = notice.id.clone();
    HistoryBatch {
        incidents: vec![incident(id, Phase::Resolved)],
        transitions: vec![step(id, None, Phase::Open)],
        notices: vec![Posting {
            notice,
            incidents: vec![id],
            settled: None,
        }],
        passes: vec![PassRecord::one(AT + id as f64, 100_000, 99_000, 1, 2.0)],
        ..HistoryBatch::new(AT)
    }
}
