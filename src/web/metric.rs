//! The page of one metric.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::chart::Chart;
use skywatch_alerters::incident::Incident;
use skywatch_alerters::state::Outlook;
use skywatch_alerters::text::percent_encode;
use skywatch_alerters::{Subject, units};
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::Hour;

use super::commands;
use super::describe::{chart_of, incident_line, of_history, thinned, votes};
use super::pages::no_pass;
use super::site::{Site, SiteState, of_a_page, page};
use crate::clock::unix_now;
use crate::dispatch::{Answer, Call};
use crate::history::Filter;
use crate::net::routes::HttpRoute;
use crate::status::{AnalyzerStatus, Examination};

/// Earlier incidents that are listed.
const EARLIER: usize = 20;
/// Size of the chart, px.
const CHART_SIZE: (u32, u32) = (900, 260);
/// How long the page waits to be told why the metric is quiet: it is of use without.
const EXPLAIN_PATIENCE: Duration = Duration::from_secs(2);
const HOUR: f64 = 3_600.0;
const DAY: f64 = 24.0 * HOUR;

/// What a chart can show.
struct ChartRange {
    /// As in the page's address, and on its button.
    name: &'static str,
    seconds: f64,
}

/// The window reaches as far as it is kept; what is longer comes from the hours that are kept for 35 days.
const RANGES: [ChartRange; 4] = [
    ChartRange {
        name: "1h",
        seconds: HOUR,
    },
    ChartRange {
        name: "24h",
        seconds: DAY,
    },
    ChartRange {
        name: "7d",
        seconds: 7.0 * DAY,
    },
    ChartRange {
        name: "35d",
        seconds: 35.0 * DAY,
    },
];
/// The range of a page that names none.
const USUAL_RANGE: &ChartRange = &RANGES[1];

/// The routes of this page.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 1] {
    [HttpRoute::login(
        "/metric",
        get(metric).with_state(Arc::clone(site)),
    )]
}

/// `?name=`, the metric's full name, and `&range=` how far back.
#[derive(Deserialize)]
struct MetricQuery {
    name: String,
    #[serde(default)]
    range: String,
}

/// What was read for the page.
struct MetricFound {
    window: Option<Series>,
    /// What the chart draws.
    drawn: Series,
    /// Whether it draws lowest and highest values of hours.
    is_hourly: bool,
    /// Why there is no chart, or not the whole of it.
    trouble: Option<String>,
    explained: Result<(Option<Examination>, Outlook), String>,
}

async fn metric(State(site): SiteState, Query(query): Query<MetricQuery>) -> Response {
    let range = RANGES.iter().find(|range| range.name == query.range);
    let range = range.unwrap_or(USUAL_RANGE);
    let (found, explained) = tokio::join!(read(&site, &query.name, range), explain(&site, &query.name));
    let found = MetricFound { explained, ..found };
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let is_there = found.window.is_some() || found.trouble.is_some() || !found.drawn.is_empty();
        let status = asked.analyzer();
        let filter = Filter {
            subject: Some(Subject::Metric(query.name.clone())),
            ..Filter::default()
        };
        let (earlier, _) = of_history(&asked.history, |history| history.incidents(&filter, EARLIER));
        let context = describe(&query.name, range, &status, &found, &earlier);
        let answer = page(asked.pages.render("metric.html", "/find", &status, context));
        let code = match is_there {
            true => StatusCode::OK,
            false => StatusCode::NOT_FOUND,
        };
        (code, answer).into_response()
    });
    drawn.await.unwrap_or_else(|response| response)
}

async fn read(site: &Site, name: &str, range: &ChartRange) -> MetricFound {
    let (mut windows, mut trouble) = site.reader.windows(vec![name.to_owned()]).await;
    let window = windows.pop().flatten();
    let now = unix_now();
    let from = window
        .as_ref()
        .and_then(|window| window.times.last().copied())
        .map_or(now, |last| last.min(now))
        - range.seconds;
    let is_hourly = range.seconds > site.full_duration.max(DAY);
    let mut drawn = Series::default();
    if is_hourly {
        match site.reader.hours(name.to_owned()).await {
            Ok(hours) => drawn = hours_as_series(&hours, from, f64::INFINITY),
            Err(why) => trouble = Some(why),
        }
    } else if let Some(window) = &window {
        let begin = window.times.partition_point(|time| *time < from);
        drawn.times = window.times[begin..].to_vec();
        drawn.values = window.values[begin..].to_vec();
    }
    MetricFound {
        window,
        drawn,
        is_hourly,
        trouble,
        explained: Err(String::new()),
    }
}

/// Hours from `from` to `until` (Unix seconds) as points: the lowest value at the beginning of each, the highest in its middle.
pub(super) fn hours_as_series(hours: &[Hour], from: f64, until: f64) -> Series {
    let mut series = Series::default();
    for hour in hours {
        let at = f64::from(hour.number) * HOUR;
        if at >= from && at <= until {
            series.push(at, f64::from(hour.min));
            series.push(at + HOUR / 2.0, f64::from(hour.max));
        }
    }
    series
}

async fn explain(site: &Arc<Site>, metric: &str) -> Result<(Option<Examination>, Outlook), String> {
    let call = Call::Explain {
        metric: metric.to_owned(),
    };
    match tokio::time::timeout(EXPLAIN_PATIENCE, commands::call(site, call)).await {
        Ok(Ok(Answer::Explained {
            examined, outlook, ..
        })) => Ok((examined.ok().map(|found| *found), *outlook)),
        Ok(Ok(_)) => Err("the running process cannot say".to_owned()),
        Ok(Err(not_done)) => Err(not_done.parts().1),
        Err(_) => Err(format!(
            "the running process has not answered within {} s",
            EXPLAIN_PATIENCE.as_secs()
        )),
    }
}

fn describe(
    name: &str,
    range: &ChartRange,
    status: &AnalyzerStatus,
    found: &MetricFound,
    earlier: &[Incident],
) -> Value {
    let current = status
        .anomalies
        .iter()
        .find(|current| current.anomaly.name() == name);
    let chart = (!found.drawn.is_empty()).then(|| match current.filter(|_| !found.is_hourly) {
        Some(current) => chart_of(
            &current.anomaly,
            current.anomaly.expected,
            &found.drawn,
            CHART_SIZE,
        ),
        None => {
            let thin = thinned(&found.drawn, CHART_SIZE.0 as usize / 2);
            let chart = Chart::new(name, &thin.times, &thin.values).size(CHART_SIZE.0, CHART_SIZE.1);
            Value::from_safe_string(chart.svg())
        }
    });
    let ranges = RANGES.iter().map(|one| {
        let link = format!("/metric?name={}&range={}", percent_encode(name), one.name);
        context! { name => one.name, link, here => one.name == range.name }
    });
    let is_found = found.window.is_some() || !found.drawn.is_empty();
    context! {
        name,
        found => is_found,
        points => found.window.as_ref().map(Series::len),
        last => found.window.as_ref().and_then(|window| Some(context! {
            at => *window.times.last()?, value => units::number(*window.values.last()?)
        })),
        ranges => ranges.collect::<Vec<_>>(),
        is_hourly => found.is_hourly,
        chart,
        chart_trouble => found.trouble.as_deref(),
        anomaly => current.map(|current| {
            let anomaly = &current.anomaly;
            context! {
                observed => units::number(anomaly.observed),
                expected => anomaly.expected.map(|expected| expected.to_string()),
                rate => anomaly.window().rate,
                at => anomaly.at,
                since => current.since,
                sentence => anomaly.sentence.as_str(),
            }
        }),
        votes => current.map(|current| votes(&current.anomaly)),
        is_known => no_pass(status).is_none() && !status.is_quiet(unix_now()),
        earlier => earlier.iter().map(incident_line).collect::<Vec<_>>(),
        silence => format!("/silences?metrics={}", percent_encode(&format!("={name}"))),
        ..explanation(&found.explained)
    }
}

/// Why it is as quiet, or as loud, as it is.
fn explanation(explained: &Result<(Option<Examination>, Outlook), String>) -> Value {
    let (examined, outlook) = match explained {
        Ok((examined, outlook)) => (examined.as_ref(), outlook),
        Err(why) => {
            return context! { unexplained => why, verdict => (), routes => Vec::<Value>::new(), silences => () };
        }
    };
    let routes = outlook.prospects.iter().map(|prospect| {
        context! {
            receiver => prospect.receiver.as_str(),
            route => prospect.route.as_str(),
            why => prospect.why.as_str(),
            told_at => prospect.told_at,
            next_at => prospect.next_at.filter(|at| at.is_finite()),
        }
    });
    let verdict = examined.map(|examined| {
        context! {
            verdict => examined.verdict.as_str(),
            why => examined.why.as_str(),
            rate => examined.rate,
            warmth => examined.warmth.map(|warmth| (100.0 * warmth).floor()),
            ready_at => examined.ready_at,
            known_since => examined.known_since,
        }
    });
    context! {
        unexplained => (),
        verdict,
        routes => routes.collect::<Vec<_>>(),
        silences => (!outlook.silences.is_empty()).then(|| {
            let numbers: Vec<String> = outlook.silences.iter().map(u64::to_string).collect();
            numbers.join(", ")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_drawn_by_its_lowest_and_highest_value() {
        let hour = |number, min, max| Hour {
            number,
            min,
            mean: 0.5,
            max,
        };
        let hours = [hour(1, 0.0, 1.0), hour(2, -1.0, 5.0), hour(9, 0.0, 0.0)];
        let series = hours_as_series(&hours, HOUR * 2.0, HOUR * 8.0);
        assert_eq!(series.times, [2.0 * HOUR, 2.5 * HOUR]);
        assert_eq!(series.values, [-1.0, 5.0]);
    }
}
