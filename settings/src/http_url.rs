//! Addresses of web services that are called. An address is read once, here; the HTTP client gets its text.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::address::{is_host, is_loopback};
use crate::field::{OptionText, OptionValue, RefusedValue, without_credentials};
use crate::written::Written;

/// `http://host:port/path?query`, all but the host optional, without user and `#`. `Debug` shows host and port only: a
/// path can be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    text: String,
    /// Whether it is `https://`.
    secure: bool,
    /// Name or IP address; IPv6 without brackets.
    host: String,
    /// Where path and query begin in `text`.
    tail: usize,
}

impl HttpUrl {
    /// Reads an address. `None` for anything else, among it an address with a user, with a `#`, or with what must be
    /// written as `%20` and the like.
    pub fn read(text: &str) -> Option<Self> {
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
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
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
        (port.is_empty() || port.strip_prefix(':').is_some_and(right_port)).then(|| Self {
            text: text.to_owned(),
            secure,
            host: host.to_owned(),
            tail: text.len() - rest.len() + authority.len(),
        })
    }

    /// The whole, for the client.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Name or IP address; IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port as written, for errors.
    pub fn place(&self) -> &str {
        let scheme = if self.secure { 8 } else { 7 };
        &self.text[scheme..self.tail]
    }

    /// Path and query; empty if there are none.
    pub fn path(&self) -> &str {
        &self.text[self.tail..]
    }

    /// Whether what is sent there can be read on the way.
    pub fn is_open(&self) -> bool {
        !self.secure && !is_loopback(&self.host)
    }

    /// Whether this lies at the same server as `home`, or at a subdomain of it, and is as well protected.
    pub fn belongs_to(&self, home: &Self) -> bool {
        let subdomain = self
            .place()
            .strip_suffix(home.host())
            .is_some_and(|sub| sub.ends_with('.'));
        self.secure == home.secure && (self.place() == home.place() || subdomain)
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.place())
    }
}

/// An address to which paths are added, and which therefore has no `?`.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(HttpUrl);

impl BaseUrl {
    /// An address that stands in the program.
    ///
    /// # Panics
    /// If it is none.
    pub(crate) fn known(text: &str) -> Self {
        OptionText::parse(text).expect("an address written in the program is right")
    }

    /// The address itself.
    pub fn url(&self) -> &HttpUrl {
        &self.0
    }

    /// The address without slashes at its end.
    pub fn as_str(&self) -> &str {
        self.0.text.trim_end_matches('/')
    }

    /// The address of `path`, which begins with a slash, below this one.
    pub fn join(&self, path: &str) -> HttpUrl {
        HttpUrl {
            text: format!("{}{path}", self.as_str()),
            ..self.0.clone()
        }
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        OptionText::parse(text)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl OptionText for BaseUrl {
    const EXPECTED: &'static str = "expected an address with `http://` or `https://` and without a user, `?` and `#`, \
                                    such as `\"https://example.org:8443/path\"`";

    fn parse(text: &str) -> Result<Self, String> {
        HttpUrl::read(text)
            .filter(|url| !url.path().contains('?'))
            .map(Self)
            .ok_or_else(String::new)
    }

    fn text(&self) -> String {
        self.0.text.clone()
    }

    fn mask(text: &str) -> String {
        without_credentials(text)
    }
}

/// An address that is all it takes to write there, and so is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(HttpUrl);

impl SecretUrl {
    /// Wraps an address that must not be printed.
    pub fn new(url: HttpUrl) -> Self {
        Self(url)
    }

    /// The address, for the client. Its `Debug` shows host and port.
    pub fn expose(&self) -> &HttpUrl {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl OptionValue for SecretUrl {
    fn read(written: &Written) -> Result<Self, RefusedValue> {
        let url = written.as_text().and_then(|text| HttpUrl::read(text.trim()));
        url.map(Self).ok_or_else(|| {
            RefusedValue::new(
                "expected an address with `http://` or `https://` and without a user and `#`, such as \
                 `\"https://example.org/hooks/x?y=z\"`",
            )
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn mask(_: &str) -> String {
        "***".to_owned()
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
            let url = HttpUrl::read(text).unwrap();
            assert_eq!((url.host(), url.is_open()), (host, open), "{text}");
        }
        let parts = HttpUrl::read("https://a:1/b?c").unwrap();
        assert_eq!((parts.place(), parts.path()), ("a:1", "/b?c"));
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
            assert_eq!(HttpUrl::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_path_is_added_below_and_an_address_belongs_to_its_server() {
        let base: BaseUrl = OptionText::parse("https://a.example/x/").unwrap();
        let below = base.join("/y");
        assert_eq!((below.as_str(), below.path()), ("https://a.example/x/y", "/x/y"));
        assert!(<BaseUrl as OptionText>::parse("https://a?b").is_err());
        for (text, belongs) in [
            ("https://a.example/z", true),
            ("https://files.a.example/z", true),
            ("http://a.example/z", false),
            ("https://a.example:444/z", false),
            ("https://b.a.example:444/z", false),
            ("https://xa.example/z", false),
        ] {
            assert_eq!(
                HttpUrl::read(text).unwrap().belongs_to(base.url()),
                belongs,
                "{text}"
            );
        }
    }
}
