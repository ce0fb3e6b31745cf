use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};

use rusqlite::Connection;

use super::*;

fn kind_of(error: &HistoryError) -> &'static str {
    match error {
        HistoryError::Missing { .. } => "missing",
        HistoryError::Broken { .. } => "broken",
        HistoryError::Foreign { .. } => "foreign",
        HistoryError::Version { .. } => "version",
        HistoryError::Denied { .. } => "denied",
        HistoryError::Disk { .. } => "disk",
        HistoryError::InUse { .. } => "in use",
        HistoryError::Other { .. } => "other",
    }
}

fn one_incident() -> HistoryBatch {
    HistoryBatch {
        incidents: vec![incident(1, "a", Phase::Open)],
        ..HistoryBatch::new(AT)
    }
}

#[test]
fn all_its_files_are_for_their_owner_only() {
    let place = Place::new();
    let mut history = place.open();
    history.commit(&one_incident()).unwrap();
    let names = [
        "history.sqlite",
        "history.sqlite-shm",
        "history.sqlite-wal",
        "history.sqlite.lock",
    ];
    assert_eq!(place.files(), names);
    for name in names {
        let mode = fs::metadata(place.folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn each_commit_is_forced_to_the_disk_and_readers_do_not_hold_it_up() {
    let place = Place::new();
    drop(place.open());
    let history = place.open();
    let pragma = |name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        history.rows(&sql, [], |row| row.get(0)).unwrap().remove(0)
    };
    // 2 is FULL, see the head of the module.
    assert_eq!(
        (pragma("synchronous"), pragma("journal_mode")),
        ("2".to_owned(), "wal".to_owned())
    );
}

#[test]
fn there_is_one_writer_and_any_number_of_readers() {
    let place = Place::new();
    let mut history = place.open();
    let error = History::open(&place.path()).unwrap_err();
    assert_eq!(kind_of(&error), "in use");
    assert!(error.is_retryable() && !error.is_of_disk() && error.hint().is_some());
    assert_eq!(
        kind_of(&History::open_or_anew(&place.path(), AT).unwrap_err()),
        "in use"
    );
    let readers = [
        HistoryReader::open(&place.path()).unwrap(),
        HistoryReader::open(&place.path()).unwrap(),
    ];
    history.commit(&one_incident()).unwrap();
    for reader in &readers {
        assert_eq!(ids(&reader.load(AT).unwrap().incidents), [1]);
    }
    assert!(
        readers[0]
            .connection
            .execute("DELETE FROM incidents", [])
            .is_err()
    );
    drop(history);
    assert_eq!(ids(&place.open().load(AT).unwrap().incidents), [1]);
}

#[test]
fn what_is_no_database_is_kept_and_a_new_one_begun() {
    let place = Place::new();
    let text = "a shopping list. ".repeat(500);
    for aside in [
        "history.sqlite.broken-20261121T134200Z",
        "history.sqlite.broken-20261121T134200Z-2",
    ] {
        fs::write(place.path(), &text).unwrap();
        let error = History::open(&place.path()).unwrap_err();
        assert_eq!(kind_of(&error), "broken");
        assert!(error.is_broken() && error.to_string().contains("history.sqlite"));
        let mut opened = History::open_or_anew(&place.path(), AT).unwrap();
        let (path, error) = opened.aside.unwrap();
        assert_eq!(path, place.folder.path().join(aside));
        assert_eq!(kind_of(&error), "broken");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
        opened.history.commit(&one_incident()).unwrap();
    }
    assert!(History::open_or_anew(&place.path(), AT).unwrap().aside.is_none());
    assert_eq!(ids(&place.open().load(AT).unwrap().incidents), [1]);
}

#[test]
fn a_damaged_page_is_found_at_the_start_and_the_log_is_kept_with_the_file() {
    let place = Place::new();
    let mut history = place.open();
    let batch = HistoryBatch {
        incidents: (1..300).map(|id| incident(id, "a", Phase::Open)).collect(),
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    history
        .connection
        .pragma_query_value(None, "wal_checkpoint", |_| Ok(()))
        .unwrap();
    history.commit(&one_incident()).unwrap();
    // A reader keeps the log from being folded in.
    let reader = HistoryReader::open(&place.path()).unwrap();
    reader.load(AT).unwrap();
    drop(history);
    drop(reader);
    let log = fs::read(place.folder.path().join("history.sqlite-wal")).unwrap();
    assert!(!log.is_empty());
    let file = fs::OpenOptions::new().write(true).open(place.path()).unwrap();
    let size = file.metadata().unwrap().len();
    file.write_all_at(&[0xa5; 20_000], size / 2).unwrap();
    let damaged = fs::read(place.path()).unwrap();

    let error = HistoryReader::open(&place.path())
        .and_then(|reader| reader.load(AT))
        .unwrap_err();
    assert_eq!(kind_of(&error), "broken");
    let opened = History::open_or_anew(&place.path(), AT).unwrap();
    let (aside, _) = opened.aside.unwrap();
    assert!(fs::read(&aside).unwrap() == damaged, "the file is as it was");
    let mut kept = aside.into_os_string();
    kept.push("-wal");
    assert!(fs::read(kept).unwrap() == log, "and so is its log");
    assert_eq!(
        opened.history.load(AT).unwrap(),
        Saved {
            next_incident: 1,
            next_silence: 1,
            ..Saved::default()
        }
    );
}

#[test]
fn a_sound_file_that_is_not_ours_to_write_is_left_alone() {
    let place = Place::new();
    place
        .open()
        .reader
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let before = fs::read(place.path()).unwrap();
    for error in [
        History::open(&place.path()).unwrap_err(),
        History::open_or_anew(&place.path(), AT).unwrap_err(),
        HistoryReader::open(&place.path()).unwrap_err(),
    ] {
        assert_eq!(kind_of(&error), "version");
        assert!(error.hint().unwrap().starts_with("a newer Skywatch"));
    }
    assert_eq!(fs::read(place.path()).unwrap(), before);

    let other = Place::new();
    Connection::open(other.path())
        .unwrap()
        .execute("CREATE TABLE recipes (name)", [])
        .unwrap();
    let before = fs::read(other.path()).unwrap();
    assert_eq!(
        kind_of(&History::open_or_anew(&other.path(), AT).unwrap_err()),
        "foreign"
    );
    assert_eq!(
        kind_of(&HistoryReader::open(&other.path()).unwrap_err()),
        "foreign"
    );
    assert_eq!(fs::read(other.path()).unwrap(), before);
}

#[test]
fn a_file_not_yet_begun_is_begun_by_the_writer_only() {
    let place = Place::new();
    assert_eq!(
        kind_of(&HistoryReader::open(&place.path()).unwrap_err()),
        "missing"
    );
    assert!(place.files().is_empty());
    fs::write(place.path(), "").unwrap();
    assert_eq!(
        kind_of(&HistoryReader::open(&place.path()).unwrap_err()),
        "missing",
        "between its making and its first commit nothing is in it"
    );
    drop(place.open());
    assert!(HistoryReader::open(&place.path()).is_ok());
    let nowhere = place.folder.path().join("nowhere/history.sqlite");
    assert_eq!(kind_of(&History::open(&nowhere).unwrap_err()), "missing");
    assert_eq!(kind_of(&History::open(place.folder.path()).unwrap_err()), "other");
}

#[test]
fn what_the_system_says_is_sorted_by_what_to_do() {
    for (kind, expected) in [
        (io::ErrorKind::PermissionDenied, "denied"),
        (io::ErrorKind::StorageFull, "disk"),
        (io::ErrorKind::QuotaExceeded, "disk"),
        (io::ErrorKind::FileTooLarge, "disk"),
        (io::ErrorKind::ReadOnlyFilesystem, "disk"),
        (io::ErrorKind::NotFound, "missing"),
        (io::ErrorKind::Interrupted, "other"),
    ] {
        let error = HistoryError::of_system(Path::new("h"), &kind.into());
        assert_eq!(kind_of(&error), expected, "{kind}");
        assert_eq!(error.is_of_disk(), expected == "disk");
    }
}

#[test]
fn a_child_that_is_being_started_does_not_hold_the_lock() {
    let place = Place::new();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let opened: Vec<_> = (0..100).map(|_| History::open(&place.path()).map(drop)).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(
            opened.iter().all(Result::is_ok),
            "{:?}",
            opened.iter().find(|opened| opened.is_err())
        );
    });
}

#[test]
fn an_older_file_gets_ends_and_severities() {
    let place = Place::new();
    let batch = HistoryBatch {
        incidents: vec![
            incident(1, "back", Phase::Resolved),
            incident(2, "deleted", Phase::Gone),
            incident(3, "lasts", Phase::Open),
        ],
        cooldowns: vec![Cooldown {
            receiver: "ops".into(),
            subject: Subject::Metric("lasts".into()),
            told: Some((AT, Severity::Critical)),
        }],
        ..HistoryBatch::new(AT)
    };
    place.open().commit(&batch).unwrap();
    // As the version before wrote it.
    Connection::open(place.path())
        .unwrap()
        .execute_batch(
            "UPDATE incidents SET body = json_remove(body, '$.ending', '$.expected', '$.value', '$.accepted', '$.begun');
             ALTER TABLE cooldowns DROP COLUMN severity;
             DROP TABLE causes;
             PRAGMA user_version = 1;",
        )
        .unwrap();
    let saved = place.open().load(AT).unwrap();
    assert_eq!(saved.unreadable, 0);
    let ends: Vec<Option<Phase>> = saved
        .incidents
        .iter()
        .map(|incident| incident.ending.as_ref().map(|ending| ending.outcome))
        .collect();
    assert_eq!(ends, [Some(Phase::Resolved), Some(Phase::Gone), None]);
    // What is not known counts as the least, so that anything worse is told.
    assert_eq!(saved.cooldowns[0].told, Some((AT, Severity::Info)));
}

#[test]
fn numbers_given_apart_do_not_move_those_in_turn() {
    let place = Place::new();
    let apart = skywatch_alerters::state::APART + 7;
    let batch = HistoryBatch {
        incidents: vec![incident(5, "a", Phase::Open), incident(apart, "b", Phase::Open)],
        ..HistoryBatch::new(AT)
    };
    place.open().commit(&batch).unwrap();
    assert_eq!(place.open().load(AT).unwrap().next_incident, 6);
}

#[test]
fn evidence_of_an_older_file_becomes_a_list() {
    let place = Place::new();
    let told = posting("n.1", "ops", &[1]);
    let wanted = incident(1, "lasts", Phase::Open);
    let batch = HistoryBatch {
        incidents: vec![wanted.clone()],
        notices: vec![told.clone()],
        ..HistoryBatch::new(AT)
    };
    place.open().commit(&batch).unwrap();
    // As the version before wrote it.
    Connection::open(place.path())
        .unwrap()
        .execute_batch(
            "UPDATE incidents SET body = json_set(json_remove(body, '$.anomaly.severity'),
                '$.anomaly.votes', body -> '$.anomaly.evidence[0].votes',
                '$.anomaly.evidence', json_remove(body -> '$.anomaly.evidence[1]', '$.kind'));
             UPDATE notices SET body = json_set(json_remove(body, '$.content.items[0].anomaly.severity'),
                '$.content.items[0].anomaly.votes', body -> '$.content.items[0].anomaly.evidence[0].votes',
                '$.content.items[0].anomaly.evidence',
                    json_remove(body -> '$.content.items[0].anomaly.evidence[1]', '$.kind'));
             DROP TABLE causes;
             PRAGMA user_version = 2;",
        )
        .unwrap();
    let mut history = place.open();
    let saved = history.load(AT).unwrap();
    assert_eq!((saved.unreadable, &saved.incidents[0]), (0, &wanted));
    let waiting = history.waiting("ops", 10, AT).unwrap();
    assert_eq!(waiting[0].notice, told.notice);
}
