//! A machine that goes wrong while Kafka is away: one notice, one event, in order, and nothing lost.

use serde_json::Value;

use super::live::{Flaw, StandIn, wait_for_states};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::wait_for;
use crate::events::broker::GuardedBroker;

/// What webhooks were told of entities: name and what was said.
fn told(hook: &HttpSink) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for request in hook.requests() {
        let body = request.json();
        for item in body["incidents"]["items"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            if item["subject"]["kind"] == "entity" {
                told.push((text(&item["subject"]["name"]), text(&item["what"])));
            }
        }
    }
    told
}

#[test]
fn while_kafka_is_away_a_machine_has_one_notice_and_later_one_event() {
    let stand_in = StandIn::start();
    let hook = HttpSink::start(|_| Answer::status(204));
    let mut broker = GuardedBroker::planned("none", "", "", false);
    let setup = stand_in.setup();
    let config = setup.path("skywatch.toml");
    let receiver = format!(
        "[receivers.hook]\ntype = \"webhook\"\nurl = \"{}/hook\"\n",
        hook.url()
    );
    std::fs::write(&config, receiver).unwrap();
    let setup = setup
        .with("events.kafka_brokers", &format!("localhost:{}", broker.port))
        .with("events.kafka_metadata_topic", "")
        .with("events.schema", "current");
    let config = config.display().to_string();
    let server = setup.start(&["run", "--config", &config]);
    wait_for_states(&server, "normal", 3);
    stand_in.set(Flaw::Parted);
    wait_for("the notice", || (!told(&hook).is_empty()).then_some(()));
    // It is over and comes again, all of it while Kafka is away.
    stand_in.set(Flaw::None);
    wait_for("the end of it", || {
        told(&hook)
            .iter()
            .any(|(_, what)| what == "resolved")
            .then_some(())
    });
    assert_eq!(
        told(&hook),
        [("web-2", "opened"), ("web-2", "resolved")].map(|(name, what)| (name.to_owned(), what.to_owned()))
    );
    server.line("takes no events, which wait");
    broker.begin();
    let messages = wait_for("what waited", || {
        let messages = broker.messages();
        let of_it = |(_, body): &&(String, Value)| body["is_anomaly"] == true;
        (messages.iter().filter(of_it).count() > 0).then_some(messages)
    });
    let anomalous: Vec<&Value> = (messages.iter())
        .map(|(_, body)| body)
        .filter(|body| body["is_anomaly"] == true)
        .collect();
    // One event a metric that shows it: the same is not said again while it lasts.
    let mut shows: Vec<&str> = (anomalous.iter())
        .filter_map(|body| body["Resource"]["metric"].as_str())
        .collect();
    assert!(shows.contains(&"m1"), "{messages:#?}");
    shows.sort_unstable();
    shows.dedup();
    assert_eq!(shows.len(), anomalous.len(), "{messages:#?}");
    // The others were said as they were at the time, and times do not run backwards.
    let normal = messages.iter().filter(|(_, body)| body["is_anomaly"] == false);
    assert!(normal.count() >= 2, "{messages:#?}");
    for entity in ["web-1", "web-2", "web-3"] {
        let own = messages.iter().filter(|(key, _)| key.starts_with(entity));
        let times: Vec<i64> = own.filter_map(|(_, body)| body["Timestamp"].as_i64()).collect();
        assert!(times.is_sorted(), "{entity}: {times:?}");
    }
}
