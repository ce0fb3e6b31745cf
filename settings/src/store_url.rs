//! Where points are kept, as one text: `embedded`, or the address of a Redis.
//!
//! The Redis client parses the address again when it connects; here it is checked closely enough that a slip is found
//! before anything starts, and masked so that a password inside it is never printed.

use std::fmt;

use crate::address::HostPort;
use crate::field::OptionText;

/// Which store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// The store inside Skywatch, in the state folder.
    Embedded,
    /// A Redis server.
    Redis(RedisUrl),
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

/// How Redis is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisTransport {
    /// `redis://`
    Tcp,
    /// `rediss://`
    Tls,
    /// `redis+unix://` and `unix://`
    Unix,
}

/// The checked address of a Redis server. `Debug` and `Display` mask the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    text: String,
    transport: RedisTransport,
    has_password: bool,
    database: u32,
}

impl RedisUrl {
    /// The whole address with its password, for the Redis client alone.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// How the server is reached.
    pub fn transport(&self) -> RedisTransport {
        self.transport
    }

    /// Whether the address itself carries a password.
    pub fn has_password(&self) -> bool {
        self.has_password
    }

    /// The number of the database.
    pub fn database(&self) -> u32 {
        self.database
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
        let transport = match scheme {
            "redis" => RedisTransport::Tcp,
            "rediss" => RedisTransport::Tls,
            "redis+unix" | "unix" => RedisTransport::Unix,
            _ => return Err("its scheme is not known".to_owned()),
        };
        if rest.contains('#') {
            return Err("nothing may follow a `#`".to_owned());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let options: &[&str] = if transport == RedisTransport::Unix {
            &["db", "user", "pass", "protocol"]
        } else {
            &["protocol"]
        };
        let (mut has_password, mut database) = (false, 0);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !options.contains(&name) {
                return Err(format!("after the `?` it takes only `{}`", options.join("`, `")));
            }
            if name == "db" {
                database = number_of(value)?;
            }
            has_password |= name == "pass";
        }
        if transport == RedisTransport::Unix {
            if !rest.starts_with('/') || rest.len() < 2 {
                return Err("the path of its socket must be whole".to_owned());
            }
        } else {
            let (authority, number) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            let with_port = HostPort::read(host).or_else(|| HostPort::read(&format!("{host}:6379")));
            if with_port.is_none() {
                return Err("its host or port is wrong".to_owned());
            }
            if !number.is_empty() {
                database = number_of(number)?;
            }
            has_password = user.contains(':');
        }
        Ok(Self {
            text: text.to_owned(),
            transport,
            has_password,
            database,
        })
    }
}

fn number_of(database: &str) -> Result<u32, String> {
    database
        .parse()
        .map_err(|_| "its database is not a number".to_owned())
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.text))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text with everything that may be a password replaced. It must also work on a text that is no address at all, so
/// it masks too much rather than too little: all between the scheme and the last `@` except a user name before a `:`,
/// and every `pass…=` after the `?`.
fn masked(text: &str) -> String {
    let text = match text.rsplit_once('@') {
        Some((before, after)) => {
            let (scheme, user) = before.split_once("://").map_or(("", before), |(_, user)| {
                (&before[..before.len() - user.len()], user)
            });
            let name = user.split_once(':').map_or("", |(name, _)| name);
            let colon = if user.contains(':') { ":" } else { "" };
            format!("{scheme}{name}{colon}***@{after}")
        }
        None => text.to_owned(),
    };
    let Some((address, query)) = text.split_once('?') else {
        return text;
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.to_lowercase().starts_with("pass") => format!("{name}=***"),
        _ => pair.to_owned(),
    });
    format!("{address}?{}", pairs.collect::<Vec<_>>().join("&"))
}

impl OptionText for StoreUrl {
    const EXPECTED: &'static str = "expected `\"embedded\"` or the address of a Redis such as \
        `\"redis://127.0.0.1:6379/0\"`, `\"rediss://redis.example.org\"` or `\"redis+unix:///run/redis.sock?db=0\"`";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            text => RedisUrl::parse(text).map(Self::Redis),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }

    fn mask(text: &str) -> String {
        masked(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_form_and_refuses_slips() {
        for (text, transport) in [
            ("redis://127.0.0.1", RedisTransport::Tcp),
            ("redis://[::1]:6379/15", RedisTransport::Tcp),
            (
                "redis://user:p%40ss@redis:6380/0?protocol=resp3",
                RedisTransport::Tcp,
            ),
            ("rediss://redis.example.org/", RedisTransport::Tls),
            ("redis+unix:///tmp/r.sock?db=2", RedisTransport::Unix),
            ("unix:///tmp/r.sock?db=2&user=u&pass=p", RedisTransport::Unix),
        ] {
            assert_eq!(
                RedisUrl::parse(text).map(|url| url.transport()),
                Ok(transport),
                "{text}"
            );
        }
        for wrong in [
            "",
            "embeded",
            "redis:/x",
            "http://x",
            "redis://",
            "redis://:6379",
            "redis://h:0",
            "redis://h:x",
            "redis://h/x",
            "redis://h?db=2",
            "rediss://h#insecure",
            "unix://tmp/r.sock",
            "redis+unix:///tmp/r.sock?dbb=2",
            "unix:///r?db=x",
        ] {
            assert!(RedisUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn masks_every_place_a_password_can_stand() {
        for text in [
            "redis://:hunter2@h",
            "redis://u:hunter2@h:1/2",
            "redis://u:hunt/er2@h",
            "redis://u:hunt@er2@h",
            "redis://hunter2@h",
            "redis:/u:hunter2@h",
            "hunter2@h",
            "unix:///s?pass=hunter2&db=1",
            "unix:///s?db=1&PASS=hunter2",
            "redis://h?password=hunter2",
        ] {
            let shown = masked(text);
            assert!(
                !shown.contains("hunt") && !shown.contains("er2") && shown.contains("***"),
                "{shown}"
            );
        }
        assert_eq!(masked("redis://u:p@h:1/2"), "redis://u:***@h:1/2");
        assert_eq!(
            masked("redis+unix:///tmp/r.sock?db=2"),
            "redis+unix:///tmp/r.sock?db=2"
        );
    }
}
