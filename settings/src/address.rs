//! Addresses of other machines.

use std::fmt;
use std::net::IpAddr;

use crate::field::OptionText;

/// A host, by name or IP address, and a port. The name is looked up when it is connected to, not here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name or IP address; IPv6 without brackets.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port`, `1.2.3.4:port` or `[v6]:port`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(v6) => v6
                .strip_suffix(']')
                .filter(|v6| matches!(v6.parse(), Ok(IpAddr::V6(_))))?,
            None => Some(host).filter(|host| is_host(host))?,
        };
        let port = port
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| port.parse().ok())
            .flatten()?;
        (port != 0).then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl OptionText for HostPort {
    const EXPECTED: &'static str = "expected a host and a port, such as `\"graphite.example.org:2003\"`";

    fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(String::new)
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// Whether the text can be a host name or an IPv4 address.
pub(crate) fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// Whether the host is this machine, as far as its name tells.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_both_families() {
        for text in [
            "graphite:2003",
            "10.0.0.1:1",
            "[::1]:2003",
            "a_b.example.org:65535",
        ] {
            assert_eq!(HostPort::read(text).unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "graphite",
            "graphite:",
            ":2003",
            "graphite:0",
            "graphite:65536",
            "::1:2003",
            "[x]:1",
            "http://a:1",
            "a b:1",
            "a:+1",
        ] {
            assert_eq!(HostPort::read(wrong), None, "{wrong}");
        }
    }
}
