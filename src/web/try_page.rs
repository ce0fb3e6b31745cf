//! The page that tries a rule on the past of some metrics before it is set.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use skywatch_alerters::text::percent_encode;
use skywatch_alerters::units;
use skywatch_settings::Profile;

use super::rule_query::RuleQuery;
use super::rule_trials::{MetricTrial, TrialCounts, TrialOutcome, TrialProgress};
use super::site::{Site, SiteState, of_a_page, page};
use crate::backtest::{ReplayedIncident, RuleReplay};
use crate::net::routes::HttpRoute;

/// How long the page waits for the answer before it is shown without.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Seconds after which a page without the answer asks again, by itself and without a script.
const AGAIN: &str = "2";
/// Incidents of a metric that are listed, the newest.
const INCIDENTS: usize = 20;

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login("/try", get(show).with_state(Arc::clone(site)))]
}

async fn show(State(site): SiteState, Query(query): Query<RuleQuery>) -> Response {
    let progress = match query.metrics.trim() {
        "" => Ok(None),
        _ => match query.read().and_then(|question| site.trials.ask(question)) {
            Ok(trial) => Ok(Some(trial.wait(PATIENCE).await)),
            Err(why) => Err(why),
        },
    };
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let (mut found, mut wrong, mut under_way) = (None, None, None);
        match progress {
            Ok(None) => {}
            Ok(Some(TrialProgress::Over(Ok(outcome)))) => found = Some(outcome),
            Ok(Some(TrialProgress::Over(Err(why)))) | Err(why) => wrong = Some(why),
            Ok(Some(TrialProgress::UnderWay(done, of))) => under_way = Some(context! { done, of }),
        }
        let is_under_way = under_way.is_some();
        let context = context! {
            form => form(&asked, &query),
            has_effect => asked.profile == Profile::Adaptive,
            learned => asked.adaptive.current().learned,
            wrong,
            under_way,
            found => found.as_deref().map(describe),
        };
        let drawn = page(asked.pages.render("try.html", "/try", &asked.analyzer(), context));
        match is_under_way {
            // As a header: a page that says it in its text is none for readers who need their time.
            true => ([(header::REFRESH, AGAIN)], drawn).into_response(),
            false => drawn,
        }
    });
    drawn.await.unwrap_or_else(|response| response)
}

/// What stands in the form: what was asked; of a metric that an override picks, and of which nothing else is asked, that.
fn form(site: &Site, query: &RuleQuery) -> Value {
    let mut shown = query.clone();
    let name = query.metrics.trim().strip_prefix('=');
    let all = site.adaptive.current();
    let line = all.overrides.iter();
    let line = name.and_then(|name| line.clone().find(|line| line.metrics.matches(name)));
    if let Some(line) = line.filter(|_| query.is_plain()) {
        let text = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
        shown.sensitivity = text(line.sensitivity);
        shown.min_relative_change = text(line.min_relative_change);
        shown.min_absolute_change = text(line.min_absolute_change);
        shown.direction = line
            .direction
            .map(|way| way.as_str().to_owned())
            .unwrap_or_default();
        shown.rest = line
            .rest
            .map(skywatch_settings::show_duration)
            .unwrap_or_default();
    }
    let usual = context! {
        sensitivity => all.sensitivity,
        direction => all.direction.as_str(),
        min_relative_change => all.min_relative_change,
        min_absolute_change => all.min_absolute_change,
        rest => skywatch_settings::show_duration(all.rest),
    };
    context! {
        metrics => shown.metrics,
        sensitivity => shown.sensitivity,
        direction => shown.direction,
        min_relative_change => shown.min_relative_change,
        min_absolute_change => shown.min_absolute_change,
        rest => shown.rest,
        days => shown.days,
        usual,
    }
}

fn describe(outcome: &TrialOutcome) -> Value {
    let single = match outcome.metrics.as_slice() {
        [one] if outcome.picked == 1 => Some(describe_one(one)),
        _ => None,
    };
    let lines = outcome.metrics.iter().filter(|metric| {
        let tried = metric
            .tried
            .as_ref()
            .is_some_and(|tried| !tried.incidents.is_empty());
        tried || !metric.now.incidents.is_empty()
    });
    let lines = lines.map(|metric| {
        context! {
            name => metric.metric.as_str(),
            link => format!("/metric?name={}", percent_encode(&metric.metric)),
            now => counts_of(&metric.now),
            tried => metric.tried.as_ref().map(counts_of),
        }
    });
    context! {
        picked => outcome.picked,
        replayed => outcome.replayed,
        empty => outcome.empty,
        cut => outcome.cut.as_deref(),
        from => outcome.from,
        until => outcome.until,
        now => counts(&outcome.now),
        tried => outcome.tried.as_ref().map(counts),
        settings => outcome.settings.as_deref(),
        lines => if single.is_some() { Vec::new() } else { lines.collect::<Vec<_>>() },
        single,
    }
}

fn counts(counts: &TrialCounts) -> Value {
    context! {
        incidents => counts.incidents,
        told => counts.told,
        a_day => counts.told_a_day.map(|told| format!("{told:.2}")),
    }
}

fn counts_of(replay: &RuleReplay) -> Value {
    context! { incidents => replay.incidents.len(), told => replay.told.len() }
}

fn describe_one(metric: &MetricTrial) -> Value {
    context! {
        name => metric.metric.as_str(),
        link => format!("/metric?name={}", percent_encode(&metric.metric)),
        now => incidents(&metric.now),
        tried => metric.tried.as_ref().map(incidents),
    }
}

fn incidents(replay: &RuleReplay) -> Vec<Value> {
    let line = |incident: &ReplayedIncident| {
        let is_told = |at: &f64| (incident.from..=incident.until).contains(at);
        context! {
            from => incident.from,
            lasted => units::length(incident.until - incident.from),
            score => format!("{:.2}", incident.score),
            observed => units::number(incident.observed),
            expected => units::number(incident.expected),
            sentence => incident.sentence.as_str(),
            told => replay.told.iter().any(is_told),
        }
    };
    replay.incidents.iter().rev().take(INCIDENTS).map(line).collect()
}
