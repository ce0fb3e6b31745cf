//! Entities: machines, pods, applications, each judged over all of its metrics at once.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use crate::check::Check;
use crate::choice::choice;
use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{SECOND, Section};

/// A day, over which most of what people and machines do comes round.
const DAY: Duration = Duration::from_secs(86_400);

options! {
    /// Entities: machines, pods, applications, each judged over all of its metrics at once.
    pub Entities {
        /// Whether `skywatch run` judges them.
        enabled: bool = false,
        /// The Prometheus they are fetched from; none for series of the own store only.
        prometheus: Option<BaseUrl> = None,
        /// The user it knows us by.
        username: Option<String> = None,
        /// The user's password. Filled from `password_file` when that is set.
        password: Option<Secret> = None,
        /// A file with the password.
        password_file: Option<PathBuf> = None,
        /// A bearer token; goes before user and password. Filled from `token_file` when that is set.
        token: Option<Secret> = None,
        /// A file with the token.
        token_file: Option<PathBuf> = None,
        /// The code of an application of Huawei Cloud, whose AOM asks for it; goes before all others. Filled from
        /// `app_code_file` when that is set.
        app_code: Option<Secret> = None,
        /// A file with the code.
        app_code_file: Option<PathBuf> = None,
        /// Huawei Cloud's IAM, which gives a token for user and password.
        iam_url: Option<BaseUrl> = None,
        /// The account the user belongs to.
        iam_domain: Option<String> = None,
        /// The id of the project the token is for.
        iam_project: Option<String> = None,
        /// Says a second time that the login may go over plain HTTP to another machine.
        insecure: bool = false,
        /// Authorities (PEM) to trust instead of the public ones.
        ca_file: Option<PathBuf> = None,
        /// How long the server may take to begin an answer.
        timeout: Duration = Duration::from_secs(30) => SECOND..,
        /// Questions asked at the same time.
        concurrency: usize = 4 => 1..=64,
        /// Metrics, each fetched for all entities at once: `NAME`, `sum(NAME)` and the like, or `NAME=EXPRESSION`.
        metrics: Vec<String> = Vec::new(),
        /// Labels that tell entities apart; their values are the entity's name.
        labels: Vec<String> = vec!["instance".to_owned()],
        /// What labels of metrics must be, each as `LABEL=VALUE`.
        matchers: Vec<String> = Vec::new(),
        /// What becomes of several series of one metric of an entity.
        aggregation: Aggregation = Aggregation::Avg,
        /// Series of the own store: regular expressions with the groups `entity` and `metric`.
        series: Vec<String> = Vec::new(),
        /// Files with jobs as gala-anteater has them.
        jobs: Vec<String> = Vec::new(),
        /// Time between two values of a job's series.
        jobs_step: Duration = Duration::from_secs(5) => SECOND..,
        /// Time between two looks at jobs.
        jobs_each: Duration = Duration::from_secs(60) => SECOND..,
        /// Time between two rows of an entity, and between two looks.
        step: Duration = Duration::from_secs(60) => SECOND..,
        /// How long after its step a row is judged: values that come later are learnt from, but judged no more.
        delay: Duration = Duration::from_secs(10),
        /// What is learnt from, and kept in memory.
        history: Duration = DAY => Duration::from_secs(600)..,
        /// How often it is learnt anew.
        refit_each: Duration = DAY => Duration::from_secs(600)..,
        /// An entity is anomalous when `alarm_share` of its rows in this time are, and well again when none is.
        alarm_window: Duration = Duration::from_secs(300) => SECOND..,
        /// See `alarm_window`.
        alarm_share: f64 = 0.5 => 0.01..=1.0,
        /// Entities at most; of more nothing is kept.
        max_entities: usize = 10_000 => 1..,
        /// Bytes of memory for their past and for what is learnt of them.
        max_bytes: usize = 2_147_483_648 => 1_048_576..,
        /// How long scores are kept on disk.
        keep: Duration = Duration::from_secs(7 * 86_400) => SECOND..,
    }
}

/// What becomes of several series of one metric that belong to one entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// Their mean.
    Avg,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their sum.
    Sum,
}

choice! { Aggregation { "avg" => Avg, "max" => Max, "min" => Min, "sum" => Sum } }

/// One entry of [`Entities::metrics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityMetric<'s> {
    /// What the metric is called.
    pub name: &'s str,
    /// How it is asked for.
    pub form: EntityMetricForm<'s>,
}

/// How a metric of entities is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityMetricForm<'s> {
    /// Series of a metric, aggregated over all labels but those that tell entities apart.
    Aggregated(Aggregation),
    /// Counters: the sum of how much they grow in a second.
    Rate,
    /// An expression of PromQL whose result has those labels.
    Expression(&'s str),
}

impl<'s> EntityMetric<'s> {
    fn read(written: &'s str, usual: Aggregation) -> Option<Self> {
        let written = written.trim();
        if let Some((name, expression)) = written.split_once('=').filter(|(name, _)| is_metric(name)) {
            let form = EntityMetricForm::Expression(expression.trim());
            return (!expression.trim().is_empty()).then_some(Self { name, form });
        }
        let Some((function, name)) = written.strip_suffix(')').and_then(|rest| rest.split_once('(')) else {
            let form = EntityMetricForm::Aggregated(usual);
            return is_metric(written).then_some(Self { name: written, form });
        };
        let form = match function {
            "rate" => EntityMetricForm::Rate,
            word => EntityMetricForm::Aggregated(Aggregation::of_word(word)?),
        };
        is_metric(name).then_some(Self { name, form })
    }
}

impl Aggregation {
    fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Avg, Self::Max, Self::Min, Self::Sum];
        all.into_iter().find(|aggregation| aggregation.as_str() == word)
    }
}

impl Entities {
    /// The metrics that are fetched; those that cannot be read as one are left out.
    pub fn metrics(&self) -> impl Iterator<Item = EntityMetric<'_>> {
        let usual = self.aggregation;
        self.metrics
            .iter()
            .filter_map(move |written| EntityMetric::read(written, usual))
    }

    /// Labels and what they must be; those that cannot be read as one are left out.
    pub fn matchers(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.matchers.iter().filter_map(|matcher| matcher.split_once('='));
        pairs.filter(|(label, _)| is_label(label))
    }
}

/// A metric's name as Prometheus has it.
fn is_metric(name: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    !name.is_empty() && name.bytes().all(right) && !name.as_bytes()[0].is_ascii_digit()
}

/// A label's name as Prometheus has it.
fn is_label(name: &str) -> bool {
    is_metric(name) && !name.contains(':')
}

/// Whether it has the groups that a name must be taken apart into.
fn is_series(expression: &str) -> bool {
    Regex::new(expression).is_ok_and(|expression| {
        let groups: Vec<_> = expression.capture_names().flatten().collect();
        groups.contains(&"entity") && groups.contains(&"metric")
    })
}

impl Section for Entities {
    fn check(&self, check: &mut Check<'_>) {
        check.require(
            self.metrics().count() == self.metrics.len(),
            "metrics",
            &self.metrics,
            "expected metrics such as `\"node_load1\"`, `\"sum(node_sockstat_TCP_inuse)\"` with `avg`, `max`, `min`, `sum` or `rate`, \
             or `\"cpu=EXPRESSION\"`",
        );
        let names: HashSet<_> = self.metrics().map(|metric| metric.name).collect();
        check.require(
            names.len() == self.metrics().count(),
            "metrics",
            &self.metrics,
            "expected each metric once; give another form of one a name of its own: `\"NAME=EXPRESSION\"`",
        );
        check.require(
            !self.labels.is_empty() && self.labels.iter().all(|label| is_label(label)),
            "labels",
            &self.labels,
            "expected labels such as `\"instance\"`",
        );
        check.require(
            self.matchers().count() == self.matchers.len(),
            "matchers",
            &self.matchers,
            "expected what labels must be, such as `\"job=node\"`",
        );
        check.require(
            self.series.iter().all(|expression| is_series(expression)),
            "series",
            &self.series,
            "expected regular expressions with two groups, such as `'^servers\\.(?<entity>[^.]+)\\.(?<metric>.+)$'`",
        );
        self.check_together(check);
    }
}

impl Entities {
    /// Refuses options that do not agree.
    fn check_together(&self, check: &mut Check<'_>) {
        if self.enabled && self.metrics.is_empty() && self.series.is_empty() && self.jobs.is_empty() {
            check.conflict(
                &["enabled", "metrics", "series", "jobs"],
                "`entities.enabled` without a metric".to_owned(),
                "name metrics of a Prometheus in `entities.metrics`, series of the own store in `entities.series`, or `entities.jobs`",
            );
        }
        if !(self.metrics.is_empty() && self.jobs.is_empty()) && self.prometheus.is_none() {
            check.conflict(
                &["metrics", "jobs", "prometheus"],
                "`entities.metrics` or `entities.jobs` without `entities.prometheus`".to_owned(),
                "name the server, such as `http://127.0.0.1:9090`",
            );
        }
        let has_login = self.password.is_some() || self.token.is_some() || self.app_code.is_some();
        let is_open = |url: &Option<BaseUrl>| url.as_ref().is_some_and(|url| url.url().is_open());
        if has_login && !self.insecure && (is_open(&self.prometheus) || is_open(&self.iam_url)) {
            check.conflict(
                &["prometheus", "iam_url", "insecure"],
                "the login of `entities.prometheus` would go over plain HTTP, for all to read on the way"
                    .to_owned(),
                "name an `https://` address, or say it twice with `entities.insecure = true`",
            );
        }
        if self.username.is_some() != self.password.is_some() {
            check.conflict(
                &["username", "password"],
                "of `entities.username` and `entities.password` only one is set".to_owned(),
                "the password may be in a file, `entities.password_file`",
            );
        }
        if self.iam_url.is_some() && (self.username.is_none() || self.iam_domain.is_none()) {
            check.conflict(
                &["iam_url", "username", "iam_domain"],
                "`entities.iam_url` without `entities.username` and `entities.iam_domain`".to_owned(),
                "IAM gives tokens to users of an account",
            );
        }
        if self.alarm_window < self.step {
            check.conflict(
                &["alarm_window", "step"],
                "`entities.alarm_window` is shorter than `entities.step`".to_owned(),
                "it must hold a row",
            );
        }
        if self.history < self.step * 500 {
            check.conflict(
                &["history", "step"],
                "`entities.history` is shorter than five hundred of `entities.step`".to_owned(),
                "fewer rows teach nothing",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_in_their_forms() {
        let read =
            |written| EntityMetric::read(written, Aggregation::Avg).map(|metric| (metric.name, metric.form));
        let aggregated = EntityMetricForm::Aggregated;
        assert_eq!(
            read("node_load1"),
            Some(("node_load1", aggregated(Aggregation::Avg)))
        );
        assert_eq!(read("sum(a:b)"), Some(("a:b", aggregated(Aggregation::Sum))));
        assert_eq!(read("rate(x_total)"), Some(("x_total", EntityMetricForm::Rate)));
        let expression = "max by (instance)(up{job=\"a\"})";
        assert_eq!(
            read("up=max by (instance)(up{job=\"a\"})"),
            Some(("up", EntityMetricForm::Expression(expression)))
        );
        for wrong in [
            "",
            "1a",
            "a b",
            "median(x)",
            "sum(",
            "sum(a{b=\"c\"})",
            "a=",
            "up{job=\"a\"}",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
