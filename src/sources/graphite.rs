//! Graphite's render interface, as graphite-web, carbonapi and go-graphite serve it.
//!
//! A target that is a pattern is expanded first and fetched metric by metric, so that no answer is large and work
//! that was broken off goes on where it ended. A server that cannot expand (`/metrics/expand`) is asked for the pattern as a
//! whole. The raw points are asked for, never Graphite's consolidation; nulls are left out.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use skywatch_algorithms::Series;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use super::{EachSeries, LeftOut, Source, SourceError, Span};

/// The largest answer that is read.
const MOST_BYTES: u64 = 256 << 20;
/// How much of an error's text is shown.
const SHOWN: usize = 200;

/// Which Graphite, and what of it.
#[derive(Debug, Clone)]
pub struct GraphiteOptions {
    /// `http://host:port`, with whatever path stands in front of `/render`; may hold user and password.
    pub url: String,
    /// Metrics, patterns, or expressions.
    pub targets: Vec<String>,
    /// Limit for getting a connection.
    pub connect_timeout: Duration,
    /// Limit for the beginning of an answer, and for each wait for more of it.
    pub response_timeout: Duration,
    /// Authorities to trust, PEM, instead of the usual ones.
    pub ca_file: Option<PathBuf>,
}

impl Default for GraphiteOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            targets: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(20),
            ca_file: None,
        }
    }
}

/// A Graphite.
pub struct Graphite {
    agent: ureq::Agent,
    url: String,
    /// The address without user and password.
    place: String,
    targets: Vec<String>,
}

/// One series of an answer; other fields are passed over.
#[derive(Deserialize)]
struct Rendered {
    target: String,
    datapoints: Vec<(Option<f64>, f64)>,
}

/// The answer of `/metrics/expand`.
#[derive(Deserialize)]
struct Expanded {
    results: Vec<String>,
}

impl Graphite {
    /// Checks the options; connects to nothing.
    ///
    /// # Errors
    ///
    /// [`SourceError::Options`] if the address or the file of authorities cannot be used.
    pub fn new(options: GraphiteOptions) -> Result<Self, SourceError> {
        let url = options.url.trim_end_matches('/').to_owned();
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if !["http", "https"].contains(&scheme) || rest.is_empty() {
            return Err(SourceError::Options {
                reason: "the address of the Graphite is not of the form `http://host:port` or `https://host`"
                    .to_owned(),
            });
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let place = format!("{scheme}://{host}{path}");
        let mut config = ureq::Agent::config_builder()
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.response_timeout))
            .timeout_per_read(Some(options.response_timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("skywatch/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &options.ca_file {
            let roots = authorities(path)?;
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self {
            agent: config.build().into(),
            url,
            place,
            targets: options.targets,
        })
    }

    /// The body of an answer with status 200; an answer with another that says that there is no such thing is `None`.
    fn get(&self, path: &str, part: &str, query: &[(&str, &str)]) -> Result<Option<Vec<u8>>, SourceError> {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.url))
            .query_pairs(query.iter().copied())
            .call()
            .map_err(|error| self.failure(part, &error))?;
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
            return Ok(Some(body));
        }
        let text: String = String::from_utf8_lossy(&body)
            .trim()
            .chars()
            .take(SHOWN)
            .collect();
        let reason = format!("{status} {}", text.replace(char::is_control, " "));
        let reason = reason.trim_end().to_owned();
        if status.is_server_error() || status.as_u16() == 429 {
            return Err(self.unavailable(reason));
        }
        if matches!(status.as_u16(), 400 | 404 | 405 | 501) {
            tracing::debug!("{}{path} of `{part}` :: {reason}", self.place);
            return Ok(None);
        }
        Err(SourceError::Refused {
            place: self.place.clone(),
            part: part.to_owned(),
            reason,
        })
    }

    /// The metrics a pattern stands for, or the pattern itself.
    fn expand(&self, pattern: &str) -> Result<Vec<String>, SourceError> {
        let query = [("query", pattern), ("leavesOnly", "1")];
        let answer = match self.get("/metrics/expand", pattern, &query) {
            // Some servers are as surprised as that by what they do not know.
            Err(SourceError::Unavailable { reason, .. }) if reason.starts_with("50") => None,
            answer => answer?,
        };
        let expanded = answer.and_then(|body| serde_json::from_slice::<Expanded>(&body).ok());
        let Some(Expanded { results }) = expanded else {
            return Ok(vec![pattern.to_owned()]);
        };
        if results.is_empty() {
            tracing::warn!("`{pattern}` stands for no metric of {}", self.place);
        }
        Ok(results)
    }

    fn unavailable(&self, reason: String) -> SourceError {
        SourceError::Unavailable {
            place: self.place.clone(),
            reason,
        }
    }

    fn malformed(&self, part: &str, reason: String) -> SourceError {
        SourceError::Malformed {
            place: self.place.clone(),
            part: part.to_owned(),
            reason,
        }
    }

    fn failure(&self, part: &str, error: &ureq::Error) -> SourceError {
        match error {
            ureq::Error::BodyExceedsLimit(limit) => {
                self.malformed(part, format!("the answer is larger than {} MB", limit >> 20))
            }
            // A certificate that is not trusted will not become so by waiting, nor will a bad address become a good one.
            ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => SourceError::Refused {
                place: self.place.clone(),
                part: part.to_owned(),
                reason: cause.to_string(),
            },
            ureq::Error::Rustls(cause) => SourceError::Refused {
                place: self.place.clone(),
                part: part.to_owned(),
                reason: cause.to_string(),
            },
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => SourceError::Options {
                reason: format!("the address `{}` of the Graphite cannot be used", self.place),
            },
            other => self.unavailable(other.to_string()),
        }
    }
}

impl Source for Graphite {
    fn describe(&self) -> String {
        self.place.clone()
    }

    fn parts(&mut self) -> Result<Vec<String>, SourceError> {
        let mut seen = BTreeSet::new();
        let mut parts = Vec::new();
        for target in &self.targets {
            let is_expression = target.contains('(');
            let found = match target.contains(['*', '?', '[', '{']) && !is_expression {
                true => self.expand(target)?,
                false => vec![target.clone()],
            };
            parts.extend(found.into_iter().filter(|part| seen.insert(part.clone())));
        }
        Ok(parts)
    }

    fn fetch(&mut self, part: &str, span: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError> {
        let (from, until) = (
            (span.after.floor() as i64).to_string(),
            (span.until.ceil() as i64).to_string(),
        );
        let query = [
            ("target", part),
            ("from", &from),
            ("until", &until),
            ("format", "json"),
        ];
        let body = self
            .get("/render", part, &query)?
            .ok_or_else(|| SourceError::Refused {
                place: self.place.clone(),
                part: part.to_owned(),
                reason: "there is no such thing".to_owned(),
            })?;
        let rendered: Vec<Rendered> =
            serde_json::from_slice(&body).map_err(|error| match error.is_eof() {
                // Cut off on the way.
                true if !body.is_empty() => self.unavailable(format!("the answer ends too early: {error}")),
                _ => self.malformed(part, error.to_string()),
            })?;
        let mut left_out = LeftOut::new();
        let mut series = Series::default();
        for one in rendered {
            series.clear();
            for (value, time) in one.datapoints {
                match value {
                    Some(value) => series.push(time, value),
                    None => *left_out.entry("null").or_default() += 1,
                }
            }
            each(&one.target, &mut series);
        }
        Ok(left_out)
    }
}

fn authorities(path: &std::path::Path) -> Result<RootCerts, SourceError> {
    let refused = |reason: String| SourceError::Options {
        reason: format!("cannot use the certificates in `{}`: {reason}", path.display()),
    };
    let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| refused(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(refused("there are none".to_owned()));
    }
    Ok(certificates.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<String, String> {
        let options = GraphiteOptions {
            url: url.to_owned(),
            ..GraphiteOptions::default()
        };
        Graphite::new(options)
            .map(|graphite| graphite.describe())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_place_holds_no_password_and_a_bad_address_is_not_repeated() {
        let good = place("https://user:secret@graphite.example.org/sub/");
        assert_eq!(good, Ok("https://graphite.example.org/sub".to_owned()));
        assert_eq!(place("http://[::1]:8080"), Ok("http://[::1]:8080".to_owned()));
        for bad in ["graphite:8080", "ftp://user:secret@host", "http://", "secret"] {
            let message = place(bad).expect_err(bad);
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
