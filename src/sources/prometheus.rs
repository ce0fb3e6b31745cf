//! `skywatch backfill` from a Prometheus, or from what is asked in the same way.
//!
//! A selector is expanded into its series, which are fetched one by one, so that no answer is large and work that was
//! broken off goes on where it ended; an expression is asked for as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::Args;

use super::http::{Answered, SourceLogin};
use super::json::List;
use super::range_query::{PrometheusLabels, RangeQueries, RangeQueryOptions, whole};
use super::{CommonArguments, EachSeries, LeftOut, Source, SourceArguments, SourceError, Span};
use crate::metric_name;

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
        let options = RangeQueryOptions {
            url: self.prometheus.unwrap_or_default(),
            login: common.bearer_token.map(SourceLogin::Bearer),
            ca_file: common.ca_file,
            step: self.step,
            ..RangeQueryOptions::default()
        };
        Ok(Box::new(Prometheus {
            queries: RangeQueries::new(options)?,
            selectors: self.selectors,
            expressions: self.query,
            metric: common.metric,
            step: self.step,
            span: common.span,
        }))
    }
}

/// A Prometheus.
struct Prometheus {
    queries: RangeQueries,
    /// Selectors such as `up{job="node"}`, whose series are fetched.
    selectors: Vec<String>,
    /// Expressions, the results of which are fetched.
    expressions: Vec<String>,
    /// What a result without the label `__name__` is called.
    metric: Option<String>,
    /// Seconds between two points.
    step: f64,
    /// When series must have existed for a selector to pick them.
    span: Span,
}

impl Prometheus {
    /// The series a selector picks, each as a selector of its own; the selector itself where they cannot be listed.
    fn expand(&self, selector: &str) -> Result<Vec<String>, SourceError> {
        let Span { after, until } = self.span;
        let (start, end) = (after.floor().to_string(), until.ceil().to_string());
        let query = [("match[]", selector), ("start", &start), ("end", &end)];
        let body = match self.queries.get("/api/v1/series", selector, &query)? {
            Answered::Good(body) => body,
            Answered::NoSuchThing(reason) if reason.starts_with("404") => {
                return Ok(vec![selector.to_owned()]);
            }
            Answered::NoSuchThing(reason) => return Err(self.queries.refused(selector, reason)),
        };
        let List(all) = self.queries.data::<List<PrometheusLabels>>(selector, &body)?;
        if all.is_empty() {
            tracing::warn!("`{selector}` picks no series of {}", self.queries.place());
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
}

impl Source for Prometheus {
    fn describe(&self) -> String {
        format!("{} each {} s", self.queries.place(), self.step)
    }

    fn parts(&mut self) -> Result<Vec<String>, SourceError> {
        let mut seen = BTreeSet::new();
        let mut parts = self.expressions.clone();
        for selector in &self.selectors {
            parts.extend(self.expand(selector)?);
        }
        parts.retain(|part| seen.insert(part.clone()));
        Ok(parts)
    }

    fn fetch(&mut self, part: &str, span: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError> {
        let mut name = String::new();
        let mut unnamed = 0;
        let mut left_out = self.queries.ask(part, span, &mut |labels, series| {
            let named = labels.iter().any(|(label, _)| *label == "__name__");
            let given = self.metric.as_deref().filter(|_| !named);
            let all = given
                .map(|name| ("__name__", name))
                .into_iter()
                .chain(labels.iter().copied());
            if metric_name::of_labels(all, &mut name) {
                each(&name, series);
            } else {
                unnamed += 1;
            }
        })?;
        if unnamed > 0 {
            left_out.insert("unnamed_series", unnamed);
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
