//! One thing at a time, and everything that can come between a look and a cut.

use std::ops::ControlFlow;
use std::time::Duration;

use redis::Commands as _;
use skywatch::store::trim::{Trim as _, Trimmed};
use skywatch::store::{Connect as _, Names as _, Points as _, Sample, StoreError, Unreadable};

use super::world::{BEFORE, LIMITS, NOW, Told, World, append, connect, encoded, minutes, trim, trim_between};
use crate::common::redis::ServerOptions;

#[test]
fn old_points_are_cut_once_they_are_a_twenty_fourth() {
    let world = World::start();
    let mut store = world.store();
    // 1,450 points of which 58 or 63 are old: 1/25 and 1/23.
    let (little, enough) = (
        minutes(1_450, BEFORE + 60.0 * 1_392.0),
        minutes(1_450, BEFORE + 60.0 * 1_387.0),
    );
    append(&mut store, "little", &little);
    append(&mut store, "enough", &enough);
    let trimmed = trim(&mut store, &["little", "enough", "missing"]);
    assert_eq!(
        trimmed,
        [Trimmed::Kept, Trimmed::Cut { bytes: 63 * 15 }, Trimmed::Missing]
    );
    assert_eq!(world.points("little"), little);
    assert_eq!(world.points("enough"), enough[63..]);
    assert_eq!(trim(&mut store, &["enough"]), [Trimmed::Kept]);
}

#[test]
fn a_point_at_the_limit_is_old_and_the_next_is_not() {
    let world = World::start();
    let mut store = world.store();
    append(&mut store, "a", &[(BEFORE, 1.0), (BEFORE + 1.0, 2.0)]);
    trim(&mut store, &["a"]);
    assert_eq!(world.points("a"), [(BEFORE + 1.0, 2.0)]);
}

#[test]
fn all_old_points_go_at_once_however_many_they_are() {
    let world = World::start();
    let mut store = world.store();
    // A point a second for two days, after a day without trimming: 2.6 MB, of which half is surplus. The last look ends
    // after one MB; the rest goes with the next trim.
    let seconds: Vec<_> = (0..172_800)
        .map(|n| (NOW - 172_800.0 + f64::from(n), 1.0))
        .collect();
    append(&mut store, "seconds", &seconds);
    append(&mut store, "minutes", &minutes(2 * 1_440, NOW));
    let trimmed = trim(&mut store, &["seconds", "minutes"]);
    let old = minutes(2 * 1_440, NOW)
        .iter()
        .filter(|point| point.0 <= BEFORE)
        .count();
    assert_eq!(trimmed[1], Trimmed::Cut { bytes: old * 15 });
    assert!(matches!(trimmed[0], Trimmed::Cut { bytes } if bytes > (1 << 20) - 15));
    trim(&mut store, &["seconds"]);
    assert!(world.points("seconds").iter().all(|point| point.0 > BEFORE));
    assert_eq!(world.points("seconds").len(), 86_400 + 600 - 1);
}

#[test]
fn one_point_from_the_future_does_not_keep_the_old_ones_behind_it() {
    let world = World::start();
    let mut store = world.store();
    let (future, fresh) = ((1.7e12, 1.0), (NOW - 60.0, 2.0));
    let mut points = vec![future];
    points.extend(minutes(2_000, BEFORE));
    points.push(fresh);
    append(&mut store, "a", &points);
    assert_eq!(trim(&mut store, &["a"]), [Trimmed::Cut { bytes: 2_000 * 15 }]);
    assert_eq!(world.points("a"), [future, fresh]);
}

#[test]
fn a_metric_of_old_points_only_goes_with_its_name() {
    let world = World::start();
    let mut store = world.store();
    append(&mut store, "short", &minutes(3, BEFORE));
    append(&mut store, "long", &minutes(3_000, BEFORE));
    append(&mut store, "alive", &minutes(3, NOW));
    let trimmed = trim(&mut store, &["short", "long", "alive"]);
    assert_eq!(
        trimmed,
        [
            Trimmed::Removed { bytes: 3 * 15 },
            Trimmed::Removed { bytes: 3_000 * 15 },
            Trimmed::Kept
        ]
    );
    assert_eq!(world.names(), ["alive"]);
    assert!(world.bytes("long").is_empty());
}

/// The writer has put the name into the set a moment ago and would not do so again for minutes.
#[test]
fn a_removed_metric_comes_back_with_its_next_point_name_and_all() {
    let world = World::start();
    let (mut writer, mut store) = (world.store(), world.store());
    append(&mut writer, "a", &minutes(3, BEFORE));
    assert_eq!(trim(&mut store, &["a"]), [Trimmed::Removed { bytes: 45 }]);
    assert!(world.names().is_empty());
    append(&mut writer, "a", &[(NOW, 1.0)]);
    assert_eq!(world.names(), ["a"]);
    assert_eq!(world.points("a"), [(NOW, 1.0)]);
}

#[test]
fn a_batch_that_failed_puts_all_its_names_in_again() {
    let world = World::start();
    let mut writer = world.store();
    append(&mut writer, "a", &minutes(3, BEFORE));
    let mut raw = world.server.connection();
    // Removed, and written again by a batch whose outcome is lost on the way: the key is there, the name is not.
    let _: () = raw.srem("metrics.unique_metrics", "metrics.a").unwrap();
    let _: () = redis::cmd("CLIENT")
        .arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .query(&mut raw)
        .unwrap();
    let sample = Sample {
        metric: "a",
        time: NOW,
        value: 1.0,
    };
    let failed = writer.append(&[sample]);
    assert!(matches!(failed, Err(error) if error.is_retryable()));
    writer.append(&[sample]).unwrap();
    assert_eq!(world.names(), ["a"]);
}

#[test]
fn empty_names_go_and_those_with_a_value_stay() {
    let world = World::start();
    let mut store = world.store();
    store.change(&["empty", "value", "list", "nothing"], &[]).unwrap();
    append(&mut store, "value", &[(NOW, 1.0)]);
    world.put("nothing", b"");
    let _: () = world
        .server
        .connection()
        .rpush("metrics.list", "no series")
        .unwrap();
    let names = ["empty", "value", "list", "nothing", "unknown"];
    assert_eq!(store.remove_empty(&names).unwrap(), 2);
    assert_eq!(world.names(), ["list", "value"]);
}

#[test]
fn garbage_and_other_types_stay_and_are_told() {
    let world = World::start();
    let mut store = world.store();
    let old = encoded(&minutes(10, BEFORE));
    world.put("garbage", b"\xc1 no msgpack");
    world.put("late", &[&old[..], b"\xc1 no msgpack any more"].concat());
    world.put("map", b"\x81\xa1a\x01");
    world.put("cut", &[&old[..], &old[..7]].concat());
    world.put("huge", b"\xdd\xff\xff\xff\xff");
    world.put("untimed", b"\x92\xc0\x01\x92\xc0\x02");
    let mut raw = world.server.connection();
    let _: () = raw.rpush("metrics.list", "no string").unwrap();
    let names = ["garbage", "late", "map", "huge", "untimed", "list"];
    let before: Vec<_> = names[..5].iter().map(|name| world.bytes(name)).collect();
    for (name, trimmed) in names.iter().zip(trim(&mut store, &names)) {
        let expected = match *name {
            "list" => {
                matches!(&trimmed, Trimmed::Unreadable(Unreadable::WrongType(found)) if found == "list")
            }
            _ => matches!(&trimmed, Trimmed::Unreadable(Unreadable::Malformed(_))),
        };
        assert!(expected, "`{name}` is {trimmed:?}");
    }
    let after: Vec<_> = names[..5].iter().map(|name| world.bytes(name)).collect();
    assert_eq!(before, after);
    assert_eq!(raw.llen::<_, usize>("metrics.list").unwrap(), 1);
    // The points in front of half a one go; the half stays, and its name.
    assert_eq!(trim(&mut store, &["cut"]), [Trimmed::Cut { bytes: 150 }]);
    assert_eq!(world.bytes("cut"), old[..7]);
}

#[test]
fn points_without_a_value_have_an_age_all_the_same() {
    let world = World::start();
    let mut store = world.store();
    let nil = |time: f64| [&[0x92, 0xcb][..], &time.to_be_bytes(), &[0xc0]].concat();
    world.put("old", &nil(BEFORE));
    world.put("new", &nil(NOW));
    let trimmed = trim(&mut store, &["old", "new"]);
    assert_eq!(trimmed, [Trimmed::Removed { bytes: 11 }, Trimmed::Kept]);
    assert_eq!(world.names(), ["new"]);
}

/// Does `between` after the look and before the cut.
fn raced(world: &World, metric: &str, between: &mut dyn FnMut()) -> Trimmed {
    let mut once = Some(between);
    let trimmed = trim_between(&mut world.store(), &[metric], &mut |_| {
        if let Some(between) = once.take() {
            between();
        }
        ControlFlow::Continue(())
    });
    trimmed.unwrap().remove(0)
}

#[test]
fn a_point_that_comes_between_look_and_cut_stays() {
    let world = World::start();
    let mut writer = world.store();
    let fresh = minutes(10, NOW);
    append(&mut writer, "a", &minutes(10, BEFORE));
    append(&mut writer, "a", &fresh[..9]);
    let trimmed = raced(&world, "a", &mut || append(&mut writer, "a", &fresh[9..]));
    assert_eq!(trimmed, Trimmed::Cut { bytes: 150 });
    assert_eq!(world.points("a"), fresh);
    append(&mut writer, "dying", &minutes(10, BEFORE));
    let trimmed = raced(&world, "dying", &mut || append(&mut writer, "dying", &fresh));
    assert_eq!(trimmed, Trimmed::Cut { bytes: 150 });
    assert_eq!(world.points("dying"), fresh);
    assert_eq!(world.names(), ["a", "dying"]);
}

#[test]
fn a_value_that_was_replaced_between_look_and_cut_is_left() {
    let world = World::start();
    let mut writer = world.store();
    let mut raw = world.server.connection();
    let points = [minutes(10, BEFORE), minutes(10, NOW)].concat();
    // By another trimmer, by one that sorts, by a deletion, by another type.
    for (name, replacement) in [
        ("trimmed", encoded(&points[10..])),
        ("sorted", encoded(&[&points[1..], &points[..1]].concat())),
        ("deleted", Vec::new()),
    ] {
        append(&mut writer, name, &points);
        let key = format!("metrics.{name}");
        let trimmed = raced(&world, name, &mut || {
            let _: () = raw.del(&key).unwrap();
            if !replacement.is_empty() {
                let _: () = raw.set(&key, &replacement).unwrap();
            }
        });
        assert_eq!(trimmed, Trimmed::Raced, "{name}");
        assert_eq!(world.bytes(name), replacement);
    }
    append(&mut writer, "list", &points);
    let trimmed = raced(&world, "list", &mut || {
        let _: () = raw.del("metrics.list").unwrap();
        let _: () = raw.rpush("metrics.list", "no string").unwrap();
    });
    assert_eq!(trimmed, Trimmed::Raced);
    assert_eq!(world.names(), ["deleted", "list", "sorted", "trimmed"]);
}

#[test]
fn a_watch_that_breaks_ends_the_work_at_once() {
    let world = World::start();
    let mut store = world.store();
    append(&mut store, "a", &minutes(10, BEFORE));
    let mut stop = |_| ControlFlow::Break(());
    let mut told = Told::new(&mut stop);
    store.trim(&["a"], LIMITS, &mut told).unwrap();
    assert_eq!(told.slices.len(), 1);
    assert_eq!(world.points("a").len(), 10);
}

#[test]
fn a_redis_that_is_full_can_still_be_trimmed() {
    let world = World::start_with(ServerOptions {
        maxmemory: Some("8mb".to_owned()),
        ..ServerOptions::default()
    });
    let mut store = world.store();
    let names: Vec<String> = (0..1_000).map(|n| format!("m.{n}")).collect();
    let points = [minutes(500, BEFORE), minutes(60, NOW)].concat();
    let mut filled = Vec::new();
    let full = names.iter().find_map(|name| {
        let samples: Vec<_> = points
            .iter()
            .map(|&(time, value)| Sample {
                metric: name,
                time,
                value,
            })
            .collect();
        let outcome = store.append(&samples).err();
        if outcome.is_none() {
            filled.push(name.as_str());
        }
        outcome
    });
    assert!(matches!(full, Some(StoreError::OutOfMemory { .. })), "{full:?}");
    assert!(filled.len() > 50);
    let trimmed = trim(&mut store, &filled);
    assert!(
        trimmed.iter().all(|one| *one == Trimmed::Cut { bytes: 500 * 15 }),
        "{trimmed:?}"
    );
    append(&mut store, "room.again", &points);
}

#[test]
fn a_user_needs_two_rights_more_to_trim() {
    let world = World::start_with(ServerOptions {
        users: vec![
            "reader on >secret ~metrics.* +@read +@write +@connection".to_owned(),
            "trimmer on >secret ~metrics.* +@read +@write +@connection +eval +time".to_owned(),
        ],
        ..ServerOptions::default()
    });
    append(&mut world.store(), "a", &minutes(10, BEFORE));
    let as_user = |user: &str| connect(&format!("{}?user={user}&pass=secret", world.server.socket_url()));
    let go_on = &mut |_| ControlFlow::Continue(());
    let denied = trim_between(&mut as_user("reader").connect().unwrap(), &["a"], go_on);
    let Err(error @ StoreError::Denied { .. }) = denied else {
        panic!("{denied:?}");
    };
    assert!(error.hint().unwrap().contains("+eval +time"));
    let trimmed = trim(&mut as_user("trimmer").connect().unwrap(), &["a"]);
    assert_eq!(trimmed, [Trimmed::Removed { bytes: 150 }]);
}

/// Two thousand metrics, a day of minutes each and two hours too much. The time is reported and not judged: the
/// machine has other things to do.
#[test]
fn a_trim_of_thousands_comes_in_small_slices() {
    let world = World::start();
    let mut store = world.store();
    let names: Vec<String> = (0..2_000).map(|n| format!("servers.{n:04}.cpu.user")).collect();
    let stream = encoded(&minutes(1_440 + 130, NOW));
    names.iter().for_each(|name| world.put(name, &stream));
    let mut raw = world.server.connection();
    let _: () = redis::cmd("CONFIG").arg("RESETSTAT").query(&mut raw).unwrap();
    let _: () = redis::cmd("CONFIG")
        .arg(&["SET", "slowlog-log-slower-than", "500"])
        .query(&mut raw)
        .unwrap();
    let metrics: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut pause = |_| {
        std::thread::sleep(Duration::from_millis(1));
        ControlFlow::Continue(())
    };
    let mut told = Told::new(&mut pause);
    store.trim(&metrics, LIMITS, &mut told).unwrap();
    let cut = told
        .trimmed
        .values()
        .filter(|one| matches!(one, Trimmed::Cut { .. }))
        .count();
    assert_eq!(cut, 2_000);
    assert!(told.slices.len() > 10, "{} slices", told.slices.len());
    let mut slices = told.slices;
    slices.sort_unstable();
    let slow: u64 = redis::cmd("SLOWLOG").arg("LEN").query(&mut raw).unwrap();
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut raw).unwrap();
    eprintln!(
        "{} slices, median {:?}, longest {:?}; {slow} commands above 0.5 ms\n{stats}",
        slices.len(),
        slices[slices.len() / 2],
        slices[slices.len() - 1]
    );
}
