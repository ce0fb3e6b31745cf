use std::time::Duration;

use super::super::entity_event::EntityEvent;
use super::super::outgoing::OutgoingEvent;
use super::super::publisher::EventWriter;
use super::super::testing::{self, event};
use super::{EventOutbox, OutboxOptions};

fn options() -> OutboxOptions {
    testing::options(Duration::from_secs(600))
}

fn add(outbox: &mut EventOutbox, events: &[EntityEvent]) {
    let events: Vec<OutgoingEvent> = events.iter().cloned().map(Into::into).collect();
    outbox.add(&events, &options(), 0, 1_000.0).expect("room");
}

fn ids(outbox: &EventOutbox, sink: &str) -> Vec<String> {
    let waiting = outbox.waiting(sink, 100, 1 << 20).expect("readable");
    waiting.into_iter().map(|message| message.event_id).collect()
}

fn figure(outbox: &EventOutbox, name: &str) -> u64 {
    let figures = outbox.figures(1_000.0).expect("readable");
    figures
        .iter()
        .find(|(known, _)| known == name)
        .map_or(0, |(_, value)| *value)
}

#[test]
fn a_repeat_is_one_after_a_restart_too_and_not_for_ever() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = EventOutbox::open(folder.path()).expect("a new one");
    add(
        &mut outbox,
        &[event(0.0, "a"), event(60.0, "a"), event(60.0, "b")],
    );
    drop(outbox);
    let mut outbox = EventOutbox::open(folder.path()).expect("that one");
    let normal = |at: f64, metric: &str| {
        let mut event = event(at, "a");
        event.is_anomaly = false;
        event.key.metric = metric.to_owned();
        event
    };
    add(
        &mut outbox,
        &[
            event(599.0, "a"),
            normal(540.0, "rtt"),
            event(600.0, "a"),
            // The metric of a normal one means nothing, and it is said again after half the time.
            normal(839.0, "tps"),
            normal(840.0, "tps"),
            event(1_100.0, "a"),
        ],
    );
    assert_eq!(
        ids(&outbox, "k"),
        [
            "0_a_sli",
            "60000_b_sli",
            "540000_a_sli",
            "600000_a_sli",
            "840000_a_sli"
        ]
    );
    assert_eq!(figure(&outbox, "published"), 5);
    assert_eq!(figure(&outbox, "repeats"), 4);
}

#[test]
fn a_message_waits_for_the_slowest_sink() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = EventOutbox::open(folder.path()).expect("a new one");
    // Published before anybody has said who wants it.
    add(&mut outbox, &[event(0.0, "a"), event(0.0, "b"), event(0.0, "c")]);
    outbox.set_sinks(&["fast", "slow"]).expect("room");
    let all = outbox.waiting("fast", 100, 1 << 20).expect("readable");
    outbox.sent("fast", all[2].id, &[("sent", 3)]).expect("room");
    outbox.sent("slow", all[0].id, &[("sent", 1)]).expect("room");
    assert!(ids(&outbox, "fast").is_empty());
    assert_eq!(ids(&outbox, "slow"), ["0_b_sli", "0_c_sli"]);
    assert_eq!(figure(&outbox, "sink.slow.waiting"), 2);
    assert_eq!(figure(&outbox, "sink.fast.sent"), 3);
    // Few at a time, but always one.
    assert_eq!(outbox.waiting("slow", 100, 1).expect("readable").len(), 1);
    outbox.set_sinks(&["fast"]).expect("room");
    outbox.sent("fast", all[2].id, &[]).expect("room");
    let left: i64 = outbox
        .connection
        .query_row("SELECT count(*) FROM message", [], |row| row.get(0))
        .expect("readable");
    assert_eq!(left, 0);
    // A number never comes again, though the table is empty.
    add(&mut outbox, &[event(0.0, "d")]);
    let next = outbox.waiting("fast", 1, 1).expect("readable");
    assert!(next[0].id > all[2].id);
    assert_ne!(next[0].message_id, all[2].message_id);
}

#[test]
fn the_oldest_go_when_there_are_too_many_and_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut outbox = EventOutbox::open(folder.path()).expect("a new one");
    outbox.set_sinks(&["k"]).expect("room");
    let events: Vec<_> = (0..10).map(|number| event(0.0, &format!("m{number}"))).collect();
    add(&mut outbox, &events);
    let length = outbox.waiting("k", 1, 1).expect("readable")[0].body.len();
    let mut small = options();
    small.limits.bytes = 4 * length;
    assert_eq!(outbox.prune(&small, 1_000.0).expect("room"), 6);
    assert_eq!(
        ids(&outbox, "k"),
        ["0_m6_sli", "0_m7_sli", "0_m8_sli", "0_m9_sli"]
    );
    assert_eq!(figure(&outbox, "dropped.size"), 6);
    assert_eq!(outbox.prune(&small, 4_601.0).expect("room"), 4);
    assert_eq!(figure(&outbox, "dropped.age"), 4);
}

#[test]
fn two_processes_publish_and_nothing_is_lost_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let writers = ["a", "b"].map(|name| {
        let writer = EventWriter::start(folder.path(), options()).expect("an outbox");
        (name, writer)
    });
    for number in 0..500 {
        for (name, writer) in &writers {
            writer.publisher().publish(event(f64::from(number) * 600.0, name));
        }
    }
    drop(writers);
    let outbox = EventOutbox::open(folder.path()).expect("that one");
    assert_eq!(figure(&outbox, "published"), 1_000);
    let all = outbox.waiting("k", 2_000, 1 << 30).expect("readable");
    let of_a: Vec<_> = all
        .iter()
        .filter(|message| message.key == "a_sli")
        .map(|message| message.event_at)
        .collect();
    assert_eq!(of_a.len(), 500);
    assert!(of_a.is_sorted(), "in order");
}

#[test]
fn a_broken_file_is_put_aside_and_a_foreign_one_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.sqlite");
    std::fs::write(
        &path,
        "no database at all, but long enough to be taken for the head of one".repeat(20),
    )
    .expect("room");
    let outbox = EventOutbox::open(folder.path()).expect("a new one");
    assert_eq!(figure(&outbox, "published"), 0);
    let kept = std::fs::read_dir(folder.path()).expect("a folder").flatten();
    let kept = kept.filter(|entry| entry.file_name().to_string_lossy().contains(".broken-"));
    assert_eq!(kept.count(), 1);
    drop(outbox);
    std::fs::remove_file(&path).expect("it is there");
    let foreign = rusqlite::Connection::open(&path).expect("a database");
    foreign.execute_batch("CREATE TABLE theirs (x)").expect("room");
    drop(foreign);
    let error = EventOutbox::open(folder.path())
        .expect_err("not ours")
        .to_string();
    assert!(error.contains("another program's"), "{error}");
}
