//! Kafka: what arrives, in which order, and what happens while it is away.

use skywatch::events::{AbnormalMetric, CausedEvent, EntityEvent, RootCauseEvent};

use super::broker::{GuardedBroker, LARGEST, MockBroker};
use super::{counter, event, number, publish, setup, wait_for_counter};
use crate::common::skywatch::Setup;
use crate::common::wait_for;

const TOPIC: &str = "gala_anteater_hybrid_model";
const CAUSE_TOPIC: &str = "gala_cause_inference";

fn with_broker(setup: Setup, address: &str) -> Setup {
    setup.with("events.kafka_brokers", address)
}

#[test]
fn an_entity_has_one_partition_its_order_and_the_id_that_the_metadata_give() {
    let mut broker = MockBroker::start(&[TOPIC, CAUSE_TOPIC]);
    let setup = with_broker(setup(), &broker.address);
    let running = setup.start(&["run"]);
    // An old message first, then one in a compression that is not read, then one that is.
    let keys = r#"{"entity_name":"tcp_link","keys":["machine_id","tgid","role","gone"]}"#;
    broker.produce(
        "gala_gopher_metadata",
        "gzip",
        r#"{"entity_name":"tcp_link","keys":[]}"#,
    );
    broker.produce("gala_gopher_metadata", "lz4", "{}");
    broker.produce("gala_gopher_metadata", "snappy", "[]");
    broker.produce("gala_gopher_metadata", "snappy", keys);
    wait_for_counter(&running, "metadata.read", 3);
    assert_eq!(counter(&running, "metadata.unreadable"), 1);
    assert_eq!(counter(&running, "metadata.malformed"), 1);

    let entities = ["m1", "m2", "m3", "m4", "m5"];
    let all = (0..40).flat_map(|number| entities.map(|entity| event(entity, number)));
    publish(&setup, all);
    publish(&setup, [cause_of(&event("m1", 1))]);
    wait_for_counter(&running, "sink.kafka.sent", 201);
    let messages = wait_for("all messages", || {
        Some(broker.messages()).filter(|all| all.len() >= 201)
    });
    let (messages, causes): (Vec<_>, Vec<_>) =
        messages.into_iter().partition(|message| message.topic == TOPIC);
    assert_eq!((messages.len(), causes.len()), (200, 1));
    assert_eq!(causes[0].topic, CAUSE_TOPIC);
    assert_eq!(causes[0].key, "m1_tcp_link_7_client_0");
    assert_eq!(causes[0].body["event_id"], "1700000600000_m1_tcp_link_7_client_0");
    for entity in entities {
        let key = format!("{entity}_tcp_link_7_client_0");
        let own: Vec<_> = messages.iter().filter(|message| message.key == key).collect();
        assert!(own.iter().all(|message| message.partition == own[0].partition));
        let numbers: Vec<_> = own.iter().map(|message| number(&message.body)).collect();
        assert_eq!(numbers, (0..40).collect::<Vec<_>>());
        assert_eq!(own[1].body["Attributes"]["entity_id"], *key);
        assert_eq!(own[1].time, 1_700_000_600_000);
    }
    let mut ids: Vec<_> = messages.iter().map(|message| message.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200, "each has its own id");
    let partitions: std::collections::BTreeSet<_> =
        messages.iter().map(|message| message.partition).collect();
    assert!(partitions.len() > 1, "they are spread");
    assert_eq!(counter(&running, "sink.kafka.waiting"), 0);
    assert_eq!(running.stop().code(), 0);
}

/// A cause of that event that names nothing but it.
fn cause_of(event: &EntityEvent) -> RootCauseEvent {
    RootCauseEvent {
        at: event.key.at,
        of: CausedEvent::Entity(event.key.clone()),
        abnormal: AbnormalMetric {
            metric: event.key.metric.clone(),
            labels: event.key.labels.clone(),
            description: None,
            score: event.score,
        },
        causes: Vec::new(),
        indicators: Vec::new(),
        front_end_metrics: [].into(),
    }
}

#[test]
fn while_kafka_is_away_all_waits_and_then_comes_in_order_once() {
    let mut broker = GuardedBroker::planned("none", "", "", false);
    let setup =
        with_broker(setup(), &format!("localhost:{}", broker.port)).with("events.kafka_metadata_topic", "");
    publish(&setup, (0..50).map(|number| event("m1", number)));
    let running = setup.start(&["run"]);
    running.line("takes no events, which wait");
    broker.begin();
    wait_for_counter(&running, "sink.kafka.sent", 50);
    broker.end();
    publish(&setup, (50..80).map(|number| event("m1", number)));
    running.nth_line(2, "takes no events, which wait");
    // A kill in the middle of it, and another start.
    crate::common::skywatch::signal(running.pid(), "KILL");
    running.wait();
    publish(&setup, (80..100).map(|number| event("m1", number)));
    let running = setup.start(&["run"]);
    running.line("takes no events, which wait");
    broker.begin();
    wait_for_counter(&running, "sink.kafka.sent", 100);
    let numbers: Vec<_> = broker.messages().iter().map(|(_, body)| number(body)).collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    assert!(counter(&running, "sink.kafka.failures") >= 3);
    assert_eq!(running.stop().code(), 0);
}

#[test]
fn a_broker_that_never_answers_does_not_keep_us_from_ending() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setup = with_broker(setup(), &listener.local_addr().unwrap().to_string());
    publish(&setup, [event("m1", 0)]);
    let running = setup.start(&["run"]);
    // Both the sink and the reader of metadata.
    let _held = [listener.accept().unwrap(), listener.accept().unwrap()];
    let ended = running.stop();
    assert_eq!(ended.code(), 0);
    assert!(ended.took < std::time::Duration::from_secs(8), "{:?}", ended.took);
}

#[test]
fn a_message_that_is_too_large_is_dropped_and_named_and_the_others_arrive() {
    let mut broker = GuardedBroker::planned("none", "", "", false);
    broker.begin();
    let setup =
        with_broker(setup(), &format!("localhost:{}", broker.port)).with("events.kafka_metadata_topic", "");
    let mut events: Vec<_> = (0..3).map(|number| event("m1", number)).collect();
    let padding = "x".repeat(LARGEST);
    events[1].details.insert("padding".to_owned(), padding.into());
    publish(&setup, events);
    let running = setup.start(&["run"]);
    wait_for_counter(&running, "sink.kafka.sent", 2);
    wait_for_counter(&running, "sink.kafka.refused", 1);
    let numbers: Vec<_> = broker.messages().iter().map(|(_, body)| number(body)).collect();
    assert_eq!(numbers, [0, 2]);
    let line = running.line("event `1700000600000_m1_tcp_link` is dropped");
    assert!(line.contains("too large"), "{line}");
}

#[test]
fn brokers_that_ask_are_shown_a_password_and_it_is_no_secret_that_it_is_wrong() {
    for (mechanism, option, tls) in [
        ("PLAIN", "plain", true),
        ("SCRAM-SHA-256", "scram-sha-256", false),
        ("SCRAM-SHA-512", "scram-sha-512", true),
    ] {
        let mut broker = GuardedBroker::planned(mechanism, "user", "pencil", tls);
        broker.begin();
        let mut setup = with_broker(setup(), &format!("localhost:{}", broker.port))
            .with("events.kafka_metadata_topic", "")
            .with("events.kafka_sasl", option)
            .with("events.kafka_username", "user");
        if tls {
            let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/tls/ca.pem");
            setup = setup
                .with("events.kafka_tls", "true")
                .with("events.kafka_ca_file", ca);
        }
        publish(&setup, [event("m1", 0)]);
        let wrong = setup.start(&["run", "--set", "events.kafka_password=pen"]);
        let line = wrong.line("takes no events, which wait");
        assert!(
            line.contains("SaslAuthenticationFailed") || line.contains("asl"),
            "{mechanism}: {line}"
        );
        let ended = wrong.stop();
        assert!(!ended.log.contains("pen\""), "{}", ended.log);
        let right = setup.start(&["run", "--set", "events.kafka_password=pencil"]);
        wait_for_counter(&right, "sink.kafka.sent", 1);
        assert_eq!(broker.messages().len(), 1, "{mechanism}");
        assert_eq!(right.stop().code(), 0);
    }
}
