//! A Redis Cluster as the store: the suite that every store passes, and what a cluster does besides: slots that move and primaries
//! that die while points are written and read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::cmd;
use skywatch::store::redis::{RedisConnect, RedisCursor, RedisOptions, RedisStore};
use skywatch::store::trim::{Trim as _, TrimLimits, Trimmed, Watch};
use skywatch::store::{Connect as _, Names as _, Points as _, Sample, Store as _, StoreError, Tail};
use skywatch_algorithms::Series;
use skywatch_settings::HostPort;

use super::backends::{Backend, Read, append, fetch, points, redis_at, whole};
use crate::common::redis_cluster::ServerCluster;
use crate::common::wait_for;

/// The cluster as a backend of the suite.
pub(crate) struct Cluster {
    pub(crate) servers: ServerCluster,
    connect: RedisConnect,
}

impl Cluster {
    fn of(servers: ServerCluster) -> Self {
        let connect = servers.connect();
        Self { servers, connect }
    }
}

impl Backend for Cluster {
    type Connect = RedisConnect;
    type Cursor = RedisCursor;

    fn start() -> Self {
        Self::of(ServerCluster::start())
    }

    fn connect(&self) -> &RedisConnect {
        &self.connect
    }

    fn reopen(&mut self) {
        self.servers
            .servers
            .iter_mut()
            .for_each(|server| server.restart());
        self.servers.wait_until_it_serves();
    }

    fn trim(&mut self, metric: &str, time: f64, _: f64) {
        let key = format!("metrics.{metric}");
        super::backends::cut(&mut self.servers.connection_for(&key), &key, time);
    }
}

/// Names whose slots are all over, and some that share one, which is given back.
fn spread_names(cluster: &ServerCluster) -> (Vec<String>, u16) {
    let shared = (0..20).map(|number| format!("{{web}}.{number}"));
    let names = shared
        .chain((0..200).map(|number| format!("host{number}.load")))
        .collect();
    (names, cluster.slot("metrics.{web}.0"))
}

fn batch(names: &[String], time: f64) -> Vec<Sample<'_>> {
    let sample = |metric| Sample {
        metric,
        time,
        value: time,
    };
    names.iter().map(|name| sample(name.as_str())).collect()
}

/// Every point that is stored of each metric, doubled ones too.
fn stored(store: &mut RedisStore, names: &[String]) -> BTreeMap<String, Vec<f64>> {
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let reads = fetch(store, &asked).into_iter().zip(names);
    reads
        .map(|(read, name)| match read {
            Read::Found(series, _) => (name.clone(), series.times),
            other => panic!("{name}: {other:?}"),
        })
        .collect()
}

/// A slot that moves does so under the writer's and the reader's feet: before, in the middle and after, key by key.
#[test]
fn a_slot_moves_while_points_are_written_and_read() {
    let cluster = Cluster::of(ServerCluster::start());
    let (names, slot) = spread_names(&cluster.servers);
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut writer, mut reader) = (cluster.store(), cluster.store());
    writer.append(&batch(&names, 1.0)).expect("a write");
    let mut cursors: Vec<RedisCursor> = fetch(&mut reader, &asked)
        .into_iter()
        .map(|read| match read {
            Read::Found(_, cursor) => cursor,
            other => panic!("{other:?}"),
        })
        .collect();
    let mut time = 1.0;
    let mut step = || {
        time += 1.0;
        writer.append(&batch(&names, time)).expect("a write");
        let (mut next, asks): (Vec<Option<RedisCursor>>, Vec<_>) = (
            names.iter().map(|_| None).collect(),
            asked.iter().copied().zip(&cursors).collect(),
        );
        let each = &mut |index: usize, series: &mut Series, tail| {
            let Tail::New { cursor, .. } = tail else {
                panic!("{}: {tail:?}", asked[index])
            };
            assert_eq!(points(series), [(time, time)], "{}", asked[index]);
            next[index] = Some(cursor);
        };
        reader
            .fetch_tails(&asks, &mut Series::default(), each)
            .expect("a read");
        cursors = next
            .into_iter()
            .map(|cursor| cursor.expect("an answer"))
            .collect();
    };
    let from = ServerCluster::first_owner(slot);
    cluster.servers.migrate(slot, from, (from + 1) % 3, &mut step);
    // The set of names moves, too.
    let slot = cluster.servers.slot("metrics.unique_metrics");
    let from = ServerCluster::first_owner(slot);
    cluster.servers.migrate(slot, from, (from + 1) % 3, &mut step);
    let expected: Vec<f64> = (1..=time as u32).map(f64::from).collect();
    let mut store = cluster.store();
    for (name, times) in stored(&mut store, &names) {
        assert_eq!(times, expected, "{name}: once each, in order");
    }
    let mut listed = BTreeSet::new();
    store
        .list(&mut |name| listed.extend([name.to_owned()]))
        .expect("a list");
    assert_eq!(listed, names.into_iter().collect());
}

/// What was confirmed and replicated is there; what is sent meanwhile waits for the replica, and what the other nodes took is not sent twice.
#[test]
fn a_primary_dies_while_points_are_written_and_read() {
    let mut cluster = Cluster::of(ServerCluster::start_with_replicas());
    let (names, slot) = spread_names(&cluster.servers);
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut writer, mut reader) = (cluster.store(), cluster.store());
    writer.append(&batch(&names, 1.0)).expect("a write");
    stored(&mut reader, &names);
    cluster.servers.wait_for_replicas();
    let dead = ServerCluster::first_owner(slot);
    cluster.servers.servers[dead].kill();

    let mut read = vec![false; names.len()];
    let error = reader
        .fetch(&asked, &mut Series::default(), &mut |index, _, found| {
            assert!(
                matches!(found, skywatch::store::Fetched::Found { .. }),
                "{found:?}"
            );
            read[index] = true;
        })
        .expect_err("one of three is away");
    assert!(error.is_retryable(), "{error}");
    let is_there = |name: &String| {
        ServerCluster::first_owner(cluster.servers.ask(
            (dead + 1) % 3,
            cmd("CLUSTER").arg("KEYSLOT").arg(format!("metrics.{name}")),
        )) != dead
    };
    let expected: Vec<bool> = names.iter().map(is_there).collect();
    assert_eq!(read, expected, "the others answer for what they have");

    for time in [2.0, 3.0] {
        wait_for("the replica to take over", || {
            match writer.append(&batch(&names, time)) {
                Ok(()) => Some(()),
                Err(error) => {
                    assert!(error.is_retryable(), "{error}");
                    None
                }
            }
        });
    }
    for (name, times) in stored(&mut reader, &names) {
        assert_eq!(times, [1.0, 2.0, 3.0], "{name}");
    }
    // It comes back as a replica, and whoever asks it is sent on.
    cluster.servers.servers[dead].start_again();
    writer.append(&batch(&names, 4.0)).expect("a write");
    assert_eq!(writer.count().expect("a count"), names.len() as u64);
    assert_eq!(stored(&mut cluster.store(), &names).len(), names.len());
}

/// Follows a trim to its end.
#[derive(Default)]
struct Followed(BTreeMap<usize, Trimmed>);

impl Watch for Followed {
    fn trimmed(&mut self, index: usize, trimmed: Trimmed) {
        assert!(
            self.0.insert(index, trimmed).is_none(),
            "{index} was reported twice"
        );
    }

    fn worked(&mut self, _: Duration) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A value and its name are on two nodes: both go, and no name goes that has a value.
#[test]
fn a_trim_takes_values_and_their_names_from_two_nodes() {
    let cluster = Cluster::of(ServerCluster::start());
    let mut store = cluster.store();
    let names: Vec<String> = (0..60).map(|number| format!("host{number}.load")).collect();
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    for (index, name) in asked.iter().enumerate() {
        // Old ones only, new ones only, and both.
        let times = [&[100.0, 160.0][..], &[1_000.0], &[100.0, 160.0, 1_000.0]][index % 3];
        append(
            &mut store,
            name,
            &times.iter().map(|time| (*time, 1.0)).collect::<Vec<_>>(),
        );
    }
    let limits = TrimLimits {
        before: 500.0,
        now: 1_060.0,
    };
    let mut followed = Followed::default();
    // With writers beside it that bring back what goes: whoever has points has a name in the end.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let returning = &asked[0];
        let (connect, is_over) = (cluster.connect(), &is_over);
        scope.spawn(move || {
            let mut writer = connect.connect().expect("the store answers");
            while !is_over.load(Ordering::Relaxed) {
                append(&mut writer, returning, &[(1_000.0, 1.0)]);
            }
        });
        store.trim(&asked, limits, &mut followed).expect("a trim");
        for _ in 0..200 {
            store
                .trim(
                    &[returning],
                    TrimLimits {
                        before: 2e9,
                        now: 2e9,
                    },
                    &mut Followed::default(),
                )
                .expect("a trim");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    append(&mut store, asked[0], &[(1_000.0, 1.0)]);
    assert_eq!(followed.0.len(), names.len());
    let mut listed = BTreeSet::new();
    store
        .list(&mut |name| listed.extend([name.to_owned()]))
        .expect("a list");
    for (index, name) in names.iter().enumerate().skip(1) {
        let is_dead = index % 3 == 0;
        let expected = if is_dead { Vec::new() } else { vec![1_000.0] };
        let found = match fetch(&mut store, &[name]).pop() {
            Some(Read::Found(series, _)) => series.times,
            _ => Vec::new(),
        };
        assert_eq!((found, listed.contains(name)), (expected, !is_dead), "{name}");
    }
    assert!(listed.contains(asked[0]), "it has points");
    store.change(&["nothing there"], &[]).expect("a change");
    assert_eq!(
        store
            .remove_empty(&["nothing there", asked[1]])
            .expect("a removal"),
        1
    );
    assert!(store.claim(7, Duration::from_secs(60)).expect("an answer"));
    assert!(
        !cluster
            .store()
            .claim(7, Duration::from_secs(60))
            .expect("an answer")
    );
}

/// Who names one node of a cluster as if it were the Redis is told what it is; who names nodes that are away, that they are.
#[test]
fn what_is_wrong_with_the_settings_is_said() {
    let cluster = Cluster::of(ServerCluster::start());
    let alone = redis_at(&cluster.servers.servers[0].tcp_url());
    let names: Vec<String> = (0..30).map(|number| format!("host{number}")).collect();
    let error = alone
        .connect()
        .and_then(|mut store| store.append(&batch(&names, 1.0)))
        .expect_err("most are elsewhere");
    assert!(matches!(error, StoreError::Elsewhere { .. }), "{error}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("store.cluster")),
        "{error}"
    );
    let mut store = cluster.store();
    append(&mut store, "a", &[(1.0, 1.0)]);
    assert_eq!(whole(&mut store, "a").0.times, [1.0]);
    assert_eq!(store.condition().expect("an answer").silent, Vec::<String>::new());
    let away = RedisConnect::new(RedisOptions {
        cluster: vec![HostPort {
            host: "127.0.0.1".to_owned(),
            port: crate::common::redis::free_port(),
        }],
        ..RedisOptions::default()
    });
    let error = away
        .and_then(|connect| connect.connect())
        .map(|_| ())
        .expect_err("nobody is there");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
}
