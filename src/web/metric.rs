//! The page of one metric.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::incident::Incident;
use skywatch_alerters::state::Outlook;
use skywatch_alerters::text::percent_encode;
use skywatch_alerters::{Subject, units};
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::Hour;

use super::charts::{self, ChartExtras, mark_of};
use super::commands;
use super::describe::{incident_line, of_history, votes};
use super::pages::no_pass;
use super::site::{Site, SiteState, of_a_page, page};
use crate::backtest::BandSeries;
use crate::clock::unix_now;
use crate::dispatch::{Answer, Call};
use crate::history::Filter;
use crate::net::routes::HttpRoute;
use crate::status::{AnalyzerStatus, Examination};

/// Earlier incidents that are listed.
const EARLIER: usize = 20;
/// How long the page waits to be told why the metric is quiet: it is of use without.
const EXPLAIN_PATIENCE: Duration = Duration::from_secs(2);
/// Longest time drawn, seconds: the longest range and as much around it.
const LONGEST: f64 = 70.0 * DAY;
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

/// `?name=`, the metric's full name, and `&range=` how far back, or `&from=` and `&until=`, Unix seconds.
#[derive(Deserialize)]
struct MetricQuery {
    name: String,
    #[serde(default)]
    range: String,
    from: Option<f64>,
    until: Option<f64>,
}

/// The time that is drawn, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ChartSpan {
    from: f64,
    until: f64,
    /// Seconds, those to come too.
    length: f64,
    /// Its name, if it is one of [`RANGES`].
    range: Option<&'static str>,
}

impl ChartSpan {
    /// What a query asks for, of a metric whose newest point is at `last`.
    fn of(query: &MetricQuery, last: f64) -> Self {
        if let (Some(from), Some(until)) = (query.from, query.until)
            && until - from >= 1.0
            && until - from <= LONGEST
        {
            return Self {
                from,
                until,
                length: until - from,
                range: None,
            };
        }
        let range = RANGES.iter().find(|range| range.name == query.range);
        let range = range.unwrap_or(USUAL_RANGE);
        Self {
            from: last - range.seconds,
            until: f64::INFINITY,
            length: range.seconds,
            range: Some(range.name),
        }
    }

    /// The address of the same metric at another time.
    fn link(name: &str, from: f64, until: f64) -> String {
        format!(
            "/metric?name={}&from={from:.0}&until={until:.0}",
            percent_encode(name)
        )
    }
}

/// What was read for the page.
struct MetricFound {
    window: Option<Series>,
    /// The hours that are kept of it.
    hours: Vec<Hour>,
    span: ChartSpan,
    /// What the chart draws, where nothing is said of what was expected.
    drawn: Series,
    /// Whether it draws lowest and highest values of hours.
    is_hourly: bool,
    /// Why there is no chart, or not the whole of it.
    trouble: Option<String>,
    explained: Result<(Option<Examination>, Outlook), String>,
}

async fn metric(State(site): SiteState, Query(query): Query<MetricQuery>) -> Response {
    let (found, explained) = tokio::join!(read(&site, &query), explain(&site, &query.name));
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
        let replayed = match (&found.window, found.is_hourly) {
            (Some(window), false) => asked.replay(&query.name, window, &found.hours),
            _ => None,
        };
        let context = describe(&query.name, &status, &found, replayed.as_ref(), &earlier);
        let answer = page(asked.pages.render("metric.html", "/find", &status, context));
        let code = match is_there {
            true => StatusCode::OK,
            false => StatusCode::NOT_FOUND,
        };
        (code, answer).into_response()
    });
    drawn.await.unwrap_or_else(|response| response)
}

async fn read(site: &Site, query: &MetricQuery) -> MetricFound {
    let name = &query.name;
    let windows = site.reader.windows(vec![name.clone()]);
    let ((mut windows, mut trouble), hours) = tokio::join!(windows, site.reader.hours(name.clone()));
    let window = windows.pop().flatten();
    let now = unix_now();
    let times = window.as_ref().map_or(&[][..], |window| &window.times[..]);
    let span = ChartSpan::of(query, times.last().map_or(now, |last| last.min(now)));
    let is_before = span.range.is_none() && times.first().is_some_and(|first| span.from < first - HOUR);
    let is_hourly = span.length > site.full_duration.max(DAY) || is_before;
    let hours = hours.unwrap_or_else(|why| {
        trouble = trouble.take().or(Some(why).filter(|_| is_hourly));
        Vec::new()
    });
    let mut drawn = Series::default();
    if is_hourly {
        drawn = hours_as_series(&hours, span.from, span.until);
    } else if let Some(window) = &window {
        let part = times.partition_point(|time| *time < span.from)
            ..times.partition_point(|time| *time <= span.until);
        drawn.times = window.times[part.clone()].to_vec();
        drawn.values = window.values[part].to_vec();
    }
    MetricFound {
        window,
        hours,
        span,
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

/// When its incidents were, Unix seconds.
fn lasted(incidents: &[Incident]) -> Vec<(f64, f64)> {
    let now = unix_now();
    let incidents = incidents.iter();
    incidents
        .map(|incident| (incident.since, incident.closed_at.unwrap_or(now)))
        .collect()
}

/// Where one gets from what is drawn to what lies around it.
fn ways(name: &str, found: &MetricFound) -> Value {
    let until = found.span.until.min(unix_now());
    let length = until - found.span.from;
    let at = |from: f64, until: f64| ChartSpan::link(name, from, until);
    context! {
        earlier => at(found.span.from - length, found.span.from),
        later => found.span.until.is_finite().then(|| at(until, until + length)),
        wider => at(found.span.from - length / 2.0, until + length / 2.0),
        narrower => at(found.span.from + length / 4.0, until - length / 4.0),
    }
}

fn describe(
    name: &str,
    status: &AnalyzerStatus,
    found: &MetricFound,
    replayed: Option<&BandSeries>,
    earlier: &[Incident],
) -> Value {
    let current = status
        .anomalies
        .iter()
        .find(|current| current.anomaly.name() == name);
    let extras = ChartExtras {
        incidents: lasted(earlier),
        mark: current
            .filter(|_| !found.is_hourly)
            .and_then(|current| mark_of(&current.anomaly)),
        title: name,
        ..ChartExtras::default()
    };
    let span = (found.span.from, found.span.until);
    let chart = replayed
        .and_then(|replayed| charts::judged(replayed, span, &extras))
        .or_else(|| (!found.drawn.is_empty()).then(|| charts::plain(&found.drawn, &extras)));
    let ranges = RANGES.iter().map(|one| {
        let link = format!("/metric?name={}&range={}", percent_encode(name), one.name);
        context! { name => one.name, link, here => found.span.range == Some(one.name) }
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
        is_judged => replayed.is_some(),
        ways => ways(name, found),
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
        try => format!("/try?metrics={}", percent_encode(&format!("={name}"))),
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

    #[test]
    fn a_time_that_is_asked_for_is_drawn_and_otherwise_a_range() {
        let asked = |from, until, range: &str| {
            let query = MetricQuery {
                name: "a".to_owned(),
                range: range.to_owned(),
                from,
                until,
            };
            ChartSpan::of(&query, 1e9)
        };
        let span = asked(Some(5.0), Some(65.0), "1h");
        assert_eq!((span.from, span.until, span.range), (5.0, 65.0, None));
        assert_eq!(asked(None, None, "1h").from, 1e9 - HOUR);
        // Points are some seconds old, and a day is still a day.
        assert_eq!(asked(None, None, "").length, DAY);
        for (from, until) in [(65.0, 5.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 1e9)] {
            assert_eq!(
                asked(Some(from), Some(until), "").range,
                Some("24h"),
                "{from} {until}"
            );
        }
    }
}
