use rusqlite::Connection;
use skywatch_algorithms::random::Random;
use skywatch_algorithms::verdicts::{HealthState, SECOND, Status};

use super::*;
use crate::health::plane::Incoming;

fn open(path: &Path, now: i64) -> (Journal, Plane) {
    Journal::open(path, Options::default(), Retention::default(), now).expect("a file")
}

/// All that can be asked, as lines.
fn everything(plane: &Plane, now: i64) -> Vec<String> {
    let mut subjects = plane.all_views();
    subjects.sort_by(|a, b| a.0.cmp(&b.0));
    let mut watched = plane.watched();
    watched.sort();
    let inferred = subjects
        .iter()
        .map(|(subject, _)| format!("{:?}", plane.inference(subject)));
    let verdicts = plane.verdicts(HealthState::Healthy, now);
    let states = verdicts
        .iter()
        .map(|(subject, verdict)| format!("{subject} {:?}", verdict.state));
    let own = subjects
        .iter()
        .flat_map(|(subject, _)| plane.own_observations(subject));
    let changes = plane.transitions(None).map(|change| format!("{change:?}"));
    let lines = subjects
        .iter()
        .map(|(subject, views)| format!("{subject} {views:?}"));
    let lines = lines.chain(inferred).chain(states).chain(changes);
    let lines = lines.chain(own.map(|own| format!("{own:?}")));
    lines
        .chain([format!("{watched:?}"), format!("{:?}", plane.counts())])
        .collect()
}

#[test]
fn a_plane_of_random_steps_is_the_same_after_a_restart() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("health.sqlite");
    let mut random = Random::new(3);
    let start = 1_700_000_000 * SECOND;
    let mut now = start;
    for _ in 0..5 {
        let (journal, mut plane) = open(&path, now);
        let handles: Vec<_> = ["a", "b"]
            .map(|observer| plane.register("m", observer, now).expect("room"))
            .to_vec();
        assert_eq!(handles, [10_000, 10_001]);
        for step in 0..400 {
            now += random.below(3) as i64 * SECOND;
            let subject = ["s", "t", "näme \"quoted\": ; 'x'"][random.below(3)];
            let observer = random.below(2);
            let report = Incoming {
                observer: ["a", "b"][observer],
                subject,
                at: now - random.below(5) as i64,
                metrics: [("cpu", 0.1), ("m\"e,m", 1e-30)][..random.below(3)]
                    .iter()
                    .map(|(name, score)| (*name, Status::ALL[1 + random.below(7)], *score))
                    .collect(),
            };
            match random.below(40) {
                0 => drop(plane.stop_observing(subject)),
                1 => plane.ignore("peer", subject).expect("room"),
                2 => plane.attend("peer", subject),
                3 => drop(plane.expire(crate::health::Expiry::MadeBefore(now - 60 * SECOND), now)),
                4..20 => drop(plane.learn("peer", step, &report, now).expect("room")),
                _ => drop(plane.submit(handles[observer], &report, now).expect("room")),
            }
            plane.tick(now);
            journal.write(plane.take_rows());
        }
        let before = everything(&plane, now);
        drop(journal);
        let (journal, mut again) = open(&path, now);
        for (now, before) in everything(&again, now).iter().zip(&before) {
            assert_eq!(now, before);
        }
        assert_eq!(everything(&again, now).len(), before.len());
        assert_eq!(again.take_rows(), []);
        assert_eq!(again.register("m", "c", now), Ok(10_002));
        drop(again);
        drop(journal);
    }
}

#[test]
fn the_originals_tables_can_be_read() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("health.sqlite");
    let (journal, mut plane) = open(&path, 0);
    let handle = plane.register("default", "peer@2", 0).expect("room");
    let report = Incoming {
        observer: "peer@2",
        subject: "peer@1",
        at: 1_495_181_595_385_767_000,
        metrics: vec![
            ("snapshot", Status::Unhealthy, 30.0),
            ("RecvWorker", Status::Na, 7.5),
        ],
    };
    plane.submit(handle, &report, 0).expect("room");
    journal.write(plane.take_rows());
    drop(journal);
    let connection = Connection::open(&path).expect("a file");
    let row = |sql: &str| {
        connection.query_row(sql, [], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })
    };
    let expected = (
        "peer@1 peer@2",
        "2017-05-19 08:13:15.385767+00:00",
        "RecvWorker: NA, 7.5; snapshot: UNHEALTHY, 30.0; ",
    );
    assert_eq!(
        row("SELECT subject || ' ' || observer, time, metrics FROM panorama"),
        Ok((
            expected.0.to_owned(),
            expected.1.to_owned(),
            expected.2.to_owned()
        ))
    );
    assert_eq!(
        row("SELECT handle || '', module, observer FROM registration"),
        Ok(("10000".to_owned(), "default".to_owned(), "peer@2".to_owned()))
    );
}

#[test]
fn one_process_writes_and_foreign_files_stay_as_they_are() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("health.sqlite");
    let (journal, _) = open(&path, 0);
    let again = Journal::open(&path, Options::default(), Retention::default(), 0);
    assert!(matches!(again, Err(JournalError::InUse { .. })), "{again:?}");
    drop(journal);
    let foreign = place.path().join("foreign.sqlite");
    Connection::open(&foreign)
        .and_then(|file| file.execute_batch("CREATE TABLE t (x)"))
        .expect("a file");
    let refused = Journal::open(&foreign, Options::default(), Retention::default(), 0);
    assert!(
        matches!(refused, Err(JournalError::Foreign { .. })),
        "{refused:?}"
    );
    std::fs::write(&path, "this is no database at all, but a text of some length").expect("room");
    let refused = Journal::open(&path, Options::default(), Retention::default(), 0);
    assert!(
        matches!(refused, Err(JournalError::Unusable { .. })),
        "{refused:?}"
    );
}

#[test]
fn what_is_superseded_goes_by_age_and_number() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("health.sqlite");
    let connection = schema::open(&path).expect("a file");
    let retention = Retention {
        age: Duration::from_secs(100),
        rows: 30,
    };
    let mut writer = JournalWriter::new(schema::open(&path).expect("a file"), retention).expect("a file");
    let mut plane = Plane::new(Options::default());
    let handle = plane.register("m", "o", 0).expect("room");
    for second in 1..=100 {
        let report = Incoming {
            observer: "o",
            subject: "s",
            at: second,
            metrics: vec![("cpu", Status::Healthy, 1.0)],
        };
        plane.submit(handle, &report, second * SECOND).expect("room");
        writer.write(&plane.take_rows()).expect("room");
    }
    let oldest = || {
        let sql = "SELECT count(*), min(sequence) / 1000000 FROM observation";
        connection
            .query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .expect("rows")
    };
    let at = |second| std::time::UNIX_EPOCH + Duration::from_secs(second);
    assert_eq!(oldest(), (100, 1));
    writer.prune(at(100)).expect("room");
    assert_eq!(oldest(), (40, 61));
    writer.prune(at(180)).expect("room");
    assert_eq!(oldest(), (21, 80));
    // What is in a view stays.
    writer.prune(at(10_000)).expect("room");
    assert_eq!(oldest(), (10, 91));
}
