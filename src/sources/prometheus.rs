//! Prometheus' query interface, as Thanos, Mimir and VictoriaMetrics serve it, too.
//!
//! A selector is expanded into its series, which are fetched one by one, so that no answer is large and work that was
//! broken off goes on where it ended; an expression is asked for as it is. Points are what `query_range` says at each
//! step: the newest sample before it, if that is no more than five minutes old. A server gives 11,000 of them at a time
//! at most, so that a long stretch is asked for in pieces; a piece that is still too much for it is halved. Steps lie at
//! multiples of themselves, so that the same stretch asked for again gives the same points.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use clap::Args;
use serde::Deserialize;
use skywatch_algorithms::Series;

use super::http::{Answered, CONNECT_TIMEOUT, HttpOptions, RESPONSE_TIMEOUT, SourceHttp};
use super::json::{List, Object, Pair, Text, quoted};
use super::{CommonArguments, EachSeries, LeftOut, Source, SourceArguments, SourceError, Span};
use crate::metric_name;

/// Points of a series that a server gives at a time: Prometheus' own fixed limit.
const MOST_POINTS: u64 = 11_000;
/// A piece of so few points, an hour at the usual step, is not halved any more: it is not its length that is too much.
const FEWEST_POINTS: u64 = 60;

/// `--prometheus` and what belongs to it.
#[derive(Debug, Args)]
pub(super) struct PrometheusArguments {
    /// A Prometheus, as `http://host:port`; user and password may be part of it
    #[arg(long, value_name = "URL")]
    prometheus: Option<String>,
    /// Which series of the Prometheus: a selector such as `up{job="node"}`; may be given again
    #[arg(long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    /// An expression of PromQL whose results are fetched; may be given again
    #[arg(long, value_name = "PROMQL")]
    query: Vec<String>,
    /// Seconds between two points of the Prometheus, such as `15s`
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = step)]
    step: f64,
}

/// A time of at least a second.
fn step(text: &str) -> Result<f64, String> {
    let seconds = skywatch_settings::parse_duration(text).map(|step| step.as_secs_f64());
    seconds
        .filter(|step| *step >= 1.0)
        .ok_or_else(|| "expected a time of at least a second, such as `15s`".to_owned())
}

impl SourceArguments for PrometheusArguments {
    const FLAG: &'static str = "prometheus";
    const COMMON: &'static [&'static str] = &["ca_file", "bearer_token_file", "metric"];

    fn open(self, common: CommonArguments) -> Result<Box<dyn Source>, SourceError> {
        if self.selectors.is_empty() && self.query.is_empty() {
            return Err(SourceError::Options {
                reason: "`--prometheus` needs `--match` or `--query`, which say what is fetched".to_owned(),
            });
        }
        let http = HttpOptions {
            url: self.prometheus.unwrap_or_default(),
            bearer_token: common.bearer_token,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
            ca_file: common.ca_file,
        };
        Ok(Box::new(Prometheus {
            http: SourceHttp::new("Prometheus", http)?,
            selectors: self.selectors,
            queries: self.query,
            metric: common.metric,
            step: self.step,
            span: common.span,
        }))
    }
}

/// A Prometheus.
struct Prometheus {
    http: SourceHttp,
    /// Selectors such as `up{job="node"}`, whose series are fetched.
    selectors: Vec<String>,
    /// Expressions, the results of which are fetched.
    queries: Vec<String>,
    /// What a result without the label `__name__` is called.
    metric: Option<String>,
    /// Seconds between two points.
    step: f64,
    /// When series must have existed for a selector to pick them.
    span: Span,
}

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

type PrometheusLabels = Object<BTreeMap<String, Text>>;

/// Labels that are all texts, in order.
fn whole(labels: &PrometheusLabels) -> Option<Vec<(&str, &str)>> {
    let labels = labels.0.as_ref()?.iter();
    labels
        .map(|(name, value)| Some((name.as_str(), value.0.as_deref()?)))
        .collect()
}

impl Prometheus {
    /// The data of an answer that says that all went well.
    fn data<D: for<'de> Deserialize<'de>>(&self, part: &str, body: &[u8]) -> Result<D, SourceError> {
        let answer: PrometheusAnswer<D> = serde_json::from_slice(&quoted(body))
            .map_err(|error| self.http.unparsable(part, body, &error))?;
        match (answer.status.0.as_deref(), answer.data) {
            (Some("success"), Some(data)) => Ok(data),
            _ => {
                let why = answer.error.0.unwrap_or_else(|| "it does not say why".to_owned());
                Err(self.http.refused(part, why))
            }
        }
    }

    /// The series a selector picks, each as a selector of its own; the selector itself where they cannot be listed.
    fn expand(&self, selector: &str) -> Result<Vec<String>, SourceError> {
        let Span { after, until } = self.span;
        let (start, end) = (after.floor().to_string(), until.ceil().to_string());
        let query = [("match[]", selector), ("start", &start), ("end", &end)];
        let body = match self.http.get("/api/v1/series", selector, &query)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) if reason.starts_with("404") => {
                return Ok(vec![selector.to_owned()]);
            }
            Answered::NoSuchThing(reason) => return Err(self.http.refused(selector, reason)),
        };
        let List(all) = self.data::<List<PrometheusLabels>>(selector, &body)?;
        if all.is_empty() {
            tracing::warn!("`{selector}` picks no series of {}", self.http.place);
        }
        let mut series: Vec<String> = all
            .iter()
            .filter_map(whole)
            .map(|labels| selector_of(&labels))
            .collect();
        if series.len() < all.len() {
            tracing::warn!(
                "{} series of `{selector}` have no labels that can be read",
                all.len() - series.len()
            );
        }
        series.sort_unstable();
        Ok(series)
    }

    /// One piece of a part.
    fn piece(
        &self,
        part: &str,
        steps: (u64, u64),
        left_out: &mut LeftOut,
        each: &mut EachSeries<'_>,
    ) -> Result<(), SourceError> {
        let at = |number: u64| (number as f64 * self.step).to_string();
        let (start, end, step) = (at(steps.0), at(steps.1), self.step.to_string());
        let query = [("query", part), ("start", &start), ("end", &end), ("step", &step)];
        let body = match self.http.get("/api/v1/query_range", part, &query)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) => return Err(self.http.refused(part, reason)),
        };
        let matrix: Matrix = self.data(part, &body)?;
        let mut leave_out = |reason| *left_out.entry(reason).or_default() += 1;
        let mut name = String::new();
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
            let named = labels.iter().any(|(label, _)| *label == "__name__");
            let given = self.metric.as_deref().filter(|_| !named);
            let all = given
                .map(|name| ("__name__", name))
                .into_iter()
                .chain(labels.iter().copied());
            if !metric_name::of_labels(all, &mut name) {
                leave_out("unnamed_series");
                continue;
            }
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
            each(&name, &mut series);
        }
        Ok(())
    }
}

impl Source for Prometheus {
    fn describe(&self) -> String {
        format!("{} each {} s", self.http.place, self.step)
    }

    fn parts(&mut self) -> Result<Vec<String>, SourceError> {
        let mut seen = BTreeSet::new();
        let mut parts = self.queries.clone();
        for selector in &self.selectors {
            parts.extend(self.expand(selector)?);
        }
        parts.retain(|part| seen.insert(part.clone()));
        Ok(parts)
    }

    fn fetch(&mut self, part: &str, span: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError> {
        let mut left_out = LeftOut::new();
        let step = self.step;
        let mut next = (span.after.max(0.0) / step).floor() as u64 + 1;
        let last = (span.until / step).floor() as u64;
        let mut most = MOST_POINTS;
        while next <= last {
            let to = last.min(next + most - 1);
            // What was left out of a piece that failed in the end is found again in its halves.
            let mut of_piece = LeftOut::new();
            match self.piece(part, (next, to), &mut of_piece, each) {
                Err(SourceError::TooLarge { .. }) if most > FEWEST_POINTS => most /= 2,
                Err(SourceError::Refused { reason, .. })
                    if most > FEWEST_POINTS && reason.starts_with("422") =>
                {
                    tracing::debug!("`{part}` is asked for in smaller pieces :: {reason}");
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
}

/// A selector that picks one series.
fn selector_of(labels: &[(&str, &str)]) -> String {
    let mut selector = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Prometheus reads Go's texts, whose escapes for these are JSON's.
        let value = serde_json::Value::from(*value);
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = if plain {
            (*name).to_owned()
        } else {
            serde_json::Value::from(*name).to_string()
        };
        // Writing to a string cannot fail.
        let _ = write!(selector, "{comma}{name}={value}");
    }
    selector.push('}');
    selector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_picked_by_all_its_labels() {
        let labels = [("__name__", "up"), ("a.b", "x"), ("path", "C:\\ \"q\"\n")];
        assert_eq!(
            selector_of(&labels),
            r#"{__name__="up","a.b"="x",path="C:\\ \"q\"\n"}"#
        );
    }
}
