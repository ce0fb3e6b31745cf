//! Addresses of web services that are called: which are taken, and what of them must be known to judge the others.
//!
//! The HTTP client parses an address again when it calls; here a slip is found before anything starts, and whether a
//! secret would travel in the clear.

use std::net::Ipv6Addr;

use crate::address::{is_host, is_loopback};

/// The parts of an address that checks ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WebUrl<'t> {
    /// Whether it is `https://`.
    pub(crate) secure: bool,
    /// Name or IP address; IPv6 without brackets.
    pub(crate) host: &'t str,
    /// Whether something follows a `?`.
    pub(crate) has_query: bool,
}

impl<'t> WebUrl<'t> {
    /// Reads `http://host:port/path?query`, all but the host optional. `None` for anything else, among it an address
    /// with a user, with a `#`, or with what must be written as `%20` and the like.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (secure, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        if !rest
            .chars()
            .all(|c| c.is_ascii_graphic() && !"#<>\"'\\^`{}|".contains(c))
        {
            return None;
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A user part would put an `@` here, which no host has.
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (host, port) = v6.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (host, port)
            }
            None => {
                let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                (Some(host).filter(|host| is_host(host))?, port)
            }
        };
        let right_port = |port: &str| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0)
        };
        (port.is_empty() || port.strip_prefix(':').is_some_and(right_port)).then_some(Self {
            secure,
            host,
            has_query: tail.contains('?'),
        })
    }

    /// Whether what is sent there can be read on the way.
    pub(crate) fn is_open(&self) -> bool {
        !self.secure && !is_loopback(self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_of_the_web_and_nothing_else() {
        for (text, host, open) in [
            ("https://a", "a", false),
            ("http://a.b-c:8080/x/@y", "a.b-c", true),
            ("http://127.0.0.1:1", "127.0.0.1", false),
            ("http://[::1]:9093/", "::1", false),
            ("http://localhost?x=1", "localhost", false),
        ] {
            let url = WebUrl::parse(text).unwrap();
            assert_eq!((url.host, url.is_open()), (host, open), "{text}");
        }
        assert!(WebUrl::parse("https://a/b?c").unwrap().has_query);
        assert!(!WebUrl::parse("https://a/b").unwrap().has_query);
        for wrong in [
            "",
            "a",
            "ftp://a",
            "https://",
            "https:///x",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:+1",
            "http://u@a",
            "http://u:p@a",
            "http://a#x",
            "http://a/#x",
            "http://a b",
            "http://a/b c",
            "http://a\n",
            "http://[::1",
            "http://[x]",
            "http://::1",
            "http://a/{b}",
            "http://a/ü",
            "HTTP://a",
            "http://[::1]x",
            "http://a\\@b",
        ] {
            assert_eq!(WebUrl::parse(wrong), None, "{wrong}");
        }
    }
}
