//! What Alertmanager is told.

use serde_json::Value;

use skywatch_alerters::anomaly::Severity;
use skywatch_alerters::notice::{Content, Daily, NewsKind, Silent};
use skywatch_alerters::senders::{AlertmanagerSender, Sender};
use skywatch_alerters::{Error, Notice, render, sample};
use skywatch_settings::{AlertLabel, AlertmanagerReceiver, Secret};

use crate::http_sink::{Answer, HttpSink};
use crate::{later, notice};

fn labels(name: &str, value: &str) -> Vec<AlertLabel> {
    vec![AlertLabel {
        name: name.to_owned(),
        value: value.to_owned(),
    }]
}

fn options(sink: &HttpSink) -> AlertmanagerReceiver {
    AlertmanagerReceiver {
        url: Some(format!("{}/alerts/", sink.url()).parse().unwrap()),
        labels: labels("team", "web"),
        ..AlertmanagerReceiver::default()
    }
}

fn accepting() -> HttpSink {
    HttpSink::start(|_| Answer::status(200))
}

fn send(options: AlertmanagerReceiver, notice: &Notice) -> Result<(), Error> {
    AlertmanagerSender::new(&options)
        .unwrap()
        .send(notice, None)
        .map(drop)
}

fn alerts(notice: &Notice) -> Vec<Value> {
    let sink = accepting();
    send(options(&sink), notice).unwrap();
    let requests = sink.requests();
    requests
        .first()
        .map_or(Vec::new(), |request| request.json().as_array().unwrap().clone())
}

fn seconds(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_second()
}

#[test]
fn an_incident_is_an_alert_that_ends_by_itself_only_much_later() {
    let sink = accepting();
    let mut notice = notice("disk.used;host=web1;da-sh=no");
    let Content::Incidents(news) = &mut notice.content else {
        unreachable!()
    };
    news.items[0].before = 2;
    news.items[0].remark = "silence 3 ended\nnow".into();
    let with_login = AlertmanagerReceiver {
        username: Some("watch".into()),
        password: Some(Secret::new("pass")),
        ..options(&sink)
    };
    let began = jiff::Timestamp::now().as_second();
    send(with_login, &notice).unwrap();
    let alert = sink.only().json()[0].clone();
    let ends = seconds(&alert["endsAt"]) - began - 8 * 3_600;
    assert!((0..60).contains(&ends), "{alert}");
    let line = render::log_line(&sample::anomaly("disk.used;host=web1;da-sh=no"));
    let shown = sink.only().shown();
    let shown = shown
        .replace(alert["endsAt"].as_str().unwrap(), "[in 8 h]")
        .replace(&line, "[line]");
    insta::assert_snapshot!(shown);
}

#[test]
fn the_end_ends_the_same_alert() {
    let labels = |alert: &Value| alert["labels"].clone();
    let (begun, over) = (alerts(&notice("web1.cpu")), alerts(&later(NewsKind::Resolved)));
    assert_eq!(labels(&begun[0]), labels(&over[0]));
    assert_eq!(over[0]["endsAt"], "2026-11-21T14:04:00Z");
    // The one with the severity it may have had before.
    assert_eq!(over.len(), 2);
    assert_eq!(over[1]["labels"]["severity"], "info");
    assert_eq!(over[1]["endsAt"], "2026-11-21T14:04:00Z");
}

#[test]
fn when_it_becomes_worse_the_milder_alerts_end() {
    let mut worse = later(NewsKind::Worse);
    let Content::Incidents(news) = &mut worse.content else {
        unreachable!()
    };
    news.items[0].severity = Severity::Critical;
    let now = jiff::Timestamp::now().as_second();
    let lasting: Vec<String> = alerts(&worse)
        .iter()
        .filter(|alert| seconds(&alert["endsAt"]) > now.max(sample::AT as i64) + 60)
        .map(|alert| alert["labels"]["severity"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(lasting, ["critical"]);
}

#[test]
fn silence_and_tests_are_alerts_and_a_day_is_none() {
    let about = |content| Notice {
        content,
        ..sample::notice(Vec::new())
    };
    let silent = |metrics| {
        about(Content::Silent(Silent {
            metrics,
            of: 100,
            ..Silent::default()
        }))
    };
    let now = jiff::Timestamp::now().as_second();
    let begun = alerts(&silent(3));
    assert_eq!(begun[0]["labels"]["alertname"], "SkywatchSilent");
    assert!(seconds(&begun[0]["endsAt"]) > now + 3_600);
    let over = alerts(&silent(0));
    assert_eq!(begun[0]["labels"], over[0]["labels"]);
    assert!(seconds(&over[0]["endsAt"]) <= now + 60);
    let test = alerts(&about(Content::Test { by: "ops".into() }));
    assert_eq!(test[0]["labels"]["alertname"], "SkywatchTest");
    assert_eq!(test[0]["labels"]["severity"], "info");
    assert!(alerts(&about(Content::Daily(Daily::default()))).is_empty());
}

#[test]
fn a_token_is_sent_as_such() {
    let sink = accepting();
    let with_token = AlertmanagerReceiver {
        token: Some(Secret::new("abc")),
        ..options(&sink)
    };
    send(with_token, &notice("web1.cpu")).unwrap();
    assert_eq!(sink.only().header("authorization"), Some("Bearer abc"));
}

#[test]
fn wrong_options_are_refused_before_anything_is_sent() {
    let sink = accepting();
    let refused = |options: AlertmanagerReceiver| AlertmanagerSender::new(&options).unwrap_err().to_string();
    assert_eq!(
        refused(AlertmanagerReceiver {
            labels: labels("severity", "x"),
            ..options(&sink)
        }),
        "alertmanager: the label `severity` is set by Skywatch itself"
    );
    let shown = refused(AlertmanagerReceiver {
        username: Some("a:b".into()),
        password: Some(Secret::new("s3cr3t")),
        ..options(&sink)
    });
    assert_eq!(shown, "alertmanager: the user name has a `:`");
    let ca_file = Some("/nowhere/ca.pem".into());
    let error = AlertmanagerSender::new(&AlertmanagerReceiver {
        ca_file,
        ..options(&sink)
    })
    .unwrap_err();
    assert!(matches!(error, Error::CaFile { .. }), "{error}");
    for content in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let ca_file = Some(file.path().to_owned());
        let error = AlertmanagerSender::new(&AlertmanagerReceiver {
            ca_file,
            ..options(&sink)
        })
        .unwrap_err();
        assert!(
            matches!(error, Error::CaFileContent { .. }),
            "{content:?}: {error}"
        );
    }
    assert!(sink.requests().is_empty());
}
