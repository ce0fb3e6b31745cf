//! Side by side with Skyline: its layout byte for byte, its trimmer, and its reader.

use std::process::Command;

use redis::Commands;
use skywatch::store::{Names, Tail, codec};
use skywatch_algorithms::{SameTime, Series};

use super::Redis;
use super::backends::{Backend, append, points, tail, whole};
use super::histories::{self, Kind};

/// What Skyline's roomba leaves of a stream: sorted, one point a time (the smallest), the front cut.
fn roomba(backend: &Redis, metric: &str, time: f64) {
    let key = format!("metrics.{metric}");
    let mut raw = backend.server.connection();
    let stream: Vec<u8> = raw.get(&key).expect("a value");
    let mut series = Series::default();
    codec::decode(&stream, &mut series).expect("a good stream");
    series.canonicalise_by(1e9, SameTime::Smallest);
    let mut kept = Vec::new();
    let points = points(&series).into_iter().filter(|point| point.0 > time);
    points.for_each(|(time, value)| codec::encode(time, value, &mut kept));
    let _: () = raw.set(&key, kept).expect("a write");
}

#[test]
fn the_layout_is_skylines() {
    let backend = Redis::start();
    let mut store = backend.store();
    append(
        &mut store,
        "servers.a",
        &[(1_700_000_000.0, 1.5), (1_700_000_060.5, -2.0)],
    );
    let mut raw = backend.server.connection();
    let stream: Vec<u8> = raw.get("metrics.servers.a").expect("a value");
    let first = [
        &[0x92, 0xce, 0x65, 0x53, 0xf1, 0x00, 0xcb][..],
        &1.5f64.to_be_bytes(),
    ]
    .concat();
    let second = [
        &[0x92, 0xcb][..],
        &1_700_000_060.5f64.to_be_bytes(),
        &[0xcb],
        &(-2.0f64).to_be_bytes(),
    ];
    assert_eq!(stream, [first, second.concat()].concat());
    let members: Vec<String> = raw.smembers("metrics.unique_metrics").expect("a set");
    assert_eq!(members, ["metrics.servers.a"]);
}

/// The packing of Python's `msgpack`, which Horizon uses, for `packb((ts, value))`.
#[test]
fn what_horizon_writes_is_read() {
    let backend = Redis::start();
    let mut store = backend.store();
    let mut raw = backend.server.connection();
    let packed: [&[u8]; 5] = [
        b"\x92\xce\x65\x53\xf1\x00\x01",                         // (1700000000, 1)
        b"\x92\xcb\x41\xd9\x54\xfc\x4f\x00\x00\x00\xcd\x01\x2c", // (1700000060.0, 300)
        b"\x92\xce\x65\x53\xf1\x78\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", // (1700000120, 1.5)
        b"\x92\xce\x65\x53\xf1\xb4\xc0",                         // (1700000180, None)
        b"\x93\xce\x65\x53\xf1\xf0\xd0\xfe\xa5extra",            // (1700000240, -2, "extra")
    ];
    for point in packed {
        let _: () = raw.append("metrics.a", point).expect("a write");
    }
    let _: () = raw.sadd("metrics.unique_metrics", "metrics.a").expect("a write");
    assert_eq!(store.count().expect("a count"), 1);
    let expected = [(0, 1.0), (60, 300.0), (120, 1.5), (240, -2.0)];
    let expected = expected.map(|(after, value)| (f64::from(1_700_000_000 + after), value));
    assert_eq!(points(&whole(&mut store, "a").0), expected);
}

#[test]
fn a_tail_survives_the_trimmer_of_a_live_skyline() {
    let backend = Redis::start();
    let mut store = backend.store();
    let at = |minute: u32| 1_700_000_000.0 + 60.0 * f64::from(minute);
    let one = |minute| [(at(minute), f64::from(minute))];
    (0..60).for_each(|minute| append(&mut store, "a", &one(minute)));
    let (_, mut cursor) = whole(&mut store, "a");
    for minute in 60..120 {
        append(&mut store, "a", &one(minute));
        roomba(&backend, "a", at(minute - 50));
        let (found, new) = tail(&mut store, "a", &cursor);
        let Tail::New { cursor: next, .. } = found else {
            panic!("{found:?}")
        };
        assert_eq!(new, one(minute));
        cursor = next;
        roomba(&backend, "a", at(minute - 49));
        assert!(matches!(tail(&mut store, "a", &cursor).0, Tail::Unchanged));
    }
}

/// Points come at most two intervals late, so that the trimmer sorts them in among the remembered
/// ones, and none is sent again: as far as a tail can promise anything beside a sorting trimmer.
#[test]
fn tails_add_up_to_whole_reads_beside_a_sorting_trimmer() {
    let mut backend = Redis::start();
    let kind = Kind {
        most_late: 120,
        most_again: 0,
    };
    histories::run(&mut backend, 300, kind, &mut |backend, metric, time, _| {
        roomba(backend, metric, time)
    });
}

/// The window as the original reader has it. Needs Python with `msgpack`, which a machine for these
/// tests may lack; the bytes are pinned by `the_layout_is_skylines` either way.
#[test]
fn python_reads_what_is_written() {
    let backend = Redis::start();
    let mut store = backend.store();
    let written = [
        (1_700_000_000.0, 1.5),
        (1_700_000_060.25, -2.0),
        (1_700_000_120.0, 1e300),
    ];
    append(&mut store, "a", &written);
    let stream: Vec<u8> = backend.server.connection().get("metrics.a").expect("a value");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stream");
    std::fs::write(&file, stream).expect("a file");
    let script = "import sys, msgpack\n\
        unpacker = msgpack.Unpacker(use_list=False)\n\
        unpacker.feed(open(sys.argv[1], 'rb').read())\n\
        print([(float(t), float(v)) for t, v in unpacker])";
    // The system's own Python may have the package where another one in front of it has not.
    let run = |python| Command::new(python).args(["-c", script]).arg(&file).output().ok();
    let mut outputs = ["python3", "/usr/bin/python3"].into_iter().filter_map(run);
    let python = outputs.find(|output| output.status.success());
    let python = python.expect("Python 3 with the package `msgpack` (Debian: `apt install python3-msgpack`)");
    let expected = "[(1700000000.0, 1.5), (1700000060.25, -2.0), (1700000120.0, 1e+300)]";
    assert_eq!(String::from_utf8_lossy(&python.stdout).trim(), expected);
}
