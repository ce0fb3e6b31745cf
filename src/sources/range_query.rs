//! `query_range` of a Prometheus, as Thanos, Mimir and VictoriaMetrics serve it, too.
//!
//! Points are what the server says at each step: the newest sample before it, if that is no more than five minutes old. It
//! gives 11,000 of them at a time at most, so that a long stretch is asked for in pieces; a piece that is still too much is
//! halved. Steps lie at multiples of themselves, so that the same stretch asked for again gives the same points.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use skywatch_algorithms::Series;

use super::http::{Answered, CONNECT_TIMEOUT, HttpOptions, RESPONSE_TIMEOUT, SourceHttp};
use super::json::{List, Object, Pair, Text, quoted};
use super::{LeftOut, SourceError, SourceLogin, Span};

/// Points of a series that a server gives at a time: Prometheus' own fixed limit.
const MOST_POINTS: u64 = 11_000;
/// A piece of so few points, an hour at the usual step, is not halved any more: it is not its length that is too much.
const FEWEST_POINTS: u64 = 60;

/// Which server, and how it is asked.
#[derive(Debug, Clone)]
pub struct RangeQueryOptions {
    /// `http://host:port`, with whatever path stands in front of `/api/v1`; may hold user and password.
    pub url: String,
    /// Who we are, if the server wants to know.
    pub login: Option<SourceLogin>,
    /// Authorities to trust, PEM, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Limit for the beginning of an answer, and for each wait for more of it.
    pub timeout: Duration,
    /// Seconds between two points; at least 1.
    pub step: f64,
}

impl Default for RangeQueryOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            login: None,
            ca_file: None,
            timeout: RESPONSE_TIMEOUT,
            step: 60.0,
        }
    }
}

/// A server that answers range queries. Any number of threads may ask it at once; calls block for no longer than its limits.
pub struct RangeQueries {
    http: SourceHttp,
    step: f64,
}

/// Takes one series of an answer: its labels, sorted by name, and its points, which may be changed at will. A series comes
/// again for each piece of a long stretch.
pub type EachLabelled<'e> = dyn FnMut(&[(&str, &str)], &mut Series) + 'e;

/// What every answer is wrapped in.
#[derive(Deserialize)]
struct PrometheusAnswer<D> {
    #[serde(default)]
    status: Text,
    #[serde(default)]
    error: Text,
    data: Option<D>,
}

/// The data of a range query.
#[derive(Deserialize)]
struct Matrix {
    #[serde(default)]
    result: List<Object<PrometheusSeries>>,
}

/// One series of it.
#[derive(Deserialize)]
struct PrometheusSeries {
    #[serde(default)]
    metric: PrometheusLabels,
    /// Time, and value as text.
    #[serde(default)]
    values: List<Pair>,
    /// Native histograms, which are no single numbers.
    #[serde(default)]
    histograms: List<Pair>,
}

/// Labels as they come.
pub(super) type PrometheusLabels = Object<BTreeMap<String, Text>>;

/// Labels that are all texts, in order.
pub(super) fn whole(labels: &PrometheusLabels) -> Option<Vec<(&str, &str)>> {
    let labels = labels.0.as_ref()?.iter();
    labels
        .map(|(name, value)| Some((name.as_str(), value.0.as_deref()?)))
        .collect()
}

impl RangeQueries {
    /// Checks the options; connects to nothing.
    ///
    /// # Errors
    /// [`SourceError::Options`] if the address or the file of authorities cannot be used.
    pub fn new(options: RangeQueryOptions) -> Result<Self, SourceError> {
        let http = HttpOptions {
            url: options.url,
            login: options.login,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: options.timeout,
            ca_file: options.ca_file,
        };
        Ok(Self {
            http: SourceHttp::new("Prometheus", http)?,
            step: options.step,
        })
    }

    /// The address, without what is secret in it.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.http.place
    }

    /// What `query` gives in `span`, both its ends at steps. `part` is what it is about, for people. What could not be read
    /// of an answer is left out and counted, not an error.
    ///
    /// # Errors
    /// The server's; of a stretch in several pieces some may have come by then.
    pub fn ask(&self, query: &str, span: Span, each: &mut EachLabelled<'_>) -> Result<LeftOut, SourceError> {
        let mut left_out = LeftOut::new();
        let mut next = (span.after.max(0.0) / self.step).floor() as u64 + 1;
        let last = (span.until / self.step).floor() as u64;
        let mut most = MOST_POINTS;
        while next <= last {
            let to = last.min(next + most - 1);
            // What was left out of a piece that failed in the end is found again in its halves.
            let mut of_piece = LeftOut::new();
            match self.piece(query, (next, to), &mut of_piece, each) {
                Err(SourceError::TooLarge { .. }) if most > FEWEST_POINTS => most /= 2,
                Err(SourceError::Refused { reason, .. })
                    if most > FEWEST_POINTS && reason.starts_with("422") =>
                {
                    tracing::debug!("`{query}` is asked for in smaller pieces :: {reason}");
                    most /= 2;
                }
                outcome => {
                    outcome?;
                    next = to + 1;
                    for (reason, count) in of_piece {
                        *left_out.entry(reason).or_default() += count;
                    }
                }
            }
        }
        Ok(left_out)
    }

    /// One piece, by the numbers of its first and last step.
    fn piece(
        &self,
        query: &str,
        steps: (u64, u64),
        left_out: &mut LeftOut,
        each: &mut EachLabelled<'_>,
    ) -> Result<(), SourceError> {
        let at = |number: u64| (number as f64 * self.step).to_string();
        let (start, end, step) = (at(steps.0), at(steps.1), self.step.to_string());
        let asked = [
            ("query", query),
            ("start", &start),
            ("end", &end),
            ("step", &step),
        ];
        let body = match self.get("/api/v1/query_range", query, &asked)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) => return Err(self.http.refused(query, reason)),
        };
        let matrix: Matrix = self.data(query, &body)?;
        let mut leave_out = |reason| *left_out.entry(reason).or_default() += 1;
        let mut series = Series::default();
        for found in matrix.result.0 {
            let Object(Some(found)) = found else {
                leave_out("malformed_series");
                continue;
            };
            let Some(labels) = whole(&found.metric) else {
                leave_out("malformed_series");
                continue;
            };
            series.clear();
            for Pair(time, value) in found.values.0 {
                match (time.number(), value.number()) {
                    (Ok(time), Ok(value)) => series.push(time, value),
                    (Ok(_), Err(reason)) => leave_out(reason),
                    (Err(_), _) => leave_out("malformed"),
                }
            }
            for _ in found.histograms.0 {
                leave_out("unsupported");
            }
            each(&labels, &mut series);
        }
        Ok(())
    }

    /// Asks for `path` of the interface.
    pub(super) fn get(
        &self,
        path: &str,
        part: &str,
        query: &[(&str, &str)],
    ) -> Result<Answered, SourceError> {
        self.http.get(path, part, query)
    }

    /// The data of an answer that says that all went well.
    pub(super) fn data<D: DeserializeOwned>(&self, part: &str, body: &[u8]) -> Result<D, SourceError> {
        let answer: PrometheusAnswer<D> = serde_json::from_slice(&quoted(body))
            .map_err(|error| self.http.unparsable(part, body, &error))?;
        match (answer.status.0.as_deref(), answer.data) {
            (Some("success"), Some(data)) => Ok(data),
            _ => {
                let why = answer.error.0.unwrap_or_else(|| "it does not say why".to_owned());
                Err(self.refused(part, why))
            }
        }
    }

    pub(super) fn refused(&self, part: &str, reason: String) -> SourceError {
        self.http.refused(part, reason)
    }
}
