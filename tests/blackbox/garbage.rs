//! What comes over the carbon port and is no point: counted by its reason, and no harm to its neighbours.

use std::io::Write as _;
use std::net::TcpStream;

use super::redis_world::{NAMES, points};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::Setup;
use crate::common::{carbon, http, wait_for};

#[test]
fn garbage_is_counted_by_reason_and_its_neighbours_are_stored() {
    let redis = RedisServer::start();
    let setup = Setup::new().on(&redis).with("analyzer.enabled", "false");
    let running = setup.start(&["run"]);
    let time = now();
    let long_name = "n".repeat(4_097);
    let garbage: Vec<(&str, Vec<u8>)> = vec![
        ("not_finite", format!("a nan {time}\n").into()),
        ("not_finite", format!("a -inf {time}\n").into()),
        ("not_finite", format!("a 1e999 {time}\n").into()),
        ("bad_name", format!("a\0b 1 {time}\n").into()),
        ("bad_name", format!("a\u{7f}b 1 {time}\n").into()),
        ("bad_name", format!("a\u{2028}b 1 {time}\n").into()),
        ("not_utf8", b"a\xff 1 1700000000\n".to_vec()),
        (
            "line_too_long",
            [vec![b'x'; 1 << 20], b" 1 1700000000\n".to_vec()].concat(),
        ),
        ("name_too_long", format!("{long_name} 1 {time}\n").into()),
        ("bad_time", b"a 1 0\n".to_vec()),
        ("bad_time", b"a 1 -2\n".to_vec()),
        ("bad_time", b"a 1 nan\n".to_vec()),
        ("malformed", b"a\n".to_vec()),
        ("malformed", b"a 1\n".to_vec()),
        ("malformed", b"a one 1700000000\n".to_vec()),
        ("malformed", b"a 1 1700000000 more\n".to_vec()),
        ("malformed", b"GET / HTTP/1.1\r\n".to_vec()),
    ];
    let mut stream = TcpStream::connect(running.carbon()).unwrap();
    let good = |index: usize| format!("good {index} {}\n", time - 1_000.0 + index as f64);
    stream.write_all(good(0).as_bytes()).unwrap();
    for (index, (_, bytes)) in garbage.iter().enumerate() {
        stream.write_all(bytes).unwrap();
        stream.write_all(good(index + 1).as_bytes()).unwrap();
    }
    // Blank lines are nothing at all; -1 means now; the last line has no end and may be half of one.
    stream.write_all(b"\n \r\nstamped 5 -1\r\nhalf 1 17000").unwrap();
    drop(stream);
    // Another client at the same time is none the worse.
    carbon::send(running.carbon(), format!("other 1 {time}\n").as_bytes());

    let kept = garbage.len() as u64 + 3;
    wait_for("the good lines", || {
        (running.ingest("written") == kept).then_some(())
    });
    let mut expected = std::collections::BTreeMap::from([("unfinished", 1u64)]);
    for (reason, _) in &garbage {
        *expected.entry(reason).or_default() += 1;
    }
    for (reason, count) in expected {
        assert_eq!(running.ingest(&format!("dropped.{reason}")), count, "{reason}");
    }
    assert_eq!(running.ingest("received"), kept + garbage.len() as u64 + 1);
    assert_eq!(running.ingest("connections"), 2);
    let figures = http::get(running.pages(), "/metrics").body;
    assert!(
        figures.contains("skywatch_ingest_dropped_total{reason=\"not_finite\"} 3"),
        "{figures}"
    );
    assert!(
        figures
            .contains("skywatch_ingest_listener_dropped_total{listener=\"carbon\",reason=\"not_finite\"} 3"),
        "{figures}"
    );
    let line = running.line("point dropped, line_too_long");
    assert!(line.len() < 300, "{} bytes", line.len());

    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains('\0'), "no log line is garbled");
    let mut store = redis.connection();
    let mut names: Vec<String> = redis::Commands::smembers(&mut store, NAMES).unwrap();
    names.sort();
    assert_eq!(names, ["metrics.good", "metrics.other", "metrics.stamped"]);
    let values: Vec<f64> = points(&mut store, "good").iter().map(|point| point.1).collect();
    let all: Vec<f64> = (0..=garbage.len()).map(|index| index as f64).collect();
    assert_eq!(values, all);
    let stamped = points(&mut store, "stamped")[0].0;
    assert!((0.0..60.0).contains(&(now() - stamped)), "{stamped}");
}
