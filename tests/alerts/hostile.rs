//! Names that try to be something else, through the whole program into every kind of message.

use std::net::UdpSocket;

use super::hook::Hook;
use super::world::{Metrics, World};
use crate::common::http_sink::{Answer, HttpSink};
use crate::common::redis::RedisServer;
use crate::common::smtp::Smtp;
use crate::common::{PATIENCE, mime, wait_for};

#[test]
fn names_are_text_in_every_message_and_nothing_else() {
    let long = format!("long.{}", "x".repeat(4_000));
    let names = [
        "<script>alert(1)</script>",
        "a\nBcc: x@y",
        "a\r\n.\r\nQUIT",
        "*.{}",
        "{{7*7}}{% raw %}",
        "\u{1f525}.cpu",
        "<!channel> <@U1> &amp;",
        "\u{202e}evil\u{0}\u{1b}[31m",
        &long,
    ];
    let redis = RedisServer::start();
    Metrics::of(&redis).bad(&names);
    let (hook, smtp) = (Hook::start(), Smtp::start());
    let slack = HttpSink::start(|_| Answer::ok("ok"));
    let syslog = UdpSocket::bind("127.0.0.1:0").unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    let world = World::over(
        &redis,
        &format!(
            "{}[receivers.mail]\ntype = \"email\"\n[receivers.chat]\ntype = \"slack\"\nwebhook_url = \"{}/slack\"\n\
             [receivers.log]\ntype = \"syslog\"\ntarget = \"udp://{}\"\n",
            hook.receiver("hook"),
            slack.url(),
            syslog.local_addr().unwrap()
        ),
    )
    .with("email.server", "127.0.0.1")
    .with("email.port", &smtp.port())
    .with("email.security", "none")
    .with("email.from", "watch@example.org")
    .with("email.to", r#"["ops@example.org"]"#)
    .with("alerts.base_url", "https://watch.example.org")
    .with("alerts.digest_from", "100");
    let running = world.start();
    wait_for("every receiver to be told of everything", || {
        let counts = [
            hook.of_metrics().len(),
            smtp.mails().len(),
            slack.requests().len(),
        ];
        counts.iter().all(|count| *count == names.len()).then_some(())
    });
    // To a program a name is what it is.
    let told = hook.of_metrics();
    for name in names {
        assert_eq!(told[name], ["opened"], "{name:?}");
    }
    // To a person it is shown, shortened and marked, and begins nothing of its own.
    for mail in smtp.mails() {
        let (headers, _) = mime::split(&mail);
        let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(mime::header(&headers, "To"), "ops@example.org");
        assert!(!names.contains(&"Bcc"), "{names:?}");
        let subject = mime::header(&headers, "Subject");
        assert!(
            !subject.contains(['\n', '\r', '\0', '\u{1b}', '\u{202e}']),
            "{subject:?}"
        );
        assert!(subject.chars().count() < 400, "{subject}");
        let html = mime::part(&mail, "text/html");
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains(['\0', '\u{1b}', '\u{202e}']), "{html:?}");
        let text = mime::part(&mail, "text/plain");
        assert!(
            !text.contains("\nBcc:") && !text.contains(['\0', '\u{1b}', '\u{202e}']),
            "{text:?}"
        );
    }
    let html: String = smtp
        .mails()
        .iter()
        .map(|mail| mime::part(mail, "text/html"))
        .collect();
    assert!(html.contains("{{7*7}}"), "it was worked out:\n{html}");
    let subjects = smtp.subjects().join("\n");
    for part in [
        "<script>alert(1)</script>",
        "{{7*7}}{% raw %}",
        "*.{}",
        "\u{1f525}.cpu",
    ] {
        assert!(subjects.contains(part), "{part} is not in {subjects}");
    }
    for request in slack.requests() {
        let text = String::from_utf8(request.body.clone()).unwrap();
        for word in ["<script", "<!channel>", "<@U1>"] {
            assert!(!text.contains(word), "{text}");
        }
        assert!(text.len() < 20_000, "{} bytes", text.len());
    }
    let mut buffer = vec![0; 65_536];
    for _ in names {
        let length = syslog.recv(&mut buffer).unwrap();
        let line = std::str::from_utf8(&buffer[..length]).unwrap();
        let text = line.replace('\u{feff}', "");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(text.starts_with('<') && text.contains(" skywatch "), "{text}");
    }
    // The log and the commands show them as one line each, below a line for those that are probably one cause.
    let listed = world.told(&["incidents"]);
    let of_incidents = listed.lines().filter(|line| line.contains("  since "));
    assert_eq!(of_incidents.count(), names.len(), "{listed}");
    assert!(!listed.contains(['\u{1b}', '\u{202e}', '\0']), "{listed:?}");
    let explained = world.told(&["explain", "{{7*7}}{% raw %}"]);
    assert!(
        explained.starts_with("{{7*7}}{% raw %}: anomalous"),
        "{explained}"
    );
    let ended = running.stop();
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        !ended.log.contains("\nBcc") && !ended.log.contains('\u{202e}'),
        "{}",
        ended.log
    );
}
