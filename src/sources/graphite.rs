//! Graphite's render interface, as graphite-web, carbonapi and go-graphite serve it.
//!
//! A target that is a pattern is expanded first and fetched metric by metric, so that no answer is large and work
//! that was broken off goes on where it ended. A server that cannot expand (`/metrics/expand`) is asked for the pattern as a
//! whole. The raw points are asked for, never Graphite's consolidation; nulls are left out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use skywatch_algorithms::Series;

use super::http::{Answered, CONNECT_TIMEOUT, HttpOptions, RESPONSE_TIMEOUT, SourceHttp};
use super::json::{List, Object, Pair, Text, quoted};
use super::{CommonArguments, EachSeries, LeftOut, Source, SourceArguments, SourceError, Span};

/// `--graphite` and what belongs to it.
#[derive(Debug, Args)]
pub(super) struct GraphiteArguments {
    /// A Graphite, as `http://host:port`; user and password may be part of it
    #[arg(long, value_name = "URL", requires = "target")]
    graphite: Option<String>,
    /// What of the Graphite: a metric, a pattern such as `servers.*.cpu`, or an expression; may be given again
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
}

impl SourceArguments for GraphiteArguments {
    const FLAG: &'static str = "graphite";
    const COMMON: &'static [&'static str] = &["ca_file"];

    fn open(self, common: CommonArguments) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(Graphite::new(GraphiteOptions {
            url: self.graphite.unwrap_or_default(),
            targets: self.target,
            ca_file: common.ca_file,
            ..GraphiteOptions::default()
        })?))
    }
}

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
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            ca_file: None,
        }
    }
}

/// A Graphite.
pub struct Graphite {
    http: SourceHttp,
    /// Metrics, patterns, or expressions.
    targets: Vec<String>,
}

/// One series of an answer; other fields are passed over.
#[derive(Deserialize)]
struct Rendered {
    #[serde(default)]
    target: Text,
    /// Value and time.
    #[serde(default)]
    datapoints: List<Pair>,
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
        let http = HttpOptions {
            url: options.url,
            login: None,
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
            ca_file: options.ca_file,
        };
        Ok(Self {
            http: SourceHttp::new("Graphite", http)?,
            targets: options.targets,
        })
    }

    /// The metrics a pattern stands for, or the pattern itself.
    fn expand(&self, pattern: &str) -> Result<Vec<String>, SourceError> {
        let query = [("query", pattern), ("leavesOnly", "1")];
        let answer = match self.http.get("/metrics/expand", pattern, &query) {
            // Some servers are as surprised as that by what they do not know.
            Err(SourceError::Unavailable { reason, .. }) if reason.starts_with("50") => None,
            Ok(Answered::NoSuchThing(reason)) => {
                tracing::debug!("{} cannot expand `{pattern}` :: {reason}", self.http.place);
                None
            }
            Ok(Answered::Good(body)) => serde_json::from_slice::<Expanded>(&body).ok(),
            Err(error) => return Err(error),
        };
        let Some(Expanded { results }) = answer else {
            return Ok(vec![pattern.to_owned()]);
        };
        if results.is_empty() {
            tracing::warn!("`{pattern}` stands for no metric of {}", self.http.place);
        }
        Ok(results)
    }
}

impl Source for Graphite {
    fn describe(&self) -> String {
        self.http.place.clone()
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
        let body = match self.http.get("/render", part, &query)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) => return Err(self.http.refused(part, reason)),
        };
        let all: Vec<Object<Rendered>> = serde_json::from_slice(&quoted(&body))
            .map_err(|error| self.http.unparsable(part, &body, &error))?;
        let mut left_out = LeftOut::new();
        let mut leave_out = |reason| *left_out.entry(reason).or_default() += 1;
        let mut series = Series::default();
        for one in all {
            series.clear();
            let Object(Some(Rendered {
                target: Text(Some(target)),
                datapoints: List(points),
            })) = one
            else {
                leave_out("malformed_series");
                continue;
            };
            for Pair(value, time) in points {
                match (time.number(), value.number()) {
                    (Ok(time), Ok(value)) => series.push(time, value),
                    (Ok(_), Err(reason)) => leave_out(reason),
                    (Err(_), _) => leave_out("malformed"),
                }
            }
            each(&target, &mut series);
        }
        Ok(left_out)
    }
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
