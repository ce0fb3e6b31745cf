//! Both forms against what the original writes.

use serde_json::{Value, json};

use super::super::entity_event::{
    EntityEvent, EntityEventKey, EventCategory, EventCause, EventLabels, FlaggedPoints,
};
use super::super::metric_info::{EventLanguage, MetricInfo};
use super::super::root_cause_event::{
    AbnormalMetric, CausePathNode, CausedEvent, EventRootCause, RootCauseEvent,
};
use super::value::finite;
use super::{EntityKeys, EventForms, EventSchema, RepeatKey, WrittenEvent};

const GUIDE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/seeds/000_f6333f29ff5d70ec.txt"
);

/// The `number`th message of the user guide; what it leaves out with dots is left out.
fn message_of_guide(number: usize) -> Value {
    let guide = std::fs::read_to_string(GUIDE).unwrap_or_else(|error| panic!("`{GUIDE}`: {error}"));
    let (begin, _) = guide
        .match_indices("{\n\"Timestamp\"")
        .nth(number)
        .expect("the guide shows two messages");
    let text = guide[begin..].replacen("},\n...\n}", "}\n}", 1);
    let mut values = serde_json::Deserializer::from_str(&text).into_iter();
    values
        .next()
        .expect("a message")
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn labels(pairs: &[(&str, &str)]) -> EventLabels {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn labels_of(value: &Value) -> EventLabels {
    serde_json::from_value(value.clone()).expect("labels are text")
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

fn forms(schema: EventSchema) -> EventForms {
    let info = |metric: &str, entity_name: &str, en: &str, zh: &str| MetricInfo {
        metric: metric.to_owned(),
        entity_name: entity_name.to_owned(),
        en: en.to_owned(),
        zh: zh.to_owned(),
    };
    EventForms {
        schema,
        language: EventLanguage::English,
        metrics: [
            info("gala_gopher_sli_rtt_nsec", "sli", "Round trip", "往返"),
            info("gala_gopher_sli_tps", "sli", "", "吞吐"),
        ]
        .into_iter()
        .collect(),
    }
}

fn keys() -> EntityKeys {
    let names = ["machine_id", "tgid", "conn_fd"].map(str::to_owned);
    [("sli".to_owned(), names.to_vec())].into()
}

fn written(forms: &EventForms, event: EntityEvent) -> (WrittenEvent, Value) {
    let written = forms
        .write(&event.into(), &keys())
        .expect("the form has words for it");
    let body = serde_json::from_str(&written.body).expect("JSON");
    (written, body)
}

fn event() -> EntityEvent {
    EntityEvent {
        key: EntityEventKey {
            at: 1_659_075_600.0,
            machine_id: "1fd37742xxxx".to_owned(),
            entity_name: Some("sli".to_owned()),
            metric: "gala_gopher_ksliprobe_recent_rtt_nsec".to_owned(),
            labels: labels(&[
                ("machine_id", "1fd37742xxxx"),
                ("tgid", "1513"),
                ("conn_fd", "18"),
            ]),
        },
        category: EventCategory::Application,
        source: None,
        keywords: vec!["app".to_owned()],
        is_anomaly: true,
        score: 1.0,
        flagged: FlaggedPoints {
            anomalous: 13,
            total: 13,
            seconds: 60,
        },
        description: None,
        details: serde_json::Map::new(),
        causes: Vec::new(),
    }
}

#[test]
fn an_anomaly_of_the_guide_is_written_as_it_stands_there() {
    let mut wanted = message_of_guide(0);
    let recommended = wanted["Resource"]["recommend_metrics"]
        .as_object()
        .expect("metrics")
        .clone();
    let causes = recommended.iter().map(|(metric, about)| EventCause {
        metric: metric.clone(),
        labels: labels_of(&about["label"]),
        score: about["score"].as_f64().expect("a number"),
        description: None,
    });
    let event = EntityEvent {
        causes: causes.collect(),
        ..event()
    };
    let (written, body) = written(&forms(EventSchema::V1), event);
    // The guide has made one of the two unreadable.
    wanted["Attributes"]["entity_id"] = json!("1fd37742xxxx_sli_1513_18");
    assert_eq!(body, wanted);
    assert_eq!(written.event_id, "1659075600000_1fd37742xxxx_sli_1513_18");
    assert_eq!(written.key, "1fd37742xxxx_sli_1513_18");
}

#[test]
fn a_root_cause_of_the_guide_is_written_as_it_stands_there() {
    let wanted = message_of_guide(1);
    let cause = |value: &Value| {
        let metric_id = text(&value["metric_id"]);
        let (metric, entity) = metric_id.split_once('@').expect("a metric of an entity");
        let node = |node: &Value| CausePathNode {
            pod_id: text(&node["pod_id"]),
            pod: text(&node["pod"]),
            instance: text(&node["instance"]),
            job: text(&node["job"]),
            is_abnormal: node["pod_state"] == "abnormal",
        };
        EventRootCause {
            metric: metric.to_owned(),
            entity: entity.to_owned(),
            labels: labels_of(&value["metric_labels"]),
            description: Some(text(&value["desc"])),
            score: value["score"].as_f64().expect("a number"),
            path: value["path"]
                .as_array()
                .expect("a path")
                .iter()
                .map(node)
                .collect(),
        }
    };
    let resource = &wanted["Resource"];
    let abnormal = &resource["abnormal_kpi"];
    let event = RootCauseEvent {
        at: 1_724_287_883.452,
        of: CausedEvent::Id(text(&wanted["event_id"])),
        abnormal: AbnormalMetric {
            metric: text(&abnormal["metric_id"]),
            labels: labels_of(&abnormal["metric_labels"]),
            description: Some(text(&abnormal["desc"])),
            score: abnormal["score"].as_f64().expect("a number"),
        },
        causes: resource["cause_metrics"]
            .as_array()
            .expect("causes")
            .iter()
            .map(cause)
            .collect(),
        indicators: vec!["gala_gopher_l7_latency_sum".to_owned()],
        front_end_metrics: [].into(),
    };
    let body = |schema| -> Value {
        let written = forms(schema)
            .write(&event.clone().into(), &keys())
            .expect("words");
        assert_eq!(
            written.key,
            "475ae627-7e88-41ed-8bb8-ff0fee95a69d_l7_3459438_192.168.11.103_192.168.11.102_26_tcp_server_server_http"
        );
        serde_json::from_str(&written.body).expect("JSON")
    };
    assert_eq!(body(EventSchema::V1), wanted);
    // The current one has scores as text, and two fields more.
    let current = body(EventSchema::Current);
    assert_eq!(current["Resource"]["abnormal_kpi"]["score"], "0.350");
    assert_eq!(current["Resource"]["cause_metrics"][0]["score"], "0.119");
    assert_eq!(current["kpis"], json!(["gala_gopher_l7_latency_sum"]));
    assert_eq!(current["all_fv_metrics"], json!({}));
    assert_eq!(current["top2"], wanted["top2"]);
}

#[test]
fn fewer_causes_than_three_are_named_with_the_last_repeated() {
    let key = event().key;
    let event = RootCauseEvent {
        at: key.at,
        of: CausedEvent::Entity(key),
        abnormal: AbnormalMetric {
            metric: "m".to_owned(),
            labels: EventLabels::new(),
            description: None,
            score: f64::NAN,
        },
        causes: vec![EventRootCause {
            metric: "disk_await".to_owned(),
            entity: "pod-1".to_owned(),
            labels: EventLabels::new(),
            description: None,
            score: 1.0,
            path: Vec::new(),
        }],
        indicators: Vec::new(),
        front_end_metrics: [].into(),
    };
    let written = forms(EventSchema::V1)
        .write(&event.into(), &keys())
        .expect("words");
    let body: Value = serde_json::from_str(&written.body).expect("JSON");
    assert_eq!(written.event_id, "1659075600000_1fd37742xxxx_sli_1513_18");
    for top in ["top1", "top2", "top3"] {
        assert_eq!(body[top], "disk_await@pod-1异常");
    }
    assert_eq!(body["keywords"], json!(["disk"]));
    assert_eq!(body["Resource"]["abnormal_kpi"]["score"], 0.0);
    assert_eq!(
        body["Resource"]["cause_metrics"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn the_current_form_has_every_field_of_the_reference() {
    let causes = ["gala_gopher_proc_cpu", "gala_gopher_disk_r_await"].map(|metric| EventCause {
        metric: metric.to_owned(),
        labels: labels(&[("tgid", "7")]),
        score: 0.123_4,
        description: None,
    });
    let event = EntityEvent {
        key: EntityEventKey {
            // Found by the metric, with a label that is missing and one with a blank.
            entity_name: None,
            metric: "gala_gopher_sli_rtt_nsec".to_owned(),
            labels: labels(&[
                ("tgid", "15 13"),
                ("comm", ""),
                ("server_ip", "10.0.0.7"),
                ("pod_name", "p"),
            ]),
            ..event().key
        },
        details: [("event".to_owned(), json!(1))].into_iter().collect(),
        causes: causes.to_vec(),
        ..event()
    };
    let (written, body) = written(&forms(EventSchema::Current), event);
    assert_eq!(written.event_id, "1659075600000_1fd37742xxxx_sli_15:13_0");
    let first = json!({"metric": "gala_gopher_proc_cpu", "labels": {"tgid": "7"}, "score": "0.123"});
    let second = json!({"metric": "gala_gopher_disk_r_await", "labels": {"tgid": "7"}, "score": "0.123"});
    let wanted = json!({
        "Timestamp": 1_659_075_600_000_i64,
        "Attributes": {
            "entity_id": "1fd37742xxxx_sli_15:13_0",
            "event_id": "1659075600000_1fd37742xxxx_sli_15:13_0",
            "event_type": "app",
            "event_source": "gala-anteater",
            "keywords": ["app"],
            "cause_metric": first,
        },
        "Resource": {
            "metric": "gala_gopher_sli_rtt_nsec",
            "labels": {"Host": "1fd37742xxxx", "PID": "15 13", "IP": "10.0.0.7", "POD": "p"},
            "score": "1.000",
            "root_causes": [first, second],
            "description": "Round trip",
        },
        "SeverityText": "WARN",
        "SeverityNumber": 13,
        "Body": "2022-07-29 06:20:00 - Application Failure - Round trip - {\"event\":1}",
        "is_anomaly": true,
    });
    assert_eq!(body, wanted);
}

#[test]
fn categories_differ_as_the_originals_do() {
    let forms = forms(EventSchema::Current);
    let of = |category| EntityEvent { category, ..event() };
    let (_, network) = written(&forms, of(EventCategory::Network));
    assert_eq!(
        network["Resource"]["metric"],
        "gala_gopher_ksliprobe_recent_rtt_nsec@conn_fd=18@machine_id=1fd37742xxxx@tgid=1513"
    );
    assert_eq!(
        network["Attributes"]["cause_metric"],
        json!({"description": "gala_gopher_ksliprobe_recent_rtt_nsec"})
    );
    let spot = EntityEvent {
        source: Some("spot".to_owned()),
        ..of(EventCategory::Simple)
    };
    let (_, simple) = written(&forms, spot);
    assert_eq!(simple["Attributes"]["event_source"], "spot");
    assert_eq!(simple["Attributes"].get("cause_metric"), None);
    let slow = EntityEvent {
        details: [("resultCode".to_owned(), json!(201))].into_iter().collect(),
        is_anomaly: false,
        ..of(EventCategory::SlowNode)
    };
    let (_, slow) = written(&forms, slow);
    let wanted = json!({
        "Timestamp": 1_659_075_600_000_i64,
        "Attributes": {"resultCode": 201},
        "SeverityText": "WARN",
        "SeverityNumber": 13,
        "is_anomaly": false,
    });
    assert_eq!(slow, wanted);
}

#[test]
fn a_normal_entity_has_no_words_in_the_old_form_and_a_score_is_always_a_number() {
    let normal = EntityEvent {
        is_anomaly: false,
        ..event()
    };
    assert_eq!(
        forms(EventSchema::V1).write(&normal.clone().into(), &keys()),
        None
    );
    let (written, body) = written(&forms(EventSchema::Current), normal);
    assert_eq!(body["is_anomaly"], false);
    assert!(matches!(written.repeat_of, Some(RepeatKey::Normal(_))));
    assert_eq!(finite(f64::INFINITY), f64::MAX);
    let chinese = EventForms {
        language: EventLanguage::Chinese,
        ..forms(EventSchema::Current)
    };
    assert_eq!(chinese.description(None, "gala_gopher_sli_rtt_nsec"), "往返");
    assert_eq!(
        forms(EventSchema::V1).description(None, "gala_gopher_sli_tps"),
        "吞吐"
    );
}

#[test]
fn a_number_that_changes_does_not_make_an_anomaly_another_one() {
    let key = |details: serde_json::Value| {
        let event = EntityEvent {
            details: details.as_object().cloned().unwrap_or_default(),
            ..event()
        };
        written(&forms(EventSchema::Current), event).0.repeat_of
    };
    let of = |pool: &str, share: f64, values: &[f64]| {
        let values: Vec<_> = values
            .iter()
            .map(|value| json!({"timestamp": 5, "value": value}))
            .collect();
        key(json!({"pool": pool, "share": share, "nodes": [{"objectId": pool, "kpiData": values}]}))
    };
    assert_eq!(of("old", 0.7, &[1.0]), of("old", 0.9, &[1.0, 2.0]));
    assert_ne!(of("old", 0.7, &[1.0]), of("new", 0.7, &[1.0]));
}
