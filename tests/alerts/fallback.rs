//! A receiver that cannot be reached, and another one in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http_sink::Answer;
use crate::common::redis::RedisServer;

#[test]
fn another_is_told_in_the_place_of_a_receiver_that_cannot_be_reached_until_it_can() {
    let redis = RedisServer::start();
    let mut metrics = Metrics::of(&redis);
    let is_away = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_away);
    let day = Hook::answering(move |_| Answer::status(if asked.load(Ordering::Relaxed) { 503 } else { 204 }));
    let night = Hook::start();
    let config = format!(
        "{}fallback = \"night\"\n{}[[routes]]\nname = \"all\"\nreceivers = [\"day\"]\n",
        day.receiver("day"),
        night.receiver("night"),
    );
    let world = World::over(&redis, &config);
    metrics.well(&["web.calm"]);
    metrics.bad(&["web.cpu"]);
    let running = world.start();
    // Tried three times in vain; then it counts as failing, which is an incident, and another one is told.
    night.wait_for("web.cpu", &["opened"]);
    let listed = world.told(&["incidents"]);
    assert!(listed.contains("skywatch.receiver.day"), "{listed}");

    is_away.store(false, Ordering::Relaxed);
    night.wait_for("skywatch.receiver.day", &["opened", "resolved"]);
    metrics.bad(&["web.disk"]);
    day.wait_for("web.disk", &["opened"]);
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(!night.of_metrics().contains_key("web.disk"), "{:?}", night.told());
}
