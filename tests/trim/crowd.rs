//! Everybody at once: writers, a Horizon that rewrites every value, and trimmers of ours. No point is lost.

use std::time::{Duration, Instant};

use redis::Commands as _;
use skywatch::store::trim::{Trim as _, Trimmed};
use skywatch_algorithms::SameTime;

use super::world::{BEFORE, NOW, World, append, decoded, encoded, trim, window_by};

const METRICS: usize = 12;
const WRITERS: u32 = 3;

/// Skyline's own trimmer, as the reference has it: WATCH, GET, sort, cut, one point a time (the smallest), SET or DEL.
fn horizon(raw: &mut redis::Connection, key: &str) -> redis::RedisResult<()> {
    redis::cmd("WATCH").arg(key).exec(raw)?;
    let stream: Vec<u8> = raw.get(key)?;
    let mut points = decoded(&stream);
    points.sort_by(|a, b| a.partial_cmp(b).unwrap());
    points.retain(|point| point.0 > BEFORE);
    points.dedup_by_key(|point| point.0);
    let mut pipe = redis::pipe();
    pipe.atomic();
    if points.is_empty() {
        pipe.del(key).srem("metrics.unique_metrics", key);
    } else {
        pipe.set(key, encoded(&points));
    }
    // Nothing comes back where a write raced: left for the next pass.
    pipe.query::<Option<()>>(raw).map(|_| ())
}

/// What writer `writer` says of a metric in its `step`: old points, late ones, doubled ones.
fn said(writer: u32, step: u32) -> Vec<(f64, f64)> {
    let time = |step: u32| NOW - 80_000.0 + f64::from(step * WRITERS + writer) * 7.0;
    let value = f64::from(step % 9);
    let mut points = vec![(time(step), value)];
    match step % 5 {
        0 => points.extend((0..8).map(|n| (BEFORE - f64::from(n + step), 1.0))),
        1 => points.push((time(step.saturating_sub(20)), value - 1.0)),
        2 => points.insert(0, (time(step), value)),
        _ => {}
    }
    points
}

fn run(with_horizon: bool) {
    let world = World::start();
    let names: Vec<String> = (0..METRICS).map(|n| format!("m.{n}")).collect();
    // A fresh point, so that the metrics are alive.
    let fresh = (NOW, 1.0);
    let mut store = world.store();
    names.iter().for_each(|name| append(&mut store, name, &[fresh]));
    let until = Instant::now() + Duration::from_secs(4);
    let (written, cuts, rewrites) = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (world, names) = (&world, &names);
                scope.spawn(move || {
                    let mut store = world.store();
                    let mut steps = 0;
                    while Instant::now() < until {
                        for name in names {
                            append(&mut store, name, &said(writer, steps));
                        }
                        steps += 1;
                    }
                    steps
                })
            })
            .collect();
        let trimmers: Vec<_> = (0..2)
            .map(|_| {
                let (world, names) = (&world, &names);
                scope.spawn(move || {
                    let mut store = world.store();
                    let metrics: Vec<&str> = names.iter().map(String::as_str).collect();
                    let mut cuts = 0u64;
                    while Instant::now() < until {
                        let trimmed = trim(&mut store, &metrics);
                        cuts += trimmed
                            .iter()
                            .filter(|one| matches!(one, Trimmed::Cut { .. } | Trimmed::Removed { .. }))
                            .count() as u64;
                    }
                    cuts
                })
            })
            .collect();
        let horizon = scope.spawn(|| {
            let mut raw = world.server.connection();
            let mut rewrites = 0u64;
            while with_horizon && Instant::now() < until {
                for name in &names {
                    horizon(&mut raw, &format!("metrics.{name}")).unwrap();
                    rewrites += 1;
                }
                std::thread::sleep(Duration::from_millis(3));
            }
            rewrites
        });
        let written: Vec<u32> = writers.into_iter().map(|one| one.join().unwrap()).collect();
        let cuts: u64 = trimmers.into_iter().map(|one| one.join().unwrap()).sum();
        (written, cuts, horizon.join().unwrap())
    });
    eprintln!("{written:?} steps, {cuts} cuts, {rewrites} rewrites");
    assert!(cuts > 50, "the trimmers have had something to do: {cuts}");
    let mut all = vec![fresh];
    for (writer, steps) in (0..WRITERS).zip(written) {
        all.extend((0..steps).flat_map(|step| said(writer, step)));
    }
    // Of points of one time ours keeps all, and Horizon the smallest.
    let same_time = if with_horizon {
        SameTime::Smallest
    } else {
        SameTime::Last
    };
    for name in &names {
        let left = window_by(&world.points(name), same_time);
        let expected = window_by(&all, same_time);
        let missing: Vec<_> = expected
            .iter()
            .filter(|point| !left.contains(point))
            .take(5)
            .collect();
        assert!(left == expected, "`{name}` misses {missing:?} and more");
    }
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(world.names(), sorted);
}

#[test]
fn trimming_while_others_write_loses_nothing() {
    run(false);
}

#[test]
fn nor_does_it_beside_a_horizon_that_rewrites_every_value() {
    run(true);
}

/// Metrics that die and come back all the time, each point a second after the last was removed: the name is there
/// whenever the value is.
#[test]
fn a_metric_that_dies_again_and_again_never_loses_its_name() {
    let world = World::start();
    let until = Instant::now() + Duration::from_secs(2);
    let rounds = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut store = world.store();
                while Instant::now() < until {
                    trim(&mut store, &["a"]);
                    store.remove_empty(&["a"]).unwrap();
                }
            });
        }
        let mut writer = world.store();
        let mut rounds = 0;
        while Instant::now() < until {
            // Dead at once, or alive by a fresh point.
            append(&mut writer, "a", &[(BEFORE - f64::from(rounds), 1.0)]);
            append(&mut writer, "a", &[(NOW, f64::from(rounds))]);
            assert_eq!(world.names(), ["a"], "after round {rounds}");
            assert!(
                world.points("a").contains(&(NOW, f64::from(rounds))),
                "round {rounds}"
            );
            let _: () = world.server.connection().del("metrics.a").unwrap();
            rounds += 1;
        }
        rounds
    });
    eprintln!("{rounds} rounds");
    assert!(rounds > 20);
}
