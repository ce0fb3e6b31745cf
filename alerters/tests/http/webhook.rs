//! What a webhook receives.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use skywatch_alerters::notice::{Content, Daily, Silent};
use skywatch_alerters::senders::{Sender, WebhookSender};
use skywatch_alerters::{Notice, render, sample};
use skywatch_settings::{Header, Secret, WebhookReceiver};

use crate::http_sink::{Answer, HttpSink, Request};
use crate::{notice, secret_url};

fn options(sink: &HttpSink) -> WebhookReceiver {
    WebhookReceiver {
        url: Some(secret_url(&format!("{}/hook?key=1", sink.url()))),
        ..WebhookReceiver::default()
    }
}

fn header(name: &str, value: &str) -> Vec<Header> {
    vec![Header {
        name: name.to_owned(),
        value: Secret::new(value),
    }]
}

fn send(change: impl FnOnce(&mut WebhookReceiver), notice: &Notice) -> Request {
    let sink = HttpSink::start(|_| Answer::status(204));
    let mut options = options(&sink);
    change(&mut options);
    let sent = WebhookSender::new(&options).unwrap().send(notice, None).unwrap();
    assert!(sent.refused.is_empty() && sent.reference.is_none());
    sink.only()
}

fn shown(request: &Request, notice: &Notice) -> String {
    let summary = serde_json::to_string(&render::summary(notice)).unwrap();
    request.shown().replace(&summary, "\"[summary]\"")
}

#[test]
fn an_incident_in_full() {
    let notice = notice("web1.cpu");
    let request = send(
        |options| {
            options.token = Some(Secret::new("abc"));
            options.headers = header("X-Team", "web");
        },
        &notice,
    );
    insta::assert_snapshot!(shown(&request, &notice));
}

#[test]
fn the_other_kinds_of_notice() {
    let silent = Silent {
        metrics: 3,
        of: 100,
        namespaces: vec![("web1".into(), 3, vec!["web1.cpu".into()])],
        back: 1,
    };
    let daily = Daily {
        from: sample::AT - 86_400.0,
        to: sample::AT,
        busiest: vec![("web1.cpu".into(), 4)],
        ..Daily::default()
    };
    let contents = [
        Content::Silent(silent),
        Content::Daily(daily),
        Content::Test { by: "ops".into() },
    ];
    let shown: Vec<String> = contents
        .into_iter()
        .map(|content| {
            let notice = Notice {
                content,
                ..sample::notice(Vec::new())
            };
            shown(&send(|_| {}, &notice), &notice)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n---\n\n"));
}

#[test]
fn the_window_goes_along_only_when_asked_for() {
    let request = send(|options| options.include_window = true, &notice("web1.cpu"));
    let item = &request.json()["incidents"]["items"][0];
    assert_eq!(item["window"]["values"].as_array().unwrap().len(), 1_440);
    assert_eq!(item["window"]["times"][1_439], sample::AT);
    assert_eq!(item["value"], 97.2);
    assert_eq!(item["votes"][3]["measured"], Value::Null);
}

#[test]
fn the_signature_covers_the_time_and_every_byte() {
    let key = "a key";
    let request = send(
        |options| options.secret = Some(Secret::new(key)),
        &notice("<script>\n🔥"),
    );
    let signature = request.header("skywatch-signature").unwrap();
    let (time, signature) = signature.split_once(',').unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let age = jiff::Timestamp::now().as_second() - time.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(&request.body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(signature, format!("v1={hex}"));
    assert_eq!(request.header("idempotency-key"), Some("7f3a.17"));
}

#[test]
fn wrong_options_are_refused_without_showing_them() {
    let sink = HttpSink::start(|_| Answer::status(204));
    let refused = |change: &dyn Fn(&mut WebhookReceiver)| {
        let mut options = options(&sink);
        change(&mut options);
        let shown = WebhookSender::new(&options).unwrap_err().to_string();
        assert!(!shown.contains("s3cr3t"), "{shown}");
        shown
    };
    assert_eq!(
        refused(&|options| options.headers = header("X Y", "s3cr3t")),
        "webhook: `X Y` is no name of an HTTP header"
    );
    assert_eq!(
        refused(&|options| options.headers = header("X-A", "s3cr3t\r\nX-B: 1")),
        "webhook: the header `X-A` has characters that no HTTP header may have"
    );
    assert_eq!(
        refused(&|options| options.token = Some(Secret::new("s3cr3t\n"))),
        "webhook: the token has characters that no HTTP header may have"
    );
    assert_eq!(
        refused(&|options| options.url = None),
        "webhook: `url` is not set"
    );
    let shown = format!("{:?}", WebhookSender::new(&options(&sink)).unwrap());
    assert!(!shown.contains("/hook"), "{shown}");
}
