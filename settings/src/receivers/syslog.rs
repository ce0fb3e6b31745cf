//! The system's log, here or on another machine.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{TIMEOUT, Table, check_timeout};
use crate::address::HostPort;
use crate::check::Check;
use crate::choice::choice;
use crate::field::{Refused, Value, quote};
use crate::raw::Written;

/// The system's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogReceiver {
    /// Where it is.
    pub target: SyslogTarget,
    /// The facility its lines belong to.
    pub facility: SyslogFacility,
    /// The program's name in its lines.
    pub app: String,
}

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

impl SyslogTarget {
    fn parse(text: &str) -> Option<Self> {
        if text == "local" {
            Some(Self::Local)
        } else if let Some(path) = text.strip_prefix("unix:") {
            path.starts_with('/').then(|| Self::Unix(PathBuf::from(path)))
        } else if let Some(address) = text.strip_prefix("udp://") {
            HostPort::parse(address).map(Self::Udp)
        } else {
            HostPort::parse(text.strip_prefix("tcp://")?).map(Self::Tcp)
        }
    }
}

impl Value for SyslogTarget {
    fn read(written: &Written) -> Result<Self, Refused> {
        written
            .as_text()
            .and_then(|text| Self::parse(text.trim()))
            .ok_or_else(|| {
                Refused::new(
                    "expected `\"local\"`, `\"unix:/path\"`, or host and port such as `\"udp://syslog.example.org:514\"` \
                     or `\"tcp://syslog.example.org:601\"`",
                )
            })
    }

    fn show(&self) -> String {
        quote(&self.to_string())
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
    /// `type = "syslog"`
    pub(crate) SyslogOptions {
        /// Where it is.
        target: SyslogTarget = SyslogTarget::Local,
        /// The facility its lines belong to.
        facility: SyslogFacility = SyslogFacility::Local4,
        /// The program's name in its lines.
        app: String = "skywatch".to_owned(),
        /// How long one notice may take.
        timeout: Duration = TIMEOUT,
    }
}

impl SyslogOptions {
    pub(super) fn check(&self, table: &Table<'_>, check: &mut Check<'_>) {
        check_timeout(table, &self.timeout, check);
        check.require(
            (1..=48).contains(&self.app.len()) && self.app.chars().all(|c| c.is_ascii_graphic()),
            &table.key("app"),
            &self.app,
            "expected at most 48 letters without spaces, such as `\"skywatch\"`",
        );
    }

    pub(super) fn resolve(&self) -> SyslogReceiver {
        SyslogReceiver {
            target: self.target.clone(),
            facility: self.facility,
            app: self.app.clone(),
        }
    }
}
