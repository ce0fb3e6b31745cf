//! Whether what settings lead to can be had, tried without doing anything there.
//!
//! A room that has to do with something outside has a function that makes a [`Probe`] of each such thing; they are listed in
//! one table ([`process::probes`](crate::process::probes)), and `skywatch check` runs them. A probe bounds its own time.

use std::fmt::Display;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use skywatch_alerters::http_client::{self, Trust};
use skywatch_alerters::text;
use skywatch_settings::{HttpUrl, Secret, Settings};

/// How much of what a server says is shown, in columns.
const SHOWN: usize = 200;
/// Largest answer that is read, bytes: what is asked for is a few lines.
const MOST_BYTES: u64 = 1 << 20;

/// Makes probes of what settings ask for; none where they do not.
pub type ProbesOf = fn(&Settings) -> Vec<Probe>;

/// One thing to be tried.
pub struct Probe {
    /// What it is, by the settings that lead there: `store`, `receivers.ops`.
    pub name: String,
    /// Tries it, and says what was found.
    pub run: ProbeRun,
}

/// Tries something. May block for as long as settings allow an answer to take.
pub type ProbeRun = Box<dyn FnOnce() -> Result<String, ProbeFailure> + Send>;

/// Why something cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFailure {
    /// What is wrong.
    pub cause: String,
    /// What a person can do about it.
    pub mend: String,
}

impl Probe {
    /// A probe of what `name` leads to.
    pub fn new(
        name: impl Into<String>,
        run: impl FnOnce() -> Result<String, ProbeFailure> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

impl ProbeFailure {
    /// With the words of an error.
    pub fn new(cause: impl Display, mend: impl Into<String>) -> Self {
        Self {
            cause: cause.to_string(),
            mend: mend.into(),
        }
    }
}

/// Connects by TCP, and hangs up.
///
/// # Errors
/// Nobody answers there; `setting` is the one to look at.
pub fn reach(address: &str, timeout: Duration, setting: &str) -> Result<(), ProbeFailure> {
    let wrong = |cause: &dyn Display| {
        ProbeFailure::new(
            format_args!("no connection to `{address}`: {cause}"),
            format!("is the server running and reachable from here, and is `{setting}` its address?"),
        )
    };
    let addresses = address.to_socket_addrs().map_err(|error| wrong(&error))?;
    let mut failure = wrong(&"the name has no address");
    for found in addresses {
        match TcpStream::connect_timeout(&found, timeout.max(Duration::from_millis(1))) {
            Ok(_) => return Ok(()),
            Err(error) => failure = wrong(&error),
        }
    }
    Err(failure)
}

/// A question by HTTP.
pub struct HttpProbe<'a> {
    /// What is asked for.
    pub url: &'a HttpUrl,
    /// `Authorization`, if there is a login.
    pub authorization: Option<Secret>,
    /// Whose certificates are trusted instead of the public ones.
    pub ca_file: Option<&'a Path>,
    /// How long it may take.
    pub timeout: Duration,
    /// The section with the address and the login, for what is to be mended.
    pub section: &'a str,
}

/// What stands behind `Authorization` for a user and a password (HTTP Basic).
pub fn basic_login(username: &str, password: Option<&Secret>) -> Secret {
    let password = password.map_or("", Secret::expose);
    Secret::new(format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{username}:{password}"))
    ))
}

/// The same for a token.
pub fn bearer_login(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.expose().trim()))
}

impl HttpProbe<'_> {
    /// Asks, and gives the answer's text if it says success.
    ///
    /// # Errors
    /// No answer, or one that says something else.
    pub fn get(&self) -> Result<String, ProbeFailure> {
        self.ask(false)
    }

    /// Asks whether something is there, without making a request that does anything (`HEAD`).
    ///
    /// # Errors
    /// No answer, or one that says that address or login are wrong, or that the server is ill.
    pub fn knock(&self) -> Result<(), ProbeFailure> {
        self.ask(true).map(drop)
    }

    fn ask(&self, is_knock: bool) -> Result<String, ProbeFailure> {
        let (section, place) = (self.section, self.url.place());
        let trust = self.ca_file.map_or(Trust::Public, Trust::Only);
        let config = http_client::config(trust)
            .map_err(|error| ProbeFailure::new(error, format!("see `ca_file` of [{section}]")))?;
        let agent: ureq::Agent = config.timeout_global(Some(self.timeout)).build().into();
        let url = self.url.as_str();
        let mut request = if is_knock { agent.head(url) } else { agent.get(url) };
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.expose());
        }
        let mut answer = request.call().map_err(|error| {
            let mend = format!(
                "is the server running and reachable from here, and is the address in [{section}] right?"
            );
            ProbeFailure::new(format_args!("no answer from `{place}`: {error}"), mend)
        })?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let said = text::shorten(body.as_deref().unwrap_or_default().trim(), SHOWN).into_owned();
        // Of a method it does not like a server says so only if somebody is there.
        let is_there = is_knock && !matches!(status, 401 | 403 | 404 | 407 | 410 | 500..);
        if answer.status().is_success() || is_there {
            return Ok(body.unwrap_or_default());
        }
        let mend = match status {
            300..=399 => format!("redirects are not followed: set the address it leads to in [{section}]"),
            401 | 403 | 407 => format!("check the login in [{section}]"),
            404 | 405 | 410 => {
                format!("check the address in [{section}], and what stands in front of the server")
            }
            _ => "see the server's log".to_owned(),
        };
        let said = if said.is_empty() {
            String::new()
        } else {
            format!(": {said}")
        };
        Err(ProbeFailure::new(
            format_args!("`{place}` answers {status}{said}"),
            mend,
        ))
    }
}
