//! Syslog: RFC 5424 over UDP or TCP, or the socket of this machine's own daemon.
//!
//! Each incident of a notice is a record of its own, with its number, subject and value as structured data, for
//! whoever reads syslog reads it by machine. The daemon's own socket is spoken to as the C library does
//! (RFC 3164 without a host), because journald and rsyslog take an RFC 5424 header there for part of the text.
//!
//! Syslog has no answer, so `Ok` means less here than elsewhere: over TCP that the other side took every byte,
//! over UDP that nobody objected. Over a line that loses datagrams, use TCP.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skywatch_settings::{SyslogReceiver, SyslogTarget};

use super::{Registration, Sender, SenderResources, Sent};
use crate::anomaly::Severity;
use crate::error::Error;
use crate::incident::Phase;
use crate::notice::{Content, Counts, News, NewsKind, Notice, NoticeItem};
use crate::render::{Templates, summary};
use crate::state::Audience;
use crate::{host, text, units};

/// Where the daemon of a machine usually listens.
const USUAL_SOCKET: &str = "/dev/log";
/// Name of our structured data. 32473 is the number kept for those who have none of their own (RFC 5612).
const DATA_NAME: &str = "skywatch@32473";
/// How long a refusal of a datagram, or the end of a TCP connection, is waited for.
const LAST_WORD: Duration = Duration::from_millis(50);

/// Sends notices to syslog.
#[derive(Debug)]
pub struct SyslogSender {
    receiver: SyslogReceiver,
    hostname: String,
    templates: Arc<Templates>,
}

impl SyslogSender {
    /// Nothing is sent yet.
    pub fn new(receiver: &SyslogReceiver, templates: Arc<Templates>) -> Self {
        Self {
            receiver: receiver.clone(),
            hostname: receiver.hostname.clone().unwrap_or_else(own_hostname),
            templates,
        }
    }

    /// The notice as records: one for each incident, and one that says how many more there are.
    fn records(&self, notice: &Notice) -> Result<Vec<String>, Error> {
        let Some(news) = notice.news().filter(|_| notice.single().is_none()) else {
            return Ok(vec![self.record(notice)?]);
        };
        let mut records = Vec::with_capacity(news.items.len() + 1);
        if news.counts.total() > news.items.len() as u64 || news.held_back > 0 || news.items.is_empty() {
            records.push(self.record(notice)?);
        }
        for item in &news.items {
            records.push(self.record(&only(notice, item))?);
        }
        Ok(records)
    }

    fn record(&self, notice: &Notice) -> Result<String, Error> {
        let priority = self.receiver.facility.code() * 8 + severity(notice);
        let app = &self.receiver.app;
        let longest = self.receiver.max_bytes;
        let line = self.templates.line(notice)?;
        if matches!(self.receiver.target, SyslogTarget::Local | SyslogTarget::Unix(_)) {
            let at = units::time_as(notice.at, "%b %e %H:%M:%S").unwrap_or_default();
            let head = format!("<{priority}>{at} {app}[{}]: ", std::process::id());
            return Ok(with_message(head, &line, notice, longest));
        }
        let at = units::time_as(notice.at, "%Y-%m-%dT%H:%M:%SZ").unwrap_or_else(|| "-".into());
        let head = format!(
            "<{priority}>1 {at} {} {app} {} {} ",
            self.hostname,
            std::process::id(),
            kind(notice)
        );
        // Half of the room at most goes to the data, so that there is room for the words.
        let columns = [300, 150, 80, 40, 20, 10];
        let data = columns
            .into_iter()
            .map(|columns| structured_data(notice, columns))
            .find(|data| head.len() + data.len() <= longest / 2)
            .unwrap_or_else(|| "-".into());
        Ok(with_message(
            format!("{head}{data} \u{feff}"),
            &line,
            notice,
            longest,
        ))
    }
}

impl Registration for SyslogReceiver {
    fn audience(&self) -> Audience {
        Audience::Machine { refresh: None }
    }

    fn sender(&self, shared: &SenderResources) -> Result<Arc<dyn Sender>, Error> {
        Ok(Arc::new(SyslogSender::new(self, Arc::clone(&shared.templates))))
    }
}

impl Sender for SyslogSender {
    fn kind(&self) -> &'static str {
        "syslog"
    }

    fn send(&self, notice: &Notice, _reference: Option<&str>) -> Result<Sent, Error> {
        let records = self.records(notice)?;
        let timeout = self.receiver.timeout.max(Duration::from_millis(1));
        let sent = match &self.receiver.target {
            SyslogTarget::Udp(address) => send_udp(&address.to_string(), &records, timeout),
            SyslogTarget::Tcp(address) => send_tcp(&address.to_string(), &records, timeout),
            SyslogTarget::Local => send_local(Path::new(USUAL_SOCKET), &records, timeout),
            SyslogTarget::Unix(path) => send_local(path, &records, timeout),
        };
        match sent {
            Ok(()) => Ok(Sent::default()),
            Err(source) => Err(Error::Syslog {
                target: self.receiver.target.to_string(),
                reason: match source.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no room within {timeout:?}"),
                    _ => source.to_string(),
                },
            }),
        }
    }

    /// No record is sent: one without words says nothing to whoever reads the log.
    fn probe(&self) -> Result<String, Error> {
        let timeout = self.receiver.timeout.max(Duration::from_millis(1));
        let target = &self.receiver.target;
        let tried = match target {
            SyslogTarget::Udp(address) => send_udp(&address.to_string(), &[], timeout),
            SyslogTarget::Tcp(address) => send_tcp(&address.to_string(), &[], timeout),
            SyslogTarget::Local => send_local(Path::new(USUAL_SOCKET), &[], timeout),
            SyslogTarget::Unix(path) => send_local(path, &[], timeout),
        };
        match tried {
            Ok(()) if matches!(target, SyslogTarget::Udp(_)) => Ok(format!(
                "{target}: datagrams go out; whether they arrive nobody says"
            )),
            Ok(()) => Ok(format!("{target} takes records")),
            Err(source) => Err(Error::Syslog {
                target: target.to_string(),
                reason: source.to_string(),
            }),
        }
    }
}

fn send_udp(address: &str, records: &[String], timeout: Duration) -> io::Result<()> {
    first_that_works(address, |address| {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        socket.set_write_timeout(Some(timeout))?;
        for record in records {
            socket.send(record.as_bytes())?;
        }
        // A host without anybody at the port says so, if nothing in between swallows it.
        socket.set_read_timeout(Some(LAST_WORD.min(timeout)))?;
        match socket.recv(&mut [0]) {
            Err(refused) if refused.kind() == ErrorKind::ConnectionRefused => Err(refused),
            _ => Ok(()),
        }
    })
}

fn send_tcp(address: &str, records: &[String], timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    let left = || {
        deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1))
    };
    let mut framed = Vec::new();
    for record in records {
        // Writing to a vector cannot fail.
        _ = write!(framed, "{} {record}", record.len());
    }
    first_that_works(address, |address| {
        let mut stream = TcpStream::connect_timeout(&address, left())?;
        stream.set_write_timeout(Some(left()))?;
        stream.write_all(&framed)?;
        stream.shutdown(Shutdown::Write)?;
        // A receiver that has died answers what we sent with a reset; one that lives closes in turn, or keeps
        // silent.
        stream.set_read_timeout(Some(LAST_WORD.min(left())))?;
        match stream.read(&mut [0]) {
            Err(lost) if lost.kind() == ErrorKind::ConnectionReset => Err(lost),
            _ => Ok(()),
        }
    })
}

fn send_local(path: &Path, records: &[String], timeout: Duration) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(timeout))?;
    match socket.connect(path) {
        Ok(()) => {
            for record in records {
                socket.send(record.as_bytes())?;
            }
            Ok(())
        }
        Err(error) if is_a_stream(&error) => {
            let mut stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(timeout))?;
            for record in records {
                stream.write_all(format!("{record}\n").as_bytes())?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Whether a socket refused datagrams because it takes a stream: EPROTOTYPE, for which the standard library has
/// no kind. 91 on Linux, 41 on macOS.
fn is_a_stream(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(91 | 41))
}

fn first_that_works(address: &str, send: impl Fn(SocketAddr) -> io::Result<()>) -> io::Result<()> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match send(address) {
            Ok(()) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// A notice about this one incident of it, for a line of its own.
fn only(notice: &Notice, item: &NoticeItem) -> Notice {
    let firing = u64::from(item.what.is_firing());
    let acknowledged = u64::from(item.what == NewsKind::Acknowledged);
    let item = NoticeItem {
        anomaly: item.anomaly.without_window(),
        remark: item.remark.clone(),
        causes: item.causes.clone(),
        ending: item.ending.clone(),
        ..*item
    };
    Notice {
        id: notice.id.clone(),
        thread: notice.thread.clone(),
        receiver: notice.receiver.clone(),
        route: notice.route.clone(),
        at: notice.at,
        base_url: notice.base_url.clone(),
        command: notice.command.clone(),
        content: Content::Incidents(News {
            items: vec![item],
            counts: Counts {
                firing,
                acknowledged,
                resolved: 1 - firing - acknowledged,
                critical: 0,
            },
            ..News::default()
        }),
    }
}

/// `head` with the line behind it. Where that is too long, the summary, whose name is short; where that is still
/// too long, its beginning.
fn with_message(head: String, line: &str, notice: &Notice, longest: usize) -> String {
    let room = longest.saturating_sub(head.len());
    let mut record = head;
    if line.len() <= room {
        record.push_str(line);
    } else {
        let summary = summary(notice);
        let end = (0..=room.min(summary.len()))
            .rev()
            .find(|end| summary.is_char_boundary(*end));
        record.push_str(&summary[..end.unwrap_or(0)]);
    }
    record
}

/// `[skywatch@32473 incident="17" …]` with the name at most this wide.
fn structured_data(notice: &Notice, columns: usize) -> String {
    let mut data = format!("[{DATA_NAME}");
    let mut param = |name: &str, value: &str| {
        _ = write!(data, " {name}=\"");
        for c in text::one_line(value).chars() {
            if matches!(c, '"' | '\\' | ']') {
                data.push('\\');
            }
            data.push(c);
        }
        data.push('"');
    };
    param("notice", &text::shorten(&notice.id, 64));
    if let Some(item) = notice.single() {
        let anomaly = &item.anomaly;
        if item.incident > 0 {
            param("incident", &item.incident.to_string());
        }
        param("state", state(notice));
        param("kind", anomaly.subject.kind().name);
        param("subject", &text::shorten(anomaly.name(), columns));
        if let Some(outcome) = item.outcome() {
            param("outcome", outcome.as_str());
        }
        // In full, for a machine to read.
        for (name, value) in [
            (
                "value_at_end",
                item.ending.as_ref().and_then(|ending| ending.value),
            ),
            (
                "value_before",
                item.ending.as_ref().and_then(|ending| ending.before),
            ),
        ] {
            if let Some(value) = value {
                param(name, &value.to_string());
            }
        }
        if anomaly.observed.is_finite() {
            param("value", &anomaly.observed.to_string());
        }
        if let Some(expected) = anomaly.expected {
            for (name, bound) in [("low", expected.low), ("high", expected.high)] {
                if bound.is_finite() {
                    param(name, &bound.to_string());
                }
            }
        }
    } else {
        param("state", state(notice));
        if let Some(news) = notice.news() {
            param("firing", &news.counts.firing.to_string());
            param("resolved", &news.counts.resolved.to_string());
        }
    }
    data.push(']');
    data
}

/// What the record is about, in one word.
fn kind(notice: &Notice) -> &'static str {
    match &notice.content {
        Content::Incidents(_) => notice.single().map_or("digest", |item| item.what.as_str()),
        Content::Silent(_) => "silent",
        Content::Daily(_) => "daily",
        Content::Test { .. } => "test",
    }
}

fn state(notice: &Notice) -> &'static str {
    match (notice.severity(), notice.news()) {
        (Some(severity), _) => severity.as_str(),
        (None, Some(news)) if news.counts.acknowledged > 0 => "acknowledged",
        (None, Some(_)) => notice.outcome().unwrap_or(Phase::Resolved).as_str(),
        (None, None) => "info",
    }
}

/// The severity's number: 2 critical, 4 warning, 5 notice, 6 informational.
fn severity(notice: &Notice) -> u8 {
    match (&notice.content, notice.severity()) {
        (_, Some(Severity::Critical)) => 2,
        (_, Some(Severity::Warning)) => 4,
        (_, Some(Severity::Info)) => 5,
        (Content::Silent(silent), None) if silent.metrics > 0 => 4,
        (Content::Test { .. }, None) => 5,
        (Content::Incidents(news), None) if news.counts.acknowledged > 0 => 5,
        (_, None) => 6,
    }
}

/// What the system calls itself, `-` when it does not say.
fn own_hostname() -> String {
    Some(host::name())
        .filter(|name| (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()))
        .unwrap_or_else(|| "-".into())
}
