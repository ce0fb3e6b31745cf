//! What Slack is told, call by call.

use std::sync::Arc;

use skywatch_alerters::notice::{Content, NewsKind};
use skywatch_alerters::render::Templates;
use skywatch_alerters::senders::{Sender, SlackSender};
use skywatch_alerters::{Error, Notice, sample};
use skywatch_settings::{Secret, SlackReceiver};

use crate::http_sink::{Answer, HttpSink, Request};
use crate::{later, notice, secret_url};

const THREAD: &str = "C012AB3CD/1795268525.000200";

fn sender(receiver: &SlackReceiver) -> Result<SlackSender, Error> {
    SlackSender::new(receiver, Arc::new(Templates::embedded().unwrap()))
}

fn bot(sink: &HttpSink) -> SlackSender {
    sender(&SlackReceiver {
        token: Some(Secret::new("xoxb-1")),
        channel: Some("#alerts".into()),
        api_url: format!("{}/api/", sink.url()).parse().unwrap(),
        ..SlackReceiver::default()
    })
    .unwrap()
}

fn webhook(sink: &HttpSink) -> SlackSender {
    sender(&SlackReceiver {
        webhook_url: Some(secret_url(&format!("{}/services/T0/B0/x", sink.url()))),
        ..SlackReceiver::default()
    })
    .unwrap()
}

/// Answers as Slack does when all is well; pictures go to `upload_to`, or to itself.
fn slack(upload_to: Option<&'static str>) -> HttpSink {
    HttpSink::start(move |request| {
        let host = request.header("host").unwrap();
        match request.line.as_str() {
            "POST /api/chat.postMessage" => {
                Answer::ok(r#"{"ok":true,"channel":"C012AB3CD","ts":"1795268525.000200","message":{}}"#)
            }
            "POST /api/files.getUploadURLExternal" => {
                let to = upload_to.map_or(format!("http://{host}/upload/v1/abc"), str::to_owned);
                Answer::ok(&format!(r#"{{"ok":true,"upload_url":"{to}","file_id":"F1"}}"#))
            }
            "POST /upload/v1/abc" => Answer::ok("OK - 4"),
            _ => Answer::ok(r#"{"ok":true}"#),
        }
    })
}

/// The requests, with `[words]` where the notice's words are.
fn shown(requests: &[Request], notice: &Notice) -> String {
    let words = Templates::embedded().unwrap().slack(notice).unwrap();
    let words = serde_json::to_string(&words).unwrap();
    let shown: Vec<String> = requests.iter().map(Request::shown).collect();
    assert!(shown.iter().any(|shown| shown.contains(&words)));
    shown.join("\n---\n\n").replace(&words, "\"[words]\"")
}

#[test]
fn a_webhook_takes_words() {
    let sink = HttpSink::start(|_| Answer::ok("ok"));
    let notice = notice("web1.cpu");
    let sent = webhook(&sink).send(&notice, None).unwrap();
    assert!(sent.reference.is_none() && sent.refused.is_empty());
    insta::assert_snapshot!(shown(&sink.requests(), &notice));
}

#[test]
fn a_bot_begins_a_thread_and_puts_the_chart_into_it() {
    let sink = slack(None);
    let notice = notice("web1.cpu");
    let sender = bot(&sink).with_picture(Box::new(|_| Some(b"\x89PNG".to_vec())));
    let sent = sender.send(&notice, None).unwrap();
    assert!(sent.refused.is_empty(), "{:?}", sent.refused);
    assert_eq!(sent.reference.as_deref(), Some(THREAD));
    let requests = sink.requests();
    assert_eq!(requests[2].body, b"\x89PNG");
    assert_eq!(requests[2].header("authorization"), None);
    let shown = shown(&requests, &notice);
    let line = skywatch_alerters::text::percent_encode(&skywatch_alerters::render::log_line(
        &sample::anomaly("web1.cpu"),
    ));
    insta::assert_snapshot!(shown.replace(&line, "[line]"));
}

#[test]
fn the_end_is_a_reply_and_an_edit_of_the_first_message() {
    let sink = slack(None);
    let over = later(NewsKind::Resolved);
    let sent = bot(&sink).send(&over, Some(THREAD)).unwrap();
    assert!(sent.refused.is_empty() && sent.reference.is_none());
    insta::assert_snapshot!(shown(&sink.requests(), &over));
}

#[test]
fn what_is_back_is_seen_in_the_first_message_again() {
    let sink = slack(None);
    _ = bot(&sink).send(&later(NewsKind::Returned), Some(THREAD)).unwrap();
    let lines: Vec<String> = sink.requests().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["POST /api/chat.postMessage", "POST /api/chat.update"]);
}

#[test]
fn a_message_without_a_place_is_a_success_all_the_same() {
    let sink = HttpSink::start(|_| Answer::ok(r#"{"ok":true}"#));
    let sender = bot(&sink).with_picture(Box::new(|_| Some(vec![1])));
    let sent = sender.send(&notice("web1.cpu"), None).unwrap();
    assert!(sent.reference.is_none() && sent.refused.is_empty());
    assert_eq!(sink.requests().len(), 1);
}

#[test]
fn while_something_lasts_the_first_message_stays_as_it_is() {
    let sink = slack(None);
    _ = bot(&sink).send(&later(NewsKind::Reminder), Some(THREAD)).unwrap();
    let reply = sink.only();
    assert_eq!(reply.json()["thread_ts"], "1795268525.000200");
    assert_eq!(reply.json()["channel"], "C012AB3CD");
}

#[test]
fn a_reference_that_is_none_of_ours_begins_a_new_thread() {
    for reference in ["", "C1", "C1/", "/1.2", "C1/x", "C1\"/1.2", "C1/1.2/3"] {
        let sink = slack(None);
        let sent = bot(&sink)
            .send(&later(NewsKind::Reminder), Some(reference))
            .unwrap();
        assert_eq!(sent.reference.as_deref(), Some(THREAD), "{reference:?}");
        assert_eq!(sink.only().json()["channel"], "#alerts");
    }
}

#[test]
fn a_thread_whose_first_message_is_gone_begins_anew() {
    let sink = HttpSink::start(|request| match request.json().get("thread_ts") {
        Some(_) => Answer::ok(r#"{"ok":false,"error":"thread_not_found"}"#),
        None => Answer::ok(r#"{"ok":true,"channel":"C012AB3CD","ts":"3.4"}"#),
    });
    let sent = bot(&sink).send(&later(NewsKind::Resolved), Some(THREAD)).unwrap();
    assert_eq!(sent.reference.as_deref(), Some("C012AB3CD/3.4"));
    assert_eq!(sink.requests().len(), 2);
}

#[test]
fn a_picture_that_fails_costs_nothing_but_itself() {
    let refusing: [fn(&Request) -> bool; 3] = [
        |request| request.line.contains("getUploadURL"),
        |request| request.line.contains("/upload/"),
        |request| request.line.contains("completeUpload"),
    ];
    for refuses in refusing {
        let sink = HttpSink::start(move |request| match request.header("host") {
            _ if refuses(request) => Answer::status(500),
            Some(host) => Answer::ok(&format!(
                r#"{{"ok":true,"channel":"C012AB3CD","ts":"1.2","upload_url":"http://{host}/upload/1","file_id":"F1"}}"#
            )),
            None => Answer::status(400),
        });
        let sender = bot(&sink).with_picture(Box::new(|_| Some(vec![1])));
        let sent = sender.send(&notice("web1.cpu"), None).unwrap();
        assert_eq!(sent.refused.len(), 1);
        assert_eq!(sent.reference.as_deref(), Some("C012AB3CD/1.2"));
    }
    // One that cannot be drawn, and a notice that has nothing to draw.
    let sink = slack(None);
    let sent = bot(&sink)
        .with_picture(Box::new(|_| None))
        .send(&notice("web1.cpu"), None);
    assert!(sent.unwrap().refused.is_empty());
    let test = Notice {
        content: Content::Test { by: "ops".into() },
        ..notice("web1.cpu")
    };
    let sent = bot(&sink)
        .with_picture(Box::new(|_| Some(vec![1])))
        .send(&test, None);
    assert!(sent.unwrap().refused.is_empty());
    assert_eq!(sink.requests().len(), 2);
}

#[test]
fn a_picture_goes_nowhere_but_to_slack() {
    for elsewhere in [
        "http://127.0.0.1:1/upload",
        "http://x.example.org/",
        "https://127.0.0.1/",
        "ftp://x/",
        "",
    ] {
        let sink = slack(Some(elsewhere));
        let sender = bot(&sink).with_picture(Box::new(|_| Some(vec![1])));
        let sent = sender.send(&notice("web1.cpu"), None).unwrap();
        let [error] = sent.refused.as_slice() else {
            panic!("{elsewhere}: {:?}", sent.refused)
        };
        assert!(error.to_string().contains("not Slack's"), "{error}");
        assert_eq!(sink.requests().len(), 2);
    }
}

#[test]
fn slacks_refusals_say_whether_to_try_again_and_what_to_do() {
    for (code, transient, hint) in [
        ("invalid_auth", false, "xoxb-"),
        ("not_in_channel", false, "/invite"),
        ("channel_not_found", false, "channel's id"),
        ("is_archived", false, "archived"),
        ("missing_scope", false, "chat:write"),
        ("ratelimited", true, ""),
        ("internal_error", true, ""),
        ("service_unavailable", true, ""),
        ("request_timeout", true, ""),
        ("something_new", false, ""),
        ("", false, ""),
    ] {
        let sink = HttpSink::start(move |_| Answer::ok(&format!(r#"{{"ok":false,"error":"{code}"}}"#)));
        let error = bot(&sink).send(&notice("web1.cpu"), None).unwrap_err();
        assert_eq!(error.is_transient(), transient, "{error}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{error}");
        assert_eq!(error.hint().is_some(), !hint.is_empty(), "{error}");
        assert!(
            error
                .to_string()
                .starts_with("Slack refused (chat.postMessage): "),
            "{error}"
        );
    }
    let sink = HttpSink::start(|_| Answer::Say(404, vec![], b"no_service".to_vec()));
    let error = webhook(&sink).send(&notice("web1.cpu"), None).unwrap_err();
    assert_eq!(error.to_string(), "Slack refused (webhook): no_service");
    assert!(!error.is_transient() && error.hint().is_some());
    let sink = HttpSink::start(|_| Answer::ok("<html>Log in to the hotel's network</html>"));
    let error = bot(&sink).send(&notice("web1.cpu"), None).unwrap_err();
    assert!(matches!(error, Error::HttpAnswer { .. }), "{error:?}");
}

#[test]
fn wrong_options_are_refused_without_showing_them() {
    let bot = |token: &str, channel: Option<&str>| SlackReceiver {
        token: Some(Secret::new(token)),
        channel: channel.map(str::to_owned),
        ..SlackReceiver::default()
    };
    let refused = |receiver: SlackReceiver| sender(&receiver).unwrap_err().to_string();
    assert_eq!(refused(SlackReceiver::default()), "slack: `token` is not set");
    assert_eq!(refused(bot("", Some("C1"))), "slack: the token is empty");
    assert_eq!(refused(bot("x", None)), "slack: `channel` is not set");
    assert_eq!(
        refused(bot("s3cr3t\nX-Evil: 1", Some("C1"))),
        "slack: the token has characters that no HTTP header may have"
    );
    assert!(!format!("{:?}", bot("s3cr3t", Some("C1"))).contains("s3cr3t"));
    let webhook = SlackReceiver {
        webhook_url: Some(secret_url("https://hooks.slack.com/services/s3cr3t")),
        ..SlackReceiver::default()
    };
    assert!(!format!("{webhook:?} {:?}", sender(&webhook).unwrap()).contains("s3cr3t"));
}
