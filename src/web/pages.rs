//! The pages as HTML, from templates compiled in.

use minijinja::{Environment, Value, context};
use skywatch_alerters::chart::{Chart, ChartMark};
use skywatch_alerters::{Anomaly, render, units};
use skywatch_algorithms::Series;

use super::incidents::IncidentsPage;
use crate::clock::unix_now;
use crate::status::{AnalyzerStatus, Current, IngestStatus};
use crate::windows::as_judged;
use skywatch_alerters::text::{one_line, percent_encode};

/// Anomalies of the front page that are drawn; the rest are listed. A chart has some 20 kB.
pub(super) const CHARTS: usize = 50;

/// Writes a value as all are written, but for what a text may hold to look like another one: control characters, and
/// those that turn the direction of writing.
fn visible(
    out: &mut minijinja::Output<'_>,
    state: &mut minijinja::State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if let Some(text) = value.as_str().filter(|_| !value.is_safe()) {
        let lines: Vec<_> = text.split('\n').map(one_line).collect();
        if lines
            .iter()
            .any(|line| matches!(line, std::borrow::Cow::Owned(_)))
        {
            return minijinja::escape_formatter(out, state, &Value::from(lines.join("\n")));
        }
    }
    minijinja::escape_formatter(out, state, value)
}

/// The compiled templates.
pub(super) struct Pages {
    environment: Environment<'static>,
}

impl Pages {
    pub(super) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.set_formatter(visible);
        environment.add_template("style.css", include_str!("templates/style.css"))?;
        environment.add_template("base.html", include_str!("templates/base.html"))?;
        environment.add_template("now.html", include_str!("templates/now.html"))?;
        environment.add_template("incidents.html", include_str!("templates/incidents.html"))?;
        environment.add_template("metric.html", include_str!("templates/metric.html"))?;
        Ok(Self { environment })
    }

    /// The front page. `windows` belong to the first anomalies, in their order.
    pub(super) fn now(
        &self,
        status: &AnalyzerStatus,
        ingest: &IngestStatus,
        store: &str,
        windows: &[Option<Series>],
        trouble: Option<&str>,
    ) -> Result<String, minijinja::Error> {
        let now = unix_now();
        let anomalies: Vec<Value> = status
            .anomalies
            .iter()
            .enumerate()
            .map(|(index, current)| {
                let window = windows.get(index).and_then(Option::as_ref);
                described(current, window.map(|window| chart(current, window)))
            })
            .collect();
        let pass = status.pass.as_ref().map(|pass| {
            let some = |counts: &std::collections::BTreeMap<String, u64>| -> Vec<(String, u64)> {
                counts
                    .iter()
                    .filter(|(_, n)| **n > 0)
                    .map(|(name, n)| (name.clone(), *n))
                    .collect()
            };
            context! {
                ago => units::length((now - pass.at).max(0.0)),
                quiet => status.is_quiet(now),
                took => took(pass.seconds.total),
                number => pass.pass,
                metrics => pass.metrics,
                analyzed => pass.analyzed,
                anomalies => pass.anomalies,
                unfinished => pass.unfinished,
                retried => pass.retried,
                warm_up => pass.warm_up(),
                exceptions => some(&pass.exceptions),
                breakdown => some(&pass.breakdown),
            }
        });
        let counter = |name: &str| {
            ingest
                .counters
                .iter()
                .find(|(counter, _)| counter == name)
                .map_or(0, |(_, value)| *value)
        };
        let dropped: Vec<(String, u64)> = ingest
            .counters
            .iter()
            .filter_map(|(name, n)| Some((name.strip_prefix("dropped.")?.to_owned(), *n)))
            .filter(|(_, n)| *n > 0)
            .collect();
        self.environment.get_template("now.html")?.render(context! {
            pass,
            anomalies,
            store,
            trouble => no_pass(status),
            troubles => troubles(status),
            chart_trouble => trouble,
            last_anomaly => status.last_anomaly.map(|at| units::length((now - at).max(0.0))),
            last_point => ingest.last_point.map(|at| units::length((now - at).max(0.0))),
            written => counter("written"),
            dropped,
        })
    }

    /// The page of incidents.
    pub(super) fn incidents(
        &self,
        status: &AnalyzerStatus,
        shown: &IncidentsPage,
    ) -> Result<String, minijinja::Error> {
        let (trouble, troubles) = (no_pass(status), troubles(status));
        self.environment
            .get_template("incidents.html")?
            .render(context! { trouble, troubles, ..shown.context() })
    }

    /// The page of one metric.
    pub(super) fn metric(
        &self,
        name: &str,
        status: &AnalyzerStatus,
        window: Option<&Series>,
        trouble: Option<&str>,
    ) -> Result<String, minijinja::Error> {
        let current = status
            .anomalies
            .iter()
            .find(|current| current.anomaly.name() == name);
        let drawn = window.map(|window| match current {
            Some(current) => chart(current, window),
            None => Chart::new(name, &window.times, &window.values)
                .size(900, 260)
                .svg(),
        });
        self.environment.get_template("metric.html")?.render(context! {
            name,
            found => window.is_some(),
            points => window.map(Series::len),
            chart => drawn.clone().map(Value::from_safe_string),
            anomaly => current.map(|current| described(current, None)),
            votes => current.map(|current| votes(&current.anomaly)),
            warming => status.warming.iter().find(|warming| warming.metric == name).map(|warming| context! {
                share => (100.0 * warming.warmth).floor(),
                ready => warming.ready_at.map(units::time),
            }),
            trouble => no_pass(status),
            troubles => troubles(status),
            chart_trouble => trouble,
            is_known => no_pass(status).is_none() && !status.is_quiet(unix_now()),
        })
    }
}

/// Why no pass runs, if so.
fn no_pass(status: &AnalyzerStatus) -> Option<&str> {
    status.trouble.as_deref().or(status.silent.as_deref())
}

/// What is wrong with what passes work on.
fn troubles(status: &AnalyzerStatus) -> Vec<String> {
    let pass = status.pass.iter();
    pass.flat_map(|pass| &pass.troubles)
        .map(|trouble| trouble.why.clone())
        .collect()
}

/// A pass's duration: milliseconds while it is short.
fn took(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

fn chart(current: &Current, window: &Series) -> String {
    let anomaly = &current.anomaly;
    let judged = as_judged(window, anomaly.window().rate);
    let mut chart = Chart::new(anomaly.name(), &judged.times, &judged.values)
        .rate(anomaly.window().rate)
        .mark(ChartMark {
            at: anomaly.at,
            value: anomaly.observed,
        })
        .size(900, 220);
    if let Some(expected) = anomaly.expected {
        chart = chart.expected(expected);
    }
    chart.svg()
}

fn described(current: &Current, chart: Option<String>) -> Value {
    let anomaly = &current.anomaly;
    context! {
        name => anomaly.name(),
        link => format!("/metric?name={}", percent_encode(anomaly.name())),
        observed => units::number(anomaly.observed),
        expected => anomaly.expected.map(|expected| expected.to_string()),
        rate => anomaly.window().rate,
        at => units::time(anomaly.at),
        since => units::time(current.since),
        judged => render::judged(anomaly),
        sentence => anomaly.sentence.as_str(),
        chart => chart.map(Value::from_safe_string),
    }
}

fn votes(anomaly: &Anomaly) -> Vec<Value> {
    let votes = anomaly.votes().iter().map(|vote| {
        let shown = |value: f64| value.is_finite().then(|| units::number(value));
        context! {
            detector => vote.detector.as_str(),
            answer => match vote.answer { Some(true) => "anomalous", Some(false) => "normal", None => "no vote" },
            anomalous => vote.answer == Some(true),
            measured => shown(vote.measured),
            limit => shown(vote.limit),
        }
    });
    votes.collect()
}
