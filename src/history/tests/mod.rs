mod crash;
mod disk;
mod laws;
mod opening;
mod outbox;
mod past;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use skywatch_alerters::incident::{Ending, Incident, IncidentTransition, Phase};
use skywatch_alerters::notice::NewsKind;
use skywatch_alerters::sample::{self, AT};
use skywatch_alerters::silence::Silence;
use skywatch_alerters::state::Cooldown;
use skywatch_alerters::{Notice, Severity, Subject};
use tempfile::TempDir;

use super::*;

/// A folder of its own, gone at the end.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("history.sqlite")
    }

    fn open(&self) -> History {
        History::open(&self.path()).unwrap()
    }

    fn files(&self) -> Vec<String> {
        files(self.folder.path())
    }
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An incident that opened a minute after [`AT`] for each before it.
fn incident(id: u64, name: &str, phase: Phase) -> Incident {
    let at = AT + 60.0 * id as f64;
    Incident {
        id,
        subject: Subject::Metric(name.into()),
        phase,
        since: at - 30.0,
        opened_at: (phase != Phase::Pending).then_some(at),
        closed_at: phase.is_over().then_some(at + 600.0),
        ending: phase.is_over().then(|| Ending {
            outcome: phase,
            value: Some(60.0),
            before: (phase == Phase::Settled).then_some(10.0),
            by: String::new(),
        }),
        expected: None,
        value: Some(60.0),
        accepted: false,
        level_before: None,
        begun: Vec::new(),
        looks: 0b1011,
        last_at: at,
        last_anomalous: at,
        quiet: 0.0,
        unknown_since: None,
        anomaly: sample::anomaly(name).without_window().with_votes(Vec::new()),
        severity: Severity::Warning,
        ack: None,
        returns: 0,
        told: BTreeMap::new(),
        waiting: BTreeSet::new(),
        silenced_by: None,
        silence_ended_at: None,
        silence_ended_by: None,
        inhibited_by: None,
    }
}

fn transition(incident: u64, from: Option<Phase>, to: Phase) -> IncidentTransition {
    IncidentTransition {
        incident,
        at: AT + 60.0 * incident as f64,
        from,
        to,
        why: "seen 3 of 5".into(),
    }
}

fn notice(id: &str, receiver: &str) -> Notice {
    let mut item = sample::item("web1.cpu", NewsKind::Opened);
    // One has no numbers, and what is no number is never the same as another.
    let votes = item.anomaly.votes().iter().filter(|vote| vote.answer.is_some());
    let votes: skywatch_alerters::Votes = votes.cloned().collect();
    item.anomaly = item.anomaly.with_votes(votes);
    Notice {
        id: id.into(),
        thread: id.into(),
        receiver: receiver.into(),
        ..sample::notice(vec![item])
    }
}

fn posting(id: &str, receiver: &str, incidents: &[u64]) -> Posting {
    Posting {
        notice: notice(id, receiver),
        incidents: incidents.to_vec(),
        settled: None,
    }
}

fn silence(id: u64) -> Silence {
    // By its JSON form, of which the rest is default, so that a new field is no matter here.
    serde_json::from_value(serde_json::json!({
        "id": id, "selection": {"metrics": ["web*"]}, "from": AT, "until": null, "until_resolved": false,
        "hours": null, "author": "ann", "reason": "moving house", "ended_at": null,
    }))
    .unwrap()
}

fn ids(incidents: &[Incident]) -> Vec<u64> {
    incidents.iter().map(|incident| incident.id).collect()
}

fn notice_ids(records: &[NoticeRecord]) -> Vec<&str> {
    records.iter().map(|record| record.notice.id.as_str()).collect()
}

/// Of the whole file, not only of its shape.
fn assert_sound(reader: &HistoryReader) {
    let found: String = reader
        .connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(found, "ok");
}

#[test]
fn everything_of_a_batch_is_there_after_reopening() {
    let place = Place::new();
    let batch = HistoryBatch {
        incidents: vec![
            incident(1, "web1.cpu", Phase::Open),
            incident(2, "a\nb <c>", Phase::Pending),
        ],
        transitions: vec![
            transition(1, None, Phase::Pending),
            transition(1, Some(Phase::Pending), Phase::Open),
        ],
        notices: vec![posting("n.1", "ops", &[1])],
        silences: vec![silence(4)],
        cooldowns: vec![Cooldown {
            receiver: "ops".into(),
            subject: Subject::Entity("host 1".into()),
            told: Some((AT, Severity::Warning)),
        }],
        meta: vec![("groups".into(), Some(serde_json::json!({"a": [1, 2.5]})))],
        passes: vec![PassRecord::one(AT, 10, 9, 1, 0.5)],
        ..HistoryBatch::new(AT)
    };
    place.open().commit(&batch).unwrap();
    let history = place.open();
    let saved = history.load(AT).unwrap();
    assert_eq!(saved.incidents, batch.incidents);
    assert_eq!((saved.next_incident, saved.next_silence), (3, 5));
    assert_eq!(saved.silences, batch.silences);
    assert_eq!(saved.cooldowns, batch.cooldowns);
    assert_eq!(saved.meta["groups"], serde_json::json!({"a": [1, 2.5]}));
    assert_eq!(saved.unreadable, 0);
    assert_eq!(history.passes(AT, AT + 1.0).unwrap(), batch.passes);
    let life = history.incident(1).unwrap().unwrap();
    assert_eq!(life.incident, batch.incidents[0]);
    assert_eq!(life.transitions, batch.transitions);
    assert_eq!(notice_ids(&life.notices), ["n.1"]);
    assert!(history.incident(3).unwrap().is_none());
}

#[test]
fn a_batch_committed_twice_is_committed_once() {
    let place = Place::new();
    let mut history = place.open();
    let batch = HistoryBatch {
        incidents: vec![incident(1, "a", Phase::Open)],
        transitions: vec![
            transition(1, None, Phase::Pending),
            transition(1, Some(Phase::Pending), Phase::Open),
        ],
        notices: vec![posting("n.1", "ops", &[1])],
        passes: vec![PassRecord::one(AT, 10, 9, 1, 0.5)],
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    history.commit(&batch).unwrap();
    let life = history.incident(1).unwrap().unwrap();
    assert_eq!(life.transitions.len(), 2);
    assert_eq!(life.notices.len(), 1);
    assert_eq!(history.waiting("ops", 9, AT).unwrap().len(), 1);
    assert_eq!(history.day(AT, AT + 86_400.0).unwrap().passes, 1);
}

#[test]
fn what_ended_long_ago_is_not_loaded_and_no_number_is_given_twice() {
    let place = Place::new();
    let mut history = place.open();
    let old = incident(1, "old", Phase::Resolved);
    let late = incident(2, "late", Phase::Gone);
    let since = late.closed_at.unwrap();
    let batch = HistoryBatch {
        incidents: vec![
            old,
            late,
            incident(3, "live", Phase::Acknowledged),
            incident(7, "no", Phase::Pending),
        ],
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    let forget = HistoryBatch {
        forgotten: vec![7],
        ..HistoryBatch::new(AT)
    };
    history.commit(&forget).unwrap();
    let saved = history.load(since).unwrap();
    assert_eq!(ids(&saved.incidents), [2, 3]);
    assert_eq!(saved.next_incident, 8);
}

#[test]
fn an_entry_that_cannot_be_read_does_not_hide_the_others() {
    let place = Place::new();
    let mut history = place.open();
    let mut batch = HistoryBatch {
        incidents: vec![incident(1, "a", Phase::Open), incident(2, "b", Phase::Open)],
        ..HistoryBatch::new(AT)
    };
    // JSON has no NaN: it is written as null, and null is no number.
    batch.incidents[0].since = f64::NAN;
    history.commit(&batch).unwrap();
    let saved = history.load(AT).unwrap();
    assert_eq!((ids(&saved.incidents), saved.unreadable), (vec![2], 1));
}

#[test]
fn batches_that_pile_up_are_as_good_as_batches_one_by_one() {
    let first = HistoryBatch {
        incidents: vec![incident(1, "a", Phase::Open), incident(2, "b", Phase::Pending)],
        transitions: vec![
            transition(1, None, Phase::Open),
            transition(2, None, Phase::Pending),
        ],
        notices: vec![posting("n.1", "ops", &[1])],
        meta: vec![("x".into(), Some(1.into())), ("y".into(), Some(1.into()))],
        ..HistoryBatch::new(AT)
    };
    let second = HistoryBatch {
        incidents: vec![incident(1, "a", Phase::Resolved)],
        transitions: vec![transition(1, Some(Phase::Open), Phase::Resolved)],
        forgotten: vec![2],
        notices: vec![Posting {
            settled: Some(Settled::Sent {
                at: AT + 1.0,
                reference: Some("ts.1".into()),
            }),
            ..posting("n.1", "ops", &[1])
        }],
        meta: vec![("x".into(), None)],
        ..HistoryBatch::new(AT + 60.0)
    };
    let seen = |batches: &[HistoryBatch]| {
        let place = Place::new();
        let mut history = place.open();
        for batch in batches {
            history.commit(batch).unwrap();
        }
        let saved = history.load(AT).unwrap();
        let life = history.incident(1).unwrap();
        assert!(history.waiting("ops", 9, AT).unwrap().is_empty());
        assert_eq!(history.reference("ops", "n.1").unwrap().as_deref(), Some("ts.1"));
        (saved.incidents, saved.meta, life)
    };
    let mut both = first.clone();
    both.absorb(second.clone());
    assert_eq!(seen(&[both]), seen(&[first, second]));
    assert!(HistoryBatch::new(AT).is_empty());
}

#[test]
fn the_number_of_an_old_incident_is_not_given_to_another_subject() {
    let place = Place::new();
    let mut history = place.open();
    let old = HistoryBatch {
        incidents: vec![incident(1, "a", Phase::Resolved)],
        ..HistoryBatch::new(AT)
    };
    history.commit(&old).unwrap();
    // As if this process had begun without loading.
    let new = HistoryBatch {
        incidents: vec![incident(2, "c", Phase::Open), incident(1, "b", Phase::Open)],
        ..HistoryBatch::new(AT)
    };
    let error = history.commit(&new).unwrap_err();
    assert!(
        !error.is_of_disk() && error.to_string().contains("`b`"),
        "{error}"
    );
    assert_eq!(history.load(0.0).unwrap().incidents, old.incidents);
}
