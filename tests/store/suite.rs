//! What holds for every store.

use std::collections::BTreeSet;
use std::time::Duration;

use skywatch::store::{Connect, Keys, Names, Points, Sample, Store, Tail};
use skywatch_algorithms::Series;

use super::backends::{Backend, Read, append, fetch, points, tail, whole};

/// A Tuesday noon; far from any change of day.
const NOON: f64 = 1_700_049_600.0;

fn at(minute: u32) -> f64 {
    NOON + 60.0 * f64::from(minute)
}

fn minutes(range: std::ops::Range<u32>) -> Vec<(f64, f64)> {
    range
        .map(|minute| (at(minute), f64::from(minute) * 1.25 - 3.0))
        .collect()
}

fn canonical(mut series: Series) -> Vec<(f64, f64)> {
    series.canonicalise(1e9);
    points(&series)
}

fn names(store: &mut impl Names) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    store
        .list(&mut |name| names.extend([name.to_owned()]))
        .expect("a list");
    names
}

pub(crate) fn points_come_back_as_they_were_stored(backend: &mut impl Backend) {
    let mut store = backend.store();
    store.ping().expect("an answer");
    let mut stored = minutes(0..200);
    stored.extend([
        (at(300) + 0.125, f64::MAX),
        (at(301), f64::MIN_POSITIVE),
        (at(302), -0.5),
    ]);
    append(&mut store, "a.b", &stored);
    assert_eq!(points(&whole(&mut store, "a.b").0), stored);
    assert!(matches!(fetch(&mut store, &["a.c"])[..], [Read::Missing]));
}

pub(crate) fn an_append_says_nothing_about_other_metrics(backend: &mut impl Backend) {
    let mut store = backend.store();
    // Points of several metrics take turns in one batch.
    let of = |metric, minute: u32| Sample {
        metric,
        time: at(minute),
        value: f64::from(minute),
    };
    let batch: Vec<_> = (0..50)
        .flat_map(|minute| ["a", "ab", "a.b", "ä"].map(|name| of(name, minute)))
        .collect();
    store.append(&batch).expect("a write");
    for name in ["a", "ab", "a.b", "ä"] {
        let expected: Vec<_> = (0..50).map(|minute| (at(minute), f64::from(minute))).collect();
        assert_eq!(points(&whole(&mut store, name).0), expected, "{name}");
    }
}

pub(crate) fn duplicates_vanish_in_the_canonical_window(backend: &mut impl Backend) {
    let mut store = backend.store();
    for _ in 0..2 {
        append(&mut store, "twice", &minutes(0..10));
    }
    append(&mut store, "twice", &[(at(3), 100.0), (at(4), -100.0)]);
    let mut expected = minutes(0..10);
    (expected[3].1, expected[4].1) = (100.0, -100.0);
    assert_eq!(canonical(whole(&mut store, "twice").0), expected);
}

/// Whoever reads all finds the point that was stored last behind those of its time that came before it.
pub(crate) fn of_equal_times_the_last_stored_is_read_last(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a.b", &minutes(0..50));
    let time = at(50);
    for value in [7.0, -1.0, 30.0, 4.5] {
        append(&mut store, "a.b", &[(time, value)]);
    }
    // Stored again, it is the last once more.
    append(&mut store, "a.b", &[(time, 7.0)]);
    let corrected = |store: &mut _| canonical(whole(store, "a.b").0).last().copied();
    assert_eq!(corrected(&mut store), Some((time, 7.0)));
    append(&mut store, "a.b", &[(time, -1.0), (at(51), 2.0), (time, 5.0)]);
    let mut expected = minutes(0..50);
    expected.extend([(time, 5.0), (at(51), 2.0)]);
    assert_eq!(canonical(whole(&mut store, "a.b").0), expected);
}

pub(crate) fn names_appear_with_their_first_point(backend: &mut impl Backend) {
    let mut store = backend.store();
    assert_eq!((store.count().expect("a count"), names(&mut store).len()), (0, 0));
    append(&mut store, "a.b", &minutes(0..1));
    append(&mut store, "ä;k=v", &minutes(0..1));
    append(&mut store, "a.b", &minutes(1..2));
    assert_eq!(store.count().expect("a count"), 2);
    assert_eq!(names(&mut store), ["a.b", "ä;k=v"].map(str::to_owned).into());
}

pub(crate) fn names_can_be_added_and_removed(backend: &mut impl Backend) {
    let mut store = backend.store();
    store.change(&["a", "b", "c"], &[]).expect("a write");
    assert!(matches!(fetch(&mut store, &["a"])[..], [Read::Missing]));
    store.change(&["d"], &["a", "never there"]).expect("a write");
    assert_eq!(names(&mut store), ["b", "c", "d"].map(str::to_owned).into());
    let many: Vec<String> = (0..3_000).map(|number| format!("many.{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    store.change(&many, &[]).expect("a write");
    assert_eq!(store.count().expect("a count"), 3_003);
    assert_eq!(names(&mut store).len(), 3_003);
    store.change(&[], &many).expect("a write");
    assert_eq!(store.count().expect("a count"), 3);
}

pub(crate) fn whoever_watches_the_names_learns_that_one_came(backend: &mut impl Backend) {
    let mut writer = backend.store();
    let mut watcher = backend.store();
    let mut seen = watcher.additions().expect("a number");
    let mut news = || {
        let now = watcher.additions().expect("a number");
        now != std::mem::replace(&mut seen, now)
    };
    append(&mut writer, "a", &minutes(0..1));
    assert!(news(), "with its first point");
    append(&mut writer, "a", &minutes(1..2));
    assert!(!news(), "a further point brings no name");
    writer.change(&[], &["a"]).expect("a write");
    assert!(!news(), "the count shows who left");
    append(&mut writer, "b", &minutes(0..1));
    assert_eq!(writer.count().expect("a count"), 1);
    assert!(news(), "as many as before, and others");
    writer.change(&["b"], &[]).expect("a write");
    assert!(!news(), "it was there");
    writer.change(&["b", "c"], &[]).expect("a write");
    assert!(news(), "one of two was not");
    append(&mut backend.store(), "c", &minutes(0..1));
    assert!(!news(), "another writer names it again");
}

pub(crate) fn a_removed_name_comes_back_with_the_next_point(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..1));
    store.change(&[], &["a"]).expect("a write");
    assert!(names(&mut store).is_empty());
    append(&mut store, "a", &minutes(1..2));
    assert_eq!(names(&mut store), ["a".to_owned()].into());
}

pub(crate) fn a_tail_is_what_came_after(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..30));
    let (_, mut cursor) = whole(&mut store, "a");
    assert!(matches!(tail(&mut store, "a", &cursor), (Tail::Unchanged, none) if none.is_empty()));
    for minute in 30..60 {
        append(&mut store, "a", &minutes(minute..minute + 1 + minute % 3));
        let (found, new) = tail(&mut store, "a", &cursor);
        let Tail::New { cursor: next, report } = found else {
            panic!("{found:?}")
        };
        assert_eq!(report.points, new.len());
        assert_eq!(new, minutes(minute..minute + 1 + minute % 3));
        cursor = next;
        assert!(matches!(tail(&mut store, "a", &cursor).0, Tail::Unchanged));
    }
}

pub(crate) fn a_late_point_is_in_the_tail(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..30));
    let (_, cursor) = whole(&mut store, "a");
    append(&mut store, "a", &[(at(7) + 1.0, 7.5)]);
    let (found, new) = tail(&mut store, "a", &cursor);
    assert!(matches!(found, Tail::New { .. }), "{found:?}");
    assert_eq!(new, [(at(7) + 1.0, 7.5)]);
}

pub(crate) fn a_burst_is_new_or_lost_but_never_missed(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..5));
    for burst in [1, 2, 3, 8, 50, 500, 2_000] {
        let (mut series, cursor) = whole(&mut store, "a");
        let known = series.times.len() as u32;
        append(&mut store, "a", &minutes(known..known + burst));
        match tail(&mut store, "a", &cursor) {
            (Tail::New { .. }, new) => new.iter().for_each(|(time, value)| series.push(*time, *value)),
            (Tail::Lost, _) => series = whole(&mut store, "a").0,
            (other, _) => panic!("{other:?} after {burst} points"),
        }
        assert_eq!(canonical(series), minutes(0..known + burst));
    }
}

pub(crate) fn a_tail_of_nothing_is_missing(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..5));
    let (_, cursor) = whole(&mut store, "a");
    assert!(matches!(tail(&mut store, "b", &cursor).0, Tail::Missing));
}

pub(crate) fn a_trim_of_the_front_does_not_disturb_tails(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..30));
    let (_, mut cursor) = whole(&mut store, "a");
    for minute in 30..40 {
        backend.trim("a", at(minute - 20), at(minute - 20));
        append(&mut store, "a", &minutes(minute..minute + 1));
        backend.trim("a", at(minute - 19), at(minute - 19));
        let (found, new) = tail(&mut store, "a", &cursor);
        let Tail::New { cursor: next, .. } = found else {
            panic!("{found:?}")
        };
        assert_eq!(new, minutes(minute..minute + 1));
        cursor = next;
    }
}

pub(crate) fn thousands_of_metrics_in_one_call(backend: &mut impl Backend) {
    let mut store = backend.store();
    let names: Vec<String> = (0..5_000)
        .map(|number| format!("servers.host{number:05}.load"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let value_of = |index: usize, minute: u32| (index as f64) + f64::from(minute) / 64.0;
    let write = |store: &mut _, minute| {
        let batch: Vec<_> = (names.iter().enumerate())
            .map(|(index, metric)| Sample {
                metric,
                time: at(minute),
                value: value_of(index, minute),
            })
            .collect();
        Points::append(store, &batch).expect("a write");
    };
    (0..20).for_each(|minute| write(&mut store, minute));
    let mut cursors = Vec::new();
    for (index, read) in fetch(&mut store, &names).into_iter().enumerate() {
        let Read::Found(series, cursor) = read else {
            panic!("{index}: {read:?}")
        };
        assert_eq!(
            series.values,
            (0..20).map(|minute| value_of(index, minute)).collect::<Vec<_>>()
        );
        cursors.push(cursor);
    }
    write(&mut store, 20);
    let asks: Vec<_> = names.iter().copied().zip(&cursors).collect();
    let mut answered = 0;
    let each = &mut |index, series: &mut Series, found| {
        assert!(matches!(found, Tail::New { .. }));
        assert_eq!(points(series), [(at(20), value_of(index, 20))]);
        answered += 1;
    };
    store
        .fetch_tails(&asks, &mut Series::default(), each)
        .expect("a read");
    assert_eq!(answered, names.len());
}

pub(crate) fn every_metric_is_answered_once(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "there", &minutes(0..3));
    let reads = fetch(&mut store, &["not", "there", "there", "not", "there"]);
    let there: Vec<bool> = reads.iter().map(|read| matches!(read, Read::Found(..))).collect();
    assert_eq!(there, [false, true, true, false, true]);
}

pub(crate) fn nothing_asked_is_nothing_done(backend: &mut impl Backend) {
    let mut store = backend.store();
    store.append(&[]).expect("no write");
    store.change(&[], &[]).expect("no change");
    store.set(&[], None).expect("no write");
    store.remove(&[]).expect("no removal");
    assert_eq!(store.get(&[]).expect("no read"), Vec::<Option<Vec<u8>>>::new());
    assert!(fetch(&mut store, &[]).is_empty());
    store
        .fetch_tails(&[], &mut Series::default(), &mut |_, _, _| {
            panic!("nothing was asked")
        })
        .expect("no read");
}

pub(crate) fn keys_are_set_read_and_removed(backend: &mut impl Backend) {
    let mut store = backend.store();
    store
        .set(&[("a", b"1"), ("b", &[0, 255, 13, 10])], None)
        .expect("a write");
    store.set(&[("a", b"2")], None).expect("a write");
    let found = store.get(&["b", "never", "a"]).expect("a read");
    assert_eq!(found, [Some(vec![0, 255, 13, 10]), None, Some(b"2".to_vec())]);
    store.remove(&["a", "never"]).expect("a removal");
    assert_eq!(store.get(&["a"]).expect("a read"), [None]);
}

pub(crate) fn keys_expire(backend: &mut impl Backend) {
    let mut store = backend.store();
    store
        .set(&[("short", b"1")], Some(Duration::from_millis(80)))
        .expect("a write");
    store
        .set(&[("long", b"1")], Some(Duration::from_secs(600)))
        .expect("a write");
    store
        .set(&[("kept", b"1")], Some(Duration::from_millis(80)))
        .expect("a write");
    store.set(&[("kept", b"2")], None).expect("a write");
    std::thread::sleep(Duration::from_millis(120));
    let found = store.get(&["short", "long", "kept"]).expect("a read");
    assert_eq!(found, [None, Some(b"1".to_vec()), Some(b"2".to_vec())]);
}

pub(crate) fn what_is_stored_outlives_the_store(backend: &mut impl Backend) {
    let mut store = backend.store();
    append(&mut store, "a", &minutes(0..100));
    append(&mut store, "b", &minutes(0..10));
    store.set(&[("class", b"counter")], None).expect("a write");
    let (_, cursor) = whole(&mut store, "a");
    drop(store);
    backend.reopen();
    let mut store = backend.store();
    assert_eq!(points(&whole(&mut store, "a").0), minutes(0..100));
    assert_eq!(names(&mut store), ["a", "b"].map(str::to_owned).into());
    assert_eq!(
        store.get(&["class"]).expect("a read"),
        [Some(b"counter".to_vec())]
    );
    append(&mut store, "a", &minutes(100..101));
    append(&mut store, "c", &minutes(5..6));
    // A cursor of before may be lost, but it never says that nothing is new.
    let (found, new) = tail(&mut store, "a", &cursor);
    assert!(
        matches!(found, Tail::Lost) || new == minutes(100..101),
        "{found:?}"
    );
    assert_eq!(points(&whole(&mut store, "b").0), minutes(0..10));
    assert_eq!(points(&whole(&mut store, "c").0), minutes(5..6));
}

pub(crate) fn handles_see_what_others_wrote(backend: &mut impl Backend) {
    let connect = backend.connect().clone();
    let writers: Vec<_> = (0..4u32)
        .map(|writer| {
            let connect = connect.clone();
            std::thread::spawn(move || {
                let mut store = connect.connect().expect("the store answers");
                for minute in 0..100 {
                    append(
                        &mut store,
                        "shared",
                        &[(at(4 * minute + writer), f64::from(writer))],
                    );
                    append(&mut store, &format!("own.{writer}"), &[(at(minute), 1.0)]);
                }
            })
        })
        .collect();
    writers
        .into_iter()
        .for_each(|writer| writer.join().expect("a writer ends well"));
    let mut store = backend.store();
    assert_eq!(store.count().expect("a count"), 5);
    let shared = canonical(whole(&mut store, "shared").0);
    let expected: Vec<_> = (0..400)
        .map(|minute| (at(minute), f64::from(minute % 4)))
        .collect();
    assert_eq!(shared, expected);
}

pub(crate) fn points_that_are_no_numbers_are_never_read(backend: &mut impl Backend) {
    let mut store = backend.store();
    let odd = [
        (at(1), f64::NAN),
        (at(2), f64::INFINITY),
        (f64::NAN, 1.0),
        (at(3), 3.0),
    ];
    append(&mut store, "odd", &odd);
    assert_eq!(points(&whole(&mut store, "odd").0), [(at(3), 3.0)]);
}
