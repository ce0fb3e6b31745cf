//! What a node of a Redis Cluster answers about a key that another node has.

use ::redis::{ServerError, Value};
use skywatch_settings::HostPort;

/// Where to ask instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The slot is another node's.
    Moved(HostPort),
    /// The slot is on its way to another node, which has this key already or is to be asked whether it has: this one question, and
    /// with ASKING before it.
    Ask(HostPort),
}

impl Redirect {
    /// Reads an error, `MOVED 3999 127.0.0.1:6381` or `ASK …`. A node that does not know its own address leaves the host out and means the one
    /// it was reached at, `asked`.
    pub(super) fn read(error: &str, asked: &str) -> Option<Self> {
        let mut words = error.split_ascii_whitespace();
        let code = words.next().filter(|code| is_redirect(code))?;
        let (host, port) = words.nth(1)?.rsplit_once(':')?;
        let host = if host.is_empty() { asked } else { host };
        let node = HostPort {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.parse().ok()?,
        };
        Some(match code {
            "MOVED" => Self::Moved(node),
            _ => Self::Ask(node),
        })
    }
}

/// Whether the code of an error reply sends elsewhere.
pub(super) fn is_redirect(code: &str) -> bool {
    matches!(code, "MOVED" | "ASK")
}

/// Questions of one exchange that were sent elsewhere, by their place in it.
#[derive(Debug, Default)]
pub(super) struct Redirected {
    /// The host of the node that is asked; `None` outside a cluster, where such an answer is an error like any other.
    host: Option<String>,
    found: Vec<(usize, Redirect)>,
}

impl Redirected {
    pub(super) fn by(host: Option<String>) -> Self {
        Self {
            host,
            found: Vec::new(),
        }
    }

    /// Whether the server that is asked is a node of a cluster.
    pub(super) fn is_of_member(&self) -> bool {
        self.host.is_some()
    }

    /// Takes a reply that sends the question at `place` elsewhere; whether it was one.
    pub(super) fn takes(&mut self, place: usize, reply: &Value) -> bool {
        match reply {
            Value::ServerError(error) => self.takes_error(place, error),
            _ => false,
        }
    }

    /// The same for an error reply.
    pub(super) fn takes_error(&mut self, place: usize, error: &ServerError) -> bool {
        let redirect = self.host.as_deref().and_then(|host| {
            let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
            Redirect::read(&text, host)
        });
        let is_one = redirect.is_some();
        self.found.extend(redirect.map(|redirect| (place, redirect)));
        is_one
    }

    /// Notes that the question at `place` was sent elsewhere.
    pub(super) fn add(&mut self, place: usize, redirect: Redirect) {
        self.found.push((place, redirect));
    }

    /// Places were those in a part of the question: makes them those of the whole.
    pub(super) fn places_in(&mut self, whole: &[usize]) {
        for (place, _) in &mut self.found {
            *place = whole[*place];
        }
    }

    /// Hands over what was found.
    pub(super) fn take(&mut self) -> Vec<(usize, Redirect)> {
        std::mem::take(&mut self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_whatever_the_address() {
        let node = |host: &str, port| HostPort {
            host: host.to_owned(),
            port,
        };
        for (error, redirect) in [
            (
                "MOVED 3999 10.0.0.1:6381",
                Some(Redirect::Moved(node("10.0.0.1", 6_381))),
            ),
            ("MOVED 3999 :6381", Some(Redirect::Moved(node("here", 6_381)))),
            ("ASK 0 ::1:7000", Some(Redirect::Ask(node("::1", 7_000)))),
            (
                "ASK 0 redis.example.org:7000",
                Some(Redirect::Ask(node("redis.example.org", 7_000))),
            ),
            ("CLUSTERDOWN Hash slot not served", None),
            ("MOVED 3999", None),
            ("MOVED 3999 10.0.0.1:0x", None),
        ] {
            assert_eq!(Redirect::read(error, "here"), redirect, "{error}");
        }
    }
}
