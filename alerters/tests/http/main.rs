//! The senders that speak HTTP, against a real server on a socket, well-behaved and not.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::notice::NewsKind;
use skywatch_alerters::render::Templates;
use skywatch_alerters::senders::{
    AlertmanagerSender, NtfySender, PagerDutySender, Sender, SlackSender, WebhookSender,
};
use skywatch_alerters::{Notice, sample};
use skywatch_settings::{
    AlertmanagerReceiver, Header, HttpUrl, NtfyReceiver, PagerDutyReceiver, Secret, SecretUrl, SlackReceiver,
    WebhookReceiver,
};

#[path = "../support/certificate.rs"]
mod certificate;
#[path = "../support/http_sink.rs"]
mod http_sink;

mod alertmanager;
mod faults;
mod ntfy;
mod pagerduty;
mod slack;
mod webhook;

/// Part of every secret that the senders below are given.
const SECRET: &str = "s3cr3t";

fn notice(name: &str) -> Notice {
    sample::notice(vec![sample::item(name, NewsKind::Opened)])
}

/// The notice after `first` in its thread.
fn later(what: NewsKind) -> Notice {
    Notice {
        id: "7f3a.18".into(),
        ..sample::notice(vec![sample::item("web1.cpu", what)])
    }
}

/// An address that must not be printed.
fn secret_url(url: &str) -> SecretUrl {
    SecretUrl::new(HttpUrl::read(url).unwrap())
}

/// Every sender, with all its secrets, towards one server.
fn senders(url: &str, timeout: Duration, ca_file: Option<PathBuf>) -> Vec<Box<dyn Sender>> {
    let slack = |receiver: SlackReceiver| {
        let receiver = SlackReceiver {
            timeout,
            ca_file: ca_file.clone(),
            ..receiver
        };
        SlackSender::new(&receiver, Arc::new(Templates::embedded().unwrap())).unwrap()
    };
    vec![
        Box::new(slack(SlackReceiver {
            webhook_url: Some(secret_url(&format!("{url}/services/T0/B0/{SECRET}-path"))),
            ..SlackReceiver::default()
        })),
        Box::new(slack(SlackReceiver {
            token: Some(Secret::new(format!("xoxb-{SECRET}-token"))),
            channel: Some("C012AB3CD".into()),
            api_url: format!("{url}/api").parse().unwrap(),
            ..SlackReceiver::default()
        })),
        Box::new(
            PagerDutySender::new(&PagerDutyReceiver {
                routing_key: Some(Secret::new(format!("{SECRET}-routing-key"))),
                api_url: url.parse().unwrap(),
                timeout,
                ca_file: ca_file.clone(),
                ..PagerDutyReceiver::default()
            })
            .unwrap(),
        ),
        Box::new(
            NtfySender::new(
                &NtfyReceiver {
                    url: url.parse().unwrap(),
                    topic: Some(Secret::new(format!("{SECRET}-topic"))),
                    token: Some(Secret::new(format!("{SECRET}-access"))),
                    timeout,
                    ca_file: ca_file.clone(),
                    ..NtfyReceiver::default()
                },
                Arc::new(Templates::embedded().unwrap()),
            )
            .unwrap(),
        ),
        Box::new(
            AlertmanagerSender::new(&AlertmanagerReceiver {
                url: Some(url.parse().unwrap()),
                username: Some("watch".into()),
                password: Some(Secret::new(format!("{SECRET}-password"))),
                timeout,
                ca_file: ca_file.clone(),
                ..AlertmanagerReceiver::default()
            })
            .unwrap(),
        ),
        Box::new(
            WebhookSender::new(&WebhookReceiver {
                url: Some(secret_url(&format!("{url}/hook?key={SECRET}-query"))),
                secret: Some(Secret::new(format!("{SECRET}-signing-key"))),
                token: Some(Secret::new(format!("{SECRET}-bearer"))),
                headers: vec![Header {
                    name: "X-Team".into(),
                    value: Secret::new(format!("{SECRET}-header")),
                }],
                timeout,
                ca_file,
                ..WebhookReceiver::default()
            })
            .unwrap(),
        ),
    ]
}
