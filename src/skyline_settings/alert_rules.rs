//! `ALERTS`: rules that say of which metrics whom to tell how often, as a tree of routes.
//!
//! In the original every rule is held against every metric, but a receiver is told of a metric only once in `EXPIRATION_TIME`,
//! so of several rules for one kind of receiver the first that fits counts, and different kinds do not hinder each other. That
//! is a route a kind, which lets the next one be asked, too (`continue`), with a route a rule below it, of which the first takes.

use std::fmt::Write as _;

use super::conversion::SkylineConversion;
use super::patterns;
use super::python::PythonValue;
use super::receivers::ImportedReceivers;
use crate::imported::{quoted, quoted_list};

/// Above this many characters a metric is cut in a route's name, which has 100 at most.
const MOST_NAME: usize = 60;

/// One rule.
struct AlertRule {
    /// Its place in `ALERTS`, from zero.
    at: usize,
    metric: String,
    patterns: Vec<String>,
    receivers: Vec<String>,
    /// Seconds between two notices about one metric.
    expiration: i64,
}

pub(super) fn convert(conversion: &mut SkylineConversion, receivers: ImportedReceivers) {
    let rules = rules(conversion, &receivers);
    let mut kinds: Vec<(String, Vec<AlertRule>)> = Vec::new();
    for (kind, rule) in rules {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, rules)) => rules.push(rule),
            None => kinds.push((kind, vec![rule])),
        }
    }
    for (kind, rules) in &kinds {
        let tables = routes(kind, rules);
        conversion.draft.add_tables(&tables);
    }
    if receivers.has_syslog {
        // With SYSLOG_ENABLED every anomaly goes there, whatever ALERTS says.
        conversion
            .draft
            .add_tables("\n[[routes]]\nname = \"syslog\"\nreceivers = [\"syslog\"]\ncontinue = true\n");
    }
    let defaults = receivers.defaults();
    if !defaults.is_empty() {
        let table = format!(
            "\n[[routes]]\nname = \"skywatch itself\"\nmetrics = [\"/^skywatch[.]/\"]\nreceivers = {}\n",
            quoted_list(&defaults)
        );
        conversion.draft.add_tables(&table);
        conversion.carried("THUNDER_ENABLED", "the route `skywatch itself`");
    }
    if !kinds.is_empty() {
        conversion.left_to_do(
            "ALERTS",
            "as before, nobody is told that something is over; `resolved = true` of a receiver does that",
        );
    }
}

/// The rules that lead to somebody, with the kind of their receivers.
fn rules(conversion: &mut SkylineConversion, receivers: &ImportedReceivers) -> Vec<(String, AlertRule)> {
    let all = conversion.value("ALERTS").and_then(PythonValue::items);
    let all = all.map(<[_]>::to_vec).unwrap_or_default();
    if !conversion.is_on("ENABLE_ALERTS", true) {
        return Vec::new();
    }
    let mut rules = Vec::new();
    for (at, rule) in all.iter().enumerate() {
        let key = format!("ALERTS[{at}]");
        match read(at, rule, receivers) {
            Ok((kind, rule)) => {
                if rule.receivers.is_empty() {
                    let quiet = format!(
                        "it tells nobody of `{0}`, which a later rule may do here: `skywatch silence add '{0}' --reason imported` keeps it quiet",
                        rule.metric
                    );
                    conversion.left_to_do(&key, &quiet);
                    continue;
                }
                conversion.carried(&key, &format!("route `{}`", route_name(&kind, &rule)));
                if all[at].items().is_some_and(|items| items.len() > 3) {
                    conversion.left(
                        &format!("{key}[3]"),
                        "no second look at so many hours is taken; the adaptive profile knows each metric's days and weeks",
                    );
                }
                rules.push((kind, rule));
            }
            Err(why) => conversion.left(&key, &why),
        }
    }
    rules
}

/// `(metric, alerter, EXPIRATION_TIME, …)`.
fn read(at: usize, rule: &PythonValue, receivers: &ImportedReceivers) -> Result<(String, AlertRule), String> {
    if let Some(computed) = rule.computed() {
        return Err(format!(
            "in line {} it is computed: `{}`",
            computed.line, computed.shown
        ));
    }
    let items = rule.items().unwrap_or_default();
    let (Some(metric), Some(alerter)) = (
        items.first().and_then(PythonValue::text),
        items.get(1).and_then(PythonValue::text),
    ) else {
        return Err("it is not a metric, an alerter and a time".to_owned());
    };
    let expiration = match items.get(2) {
        Some(PythonValue::Int(seconds)) if *seconds >= 0 => *seconds,
        _ => return Err("its EXPIRATION_TIME is no number of seconds".to_owned()),
    };
    let told = told(alerter, metric, receivers)?;
    let patterns =
        patterns::alerted(metric).map_err(|why| format!("`{metric}` cannot be a pattern: {why}"))?;
    let rule = AlertRule {
        at,
        metric: metric.to_owned(),
        patterns,
        receivers: told,
        expiration,
    };
    Ok((alerter.to_owned(), rule))
}

fn told(alerter: &str, metric: &str, receivers: &ImportedReceivers) -> Result<Vec<String>, String> {
    let webhook = |receivers: &ImportedReceivers| {
        let known = receivers.webhooks.iter().find(|(known, _)| known == alerter);
        known.map(|(_, receiver)| vec![receiver.clone()])
    };
    match alerter {
        "smtp" => receivers
            .mail
            .as_ref()
            .map(|choice| choice.of(metric))
            .ok_or_else(|| "no mail is sent, see SMTP_OPTS".to_owned()),
        "slack" => receivers
            .slack
            .as_ref()
            .map(|choice| choice.of(metric))
            .ok_or_else(|| "nothing goes to Slack, see SLACK_OPTS".to_owned()),
        "pagerduty" if receivers.has_pagerduty => Ok(vec!["pagerduty".to_owned()]),
        "pagerduty" => Err("nothing goes to PagerDuty, see PAGERDUTY_OPTS".to_owned()),
        "syslog" if receivers.has_syslog => Err("every anomaly goes to syslog anyway".to_owned()),
        "hipchat" => Err("HipChat is no more".to_owned()),
        _ if alerter.starts_with("http_alerter") => {
            webhook(receivers).ok_or_else(|| "see HTTP_ALERTERS_OPTS".to_owned())
        }
        _ => Err(format!("there is no alerter `{alerter}` here")),
    }
}

fn route_name(kind: &str, rule: &AlertRule) -> String {
    let right = |c: &char| !c.is_control();
    let metric: String = rule.metric.chars().filter(right).take(MOST_NAME).collect();
    format!("{kind} {}: {}", rule.at + 1, metric)
        .trim_end()
        .to_owned()
}

/// The routes of one kind of receivers.
fn routes(kind: &str, rules: &[AlertRule]) -> String {
    let mut metrics: Vec<&String> = Vec::new();
    // A rule for every metric makes the whole route one for every metric.
    if rules.iter().all(|rule| !rule.patterns.is_empty()) {
        for pattern in rules.iter().flat_map(|rule| &rule.patterns) {
            if !metrics.contains(&pattern) {
                metrics.push(pattern);
            }
        }
    }
    let mut tables = String::new();
    // What is written to a text is never refused.
    let _ = write!(
        tables,
        "\n[[routes]]\nname = {}\nmetrics = {}\nreceivers = {}\ncontinue = true\n",
        quoted(kind),
        quoted_list(&metrics),
        quoted_list(&rules[0].receivers)
    );
    for rule in rules {
        let _ = write!(
            tables,
            "\n  [[routes.routes]]\n  name = {}\n  metrics = {}\n  receivers = {}\n  cooldown = \"{}s\"\n  repeat = \"{3}s\"\n",
            quoted(&route_name(kind, rule)),
            quoted_list(&rule.patterns),
            quoted_list(&rule.receivers),
            rule.expiration,
        );
    }
    tables
}
