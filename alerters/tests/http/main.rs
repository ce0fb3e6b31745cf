//! The senders that speak HTTP, against a real server on a socket, well-behaved and not.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

use std::path::PathBuf;
use std::time::Duration;

use skywatch_alerters::notice::What;
use skywatch_alerters::senders::{
    AlertmanagerLogin, AlertmanagerOptions, AlertmanagerSender, PagerDutyOptions, PagerDutySender, Sender,
    SlackAccess, SlackOptions, SlackSender, WebhookOptions, WebhookSender,
};
use skywatch_alerters::{Notice, sample};
use skywatch_settings::Secret;

#[path = "../support/certificate.rs"]
mod certificate;
#[path = "../support/http_sink.rs"]
mod http_sink;

mod alertmanager;
mod faults;
mod pagerduty;
mod slack;
mod webhook;

/// Part of every secret that the senders below are given.
const SECRET: &str = "s3cr3t";

fn notice(name: &str) -> Notice {
    sample::notice(vec![sample::item(name, What::Opened)])
}

/// The notice after `first` in its thread.
fn later(what: What) -> Notice {
    Notice {
        id: "7f3a.18".into(),
        ..sample::notice(vec![sample::item("web1.cpu", what)])
    }
}

/// Every sender, with all its secrets, towards one server.
fn senders(url: &str, timeout: Duration, ca_file: Option<PathBuf>) -> Vec<Box<dyn Sender>> {
    let slack = |access| {
        SlackSender::new(SlackOptions {
            timeout,
            ca_file: ca_file.clone(),
            ..SlackOptions::new(access)
        })
        .unwrap()
    };
    vec![
        Box::new(slack(SlackAccess::Webhook {
            url: Secret::new(format!("{url}/services/T0/B0/{SECRET}-path")),
            channel: None,
        })),
        Box::new(slack(SlackAccess::Bot {
            token: Secret::new(format!("xoxb-{SECRET}-token")),
            channel: "C012AB3CD".into(),
            api_url: format!("{url}/api"),
        })),
        Box::new(
            PagerDutySender::new(PagerDutyOptions {
                routing_key: Secret::new(format!("{SECRET}-routing-key")),
                url: url.into(),
                timeout,
                ca_file: ca_file.clone(),
                ..PagerDutyOptions::default()
            })
            .unwrap(),
        ),
        Box::new(
            AlertmanagerSender::new(AlertmanagerOptions {
                url: url.into(),
                login: AlertmanagerLogin::Basic {
                    username: "watch".into(),
                    password: Secret::new(format!("{SECRET}-password")),
                },
                timeout,
                ca_file: ca_file.clone(),
                ..AlertmanagerOptions::default()
            })
            .unwrap(),
        ),
        Box::new(
            WebhookSender::new(WebhookOptions {
                url: Secret::new(format!("{url}/hook?key={SECRET}-query")),
                signing_key: Some(Secret::new(format!("{SECRET}-signing-key"))),
                token: Some(Secret::new(format!("{SECRET}-bearer"))),
                headers: vec![("X-Team".into(), Secret::new(format!("{SECRET}-header")))],
                timeout,
                ca_file,
                ..WebhookOptions::default()
            })
            .unwrap(),
        ),
    ]
}
