//! The plane joined to the product: Skywatch's own observers, and what follows from verdicts.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client;
use crate::alerts::hook::Hook;
use crate::alerts::world::{Metrics, World};
use crate::common::redis::RedisServer;
use crate::common::series::now;
use crate::common::skywatch::{Setup, Skywatch};
use crate::common::stall::WriteStall;
use crate::common::wait_for;
use crate::common::{carbon, http};

/// How soon a gray failure is to be seen: the bar of the plane.
const SEEN_WITHIN: Duration = Duration::from_secs(7);

/// Where the plane of a run is.
fn plane(running: &Skywatch) -> String {
    let line = running.line("health plane on ");
    line.rsplit("health plane on ").next().unwrap().trim().to_owned()
}

/// The verdict on a subject; null where the plane knows of none.
fn verdict(setup: &Setup, plane: &str, subject: &str) -> Value {
    let (out, _, _) = client(setup, plane, &["-json", "get", "verdict", subject]);
    serde_json::from_str(&out).unwrap_or_default()
}

/// Waits until the verdict on the store is this, and says for how long.
fn store_is(setup: &Setup, plane: &str, state: &str) -> (Value, Duration) {
    let begun = Instant::now();
    let verdict = wait_for(&format!("the store to be {state}"), || {
        let verdict = verdict(setup, plane, "redis:main");
        (verdict["state"] == state).then_some(verdict)
    });
    (verdict, begun.elapsed())
}

/// The metrics of the votes that stand like this.
fn votes(verdict: &Value, standing: &str) -> Vec<String> {
    let evidence = verdict["evidence"].as_array().unwrap();
    let of_it = evidence.iter().filter(|vote| vote["standing"] == standing);
    of_it
        .map(|vote| vote["metric"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_store_that_answers_pings_and_stalls_writes_is_gray_within_seconds() {
    let redis = RedisServer::start();
    let proxy = WriteStall::to(redis.port());
    let setup = super::setup()
        .with("store.url", &proxy.url())
        .with("health.enabled", "true");
    let running = setup.start(&["run"]);
    let plane = plane(&running);
    let taking = running.carbon();
    // The writer of points, the probe and the canary have all seen it work.
    wait_for("all votes on the store", || {
        carbon::send(taking, format!("web.a 1 {}\n", now()).as_bytes());
        let verdict = verdict(&setup, &plane, "redis:main");
        (verdict["evidence"].as_array().map_or(0, Vec::len) >= 5).then_some(())
    });
    store_is(&setup, &plane, "healthy");
    // The addresses of listeners, by the one who listens.
    assert_eq!(verdict(&setup, &plane, "ingest:carbon")["state"], "healthy");
    for _ in 0..2 {
        proxy.stall(true);
        carbon::send(taking, format!("web.a 2 {}\n", now()).as_bytes());
        let (gray, took) = store_is(&setup, &plane, "gray");
        assert!(took < SEEN_WITHIN, "{took:?}");
        assert_eq!(gray["evidence"][0]["metric"], "write", "{gray}");
        let working = votes(&gray, "working");
        assert!(working.iter().any(|metric| metric == "ping"), "{gray}");
        let page = http::get(running.pages(), "/health").body;
        assert!(page.contains("write overdue_request for "), "{page}");
        let answer = http::get(running.pages(), "/api/v1/health?subject=redis:main").json();
        assert_eq!(answer["verdicts"][0]["state"], "gray", "{answer}");
        assert_eq!(answer["changes"][0]["to"], "gray", "{answer}");
        proxy.stall(false);
        let (_, took) = store_is(&setup, &plane, "healthy");
        assert!(took < SEEN_WITHIN, "{took:?}");
    }
    let unknown = http::get(running.pages(), "/api/v1/health?subject=nobody");
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    wait_for("the state among the figures", || {
        let figures = http::get(running.pages(), "/metrics").body;
        let has = |line: &str| figures.lines().any(|known| known == line);
        let state = has("skywatch_health_verdict{subject=\"redis_main\"} 0.0");
        let score = has("skywatch_health_score{subject=\"redis_main\",metric=\"write\"} 100.0");
        (state && score).then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
}

#[test]
fn one_incident_is_told_of_a_store_that_takes_no_writes_and_what_follows_is_held_back() {
    let redis = RedisServer::start();
    let proxy = WriteStall::to(redis.port());
    let hook = Hook::start();
    Metrics::of(&redis).well(&["web.a"]);
    let world = World::over(&redis, &hook.receiver("hook"))
        .with("store.url", &proxy.url())
        .with("store.response_timeout", "2s")
        .with("ingest.enabled", "true")
        .with("health.enabled", "true")
        .with("health.listen", "127.0.0.1:0");
    let running = world.start();
    let plane = plane(&running);
    let setup = world.setup();
    store_is(setup, &plane, "healthy");
    running.line("total metrics");

    proxy.stall(true);
    let begun = Instant::now();
    carbon::send(running.carbon(), format!("web.b 1 {}\n", now()).as_bytes());
    hook.wait_for("redis:main", &["opened"]);
    assert!(begun.elapsed() < SEEN_WITHIN, "{:?}", begun.elapsed());
    let told = hook.told()[0].body.to_string();
    assert!(told.contains("cannot be written"), "{told}");
    // Points wait, no pass runs: by itself each would be told.
    let held = |incident: &Value| incident["inhibited_by"].is_u64();
    wait_for("incidents that follow", || {
        (world.incidents().iter().filter(|incident| held(incident)).count() >= 2).then_some(())
    });
    // The dispatch is an observer, too: of who takes its notices, and by its incidents.
    assert_eq!(verdict(setup, &plane, "webhook:hook")["state"], "healthy");
    wait_for("an incident of ours in the plane", || {
        (verdict(setup, &plane, "component:skywatch.ingest")["state"] == "unhealthy").then_some(())
    });
    let listed = world.told(&["incidents"]);
    assert!(listed.contains("held back, as it follows from 1"), "{listed}");

    proxy.stall(false);
    hook.wait_for("redis:main", &["opened", "resolved"]);
    wait_for("all to be over", || {
        let over = |incident: &Value| incident["phase"] == "resolved";
        world.incidents().iter().all(over).then_some(())
    });
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert_eq!(
        hook.of_components().into_keys().collect::<Vec<_>>(),
        ["redis:main"]
    );
}
