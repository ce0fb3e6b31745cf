//! What ntfy is told.

use std::sync::Arc;

use skywatch_alerters::anomaly::Severity;
use skywatch_alerters::notice::{Content, NewsKind, Silent};
use skywatch_alerters::render::Templates;
use skywatch_alerters::senders::{NtfySender, Sender};
use skywatch_alerters::{Error, Notice, sample};
use skywatch_settings::{NtfyReceiver, Secret};

use crate::http_sink::{Answer, HttpSink};
use crate::{later, notice};

/// What the server of ntfy answers, as far as it matters.
const TAKEN: &str = r#"{"id":"hwQ2YpKdmg","time":1795268525,"event":"message","topic":"skywatch-8xQ2"}"#;

fn accepting() -> HttpSink {
    HttpSink::start(|_| Answer::ok(TAKEN))
}

fn receiver(sink: &HttpSink) -> NtfyReceiver {
    NtfyReceiver {
        url: sink.url().parse().unwrap(),
        topic: Some(Secret::new("skywatch-8xQ2")),
        ..NtfyReceiver::default()
    }
}

fn sender(receiver: &NtfyReceiver) -> Result<NtfySender, Error> {
    NtfySender::new(receiver, Arc::new(Templates::embedded().unwrap()))
}

/// Priority and tag of what the notice becomes.
fn urgency(notice: &Notice) -> String {
    let sink = accepting();
    _ = sender(&receiver(&sink)).unwrap().send(notice, None).unwrap();
    let push = sink.only().json();
    format!("{} {}", push["priority"], push["tags"][0].as_str().unwrap())
}

#[test]
fn a_notice_is_pushed_with_its_title_line_and_page() {
    let sink = accepting();
    let with_token = NtfyReceiver {
        token: Some(Secret::new("tk_abc")),
        ..receiver(&sink)
    };
    let sent = sender(&with_token)
        .unwrap()
        .send(&notice("web1.cpu"), None)
        .unwrap();
    assert!(sent.refused.is_empty() && sent.reference.is_none());
    insta::assert_snapshot!(sink.only().shown());
}

#[test]
fn the_priority_follows_the_severity_and_what_is_over_is_quiet() {
    let of = |what, severity| {
        let mut item = sample::item("web1.cpu", what);
        item.severity = severity;
        urgency(&sample::notice(vec![item]))
    };
    assert_eq!(of(NewsKind::Opened, Severity::Critical), "5 rotating_light");
    assert_eq!(of(NewsKind::Opened, Severity::Warning), "4 warning");
    assert_eq!(of(NewsKind::Reminder, Severity::Info), "3 information_source");
    assert_eq!(urgency(&later(NewsKind::Resolved)), "2 white_check_mark");
    assert_eq!(urgency(&later(NewsKind::Acknowledged)), "2 eyes");
    let silent = |metrics| Notice {
        content: Content::Silent(Silent {
            metrics,
            of: 100,
            ..Silent::default()
        }),
        ..sample::notice(Vec::new())
    };
    assert_eq!(urgency(&silent(3)), "4 zzz");
    assert_eq!(urgency(&silent(0)), "2 white_check_mark");
}

#[test]
fn long_names_make_no_attachment() {
    let sink = accepting();
    let names = notice(&"🔥".repeat(4_096));
    _ = sender(&receiver(&sink)).unwrap().send(&names, None).unwrap();
    let push = sink.only().json();
    assert!(push["message"].as_str().unwrap().len() <= 4_096);
    assert!(push["title"].as_str().unwrap().chars().count() <= 150);
    assert!(push.get("click").is_none(), "a link of 16 kB helps nobody");
}

#[test]
fn wrong_options_are_refused_without_showing_them() {
    let error = sender(&NtfyReceiver::default()).unwrap_err();
    assert_eq!(error.to_string(), "ntfy: `topic` is not set");
    let secret = NtfyReceiver {
        topic: Some(Secret::new("s3cr3t")),
        token: Some(Secret::new("s3cr3t")),
        ..NtfyReceiver::default()
    };
    assert!(!format!("{secret:?} {:?}", sender(&secret).unwrap()).contains("s3cr3t"));
}
