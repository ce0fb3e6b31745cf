//! What PagerDuty is told.

use skywatch_alerters::anomaly::Severity;
use skywatch_alerters::notice::{Content, Daily, NewsKind, Silent};
use skywatch_alerters::senders::{PagerDutySender, Sender};
use skywatch_alerters::{Error, Notice, render, sample};
use skywatch_settings::{PagerDutyReceiver, Secret};

use crate::http_sink::{Answer, HttpSink};
use crate::{later, notice};

const TAKEN: &str = r#"{"status":"success","message":"Event processed","dedup_key":"skywatch/7f3a.17"}"#;

fn accepting() -> HttpSink {
    HttpSink::start(|_| Answer::Say(202, vec![], TAKEN.into()))
}

fn sender(sink: &HttpSink) -> PagerDutySender {
    PagerDutySender::new(&PagerDutyReceiver {
        routing_key: Some(Secret::new("0123456789abcdef0123456789abcdef")),
        api_url: sink.url().parse().unwrap(),
        ..PagerDutyReceiver::default()
    })
    .unwrap()
}

/// Actions, keys and severities of what the notice becomes.
fn events(notice: &Notice) -> Vec<String> {
    let sink = accepting();
    _ = sender(&sink).send(notice, None).unwrap();
    let requests = sink.requests();
    let events = requests.iter().map(|request| request.json());
    events
        .map(|event| {
            assert_eq!(event["dedup_key"], "skywatch/7f3a.17");
            let action = event["event_action"].as_str().unwrap();
            match event["payload"]["severity"].as_str() {
                Some(severity) => format!("{action} {severity}"),
                None => action.to_owned(),
            }
        })
        .collect()
}

#[test]
fn something_that_fires_triggers() {
    let sink = accepting();
    let notice = notice("web1.cpu");
    let sent = sender(&sink).send(&notice, None).unwrap();
    assert!(sent.refused.is_empty() && sent.reference.is_none());
    let summary = serde_json::to_string(&render::summary(&notice)).unwrap();
    insta::assert_snapshot!(sink.only().shown().replace(&summary, "\"[summary]\""));
}

#[test]
fn the_end_resolves_under_the_same_key() {
    let sink = accepting();
    _ = sender(&sink).send(&later(NewsKind::Resolved), None).unwrap();
    insta::assert_snapshot!(sink.only().shown());
}

#[test]
fn each_notice_becomes_the_event_that_fits() {
    assert_eq!(events(&later(NewsKind::Reminder)), ["trigger warning"]);
    assert_eq!(events(&later(NewsKind::Acknowledged)), ["acknowledge"]);
    assert_eq!(events(&later(NewsKind::Passed)), ["resolve info"]);

    let mut critical = sample::item("web1.cpu", NewsKind::Worse);
    critical.severity = Severity::Critical;
    let resolved = sample::item("web2.cpu", NewsKind::Resolved);
    assert_eq!(
        events(&sample::notice(vec![critical, resolved.clone()])),
        ["trigger critical"]
    );

    // Over, while others of the thread last, told of here or not.
    let acknowledged = sample::item("web3.cpu", NewsKind::Acknowledged);
    assert!(events(&sample::notice(vec![resolved.clone(), acknowledged])).is_empty());
    let mut one_of_two = sample::notice(vec![resolved]);
    let Content::Incidents(news) = &mut one_of_two.content else {
        unreachable!()
    };
    news.still_open = 1;
    assert!(events(&one_of_two).is_empty());

    let about = |content| Notice {
        content,
        ..sample::notice(Vec::new())
    };
    let silent = |metrics| {
        Content::Silent(Silent {
            metrics,
            of: 100,
            ..Silent::default()
        })
    };
    assert_eq!(events(&about(silent(3))), ["trigger warning"]);
    assert_eq!(events(&about(silent(0))), ["resolve"]);
    assert_eq!(
        events(&about(Content::Test { by: "ops".into() })),
        ["trigger info", "resolve"]
    );
    assert!(events(&about(Content::Daily(Daily::default()))).is_empty());
}

#[test]
fn a_notice_of_the_longest_names_stays_within_the_limits() {
    let name = "🔥".repeat(1_024);
    let items = (0..25).map(|_| sample::item(&name, NewsKind::Opened)).collect();
    let sink = accepting();
    _ = sender(&sink).send(&sample::notice(items), None).unwrap();
    let event = sink.only();
    // The service takes 512 KB.
    assert!(event.body.len() < 200_000, "{}", event.body.len());
    let event = event.json();
    assert!(event["payload"]["summary"].as_str().unwrap().chars().count() <= 1_024);
    assert_eq!(
        event["payload"]["custom_details"]["incidents"][24]["name"],
        name.as_str()
    );
    assert!(event.get("links").is_none(), "a link of 12 kB helps nobody");
}

#[test]
fn what_the_service_says_about_an_event_is_passed_on() {
    let said = r#"{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect (should be 32 characters)"]}"#;
    let sink = HttpSink::start(move |_| Answer::Say(400, vec![], said.into()));
    let error = sender(&sink).send(&notice("web1.cpu"), None).unwrap_err();
    let Error::HttpRefused { reply, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        reply,
        "Event object is invalid: Length of 'routing_key' is incorrect (should be 32 characters)"
    );
    assert!(!error.is_transient());
}

#[test]
fn a_test_whose_end_is_lost_is_tried_again() {
    let sink = HttpSink::start(|request| match request.json()["event_action"].as_str() {
        Some("resolve") => Answer::status(500),
        _ => Answer::status(202),
    });
    let test = Notice {
        content: Content::Test { by: "ops".into() },
        ..notice("web1.cpu")
    };
    assert!(sender(&sink).send(&test, None).unwrap_err().is_transient());
}

#[test]
fn wrong_options_are_refused_without_showing_the_key() {
    let receiver = PagerDutyReceiver::default();
    let error = PagerDutySender::new(&receiver).unwrap_err();
    assert_eq!(error.to_string(), "pagerduty: `routing_key` is not set");
    let receiver = PagerDutyReceiver {
        routing_key: Some(Secret::new("s3cr3t")),
        ..receiver
    };
    assert!(!format!("{receiver:?}").contains("s3cr3t"));
    assert!(!format!("{:?}", PagerDutySender::new(&receiver).unwrap()).contains("s3cr3t"));
}
