//! The e-mail sender against a real mail server on a socket, well-behaved and not.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skywatch_alerters::notice::NewsKind;
use skywatch_alerters::render::Templates;
use skywatch_alerters::senders::{EmailSender, Sender, Sent};
use skywatch_alerters::{Error, MailStep, Notice, sample};
use skywatch_settings::{Email, EmailReceiver, EmailSecurity, Secret};

mod support;

use support::{Fault, Manners, Sink, Tls, mime};

fn notice(name: &str) -> Notice {
    sample::notice(vec![sample::item(name, NewsKind::Opened)])
}

fn options(sink: &Sink) -> Email {
    Email {
        server: Some("127.0.0.1".into()),
        port: sink.port,
        security: EmailSecurity::None,
        timeout: Duration::from_secs(5),
        ..Email::default()
    }
}

fn receiver() -> EmailReceiver {
    EmailReceiver {
        to: ["ops@example.org", "Dörte <doerte@example.org>"]
            .map(|to| to.parse().unwrap())
            .to_vec(),
        from: Some("Skywatch <watch@example.org>".parse().unwrap()),
        timeout: None,
    }
}

fn sender(email: &Email) -> Result<EmailSender, Error> {
    EmailSender::new(email, &receiver(), Arc::new(Templates::embedded().unwrap()))
}

/// The same over TLS, trusting the sink's own certificate.
fn options_tls(sink: &Sink, security: EmailSecurity) -> Email {
    Email {
        server: Some("localhost".into()),
        security,
        username: Some("watch".into()),
        password: Some(Secret::new("pa\u{df}wort")),
        ca_file: Some(sink.ca.path().to_owned()),
        ..options(sink)
    }
}

fn send(email: Email) -> Result<Sent, Error> {
    sender(&email).unwrap().send(&notice("web1.cpu"), None)
}

#[test]
fn a_mail_arrives_with_its_headers_and_both_bodies() {
    let sink = Sink::start(Manners::default());
    assert!(send(options(&sink)).unwrap().refused.is_empty());
    let (visit, mail) = sink.only_mail();

    assert_eq!(
        visit.commands,
        [
            "EHLO [127.0.0.1]",
            "MAIL FROM:<watch@example.org>",
            "RCPT TO:<ops@example.org>",
            "RCPT TO:<doerte@example.org>",
            "DATA",
            "QUIT",
        ]
    );
    let (headers, _) = mime::split(&mail);
    assert_eq!(
        mime::header(&headers, "Subject"),
        "[skywatch] web1.cpu is 97.2, above the expected 20.1 to 40.3"
    );
    assert_eq!(mime::header(&headers, "From"), "Skywatch <watch@example.org>");
    assert_eq!(
        mime::header(&headers, "To"),
        "ops@example.org, Dörte <doerte@example.org>"
    );
    assert_eq!(mime::header(&headers, "Auto-Submitted"), "auto-generated");
    assert_eq!(mime::header(&headers, "MIME-Version"), "1.0");
    assert!(mime::header(&headers, "Content-Type").starts_with("multipart/alternative"));
    assert!(!mime::header(&headers, "Date").is_empty());

    let text = mime::part(&mail, "text/plain");
    assert!(
        text.starts_with("web1.cpu is 97.2, above the expected 20.1 to 40.3.\n"),
        "{text}"
    );
    assert!(text.contains("anomalous  grubbs"), "{text}");
    assert!(text.contains("not before 2026-11-21 14:12 UTC"), "{text}");
    // The template engine escapes slashes as well, which HTML allows.
    let html = mime::part(&mail, "text/html").replace("&#x2f;", "/");
    assert!(
        html.contains(r#"href="https://watch.example.org/metric?name=web1.cpu""#),
        "{html}"
    );
}

#[test]
fn a_repeat_carries_the_same_message_id_and_another_notice_another() {
    let sink = Sink::start(Manners::default());
    let sender = sender(&options(&sink)).unwrap();
    for id in ["7f3a.17", "7f3a.17", "7f3a.18"] {
        let mut notice = notice("web1.cpu");
        notice.id = id.into();
        sender.send(&notice, None).map(drop).unwrap();
    }
    let ids: Vec<String> = sink
        .visits()
        .iter()
        .map(|visit| mime::header(&mime::split(&visit.mails[0]).0, "Message-ID").to_owned())
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert!(ids[0].ends_with("@example.org>"), "{}", ids[0]);
}

#[test]
fn starttls_with_a_private_ca_and_a_login() {
    let manners = Manners {
        tls: Tls::OnRequest,
        mechanism: Some("PLAIN LOGIN"),
        ..Manners::default()
    };
    let sink = Sink::start(manners);
    send(options_tls(&sink, EmailSecurity::StartTls))
        .map(drop)
        .unwrap();
    let (visit, _) = sink.only_mail();
    assert!(visit.encrypted);
    assert_eq!(visit.login, Some(("watch".into(), "pa\u{df}wort".into())));
    assert_eq!(visit.commands[..2], ["EHLO [127.0.0.1]", "STARTTLS"]);
}

#[test]
fn implicit_tls_with_the_old_login() {
    let manners = Manners {
        tls: Tls::FromTheStart,
        mechanism: Some("LOGIN"),
        ..Manners::default()
    };
    let sink = Sink::start(manners);
    send(options_tls(&sink, EmailSecurity::Tls)).map(drop).unwrap();
    let (visit, _) = sink.only_mail();
    assert!(visit.encrypted);
    assert_eq!(visit.login, Some(("watch".into(), "pa\u{df}wort".into())));
}

#[test]
fn a_certificate_we_do_not_trust_ends_it() {
    for (security, tls) in [
        (EmailSecurity::StartTls, Tls::OnRequest),
        (EmailSecurity::Tls, Tls::FromTheStart),
    ] {
        let sink = Sink::start(Manners {
            tls,
            mechanism: Some("PLAIN"),
            ..Manners::default()
        });
        let unknown_ca = Email {
            ca_file: None,
            ..options_tls(&sink, security)
        };
        let error = send(unknown_ca).unwrap_err();
        assert!(matches!(error, Error::MailTls { .. }), "{error}");
        assert!(!error.is_transient() && error.hint().is_some());
        assert!(
            sink.visits()
                .iter()
                .all(|visit| visit.login.is_none() && visit.mails.is_empty())
        );

        let sink = Sink::start(Manners {
            tls,
            mechanism: Some("PLAIN"),
            ..Manners::default()
        });
        let other_name = Email {
            server: Some("127.0.0.1".into()),
            ..options_tls(&sink, security)
        };
        let error = send(other_name).unwrap_err();
        assert!(matches!(error, Error::MailTls { .. }), "{error}");
        assert!(
            sink.visits()
                .iter()
                .all(|visit| visit.login.is_none() && visit.mails.is_empty())
        );
    }
}

#[test]
fn a_server_without_starttls_hears_neither_password_nor_mail() {
    let sink = Sink::start(Manners {
        mechanism: Some("PLAIN"),
        ..Manners::default()
    });
    let error = send(options_tls(&sink, EmailSecurity::StartTls)).unwrap_err();
    assert!(
        matches!(
            &error,
            Error::MailUnsupported {
                step: MailStep::StartTls,
                ..
            }
        ),
        "{error}"
    );
    assert!(!error.is_transient());
    for visit in sink.visits() {
        assert!(
            visit
                .commands
                .iter()
                .all(|c| c.starts_with("EHLO") || c == "QUIT"),
            "{visit:?}"
        );
    }
}

#[test]
fn a_server_without_a_login_is_an_error_of_its_own() {
    let sink = Sink::start(Manners::default());
    let with_user = Email {
        username: Some("watch".into()),
        ..options(&sink)
    };
    let error = send(with_user).unwrap_err();
    assert!(
        matches!(
            error,
            Error::MailUnsupported {
                step: MailStep::Login,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn refusals_say_which_step_and_whether_to_try_again() {
    let cases = [
        ("connect", "421 too busy", true),
        ("EHLO", "554 go away", false),
        ("AUTH", "535 bad password", false),
        ("AUTH", "454 try again later", true),
        ("MAIL", "451 not now", true),
        ("MAIL", "550 not you", false),
        ("RCPT", "450 greylisted", true),
        ("RCPT", "550 nobody here", false),
        ("DATA", "452 disk full", true),
        (".", "451 scanner down", true),
        (".", "554 looks like spam", false),
    ];
    for (at, reply, transient) in cases {
        let fault = Some(Fault::Answer { at, reply });
        let sink = Sink::start(Manners {
            mechanism: Some("PLAIN"),
            fault,
            ..Manners::default()
        });
        let with_user = Email {
            username: Some("watch".into()),
            ..options(&sink)
        };
        let error = send(with_user).unwrap_err();
        let Error::MailRefused {
            code,
            reply: said,
            step,
            ..
        } = &error
        else {
            panic!("{at} {reply}: {error:?}");
        };
        assert_eq!(format!("{code} {said}"), reply, "{at}");
        let expected = match at {
            "connect" | "EHLO" => MailStep::Connect,
            "AUTH" => MailStep::Login,
            "MAIL" => MailStep::From,
            "RCPT" => MailStep::To("ops@example.org".into()),
            _ => MailStep::Data,
        };
        assert_eq!(*step, expected, "{at} {reply}");
        assert_eq!(error.is_transient(), transient, "{at} {reply}");
        assert!(sink.visits().iter().all(|visit| visit.mails.is_empty()));
    }
}

#[test]
fn one_refused_recipient_does_not_keep_the_mail_from_the_other() {
    let fault = Some(Fault::Answer {
        at: "RCPT TO:<ops@",
        reply: "550 no such user",
    });
    let sink = Sink::start(Manners {
        fault,
        ..Manners::default()
    });
    let sent = send(options(&sink)).unwrap();
    assert_eq!(sent.refused.len(), 1);
    assert_eq!(
        sent.refused[0].to_string(),
        format!(
            "mail server `127.0.0.1:{}` refused (recipient `ops@example.org`): 550 no such user",
            sink.port
        )
    );
    sink.only_mail();
}

#[test]
fn a_connection_lost_at_any_point_is_worth_another_try() {
    for at in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "mid-data", "."] {
        let sink = Sink::start(Manners {
            fault: Some(Fault::HangUp { at }),
            ..Manners::default()
        });
        let error = send(options(&sink)).unwrap_err();
        assert!(matches!(error, Error::MailConnection { .. }), "{at}: {error:?}");
        assert!(error.is_transient());
        assert!(sink.visits().iter().all(|visit| visit.mails.is_empty()), "{at}");
    }
}

/// Twice the timeout is what waiting for two answers in a row would cost.
#[test]
fn a_server_that_stalls_at_any_point_costs_no_more_than_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let stalled = |at, tls, security| {
        let mechanism = Some("LOGIN");
        let sink = Sink::start(Manners {
            tls,
            mechanism,
            fault: Some(Fault::Stall { at }),
        });
        let began = Instant::now();
        let patient = Email {
            timeout: TIMEOUT,
            ..options_tls(&sink, security)
        };
        let error = send(patient).unwrap_err();
        let took = began.elapsed();
        assert!(matches!(error, Error::MailTimeout { .. }), "{at}: {error:?}");
        assert!(error.is_transient());
        assert!(took < TIMEOUT * 2, "{at}: took {took:?}");
    };
    std::thread::scope(|scope| {
        for at in ["connect", "EHLO", "MAIL", "RCPT", "DATA", "."] {
            scope.spawn(move || stalled(at, Tls::Never, EmailSecurity::None));
        }
        scope.spawn(|| stalled("AUTH", Tls::Never, EmailSecurity::None));
        scope.spawn(|| stalled("STARTTLS", Tls::OnRequest, EmailSecurity::StartTls));
        scope.spawn(|| stalled("connect", Tls::FromTheStart, EmailSecurity::Tls));
    });
}

#[test]
fn nobody_at_the_port_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let sink = Sink::start(Manners::default());
    let error = send(Email {
        port,
        ..options(&sink)
    })
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::MailConnection {
                step: MailStep::Connect,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_transient());
    assert!(
        error.to_string().contains(&format!("`127.0.0.1:{port}`")),
        "{error}"
    );
}

#[test]
fn no_name_adds_a_header_a_recipient_or_a_command() {
    let long = "x".repeat(4_096);
    let names = [
        "a\nBcc: x@y",
        "a\r\nBcc: x@y\r\n\r\nbody",
        "a\r\n.\r\nMAIL FROM:<x@y>",
        "<script>alert(1)</script>",
        "=?utf-8?q?a=0ABcc:_x@y?=",
        "*.{}",
        "🔥 temp",
        &long,
    ];
    let sink = Sink::start(Manners::default());
    let sender = sender(&options(&sink)).unwrap();
    sender.send(&notice("plain"), None).map(drop).unwrap();
    for name in names {
        sender.send(&notice(name), None).map(drop).unwrap();
    }
    let visits = sink.visits();
    assert_eq!(visits.len(), names.len() + 1);
    let header_names =
        |mail: &str| -> Vec<String> { mime::split(mail).0.into_iter().map(|(name, _)| name).collect() };
    for visit in &visits {
        assert_eq!(visit.commands, visits[0].commands);
        assert_eq!(visit.mails.len(), 1);
        let mail = &visit.mails[0];
        assert_eq!(header_names(mail), header_names(&visits[0].mails[0]));
        assert!(mail.lines().all(|line| line.len() <= 998), "RFC 5322, 2.1.1");
        assert!(!mime::part(mail, "text/html").contains("<script"));
    }
    let subject =
        |visit: &support::Visit| mime::header(&mime::split(&visit.mails[0]).0, "Subject").to_owned();
    assert!(
        subject(&visits[1]).starts_with("[skywatch] a␊Bcc: x@y is 97.2"),
        "{}",
        subject(&visits[1])
    );
    assert!(
        subject(&visits[7]).starts_with("[skywatch] 🔥 temp is 97.2"),
        "{}",
        subject(&visits[7])
    );
}

#[test]
fn a_lone_dot_in_the_text_does_not_end_the_mail() {
    let sink = Sink::start(Manners::default());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("email.txt"), "above\n.\n..\nbelow").unwrap();
    let templates = Arc::new(Templates::load(Some(folder.path())).unwrap());
    EmailSender::new(&options(&sink), &receiver(), templates)
        .unwrap()
        .send(&notice("web1.cpu"), None)
        .map(drop)
        .unwrap();
    let (_, mail) = sink.only_mail();
    assert_eq!(mime::part(&mail, "text/plain").trim_end(), "above\n.\n..\nbelow");
}

#[test]
fn the_first_charts_picture_is_beside_the_html() {
    let sink = Sink::start(Manners::default());
    send(options(&sink)).map(drop).unwrap();
    let (_, mail) = sink.only_mail();
    let picture = mime::bytes(&mail, "image/png");
    assert!(picture.starts_with(b"\x89PNG\r\n") && picture.ends_with(b"IEND\xaeB`\x82"));
    assert!(mail.contains("multipart/related") && mail.contains("Content-ID: <chart>"));
    assert!(mime::part(&mail, "text/html").contains(r#"<img src="cid:chart""#));

    // Nothing is drawn of what has no window.
    let sink = Sink::start(Manners::default());
    let component = sample::notice(vec![sample::component(NewsKind::Opened)]);
    let sender = sender(&options(&sink)).unwrap();
    sender.send(&component, None).map(drop).unwrap();
    let (_, mail) = sink.only_mail();
    assert!(!mail.contains("image/png") && !mime::part(&mail, "text/html").contains("<img"));
}

#[test]
fn a_conversation_has_one_subject_and_names_its_first_mail() {
    let sink = Sink::start(Manners::default());
    let sender = sender(&options(&sink)).unwrap();
    let first = notice("web1.cpu");
    let mut over = sample::notice(vec![sample::item("web1.cpu", NewsKind::Resolved)]);
    over.id = "7f3a.99".into();
    let reference = sender.send(&first, None).unwrap().reference.unwrap();
    assert_eq!(sender.send(&over, Some(&reference)).unwrap().reference, None);
    // The reference was lost: the mail still names the first one, and speaks for itself.
    sender.send(&over, None).map(drop).unwrap();
    sender.send(&over, Some("a\r\nBcc: x@y")).map(drop).unwrap();

    let mails: Vec<_> = sink
        .visits()
        .iter()
        .map(|visit| mime::split(&visit.mails[0]).0)
        .collect();
    let of = |i: usize, name| mime::header(&mails[i], name);
    assert!(
        mails[0]
            .iter()
            .all(|(name, _)| name != "In-Reply-To" && name != "References")
    );
    for i in 1..4 {
        assert_eq!(of(i, "In-Reply-To"), of(0, "Message-ID"));
        assert_eq!(of(i, "References"), of(0, "Message-ID"));
    }
    assert_eq!(of(1, "Subject"), format!("Re: {}", of(0, "Subject")));
    assert_eq!(
        of(2, "Subject"),
        "[skywatch] web1.cpu is back to normal at 31.4 after 22 min"
    );
    assert_eq!(of(3, "Subject"), "Re: a␍␊Bcc: x@y");
    assert_eq!(of(0, "List-Id"), "<ops.skywatch.example.org>");
    assert_eq!(of(0, "X-Skywatch-Incident"), "17");
}

#[test]
fn every_kind_of_notice_can_be_mailed() {
    let sink = Sink::start(Manners::default());
    let sender = sender(&options(&sink)).unwrap();
    let kinds = sample::every_kind();
    for (kind, notice) in kinds.iter().filter(|(kind, _)| !kind.starts_with("hostile_")) {
        let sent = sender.send(notice, None);
        assert!(sent.is_ok(), "{kind}: {sent:?}");
    }
    for visit in sink.visits() {
        assert!(visit.mails[0].lines().all(|line| line.len() <= 998));
        assert!(mime::part(&visit.mails[0], "text/html").ends_with("</html>"));
    }
}

#[test]
fn wrong_options_are_refused_before_anything_is_sent() {
    let sink = Sink::start(Manners::default());
    let templates = Arc::new(Templates::embedded().unwrap());
    let refused_of = |receiver: EmailReceiver| {
        EmailSender::new(&options(&sink), &receiver, Arc::clone(&templates)).unwrap_err()
    };
    let error = refused_of(EmailReceiver {
        from: Some("a..b@example.org".parse().unwrap()),
        ..receiver()
    });
    assert!(
        error
            .to_string()
            .starts_with("`a..b@example.org` is not an e-mail address"),
        "{error}"
    );
    assert!(!error.is_transient());
    let error = refused_of(EmailReceiver {
        to: vec!["dörte@example.org".parse().unwrap()],
        ..receiver()
    });
    assert!(matches!(error, Error::Address { .. }), "{error}");
    let error = refused_of(EmailReceiver {
        to: Vec::new(),
        ..receiver()
    });
    assert!(matches!(error, Error::NoRecipients { .. }), "{error}");

    let refused = |email: Email| sender(&email).unwrap_err();
    let with_ca = |path: PathBuf| Email {
        ca_file: Some(path),
        ..options_tls(&sink, EmailSecurity::Tls)
    };
    let error = refused(with_ca("/nowhere/ca.pem".into()));
    assert!(matches!(error, Error::CaFile { .. }), "{error}");
    for content in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let error = refused(with_ca(file.path().to_owned()));
        assert!(
            matches!(error, Error::CaFileContent { .. }),
            "{content:?}: {error}"
        );
    }
    assert!(sink.visits().is_empty());
}
