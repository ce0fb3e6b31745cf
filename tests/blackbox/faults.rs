//! Redis that goes away, connections that are cut, and keys that hold what nobody expects.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use redis::Commands as _;
use serde_json::{Value, json};

use super::redis_world::{NAMES, key, name, points, put, put_bytes, stream};
use crate::common::proxy::Proxy;
use crate::common::redis::{RedisServer, ServerOptions};
use crate::common::series::{each_minute, loud, now, quiet};
use crate::common::skywatch::{Setup, Skywatch, summaries};
use crate::common::{carbon, http, wait_for};

/// A client that counts: point `n` of metric `seq` has value `n`. Sends until told that it is enough.
struct Counting {
    sent: u32,
    begin: f64,
}

impl Counting {
    fn new() -> Self {
        Self {
            sent: 0,
            begin: now() - 100_000.0,
        }
    }

    fn send(&mut self, to: std::net::SocketAddr, points: u32) {
        let next = self.sent..self.sent + points;
        let lines: Vec<(f64, f64)> = next.map(|n| (self.begin + f64::from(n), f64::from(n))).collect();
        carbon::send(to, carbon::lines("seq", &lines).as_bytes());
        self.sent += points;
    }

    /// Every point sent, none lost, and none but those. Repeats are allowed: they vanish on reading.
    fn is_whole(&self, redis: &RedisServer) {
        let mut stored = points(&mut redis.connection(), "seq");
        stored.sort_by(|a, b| a.0.total_cmp(&b.0));
        stored.dedup();
        let expected: Vec<(f64, f64)> = (0..self.sent)
            .map(|n| (self.begin + f64::from(n), f64::from(n)))
            .collect();
        let missing = expected.iter().filter(|point| !stored.contains(point)).count();
        assert!(
            stored == expected,
            "{} stored, {missing} of {} missing",
            stored.len(),
            self.sent
        );
    }
}

fn wait_until_accepted(running: &Skywatch, points: u32) {
    wait_for("all points to be accepted", || {
        (running.ingest("accepted") == u64::from(points)).then_some(())
    });
}

#[test]
fn redis_restarted_under_load_loses_nothing_and_passes_resume() {
    let mut redis = RedisServer::start();
    put(&mut redis.connection(), "loud", &each_minute(&loud(200), now()));
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.optimum_run_duration", "200ms");
    let running = setup.start(&["run"]);
    let carbon = running.carbon();
    running.line("total anomalies :: 1");
    let mut counting = Counting::new();
    counting.send(carbon, 500);
    redis.stop();
    let down = Instant::now();
    while down.elapsed() < Duration::from_millis(1500) {
        counting.send(carbon, 20);
        std::thread::sleep(Duration::from_millis(10));
    }
    running.line("points wait, the store does not take them");
    running.line("store unreachable, try 2");
    redis.start_again();
    counting.send(carbon, 500);
    running.line("store reached again after");
    running.line("the store takes points again");
    let passes = running.log().matches("total anomalies :: 1").count();
    running.nth_line(passes + 2, "total anomalies :: 1");

    counting.send(carbon, 3_000);
    wait_until_accepted(&running, counting.sent);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    counting.is_whole(&redis);
    assert_eq!(
        ended.log.matches(":: loud is 500").count(),
        1,
        "known before the restart:\n{}",
        ended.log
    );
}

#[test]
fn a_redis_that_returns_while_we_stop_still_gets_everything() {
    let mut redis = RedisServer::start();
    let setup = Setup::new().on(&redis).with("analyzer.enabled", "false");
    let running = setup.start(&["run"]);
    let mut counting = Counting::new();
    redis.stop();
    counting.send(running.carbon(), 1_000);
    wait_until_accepted(&running, counting.sent);
    crate::common::skywatch::signal(running.pid(), "TERM");
    running.line("stopping on signal 15");
    // It returns to an ingest that takes nothing more and only writes what is left.
    let carbon = running.carbon();
    wait_for("the carbon port to close", || {
        std::net::TcpStream::connect(carbon).err()
    });
    redis.start_again();
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    counting.is_whole(&redis);
}

#[test]
fn points_lost_because_redis_never_came_back_are_counted() {
    let mut redis = RedisServer::start();
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.enabled", "false")
        .with("process.stop_timeout", "1s");
    let running = setup.start(&["run"]);
    redis.stop();
    let mut counting = Counting::new();
    counting.send(running.carbon(), 123);
    wait_until_accepted(&running, counting.sent);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    ended.line("123 accepted points lost");
    let status = std::fs::read_to_string(setup.path("state/status/ingest.json")).unwrap();
    assert!(status.contains(r#"["dropped.lost_at_stop",123]"#), "{status}");
}

#[test]
fn a_connection_cut_in_the_middle_of_a_reply_costs_no_metric_and_no_point() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(redis.port());
    let mut store = redis.connection();
    let end = now() - 120.0;
    for number in 0..60 {
        put(&mut store, &format!("m{number}"), &each_minute(&quiet(1440), end));
    }
    let setup = Setup::new()
        .with("store.url", &proxy.url())
        .with("analyzer.optimum_run_duration", "300ms");
    proxy.cut_after(200_000);
    let file = setup.path("summary.jsonl");
    let running = setup.start(&["run", "--summary", file.to_str().unwrap()]);
    let pass = |number: usize| wait_for("a pass", || summaries(&file).get(number - 1).cloned());
    let first = pass(1);
    assert_eq!(first["analyzed"], 60, "{first}\n{}", running.log());

    // The same with windows cached, cutting the replies about tails at one place after another.
    let mut counting = Counting::new();
    let mut seen = summaries(&file).len();
    for (round, bytes) in [1, 40, 700, 2_900].into_iter().enumerate() {
        proxy.cut_after(bytes);
        counting.send(running.carbon(), 100);
        for number in 0..60 {
            let time = end + 60.0 + round as f64;
            put(&mut store, &format!("m{number}"), &[(time, 104.5)]);
        }
        seen = summaries(&file).len().max(seen) + 2;
        let last = pass(seen);
        assert!(last["analyzed"].as_u64() >= Some(60), "{last}\n{}", running.log());
        assert_eq!(last["unfinished"], 0, "{last}");
        assert_eq!(last["exceptions"]["Other"], 0, "{last}");
    }
    wait_until_accepted(&running, counting.sent);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    counting.is_whole(&redis);
    for pass in summaries(&file) {
        assert!(pass["analyzed"].as_u64() >= Some(60), "{pass}");
        assert_eq!(pass["refetched"], 0, "{pass}");
    }
}

/// A worker that asks again must not take the answer of one metric for that of another.
///
/// 20,000 metrics change three times. Each change gives every metric a point; of some it also cuts the front by more than a
/// tail can look through at once, and of some others it takes the end, so that they have to be read whole. The connection
/// is cut among the answers, once also among the names.
#[test]
fn connections_cut_among_the_answers_of_20_000_metrics_change_no_verdict() {
    let redis = RedisServer::start();
    let proxy = Proxy::to(redis.port());
    let mut store = redis.connection();
    let names: Vec<String> = (0..20_000).map(|n| format!("host{n:05}.load")).collect();
    let end = now() - 240.0;
    let history = each_minute(&quiet(170), end);
    let packed = stream(&history);
    let mut filling = redis::pipe();
    for name in &names {
        filling.cmd("SET").arg(key(name)).arg(&packed).ignore();
        filling.cmd("SADD").arg(NAMES).arg(key(name)).ignore();
    }
    let () = filling.query(&mut store).unwrap();

    let setup = Setup::new()
        .with("store.url", &proxy.url())
        .with("ingest.enabled", "false")
        .with("web.enabled", "false");
    let file = setup.path("watching.jsonl");
    let running = setup.start(&["run", "--summary", file.to_str().unwrap()]);
    let pass = |number: usize| wait_for("a pass", || summaries(&file).get(number).cloned());
    pass(0);
    let mut loud = BTreeSet::new();
    let mut appended: Vec<Vec<(f64, f64)>> = vec![Vec::new(); names.len()];
    let mut last = Value::Null;
    for (change, cut) in [4_000_000, 100_000, 9_000_000].into_iter().enumerate() {
        let mut changing = redis::pipe();
        changing.atomic();
        for (number, (name, appended)) in names.iter().zip(&mut appended).enumerate() {
            let (front_cut, end_lost) = (number % 4 == 0, number % 32 == 2);
            // Other metrics each time, and in no order that a shift by a few could hide. Their fronts are cut: a second
            // look at those is what comes after a cursor was found to be lost.
            let is_loud = front_cut && (number / 4 * 7_919 + change * 13) % 53 == 0;
            let value = if is_loud { 500.0 } else { 105.0 };
            if is_loud {
                loud.insert(name.clone());
            }
            if end_lost {
                appended.clear();
            }
            appended.push((end + 60.0 * (change + 1) as f64, value));
            if front_cut || end_lost {
                let begin = if front_cut { 20 * (change + 1) } else { 0 };
                let whole = [stream(&history[begin..]), stream(appended)].concat();
                changing.cmd("SET").arg(key(name)).arg(whole).ignore();
            } else {
                let new = stream(&appended[appended.len() - 1..]);
                changing.cmd("APPEND").arg(key(name)).arg(new).ignore();
            }
        }
        proxy.cut_after(cut);
        let () = changing.query(&mut store).unwrap();
        // One pass may have begun before the change; the next sees all of it.
        last = pass(summaries(&file).len() + 1);
        assert_eq!(last["unfinished"], 0, "{last}\n{}", running.log());
    }
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!ended.log.contains("more new anomalies"), "{}", ended.log);
    let sum = |figure: &str| -> u64 {
        let passes = summaries(&file);
        passes.iter().filter_map(|pass| pass[figure].as_u64()).sum()
    };
    // One that is cut between two questions costs a new connection and no question.
    assert!(sum("retried") >= 1, "no question asked again");
    assert!(sum("refetched") > 1_500, "{} cursors lost", sum("refetched"));

    let called = |line: &str| {
        let (before, _) = line.split_once(" is 500")?;
        Some(before.rsplit(' ').next()?.to_owned())
    };
    let called: BTreeSet<String> = ended.log.lines().filter_map(called).collect();
    let wrong: Vec<_> = called.symmetric_difference(&loud).collect();
    assert!(
        wrong.is_empty() && loud.len() > 200,
        "{} of {} wrong: {wrong:?}",
        wrong.len(),
        loud.len()
    );
    // And what a process finds that has seen none of this.
    let (undisturbed, _) = setup.run_passes(1);
    for figure in ["analyzed", "anomalies", "exceptions"] {
        assert_eq!(last[figure], undisturbed[0][figure], "{figure}");
    }
}

#[test]
fn what_is_no_series_is_counted_and_the_rest_is_judged() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    let end = now();
    put(&mut store, "good.quiet", &each_minute(&quiet(200), end));
    put(&mut store, "good.loud", &each_minute(&loud(200), end));
    put(&mut store, "odd.cut_off", &each_minute(&quiet(200), end));
    put_bytes(&mut store, "odd.cut_off", b"\x92\xce\x00");
    put(&mut store, "odd.boring", &each_minute(&[5.0; 200], end));
    put(&mut store, "odd.stale", &each_minute(&quiet(200), end - 501.0));
    put(&mut store, "odd.short", &each_minute(&quiet(99), end));
    put_bytes(&mut store, "odd.only_nil", b"\x92\xce\x65\x00\x00\x00\xc0");
    let _: () = store.set(key("odd.empty"), "").unwrap();
    name(&mut store, "odd.empty");
    name(&mut store, "odd.missing");
    let _: () = store.rpush(key("odd.list"), 1).unwrap();
    name(&mut store, "odd.list");
    let _: () = store.hset(key("odd.hash"), "a", 1).unwrap();
    name(&mut store, "odd.hash");
    put_bytes(&mut store, "odd.text", b"what is this?");
    put(&mut store, "odd.spoiled", &each_minute(&quiet(200), end));
    put_bytes(&mut store, "odd.spoiled", b"\xc1\xc1");
    // Not ours, and no text.
    let _: () = store
        .sadd("metrics.unique_metrics", &b"metrics.\xff\xfe"[..])
        .unwrap();
    let _: () = store.sadd("metrics.unique_metrics", "elsewhere.a").unwrap();

    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.profile", "skyline")
        .with("ingest.enabled", "false");
    let (passes, ended) = setup.run_passes(2);
    for pass in &passes {
        assert_eq!(pass["metrics"], 13, "{pass}");
        assert_eq!(pass["analyzed"], 3, "{pass}");
        assert_eq!(pass["anomalies"], 1, "{pass}");
        assert_eq!(
            pass["exceptions"],
            json!({"Boring": 1, "DeletedByRoomba": 1, "Other": 4, "Stale": 1, "TooShort": 3}),
            "{pass}"
        );
        assert_eq!(pass["unfinished"], 0, "{pass}");
    }
    assert_eq!(passes[0]["unusable_points"], 2, "{}", passes[0]);
    let log = &ended.log;
    assert!(
        log.contains(r#"wrong type `list` :: first ["odd.list"]"#),
        "{log}"
    );
    assert!(
        log.contains(r#"wrong type `hash` :: first ["odd.hash"]"#),
        "{log}"
    );
    assert!(
        log.contains(r#"malformed stream at byte 0 :: first ["odd.text"]"#),
        "{log}"
    );
    assert!(
        log.contains(r#"malformed stream at byte 3000 :: first ["odd.spoiled"]"#),
        "{log}"
    );
}

#[test]
fn points_for_a_key_of_another_type_are_dropped_and_counted_and_the_others_kept() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    let _: () = store.rpush(key("list"), 1).unwrap();
    let setup = Setup::new().on(&redis).with("analyzer.enabled", "false");
    let running = setup.start(&["run"]);
    let end = now();
    let mut lines = carbon::lines("before", &each_minute(&quiet(10), end));
    lines += &carbon::lines("list", &each_minute(&quiet(7), end));
    lines += &carbon::lines("after", &each_minute(&quiet(10), end));
    carbon::send(running.carbon(), lines.as_bytes());
    wait_for("the drop to be counted", || {
        (running.ingest("dropped.refused_by_store") == 7 && running.ingest("written") == 20).then_some(())
    });
    let line = running.line("refused by the store");
    assert!(line.contains("`list`"), "{line}");
    assert_eq!(running.stop().code(), 0);
    assert_eq!(points(&mut store, "before").len(), 10);
    assert_eq!(points(&mut store, "after").len(), 10);
    assert_eq!(store.llen::<_, u64>(key("list")).unwrap(), 1);
}

#[test]
fn a_value_of_64_megabytes_is_one_metric_like_any_other() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    let end = now();
    put(&mut store, "quiet", &each_minute(&quiet(200), end));
    // A point a second, the last seven weeks: the window is the end of it.
    let count = (64 << 20) / 15;
    let mut stream = Vec::with_capacity(64 << 20);
    for index in 0..count {
        stream.extend([0x92, 0xce]);
        stream.extend(((end as u32) - (count - 1 - index)).to_be_bytes());
        stream.push(0xcb);
        stream.extend((100.0 + f64::from(index % 1009 * 7919 % 101)).to_be_bytes());
    }
    put_bytes(&mut store, "huge", &stream);
    put_bytes(&mut store, "huge.garbage", &vec![0xc1; 64 << 20]);
    let setup = Setup::new().on(&redis).with("ingest.enabled", "false");
    let (passes, _) = setup.run_passes(2);
    for pass in passes {
        assert_eq!(pass["analyzed"], 2, "{pass}");
        assert_eq!(pass["exceptions"]["Other"], 1, "{pass}");
        assert_eq!(pass["anomalies"], 0, "{pass}");
        assert_eq!(pass["refetched"], 0, "{pass}");
    }
}

/// A full Redis takes nothing but still answers: that is the worst moment to stop watching.
#[test]
fn a_redis_that_takes_no_writes_is_still_watched() {
    let redis = RedisServer::start();
    let mut store = redis.connection();
    let end = now();
    put(&mut store, "loud", &each_minute(&loud(200), end));
    // Its class as a counter is to be written, and cannot be.
    let mut sum = 0.0;
    let rising: Vec<f64> = quiet(200)
        .iter()
        .map(|value| {
            sum += value;
            sum
        })
        .collect();
    put(&mut store, "rising", &each_minute(&rising, end));
    for number in 0..20 {
        put(
            &mut store,
            &format!("quiet{number}"),
            &each_minute(&quiet(200), end),
        );
    }
    let setup = Setup::new().on(&redis).with("ingest.enabled", "false");
    let config = |key: &str, value: &str| {
        let mut connection = redis.connection();
        redis::cmd("CONFIG")
            .arg("SET")
            .arg(key)
            .arg(value)
            .exec(&mut connection)
            .unwrap();
    };
    config("maxmemory-policy", "noeviction");
    config("maxmemory", "100kb");
    let (passes, ended) = setup.run_passes(2);
    for pass in &passes {
        assert_eq!(pass["analyzed"], 22, "{pass}\n{}", ended.log);
        assert_eq!(pass["anomalies"], 1, "{pass}");
        assert_eq!(pass["unfinished"], 0, "{pass}");
    }
    assert!(ended.log.contains("is out of memory"), "{}", ended.log);

    config("maxmemory", "0");
    config("replica-read-only", "yes");
    redis::cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg("1")
        .exec(&mut store)
        .unwrap();
    let (passes, ended) = setup.run_passes(1);
    assert_eq!(passes[0]["analyzed"], 22, "{}\n{}", passes[0], ended.log);
    assert!(ended.log.contains("is read-only"), "{}", ended.log);
}

/// Redis closes what has not been used for its `timeout`; with one of a second, every connection between two passes.
#[test]
fn connections_that_redis_closes_for_resting_are_no_fault() {
    let redis = RedisServer::start_with(ServerOptions {
        arguments: vec!["--timeout".to_owned(), "1".to_owned()],
        ..ServerOptions::default()
    });
    put(&mut redis.connection(), "quiet", &each_minute(&quiet(200), now()));
    let setup = Setup::new()
        .on(&redis)
        .with("analyzer.optimum_run_duration", "4s")
        .with("ingest.flush_interval", "100ms");
    let running = setup.start(&["run"]);
    for pass in 1..=3 {
        running.nth_line(pass, "total analyzed :: 1");
        carbon::send(
            running.carbon(),
            format!("seq 1 {}\n", now() - 3_600.0).as_bytes(),
        );
        wait_for("the point to be written", || {
            (running.ingest("written") == pass as u64).then_some(())
        });
        // A page reads a window, too.
        let page = http::get(running.pages(), "/metric?name=quiet");
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("does not answer"), "{}", page.body);
    }
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    for word in ["ERROR", "WARNING"] {
        assert!(!ended.log.contains(word), "{}", ended.log);
    }
}

#[test]
fn names_that_come_too_slowly_are_given_up_at_the_deadline() {
    let redis = RedisServer::start();
    let mut names = redis::pipe();
    for chunk in 0..40 {
        let members: Vec<String> = (0..1_000).map(|n| format!("metrics.m{chunk}.{n}")).collect();
        names.sadd("metrics.unique_metrics", members).ignore();
    }
    names.exec(&mut redis.connection()).unwrap();
    let slow = Proxy::to(redis.port());
    let setup = Setup::new()
        .with("store.url", &slow.url())
        .with("analyzer.pass_deadline", "2s")
        // Time to make it slow before the next one begins, and not amid the reading of points.
        .with("analyzer.optimum_run_duration", "5s")
        .with("ingest.enabled", "false");
    let running = setup.start(&["run"]);
    running.line("total metrics :: 40000");
    let before = running
        .log()
        .matches("the names are not all listed after")
        .count();
    assert_eq!(before, 0);
    // The set changes, so that it is listed again, four kilobytes every tenth of a second.
    slow.pause_each(Duration::from_millis(100));
    redis::cmd("SADD")
        .arg("metrics.unique_metrics")
        .arg("metrics.more")
        .exec(&mut redis.connection())
        .unwrap();
    let begun = Instant::now();
    running.line("the names are not all listed after");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    slow.pause_each(Duration::ZERO);
    running.line("total metrics :: 40001");
    assert_eq!(running.stop().code(), 0);
}
