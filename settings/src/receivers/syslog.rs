//! The system's log, here or on another machine.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::transport::TIMEOUT;
use crate::address::HostPort;
use crate::check::Check;
use crate::choice::choice;
use crate::field::OptionText;
use crate::section::{MILLISECOND, Section};

/// Where a syslog listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTarget {
    /// On this machine, wherever it usually does.
    Local,
    /// At this socket.
    Unix(PathBuf),
    /// There, datagrams.
    Udp(HostPort),
    /// There, a stream.
    Tcp(HostPort),
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl OptionText for SyslogTarget {
    const EXPECTED: &'static str = "expected `\"local\"`, `\"unix:/path\"`, or host and port such as \
        `\"udp://syslog.example.org:514\"` or `\"tcp://syslog.example.org:601\"`";

    fn parse(text: &str) -> Result<Self, String> {
        let target = if text == "local" {
            Some(Self::Local)
        } else if let Some(path) = text.strip_prefix("unix:") {
            path.starts_with('/').then(|| Self::Unix(PathBuf::from(path)))
        } else if let Some(address) = text.strip_prefix("udp://") {
            HostPort::read(address).map(Self::Udp)
        } else {
            text.strip_prefix("tcp://")
                .and_then(HostPort::read)
                .map(Self::Tcp)
        };
        target.ok_or_else(String::new)
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// What a line of the log is about, as syslog divides it (RFC 5424).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the words are syslog's own")]
pub enum SyslogFacility {
    Kern = 0,
    User = 1,
    Mail = 2,
    Daemon = 3,
    Auth = 4,
    Syslog = 5,
    Lpr = 6,
    News = 7,
    Uucp = 8,
    Cron = 9,
    Authpriv = 10,
    Ftp = 11,
    Local0 = 16,
    Local1 = 17,
    Local2 = 18,
    Local3 = 19,
    Local4 = 20,
    Local5 = 21,
    Local6 = 22,
    Local7 = 23,
}
choice!(SyslogFacility {
    "kern" => Kern, "user" => User, "mail" => Mail, "daemon" => Daemon, "auth" => Auth, "syslog" => Syslog,
    "lpr" => Lpr, "news" => News, "uucp" => Uucp, "cron" => Cron, "authpriv" => Authpriv, "ftp" => Ftp,
    "local0" => Local0, "local1" => Local1, "local2" => Local2, "local3" => Local3,
    "local4" => Local4, "local5" => Local5, "local6" => Local6, "local7" => Local7,
});

impl SyslogFacility {
    /// Its number; a line's priority is eight times this and the severity.
    pub fn code(self) -> u8 {
        self as u8
    }
}

options! {
    /// The system's log, here or on another machine.
    pub SyslogReceiver {
        /// Where it is.
        target: SyslogTarget = SyslogTarget::Local,
        /// The facility its lines belong to.
        facility: SyslogFacility = SyslogFacility::Local4,
        /// The program's name in its lines.
        app: String = "skywatch".to_owned(),
        /// This machine's name in its lines; `None` is what the system calls itself.
        hostname: Option<String> = None,
        /// The longest record, in bytes. 480 is what every receiver must take (RFC 5424, 6.1).
        max_bytes: usize = 2_048 => 480..,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT => MILLISECOND..,
    }
}

impl Section for SyslogReceiver {
    fn check(&self, check: &mut Check<'_>) {
        let visible = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        check.require(
            self.hostname.as_deref().is_none_or(|name| visible(name, 255)),
            "hostname",
            &self.hostname,
            "expected at most 255 letters without spaces, such as `\"watch1\"`",
        );
        check.require(
            visible(&self.app, 48),
            "app",
            &self.app,
            "expected at most 48 letters without spaces, such as `\"skywatch\"`",
        );
    }
}
