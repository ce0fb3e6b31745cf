//! A span as it came in, whatever protocol brought it.

use std::sync::Arc;

use skywatch_alerters::text::shorten;

use super::ids::{SpanId, TraceId};
use super::refusal::SpanRefusal;

/// Longest name of a service or an operation that is kept, characters.
const NAME_LENGTH: usize = 300;
/// Longest message of a status that is kept, characters.
const MESSAGE_LENGTH: usize = 300;
/// The service of a sender that names none, as OpenTelemetry has it.
pub(super) const UNKNOWN_SERVICE: &str = "unknown_service";

/// One piece of work of one service, within a trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReceivedSpan {
    /// Its trace.
    pub(super) trace: TraceId,
    /// Its own id.
    pub(super) id: SpanId,
    /// The span that caused it, where it names one.
    pub(super) parent: Option<SpanId>,
    /// The service it ran in.
    pub(super) service: Arc<str>,
    /// What it did: `GET /users/{id}`.
    pub(super) operation: Box<str>,
    /// Its part in a call.
    pub(super) kind: CallSide,
    /// Whether it is the called side of a call whose calling side has the same id, as in Zipkin.
    pub(super) shared: bool,
    /// When it began, Unix nanoseconds.
    pub(super) start: u64,
    /// How long it took, nanoseconds.
    pub(super) duration: u64,
    /// Whether it says that it failed.
    pub(super) failed: bool,
    /// What it says of its status; mostly nothing.
    pub(super) message: Box<str>,
}

/// Which side of a call a span is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum CallSide {
    /// Work within a service, or not said.
    #[default]
    Internal,
    /// Answers a call.
    Server,
    /// Makes a call.
    Client,
    /// Puts a message somewhere.
    Producer,
    /// Takes a message from somewhere.
    Consumer,
}

impl CallSide {
    /// From OpenTelemetry's number.
    pub(super) fn of_number(number: i32) -> Self {
        match number {
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Internal,
        }
    }

    /// From a word, as Zipkin and Jaeger write it, in any case.
    pub(super) fn of_word(word: &str) -> Self {
        let known = [
            ("server", Self::Server),
            ("client", Self::Client),
            ("producer", Self::Producer),
            ("consumer", Self::Consumer),
        ];
        let found = known.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
        found.map_or(Self::Internal, |(_, side)| *side)
    }

    /// As a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

impl ReceivedSpan {
    /// Checks what no protocol rules out, and cuts texts that are too long.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn checked(mut self) -> Result<Self, SpanRefusal> {
        if self.start == 0 {
            return Err(SpanRefusal::NoStart);
        }
        if self.start.checked_add(self.duration).is_none() {
            return Err(SpanRefusal::Malformed);
        }
        if self.parent == Some(self.id) {
            return Err(SpanRefusal::OwnParent);
        }
        cut(&mut self.operation, NAME_LENGTH);
        cut(&mut self.message, MESSAGE_LENGTH);
        Ok(self)
    }

    /// When it ended, Unix nanoseconds.
    #[must_use]
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.duration)
    }

    /// Bytes it takes in memory, its service's name apart, which it shares.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.operation.len() + self.message.len()
    }
}

fn cut(text: &mut Box<str>, longest: usize) {
    if text.len() > longest {
        *text = shorten(text, longest).into();
    }
}

/// The name of a service as it is kept.
pub(super) fn service(name: &str) -> Arc<str> {
    match name {
        "" => UNKNOWN_SERVICE.into(),
        name => shorten(name, NAME_LENGTH).into(),
    }
}

/// How long from start to end.
///
/// # Errors
/// [`SpanRefusal::EndBeforeStart`].
pub(super) fn between(start: u64, end: u64) -> Result<u64, SpanRefusal> {
    end.checked_sub(start).ok_or(SpanRefusal::EndBeforeStart)
}

/// Attributes that hold the path of an HTTP call, the better ones first: a route is the same for all calls of a kind.
pub(super) const PATHS: [&str; 5] = [
    "http.route",
    "url.template",
    "url.path",
    "http.target",
    "http.url",
];

/// What a span did. Of HTTP many name no more than the method: the path is added, without host and query.
pub(super) fn operation(name: &str, path: Option<&str>) -> Box<str> {
    let method = name.strip_prefix("HTTP ").unwrap_or(name);
    let is_method = !method.is_empty() && method.len() <= 7 && method.bytes().all(|b| b.is_ascii_uppercase());
    match path.filter(|path| is_method && !path.is_empty()) {
        Some(path) => {
            let path = path
                .split_once("://")
                .map_or(path, |(_, rest)| &rest[rest.find('/').unwrap_or(rest.len())..]);
            let path = path.split(['?', '#']).next().unwrap_or_default();
            format!("{method} {}", if path.is_empty() { "/" } else { path }).into()
        }
        None => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_method_gets_its_path_and_a_good_name_stays() {
        for (name, path, expected) in [
            ("GET", Some("/users/{id}"), "GET /users/{id}"),
            ("HTTP POST", Some("http://shop:80/cart?user=7"), "POST /cart"),
            ("GET", Some("https://shop"), "GET /"),
            ("GET", None, "GET"),
            ("GET /users", Some("/users/7"), "GET /users"),
            ("shop.Cart/Add", Some("/shop.Cart/Add"), "shop.Cart/Add"),
            ("SELECT shop", Some(""), "SELECT shop"),
        ] {
            assert_eq!(&*operation(name, path), expected);
        }
    }
}
