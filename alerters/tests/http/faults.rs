//! What every sender does with servers that misbehave, and with names that do.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use skywatch_alerters::Error;
use skywatch_alerters::senders::{Sender, Sent};

use crate::http_sink::{Answer, HttpSink};
use crate::{SECRET, notice, senders};

/// For attempts that are to end long before.
const PATIENT: Duration = Duration::from_secs(30);
/// The only sender that reads what success says.
const READS_ANSWERS: usize = 1;

/// What each sender makes of `answer`, in the order of [`senders`], and the sender that did.
fn each(answer: &Answer, timeout: Duration) -> Vec<(Box<dyn Sender>, Result<Sent, Error>)> {
    let answer = answer.clone();
    let sink = HttpSink::start(move |_| answer.clone());
    let senders = senders(&sink.url(), timeout, None);
    std::thread::scope(|scope| {
        let sends: Vec<_> = senders
            .into_iter()
            .map(|sender| {
                scope.spawn(move || {
                    let sent = sender.send(&notice("web1.cpu"), None);
                    (sender, sent)
                })
            })
            .collect();
        sends.into_iter().map(|send| send.join().unwrap()).collect()
    })
}

fn errors(answer: &Answer, timeout: Duration) -> Vec<Error> {
    each(answer, timeout)
        .into_iter()
        .map(|(sender, sent)| match sent {
            Ok(_) => panic!("{} calls {answer:?} a success", sender.kind()),
            Err(error) => error,
        })
        .collect()
}

#[test]
fn a_server_that_stalls_costs_no_more_than_the_timeout() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    for answer in [Answer::Hang, Answer::Drip] {
        let began = Instant::now();
        for error in errors(&answer, TIMEOUT) {
            assert!(
                matches!(error, Error::HttpTimeout { .. }),
                "{answer:?}: {error:?}"
            );
            assert!(error.is_transient());
        }
        let took = began.elapsed();
        assert!(took < TIMEOUT * 4, "{answer:?}: took {took:?}");
    }
    let began = Instant::now();
    for (i, (sender, sent)) in each(&Answer::DripBody(200), TIMEOUT).into_iter().enumerate() {
        match sent {
            // Success is in the status; what else is said does not matter.
            Ok(_) => assert_ne!(i, READS_ANSWERS, "{}", sender.kind()),
            Err(error) => {
                assert_eq!(i, READS_ANSWERS, "{error:?}");
                assert!(matches!(error, Error::HttpTimeout { .. }), "{error:?}");
            }
        }
    }
    for error in errors(&Answer::DripBody(503), TIMEOUT) {
        assert!(
            matches!(error, Error::HttpRefused { status: 503, .. }),
            "{error:?}"
        );
    }
    assert!(began.elapsed() < TIMEOUT * 6, "took {:?}", began.elapsed());
}

#[test]
fn a_connection_lost_in_mid_answer_is_worth_another_try() {
    for error in errors(&Answer::HangUp, PATIENT) {
        assert!(matches!(error, Error::HttpConnection { .. }), "{error:?}");
        assert!(error.is_transient());
    }
    let cut = Answer::Cut(r#"{"ok":"#.to_owned());
    for (i, (sender, sent)) in each(&cut, PATIENT).into_iter().enumerate() {
        match sent {
            Ok(_) => assert_ne!(i, READS_ANSWERS, "{}", sender.kind()),
            Err(error) => assert!(i == READS_ANSWERS && error.is_transient(), "{error:?}"),
        }
    }
}

#[test]
fn what_does_not_speak_http_is_said_to_be_something_else() {
    for error in errors(&Answer::Garbage, PATIENT) {
        assert!(matches!(error, Error::HttpAnswer { .. }), "{error:?}");
        assert!(error.is_transient() && error.hint().is_some());
        assert!(error.to_string().len() < 500, "{error}");
    }
}

#[test]
fn a_hundred_megabytes_are_not_read() {
    let began = Instant::now();
    for (i, (_, sent)) in each(&Answer::Huge(200), PATIENT).into_iter().enumerate() {
        match sent {
            Ok(_) => assert_ne!(i, READS_ANSWERS),
            Err(error) => assert!(
                i == READS_ANSWERS
                    && matches!(&error, Error::HttpAnswer { reason, .. } if reason == "more than 64 KiB"),
                "{error:?}"
            ),
        }
    }
    for error in errors(&Answer::Huge(500), PATIENT) {
        let Error::HttpRefused { reply, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(reply.len() < 400, "{reply}");
    }
    assert!(began.elapsed() < PATIENT, "took {:?}", began.elapsed());
}

#[test]
fn a_status_says_whether_to_try_again() {
    for (status, transient) in [
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (408, true),
        (410, false),
        (413, false),
        (425, true),
        (429, true),
        (500, true),
        (502, true),
        (503, true),
    ] {
        for error in errors(&Answer::Say(status, vec![], b"a\nb\x07c".to_vec()), PATIENT) {
            let Error::HttpRefused { reply, .. } = &error else {
                panic!("{error:?}")
            };
            assert_eq!(reply, "a␊b␇c");
            assert_eq!(error.is_transient(), transient, "{status}");
            assert_eq!(error.retry_after(), None);
        }
    }
}

#[test]
fn how_long_to_wait_is_read_as_seconds_and_as_a_date() {
    let date = ("Date", "Sat, 21 Nov 2026 13:42:00 GMT".to_owned());
    let after = |text: &str| ("Retry-After", text.to_owned());
    for (headers, seconds) in [
        (vec![after("120")], Some(120)),
        (vec![after("0")], Some(0)),
        (vec![after("86400")], Some(3_600)),
        (vec![after("99999999999999999999999")], Some(3_600)),
        (
            vec![date.clone(), after("Sat, 21 Nov 2026 13:43:30 GMT")],
            Some(90),
        ),
        (
            vec![date.clone(), after("Sat, 21 Nov 2026 13:00:00 GMT")],
            Some(0),
        ),
        (vec![date, after("Sun, 21 Nov 2027 13:00:00 GMT")], Some(3_600)),
        (vec![after("Fri, 01 Jan 1999 00:00:00 GMT")], Some(0)),
        (vec![after("soon")], None),
        (vec![after("-5")], None),
        (vec![after("1.5")], None),
    ] {
        for error in errors(&Answer::Say(429, headers.clone(), vec![]), PATIENT) {
            assert_eq!(
                error.retry_after(),
                seconds.map(Duration::from_secs),
                "{headers:?}"
            );
        }
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = HttpSink::start(|_| Answer::ok(r#"{"ok":true}"#));
    for status in [301, 302, 303, 307, 308] {
        let to = vec![("Location", format!("{}/{SECRET}", elsewhere.url()))];
        for error in errors(&Answer::Say(status, to, vec![]), PATIENT) {
            assert!(matches!(error, Error::HttpRefused { .. }), "{error:?}");
            assert!(!error.is_transient() && error.hint().unwrap().contains("redirects"));
        }
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn nobody_at_the_port_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for sender in senders(&format!("http://127.0.0.1:{port}"), PATIENT, None) {
        let error = sender.send(&notice("web1.cpu"), None).unwrap_err();
        assert!(matches!(error, Error::HttpConnection { .. }), "{error:?}");
        assert!(error.is_transient());
        assert!(
            error.to_string().contains(&format!("`127.0.0.1:{port}`")),
            "{error}"
        );
    }
}

#[test]
fn no_secret_is_shown_even_when_the_server_says_it() {
    let seen = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&seen);
    let sink = HttpSink::start(move |request| {
        // Headers first, for an error shows only the beginning and the end.
        let echo = format!("{} {:?}", request.line, request.headers);
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let body = body
            .split(SECRET)
            .nth(1)
            .map(|_| body.chars().take(200).collect::<String>());
        let echo = format!("{}{echo}", body.unwrap_or_default());
        counter.fetch_add(echo.matches(SECRET).count(), Ordering::Relaxed);
        Answer::Say(400, vec![], echo.into_bytes())
    });
    for sender in senders(&sink.url(), PATIENT, None) {
        let error = sender.send(&notice("web1.cpu"), None).unwrap_err();
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(SECRET) && !shown.contains("d2F0Y2g6"), "{shown}");
            assert!(shown.contains("***"), "{shown}");
        }
    }
    assert!(seen.load(Ordering::Relaxed) > 3, "the sink has echoed no secrets");
}

#[test]
fn a_private_authority_is_trusted_when_its_file_is_set() {
    let answer = |_: &_| Answer::ok(r#"{"ok":true,"channel":"C012AB3CD","ts":"1.2"}"#);
    let sink = HttpSink::start_tls(answer);
    let url = format!("https://localhost:{}", sink.port);
    let ca = Some(sink.ca.path().to_owned());
    for sender in senders(&url, PATIENT, ca.clone()) {
        let sent = sender.send(&notice("web1.cpu"), None);
        assert!(sent.is_ok(), "{}: {sent:?}", sender.kind());
    }
    let arrived = sink.requests().len();
    let other_name = format!("https://127.0.0.1:{}", sink.port);
    let strangers = senders(&url, PATIENT, None).into_iter();
    for sender in strangers.chain(senders(&other_name, PATIENT, ca)) {
        let error = sender.send(&notice("web1.cpu"), None).unwrap_err();
        assert!(matches!(error, Error::HttpTls { .. }), "{error:?}");
        assert!(!error.is_transient() && error.hint().is_some());
    }
    assert_eq!(sink.requests().len(), arrived);
    // And a server that begins in plain text.
    let plain = HttpSink::start(answer);
    for sender in senders(
        &format!("https://127.0.0.1:{}", plain.port),
        Duration::from_millis(500),
        None,
    ) {
        let error = sender.send(&notice("web1.cpu"), None).unwrap_err();
        assert!(
            matches!(error, Error::HttpTls { .. } | Error::HttpTimeout { .. }),
            "{error:?}"
        );
    }
    assert!(plain.requests().is_empty());
}

#[test]
fn no_name_adds_a_header_or_a_request() {
    let long = "x".repeat(4_096);
    let names = [
        "<script>alert(1)</script>",
        "a\nBcc: x@y",
        "a\r\nX-Evil: 1\r\n\r\nPOST /evil HTTP/1.1",
        "*.{}",
        "{{7*7}}",
        "🔥 temp",
        "a\"},{\"b\":\"\\u0000\0",
        "<!channel> <@U0> &amp;",
        "name;tag=a\r\nb;x-y=z",
        &long,
    ];
    let sink = HttpSink::start(|_| Answer::ok(r#"{"ok":true,"channel":"C012AB3CD","ts":"1.2"}"#));
    for sender in senders(&sink.url(), PATIENT, None) {
        let before = sink.requests().len();
        _ = sender.send(&notice("plain"), None).unwrap();
        for name in names {
            _ = sender.send(&notice(name), None).unwrap();
        }
        let requests = &sink.requests()[before..];
        assert_eq!(requests.len(), names.len() + 1, "{}", sender.kind());
        let header_names = |i: usize| -> Vec<String> {
            let headers = requests[i].headers.iter();
            headers.map(|(name, _)| name.clone()).collect()
        };
        for (at, name) in names.iter().enumerate() {
            assert_eq!(requests[at + 1].line, requests[0].line);
            assert_eq!(header_names(at + 1), header_names(0));
            let body = requests[at + 1].json().to_string();
            // What people read is shortened and escaped in rendering; elsewhere a name is data.
            let rendered = matches!(sender.kind(), "slack" | "ntfy");
            let data = serde_json::to_string(name).unwrap();
            assert!(
                rendered || body.contains(data.trim_matches('"')),
                "{}: {name:?}",
                sender.kind()
            );
        }
    }
}
