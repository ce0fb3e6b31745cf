//! Broken off, held up, slowed down.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{a_day, backfill, filled, over, stored};
use crate::common::redis::{RedisServer, ServerOptions};
use crate::common::sink::{Answer, Sink, rendered};
use crate::common::skywatch::signal;
use crate::common::wait_for;

const METRICS: usize = 12;

fn name(number: usize) -> String {
    format!("m.{number:02}")
}

/// A Graphite of twelve metrics; what it does with the render of one is up to `before`.
fn graphite(before: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> Sink {
    Sink::start(move |request, _| match request.path.as_str() {
        "/metrics/expand" => {
            let names: Vec<String> = (0..METRICS).map(name).collect();
            Answer::Json(format!("{{\"results\": {names:?}}}"))
        }
        _ => {
            let target = request.get("target");
            before(target).unwrap_or_else(|| Answer::Json(format!("[{}]", rendered(target, &a_day(7)))))
        }
    })
}

#[test]
fn an_interrupted_backfill_goes_on_where_it_ended() {
    let redis = RedisServer::start();
    let setup = over(&redis);
    let sink = graphite(|_| None);
    let url = sink.url();
    let arguments = [
        "backfill",
        "--graphite",
        &url,
        "--target",
        "m.*",
        "--rate",
        "5000",
    ];
    let running = setup.start(&arguments);
    wait_for("four metrics", || (sink.rendered().len() >= 5).then_some(()));
    signal(running.pid(), "INT");
    let ended = running.wait();
    assert_eq!(ended.code(), 1);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
    assert!(
        ended
            .log
            .contains("error: interrupted\nhint: the same command goes on"),
        "{}",
        ended.log
    );
    let first: Vec<String> = sink.rendered();
    let done = first.len() - 1;
    assert!(first.len() < METRICS, "{first:?}");
    let log = filled(&setup, &[&arguments[1..5], &["--rate", "1000000"]].concat());
    assert!(
        log.contains(&format!(
            "{} of {METRICS} fetched, {done} done before",
            METRICS - done
        )),
        "{log}"
    );
    let again = sink.rendered().split_off(first.len());
    let doubled: BTreeSet<_> = again.iter().filter(|one| first.contains(one)).collect();
    assert_eq!(
        doubled,
        BTreeSet::from([&first[done]]),
        "only the one it was at is fetched again"
    );
    for number in 0..METRICS {
        let points = stored(&redis, &name(number));
        let times: BTreeSet<u64> = points.iter().map(|point| point.0 as u64).collect();
        assert!(times.len() >= 1_439, "{number}: {}", times.len());
    }
}

/// The request it waits for may take another twenty seconds: the command does not.
#[test]
fn a_signal_ends_it_while_a_server_lets_it_wait() {
    let redis = RedisServer::start();
    let sink = graphite(|target| (target == "m.03").then_some(Answer::Nothing));
    let url = sink.url();
    let running = over(&redis).start(&["backfill", "--graphite", &url, "--target", "m.*"]);
    wait_for("the request", || sink.rendered().contains(&name(3)).then_some(()));
    signal(running.pid(), "TERM");
    let ended = running.wait();
    assert_eq!(ended.code(), 1);
    assert!(ended.took < Duration::from_secs(3), "{:?}", ended.took);
    assert!(ended.log.contains("error: interrupted"), "{}", ended.log);
}

#[test]
fn the_rate_is_kept() {
    let redis = RedisServer::start();
    let sink = graphite(|_| None);
    let begun = Instant::now();
    let url = sink.url();
    let arguments = [
        "--graphite",
        &url,
        "--target",
        "m.00",
        "--target",
        "m.01",
        "--rate",
        "1000",
    ];
    let log = filled(&over(&redis), &arguments);
    assert!(log.contains("metrics    2\n"), "{log}");
    // 2,880 points, of which the last hundred need not be waited for.
    assert!(
        begun.elapsed() > Duration::from_millis(2_700),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_store_that_comes_back_gets_every_point() {
    let mut redis = RedisServer::start_with(ServerOptions::default());
    let setup = over(&redis);
    let sink = graphite(|_| None);
    let url = sink.url();
    let running = setup.start(&[
        "backfill",
        "--graphite",
        &url,
        "--target",
        "m.*",
        "--rate",
        "5000",
    ]);
    wait_for("three metrics", || (sink.rendered().len() >= 3).then_some(()));
    redis.stop();
    running.line("points wait for the store");
    redis.start_again();
    let ended = running.wait();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    for number in 0..METRICS {
        assert!(stored(&redis, &name(number)).len() >= 1_439, "{number}");
    }
}

#[test]
fn a_metric_the_store_refuses_is_counted_and_an_embedded_store_in_use_is_told() {
    let redis = RedisServer::start();
    let mut raw = redis.connection();
    let _: () = redis::Commands::rpush(&mut raw, "metrics.m.00", "no string").unwrap();
    let sink = graphite(|_| None);
    let url = sink.url();
    let arguments = ["--graphite", &url, "--target", "m.00", "--target", "m.01"];
    let log = filled(&over(&redis), &arguments);
    assert!(log.contains("metrics    1\n"), "{log}");
    assert!(log.contains("refused_by_store 14"), "{log}");
    let setup = crate::common::skywatch::Setup::new();
    let running = setup.start(&["run"]);
    running.carbon();
    let ended = backfill(&setup, &arguments);
    assert_eq!(ended.code(), 1);
    assert!(
        ended.log.contains("is in use by another process"),
        "{}",
        ended.log
    );
    assert!(
        ended.log.contains("hint: stop the other `skywatch`"),
        "{}",
        ended.log
    );
    running.stop();
}
