//! The syslog sender against real sockets: datagrams, a stream, and this machine's own kind of socket.

#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is how a test says no, in its helpers too"
)]

use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::Arc;
use std::time::Duration;

use skywatch_alerters::notice::{Content, NewsKind};
use skywatch_alerters::render::Templates;
use skywatch_alerters::senders::{Sender, SyslogSender};
use skywatch_alerters::{Error, Notice, Severity, sample};
use skywatch_settings::{HostPort, SyslogReceiver, SyslogTarget};

const PATIENCE: Duration = Duration::from_secs(10);

fn sender(target: SyslogTarget) -> SyslogSender {
    sender_of(SyslogReceiver {
        target,
        hostname: Some("watch1".into()),
        ..SyslogReceiver::default()
    })
}

fn sender_of(receiver: SyslogReceiver) -> SyslogSender {
    SyslogSender::new(&receiver, Arc::new(Templates::embedded().unwrap()))
}

/// The address as the settings have it.
fn host_port(address: SocketAddr) -> HostPort {
    HostPort {
        host: address.ip().to_string(),
        port: address.port(),
    }
}

fn notice(name: &str) -> Notice {
    sample::notice(vec![sample::item(name, NewsKind::Opened)])
}

/// A socket that takes datagrams, and a sender to it.
fn udp() -> (UdpSocket, SyslogSender) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, sender(SyslogTarget::Udp(host_port(address))))
}

fn datagram(socket: &UdpSocket) -> String {
    let mut bytes = [0; 65_536];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// The records of a stream of octet-counted ones.
fn counted(mut stream: &str) -> Vec<String> {
    let mut records = Vec::new();
    while !stream.is_empty() {
        let (length, rest) = stream.split_once(' ').unwrap();
        let (record, rest) = rest.split_at(length.parse().unwrap());
        records.push(record.to_owned());
        stream = rest;
    }
    records
}

/// The parameters of a record's structured data, unescaped, and the message after it.
fn parsed(record: &str) -> (Vec<(String, String)>, String) {
    let mut fields = record.splitn(7, ' ');
    let head: Vec<&str> = fields.by_ref().take(6).collect();
    assert!(head[0].starts_with('<') && head[0].ends_with(">1"), "{record}");
    let rest = fields.next().unwrap().strip_prefix("[skywatch@32473").unwrap();
    let mut chars = rest.chars();
    let mut params = Vec::new();
    loop {
        match chars.next().unwrap() {
            ']' => break,
            c => assert_eq!(c, ' ', "{record}"),
        }
        let name: String = chars.by_ref().take_while(|c| *c != '=').collect();
        assert_eq!(chars.next(), Some('"'));
        let mut value = String::new();
        loop {
            match chars.next().unwrap() {
                '"' => break,
                '\\' => value.push(chars.next().unwrap()),
                c => value.push(c),
            }
        }
        params.push((name, value));
    }
    let message = chars.as_str().strip_prefix(" \u{feff}").unwrap().to_owned();
    (params, message)
}

fn param<'a>(params: &'a [(String, String)], name: &str) -> &'a str {
    let mut found = params.iter().filter(|(n, _)| n == name);
    let (_, value) = found.next().unwrap_or_else(|| panic!("no {name} in {params:?}"));
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

#[test]
fn a_datagram_is_a_record_as_rfc_5424_has_it() {
    let (socket, sender) = udp();
    sender.send(&notice("web1.cpu"), None).map(drop).unwrap();
    let record = datagram(&socket);
    let expected = format!(
        "<164>1 2026-11-21T13:42:05Z watch1 skywatch {} opened [skywatch@32473 notice=\"7f3a.17\" incident=\"17\" \
         state=\"warning\" kind=\"metric\" subject=\"web1.cpu\" value=\"97.2\" low=\"20.1\" high=\"40.3\"] \u{feff}\
         warning #17 web1.cpu is 97.2, above the expected 20.1 to 40.3, since 2026-11-21 13:42 UTC; \
         2 of 3 detectors: grubbs, least_squares; skywatch ack 17; \
         https://watch.example.org/metric?name=web1.cpu",
        std::process::id()
    );
    assert_eq!(record, expected);
}

#[test]
fn the_severity_follows_the_incident() {
    let (socket, sender) = udp();
    let mut critical = sample::item("m", NewsKind::Worse);
    critical.severity = Severity::Critical;
    let mut info = sample::item("m", NewsKind::Reminder);
    info.severity = Severity::Info;
    let cases = [
        (sample::notice(vec![critical]), 2),
        (notice("m"), 4),
        (sample::notice(vec![info]), 5),
        (sample::notice(vec![sample::item("m", NewsKind::Acknowledged)]), 5),
        (sample::notice(vec![sample::item("m", NewsKind::Resolved)]), 6),
        (sample::silent(&[]), 4),
        (sample::daily(&[]), 6),
        (sample::about(Content::Test { by: "anna".into() }), 5),
    ];
    for (notice, severity) in cases {
        sender.send(&notice, None).map(drop).unwrap();
        let record = datagram(&socket);
        assert!(
            record.starts_with(&format!("<{}>1 ", 20 * 8 + severity)),
            "{record}"
        );
    }
}

#[test]
fn records_over_tcp_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = sender(SyslogTarget::Tcp(host_port(listener.local_addr().unwrap())));
    let reader = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    sender.send(&sample::digest(214, 3), None).map(drop).unwrap();
    let records = counted(&reader.join().unwrap());
    assert_eq!(
        records.len(),
        26,
        "one for the whole, and one for each that is listed"
    );
    let (params, message) = parsed(&records[0]);
    assert_eq!(param(&params, "firing"), "214");
    assert!(
        message.starts_with("critical 214 metrics are anomalous, 12 critical, 3 resolved"),
        "{message}"
    );
    let (params, message) = parsed(&records[25]);
    assert_eq!(
        (param(&params, "incident"), param(&params, "state")),
        ("41", "resolved")
    );
    assert!(
        message.contains("is back to normal at 31.4 after 22 min"),
        "{message}"
    );
}

#[test]
fn the_socket_of_this_machine_takes_datagrams_or_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let sender = sender(SyslogTarget::Unix(path.clone()));
    sender.send(&notice("web1.cpu"), None).map(drop).unwrap();
    let mut bytes = [0; 4_096];
    let length = socket.recv(&mut bytes).unwrap();
    let record = std::str::from_utf8(&bytes[..length]).unwrap();
    let head = format!(
        "<164>Nov 21 13:42:05 skywatch[{}]: warning #17 web1.cpu is 97.2",
        std::process::id()
    );
    assert!(record.starts_with(&head), "{record}");

    drop(socket);
    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let reader = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    sender.send(&sample::digest(2, 1), None).map(drop).unwrap();
    let text = reader.join().unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().all(|line| line.starts_with('<')), "{text}");
}

#[test]
fn no_name_forges_a_second_record_or_a_parameter() {
    let (socket, udp) = udp();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = sender(SyslogTarget::Tcp(host_port(listener.local_addr().unwrap())));
    let mut names = sample::hostile_names();
    names.extend([
        "a\n<160>1 - - - - - - forged".to_owned(),
        "a\" state=\"resolved\"] forged".into(),
        "back\\slash\\\" ]".into(),
        "nul\0byte".into(),
    ]);
    let plain = {
        udp.send(&notice("plain"), None).map(drop).unwrap();
        parsed(&datagram(&socket)).0
    };
    for name in &names {
        udp.send(&notice(name), None).map(drop).unwrap();
        let record = datagram(&socket);
        assert!(!record.contains(|c: char| c.is_control()), "{record:?}");
        assert!(record.len() <= 2_048, "{} bytes", record.len());
        let (params, message) = parsed(&record);
        let names_of =
            |params: &[(String, String)]| params.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names_of(&params), names_of(&plain));
        assert_eq!(param(&params, "state"), "warning");
        assert!(
            message.contains("is 97.2, above the expected 20.1 to 40.3"),
            "{message}"
        );

        let over_tcp = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                text
            });
            tcp.send(&notice(name), None).map(drop).unwrap();
            reader.join().unwrap()
        });
        assert_eq!(counted(&over_tcp), [record]);
    }
}

#[test]
fn a_record_is_no_longer_than_it_may_be() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let options = SyslogReceiver {
        target: SyslogTarget::Udp(host_port(socket.local_addr().unwrap())),
        hostname: Some("h".repeat(200)),
        max_bytes: 480,
        ..SyslogReceiver::default()
    };
    let sender = sender_of(options);
    for name in [
        "x".repeat(4_096),
        "🔥".repeat(500),
        "stats.".to_owned() + &"é".repeat(999) + ".p99",
    ] {
        sender.send(&notice(&name), None).map(drop).unwrap();
        let record = datagram(&socket);
        assert!(record.len() <= 480, "{} bytes", record.len());
        assert!(record.contains('…'), "{record}");
    }
}

#[test]
fn nobody_there_is_worth_another_try() {
    let closed_udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed_tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for target in [
        SyslogTarget::Udp(host_port(closed_udp)),
        SyslogTarget::Tcp(host_port(closed_tcp)),
        SyslogTarget::Unix("/nowhere/log".into()),
    ] {
        let error = sender(target.clone()).send(&notice("m"), None).unwrap_err();
        assert!(matches!(error, Error::Syslog { .. }), "{error:?}");
        assert!(error.is_transient());
        assert!(error.to_string().contains(&format!("`{target}`")), "{error}");
    }
}

#[test]
fn a_daemon_that_reads_nothing_costs_no_more_than_the_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let _deaf = UnixDatagram::bind(&path).unwrap();
    let options = SyslogReceiver {
        target: SyslogTarget::Unix(path),
        timeout: Duration::from_millis(200),
        ..SyslogReceiver::default()
    };
    let sender = sender_of(options);
    let refused = (0..10_000).find_map(|_| sender.send(&notice("m"), None).err());
    let error = refused.expect("the socket has room for some datagrams only");
    assert!(error.to_string().contains("no room within 200ms"), "{error}");
    assert!(error.is_transient());
}
