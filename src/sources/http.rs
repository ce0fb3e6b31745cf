//! Asking a server over HTTP, the same for every source: limits, no redirects, no secret in what is said of it.
//!
//! What is wrong with the server (no answer, a refused login, a certificate) is told from what is wrong with the
//! one thing that was asked for: the first ends a backfill, the second costs that part.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use skywatch_alerters::http_client::{self, Trust};
use skywatch_settings::Secret;

use super::SourceError;
use super::iam::{IamLogin, IamSession, TOKEN_HEADER};

/// The header of Huawei Cloud's gateway for an application's code.
const APP_CODE_HEADER: &str = "X-Apig-AppCode";
/// The largest answer that is read, bytes: it and what is parsed of it lie in memory together.
const MOST_BYTES: u64 = 256 << 20;
/// Characters of an error's text that are shown: what a server says is in the first line, and the rest is often a page of HTML.
const SHOWN: usize = 200;

/// How we say who we are.
#[derive(Debug, Clone)]
pub enum SourceLogin {
    /// `Authorization: Bearer …`.
    Bearer(Secret),
    /// `Authorization: Basic …`.
    Basic {
        /// The user's name.
        user: String,
        /// The user's password.
        password: Secret,
    },
    /// `X-Apig-AppCode`, as Huawei Cloud's gateway asks for it.
    AppCode(Secret),
    /// `X-Auth-Token`, a token of Huawei Cloud's IAM.
    Iam(IamLogin),
}

/// The header that says who we are: its value is known, or fetched when it is needed.
enum LoginHeader {
    Known(&'static str, Secret),
    Iam(IamSession),
}

impl From<SourceLogin> for LoginHeader {
    fn from(login: SourceLogin) -> Self {
        match login {
            SourceLogin::Bearer(token) => Self::Known(
                "Authorization",
                Secret::new(format!("Bearer {}", token.expose().trim())),
            ),
            SourceLogin::Basic { user, password } => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
                Self::Known("Authorization", Secret::new(format!("Basic {pair}")))
            }
            SourceLogin::AppCode(code) => Self::Known(APP_CODE_HEADER, Secret::new(code.expose().trim())),
            SourceLogin::Iam(login) => Self::Iam(IamSession::new(login)),
        }
    }
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub(super) struct HttpOptions {
    /// `http://host:port`, with whatever path stands in front; may hold user and password.
    pub(super) url: String,
    /// How we say who we are, if not in the address.
    pub(super) login: Option<SourceLogin>,
    /// Limit for getting a connection.
    pub(super) connect_timeout: Duration,
    /// Limit for the beginning of an answer, and for each wait for more of it.
    pub(super) response_timeout: Duration,
    /// Authorities to trust, PEM, instead of the usual ones.
    pub(super) ca_file: Option<PathBuf>,
}

/// Limit for getting a connection, unless another is asked for: a server that is there answers at once.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for the beginning of an answer, and for each wait for more of it: a wide pattern takes a Graphite ten seconds.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// An answer that came.
pub(super) enum Answered {
    /// Status 200 and so on.
    Good(Vec<u8>),
    /// The server has no such thing, or finds something wrong with what was asked: status and text.
    NoSuchThing(String),
}

/// A server.
pub(super) struct SourceHttp {
    agent: ureq::Agent,
    url: String,
    login: Option<LoginHeader>,
    /// The address without user and password.
    pub(super) place: String,
}

impl SourceHttp {
    /// Checks the options; connects to nothing. `what` is what people call such a server.
    ///
    /// # Errors
    ///
    /// [`SourceError::Options`] if the address or the file of authorities cannot be used.
    pub(super) fn new(what: &str, options: HttpOptions) -> Result<Self, SourceError> {
        let url = options.url.trim_end_matches('/').to_owned();
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if !["http", "https"].contains(&scheme) || rest.is_empty() {
            return Err(SourceError::Options {
                reason: format!(
                    "the address of the {what} is not of the form `http://host:port` or `https://host`"
                ),
            });
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let place = format!("{scheme}://{host}{path}");
        let trust = options.ca_file.as_deref().map_or(Trust::Public, Trust::Only);
        let config = http_client::config(trust)
            .map_err(|error| SourceError::Options {
                reason: error.to_string(),
            })?
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.response_timeout))
            .timeout_per_read(Some(options.response_timeout));
        Ok(Self {
            agent: config.build().into(),
            url,
            login: options.login.map(LoginHeader::from),
            place,
        })
    }

    /// Asks for `path`; `part` is what it is about, for people.
    ///
    /// # Errors
    ///
    /// The server's, or [`SourceError::TooLarge`].
    pub(super) fn get(
        &self,
        path: &str,
        part: &str,
        query: &[(&str, &str)],
    ) -> Result<Answered, SourceError> {
        let mut request = self
            .agent
            .get(format!("{}{path}", self.url))
            .query_pairs(query.iter().copied());
        if let Some((name, value)) = self.login_header()? {
            request = request.header(name, value.expose());
        }
        let answer = request.call();
        self.answered(part, answer)
    }

    /// Sends JSON to `path`; `part` is what it is about, for people.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(super) fn post(&self, path: &str, part: &str, body: &[u8]) -> Result<Answered, SourceError> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Content-Type", "application/json")
            .header("Accept", "application/json");
        if let Some((name, value)) = self.login_header()? {
            request = request.header(name, value.expose());
        }
        let answer = request.send(body);
        self.answered(part, answer)
    }

    fn login_header(&self) -> Result<Option<(&'static str, Secret)>, SourceError> {
        Ok(match &self.login {
            None => None,
            Some(LoginHeader::Known(name, value)) => Some((name, value.clone())),
            Some(LoginHeader::Iam(session)) => Some((TOKEN_HEADER, session.token(&self.agent)?)),
        })
    }

    fn answered(
        &self,
        part: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answered, SourceError> {
        let mut answer = answer.map_err(|error| self.failure(part, &error))?;
        let status = answer.status();
        if status.is_redirection() {
            let to = answer.headers().get("location");
            let to = to.and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            return Err(SourceError::Redirected {
                place: self.place.clone(),
                to: to.to_owned(),
            });
        }
        let limited = answer.body_mut().with_config().limit(MOST_BYTES);
        let body = limited
            .read_to_vec()
            .map_err(|error| self.failure(part, &error))?;
        if status.is_success() {
            return Ok(Answered::Good(body));
        }
        let text: String = String::from_utf8_lossy(&body)
            .trim()
            .chars()
            .take(SHOWN)
            .collect();
        let reason = format!("{status} {}", text.replace(char::is_control, " "));
        let reason = reason.trim_end().to_owned();
        match status.as_u16() {
            429 | 500..=599 => Err(self.unavailable(reason)),
            400 | 404 | 405 | 422 => Ok(Answered::NoSuchThing(reason)),
            401 | 403 | 407 => {
                if let Some(LoginHeader::Iam(session)) = &self.login {
                    // It may have been withdrawn: the next question fetches another.
                    session.forget();
                }
                Err(SourceError::Denied {
                    place: self.place.clone(),
                    reason,
                })
            }
            _ => Err(self.refused(part, reason)),
        }
    }

    pub(super) fn unavailable(&self, reason: String) -> SourceError {
        SourceError::Unavailable {
            place: self.place.clone(),
            reason,
        }
    }

    pub(super) fn refused(&self, part: &str, reason: String) -> SourceError {
        SourceError::Refused {
            place: self.place.clone(),
            part: part.to_owned(),
            reason,
        }
    }

    pub(super) fn malformed(&self, part: &str, reason: String) -> SourceError {
        SourceError::Malformed {
            place: self.place.clone(),
            part: part.to_owned(),
            reason,
        }
    }

    /// What a body that cannot be parsed says of the server: one that ends too early was cut off on the way.
    pub(super) fn unparsable(&self, part: &str, body: &[u8], error: &serde_json::Error) -> SourceError {
        match error.is_eof() && !body.is_empty() {
            true => self.unavailable(format!("the answer ends too early: {error}")),
            false => self.malformed(part, error.to_string()),
        }
    }

    fn failure(&self, part: &str, error: &ureq::Error) -> SourceError {
        match error {
            ureq::Error::BodyExceedsLimit(limit) => SourceError::TooLarge {
                place: self.place.clone(),
                part: part.to_owned(),
                megabytes: limit >> 20,
            },
            // A certificate that is not trusted will not become so by waiting, nor will a bad address become a good one.
            ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => SourceError::Denied {
                place: self.place.clone(),
                reason: cause.to_string(),
            },
            ureq::Error::Rustls(cause) => SourceError::Denied {
                place: self.place.clone(),
                reason: cause.to_string(),
            },
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => SourceError::Options {
                reason: format!("the address `{}` cannot be used", self.place),
            },
            ureq::Error::Timeout(which) => SourceError::TimedOut {
                place: self.place.clone(),
                reason: which.to_string(),
            },
            other => self.unavailable(other.to_string()),
        }
    }
}
