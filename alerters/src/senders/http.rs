//! The one way senders speak HTTP: one bound on time, one on the size of answers, one reading of what came back.
//!
//! A connection is made for each request: notices are rare, and a connection that idled for hours is lost
//! exactly when it is needed. Redirects are not followed, so that nobody but the settings says where notices go.
//! What a server answers is shown in errors, and so every secret that was sent is masked in it first.
//! Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`), as other programs do.
//!
//! The clock is read here and in the senders above it: a server judges by its own clock, and that is today's,
//! not the notice's.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use skywatch_settings::{HttpUrl, Secret};

use crate::error::Error;
use crate::http_client::{self, Trust};
use crate::text;

/// Longest timeout believed.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Longest wait a server may ask for before the next attempt.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);
/// Largest answer that is read, in bytes.
const MOST_BYTES: u64 = 64 << 10;
/// How much of a refusal's text is shown, in columns.
const SHOWN: usize = 300;

/// JSON, for [`Attempt::post`].
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Speaks HTTP for one sender.
pub(super) struct SenderClient {
    agent: ureq::Agent,
    timeout: Duration,
    /// What must not be shown even when a server says it.
    masked: Vec<Secret>,
}

/// One attempt, which may be several requests under one bound.
pub(super) struct Attempt<'a> {
    http: &'a SenderClient,
    deadline: Instant,
}

/// An answer with a status of success; its body is not read yet.
pub(super) struct HttpReply<'a> {
    attempt: &'a Attempt<'a>,
    place: String,
    body: ureq::Body,
}

impl SenderClient {
    /// `timeout` bounds an attempt and is at most an hour; `ca_file` holds PEM certificates that are trusted
    /// beside Mozilla's; nothing in `masked` ever appears in an error.
    pub(super) fn new(timeout: Duration, ca_file: Option<&Path>, masked: Vec<Secret>) -> Result<Self, Error> {
        let config = http_client::config(ca_file.map_or(Trust::Public, Trust::Beside))?;
        Ok(Self {
            agent: config.max_idle_connections(0).build().into(),
            timeout: timeout.min(LONGEST_TIMEOUT),
            masked: masked
                .into_iter()
                .filter(|secret| !secret.expose().is_empty())
                .collect(),
        })
    }

    /// Begins an attempt: the time runs from here.
    pub(super) fn begin(&self) -> Attempt<'_> {
        Attempt {
            http: self,
            deadline: Instant::now() + self.timeout,
        }
    }

    fn mask(&self, said: &str) -> String {
        self.masked.iter().fold(said.to_owned(), |said, secret| {
            said.replace(secret.expose(), "***")
        })
    }

    /// What a refusal says of itself, on one line.
    fn reason(&self, body: &[u8]) -> String {
        let said = in_json(body).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        text::shorten(self.mask(&said).trim(), SHOWN).into_owned()
    }
}

impl Attempt<'_> {
    /// Posts `body`. An answer that does not say success is an error.
    ///
    /// # Errors
    /// [`Error::HttpConnection`], [`Error::HttpTimeout`], [`Error::HttpTls`], [`Error::HttpAnswer`],
    /// [`Error::HttpRefused`].
    pub(super) fn post(
        &self,
        to: &HttpUrl,
        content_type: HeaderValue,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<HttpReply<'_>, Error> {
        let left = self.left(to)?;
        let mut request = self
            .http
            .agent
            .post(to.as_str())
            .header(header::CONTENT_TYPE, content_type);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.config().timeout_global(Some(left)).build().send(body);
        self.accepted(to, answer)
    }

    /// Asks for what lies there. An answer that does not say success is an error.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(super) fn get(&self, to: &HttpUrl, headers: &HeaderMap) -> Result<HttpReply<'_>, Error> {
        let answer = self.ask(self.http.agent.get(to.as_str()), to, headers)?;
        self.accepted(to, answer)
    }

    /// Whether requests would be taken there, without making one that does anything (`HEAD`). Servers that want other methods
    /// say so, which is an answer as good as any.
    ///
    /// # Errors
    /// As [`post`](Self::post); of statuses only those that say that address or login are wrong, or the server ill.
    pub(super) fn knock(&self, to: &HttpUrl, headers: &HeaderMap) -> Result<(), Error> {
        let answer = self.ask(self.http.agent.head(to.as_str()), to, headers)?;
        match self.accepted(to, answer) {
            Err(Error::HttpRefused { status, .. })
                if !matches!(status, 401 | 403 | 404 | 407 | 410 | 500..) =>
            {
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    fn ask(
        &self,
        mut request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
        to: &HttpUrl,
        headers: &HeaderMap,
    ) -> Result<Result<Response<ureq::Body>, ureq::Error>, Error> {
        let left = self.left(to)?;
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(request.config().timeout_global(Some(left)).build().call())
    }

    /// The time that is left of the attempt.
    fn left(&self, to: &HttpUrl) -> Result<Duration, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // A timeout of zero is none at all to some.
        if left < Duration::from_millis(1) {
            return Err(self.timed_out(to.place()));
        }
        Ok(left)
    }

    /// An answer that says success.
    fn accepted(
        &self,
        to: &HttpUrl,
        answer: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<HttpReply<'_>, Error> {
        let answer = answer.map_err(|error| self.failure(to.place(), error))?;
        let status = answer.status();
        let retry_after = retry_after(answer.headers());
        let mut answered = answer.into_body();
        if status.is_success() {
            return Ok(HttpReply {
                attempt: self,
                place: to.place().to_owned(),
                body: answered,
            });
        }
        let mut said = Vec::new();
        // What was said until the connection broke or time ran out is better than nothing; the status is known.
        _ = answered.as_reader().take(MOST_BYTES).read_to_end(&mut said);
        Err(Error::HttpRefused {
            place: to.place().to_owned(),
            status: status.as_u16(),
            reply: self.http.reason(&said),
            retry_after,
        })
    }

    fn timed_out(&self, place: &str) -> Error {
        Error::HttpTimeout {
            place: place.to_owned(),
            after: self.http.timeout,
        }
    }

    /// Files an error of the HTTP client under what it means for us. Only texts that cannot hold an address are
    /// passed on.
    fn failure(&self, place: &str, error: ureq::Error) -> Error {
        let place = place.to_owned();
        let connection = |reason: String| Error::HttpConnection {
            place: place.clone(),
            reason,
        };
        match error {
            ureq::Error::Timeout(_) => self.timed_out(&place),
            ureq::Error::Io(cause) => match cause.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.timed_out(&place),
                // rustls reports every failed check as invalid data.
                io::ErrorKind::InvalidData => Error::HttpTls {
                    reason: text::shorten(&cause.to_string(), SHOWN).into_owned(),
                    place,
                },
                _ => connection(text::shorten(&cause.to_string(), SHOWN).into_owned()),
            },
            ureq::Error::Rustls(cause) => Error::HttpTls {
                place,
                reason: text::shorten(&cause.to_string(), SHOWN).into_owned(),
            },
            ureq::Error::Tls(cause) => Error::HttpTls {
                place,
                reason: cause.into(),
            },
            ureq::Error::HostNotFound => connection("the name has no address".into()),
            ureq::Error::ConnectionFailed => connection("nobody answered".into()),
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => {
                connection("the proxy of the environment did not connect".into())
            }
            ureq::Error::BodyExceedsLimit(_) => Error::HttpAnswer {
                place,
                reason: format!("more than {} KiB", MOST_BYTES >> 10),
            },
            ureq::Error::LargeResponseHeader(..) => Error::HttpAnswer {
                place,
                reason: "headers without end".into(),
            },
            ureq::Error::Protocol(cause) => Error::HttpAnswer {
                place,
                reason: text::shorten(&cause.to_string(), SHOWN).into_owned(),
            },
            _ => Error::HttpAnswer {
                place,
                reason: "not HTTP as we know it".into(),
            },
        }
    }
}

impl HttpReply<'_> {
    /// The answer's body as JSON, at most 64 KiB of it.
    ///
    /// # Errors
    /// [`Error::HttpAnswer`] when it is something else; the errors of [`Attempt::post`] when it does not come.
    pub(super) fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let body = self.body.with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(|error| self.attempt.failure(&self.place, error))?;
        serde_json::from_slice(&body).map_err(|_| Error::HttpAnswer {
            place: self.place,
            reason: match self.attempt.http.reason(&body) {
                said if said.is_empty() => "nothing".into(),
                said => said,
            },
        })
    }
}

/// A header's value out of the settings, never shown.
///
/// # Errors
/// [`Error::Options`] when it has a line break or another character that no header may have.
pub(super) fn secret_header(sender: &'static str, what: &str, value: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Error::Options {
        sender,
        reason: format!("{what} has characters that no HTTP header may have"),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Authorization: Bearer …`.
///
/// # Errors
/// As [`secret_header`], and when the token is empty.
pub(super) fn bearer(sender: &'static str, token: &Secret) -> Result<(HeaderName, HeaderValue), Error> {
    if token.expose().is_empty() {
        return Err(Error::Options {
            sender,
            reason: "the token is empty".into(),
        });
    }
    let value = secret_header(sender, "the token", &format!("Bearer {}", token.expose()))?;
    Ok((header::AUTHORIZATION, value))
}

/// `form` as JSON.
///
/// # Errors
/// [`Error::Options`] with the serialiser's words; plain data without odd keys never gives one.
pub(super) fn json(sender: &'static str, form: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(form).map_err(|source| Error::Options {
        sender,
        reason: format!("the message cannot be written: {source}"),
    })
}

/// Today's time, Unix seconds.
pub(super) fn now() -> f64 {
    Timestamp::now().as_millisecond() as f64 / 1_000.0
}

/// How long the server asks us to wait: seconds, or the time until a date by the server's own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let asked = value(header::RETRY_AFTER)?.trim();
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are more than an hour.
        let seconds = asked.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    }
    let moment = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp());
    let now = value(header::DATE)
        .and_then(moment)
        .unwrap_or_else(Timestamp::now);
    let seconds = moment(asked)?.as_second() - now.as_second();
    Some(Duration::from_secs(seconds.max(0).unsigned_abs()).min(LONGEST_RETRY_AFTER))
}

/// The texts of `message`, `error` and `errors` in a JSON object, in that order.
fn in_json(body: &[u8]) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let texts: Vec<&str> = ["message", "error", "errors"]
        .iter()
        .filter_map(|key| object.get(*key))
        .flat_map(|value| match value.as_array() {
            Some(list) => list.iter().collect(),
            None => vec![value],
        })
        .filter_map(serde_json::Value::as_str)
        .collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}
