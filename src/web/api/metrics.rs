//! Calls about metrics: names, points, why one is quiet.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use skywatch_algorithms::Series;

use super::problem::ApiProblem;
use crate::clock::unix_now;
use crate::dispatch::Call;
use crate::net::calls::{ApiCall, may, must};
use crate::web::commands;
use crate::web::describe::{thinned, thinned_places};
use crate::web::metric::hours_as_series;
use crate::web::site::{Site, SiteState, of_a_page};

/// Names of one answer, unless said, and at most.
const NAMES: usize = 100;
const MOST_NAMES: usize = 10_000;
/// Points of one answer, unless said, and at most.
const POINTS: usize = 1_000;
const MOST_POINTS: usize = 20_000;

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    vec![
        ApiCall {
            method: Method::GET,
            path: "/api/v1/metrics",
            summary: "Names of metrics, in their order",
            query: vec![
                may(
                    "q",
                    "string",
                    "words that names hold, or a pattern; all names without it",
                ),
                may(
                    "skip",
                    "integer",
                    "how many to leave out: those of the pages before",
                ),
                may(
                    "limit",
                    "integer",
                    "at most so many, 100 unless said, never more than 10,000",
                ),
            ],
            body: vec![],
            answer: "`metrics`, and `total`, how many there are on all pages together",
            handler: get(metrics).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/series",
            summary: "Points of a metric: those of its window, before them the lowest and highest value of each hour",
            query: vec![
                must("metric", "string", "its full name"),
                may(
                    "from",
                    "number",
                    "Unix seconds; where the window begins, unless said",
                ),
                may("until", "number", "Unix seconds; now unless said"),
                may(
                    "points",
                    "integer",
                    "at most so many, 1,000 unless said: of each stretch the least and the largest",
                ),
                may(
                    "step",
                    "number",
                    "or: of each so many seconds the least and the largest",
                ),
                may(
                    "scores",
                    "boolean",
                    "also what was said of the points of the window, as it is set now",
                ),
            ],
            body: vec![],
            answer: "`metric`, `points`, each `[time, value]`, and `hourly_until`, before which they are of hours; with scores \
                     `judged`, each `[time, value, score, low, high]`, and `rate` where values are what a counter added",
            handler: get(series).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/explain",
            summary: "All that is known of a metric, and who would be told of it",
            query: vec![must("metric", "string", "its full name")],
            body: vec![],
            answer: "as `skywatch explain --json`",
            handler: get(explain).with_state(site()),
        },
    ]
}

#[derive(Deserialize)]
struct MetricsQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    skip: usize,
    limit: Option<usize>,
}

async fn metrics(
    State(site): SiteState,
    query: Result<Query<MetricsQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let names = site.reader.names().await.map_err(ApiProblem::unavailable)?;
    let limit = query.limit.unwrap_or(NAMES).min(MOST_NAMES);
    let found = of_a_page(&site, move || {
        let found = names.search(query.q.trim(), query.skip, limit);
        found.map(|found| json!({ "metrics": found.shown, "total": found.total }))
    });
    match found.await {
        Ok(Ok(found)) => Ok(Json(found).into_response()),
        Ok(Err(why)) => Err(ApiProblem::bad(format!("the pattern is wrong: {why}"))),
        Err(response) => Ok(response),
    }
}

#[derive(Deserialize)]
struct SeriesQuery {
    metric: String,
    from: Option<f64>,
    until: Option<f64>,
    points: Option<usize>,
    step: Option<f64>,
    #[serde(default)]
    scores: bool,
}

impl SeriesQuery {
    /// How many points at most, of a stretch of so many seconds.
    fn most(&self, length: f64) -> Result<usize, ApiProblem> {
        match self.step {
            None => Ok(self.points.unwrap_or(POINTS)),
            Some(step) if step > 0.0 && step.is_finite() => Ok((2.0 * length / step).ceil() as usize),
            Some(_) => Err(ApiProblem::bad("`step` is not a number of seconds above 0")),
        }
    }
}

async fn series(
    State(site): SiteState,
    query: Result<Query<SeriesQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let until = query.until.unwrap_or_else(unix_now);
    if query.from.is_some_and(|from| from >= until) {
        return Err(ApiProblem::bad("`from` is not before `until`"));
    }
    let (mut windows, trouble) = site.reader.windows(vec![query.metric.clone()]).await;
    if let Some(why) = trouble {
        return Err(ApiProblem::unavailable(why));
    }
    let window = windows.pop().flatten().unwrap_or_default();
    let begins = query.from.or(window.times.first().copied());
    let most = query.most(until - begins.unwrap_or(until))?;
    let judged = match query.scores {
        true => judged(&site, &query.metric, &window, (begins, until), most).await?,
        false => None,
    };
    let found = points_of(&site, &query.metric, window, (query.from, until), most).await?;
    let found = found.ok_or_else(|| ApiProblem::missing("no points are stored under this name"))?;
    let points: Vec<(f64, f64)> = found.points.times.into_iter().zip(found.points.values).collect();
    let mut body = json!({ "metric": query.metric, "points": points, "hourly_until": found.hourly_until });
    if let Some((rate, rows)) = judged {
        (body["rate"], body["judged"]) = (rate.into(), rows.into());
    }
    Ok(Json(body).into_response())
}

/// What is said of the points of a window between two moments (Unix seconds), and whether what a counter added was judged.
async fn judged(
    site: &Arc<Site>,
    metric: &str,
    window: &Series,
    (from, until): (Option<f64>, f64),
    most: usize,
) -> Result<Option<(bool, Vec<Value>)>, ApiProblem> {
    let hours = site.reader.hours(metric.to_owned()).await;
    let hours = hours.map_err(ApiProblem::unavailable)?;
    let (asked, metric, window) = (Arc::clone(site), metric.to_owned(), window.clone());
    let replayed = of_a_page(site, move || asked.replay(&metric, &window, &hours)).await;
    let busy = |_| ApiProblem::unavailable("too many ask at once, or a disk does not answer");
    let Some(replayed) = replayed.map_err(busy)? else {
        return Ok(None);
    };
    let from = from.unwrap_or(f64::NEG_INFINITY);
    let part = replayed.times.partition_point(|time| *time < from)
        ..replayed.times.partition_point(|time| *time <= until);
    let values = Series {
        times: replayed.times[part.clone()].to_vec(),
        values: replayed.values[part.clone()].to_vec(),
    };
    let places = thinned_places(&values, most.clamp(2, MOST_POINTS) / 2);
    // What is no number is null in JSON.
    let rows = places.into_iter().map(|place| {
        let at = part.start + place;
        json!([
            replayed.times[at],
            replayed.values[at],
            replayed.scores[at],
            replayed.low[at],
            replayed.high[at],
        ])
    });
    Ok(Some((replayed.is_rate, rows.collect())))
}

/// Points of a metric.
pub(super) struct FoundPoints {
    pub(super) points: Series,
    /// Unix seconds before which they are of hours, if any are.
    pub(super) hourly_until: Option<f64>,
}

/// Points of a metric between two moments (Unix seconds; from where its window begins unless said), those of hours before its window,
/// and of each stretch the least and the largest where there are more than `most`; none if nothing is stored of it.
pub(super) async fn points_of(
    site: &Site,
    metric: &str,
    window: Series,
    (from, until): (Option<f64>, f64),
    most: usize,
) -> Result<Option<FoundPoints>, ApiProblem> {
    let begins = window.times.first().copied();
    let wants_hours = match (from, begins) {
        (Some(from), Some(begins)) => from < begins,
        (from, None) => from.is_some(),
        (None, Some(_)) => false,
    };
    let mut all = Series::default();
    if wants_hours {
        let hours = site.reader.hours(metric.to_owned()).await;
        let hours = hours.map_err(ApiProblem::unavailable)?;
        let last = begins.unwrap_or(f64::INFINITY);
        let past = hours_as_series(&hours, from.unwrap_or(0.0), until.min(last));
        let before = past.times.partition_point(|time| *time < last);
        all.times.extend_from_slice(&past.times[..before]);
        all.values.extend_from_slice(&past.values[..before]);
    }
    if all.is_empty() && window.is_empty() {
        return Ok(None);
    }
    let hourly_until = (!all.is_empty()).then(|| begins.unwrap_or(until));
    let from = from.unwrap_or(f64::NEG_INFINITY);
    for (&time, &value) in window.times.iter().zip(&window.values) {
        if time >= from && time <= until {
            all.push(time, value);
        }
    }
    Ok(Some(FoundPoints {
        points: thinned(&all, most.clamp(2, MOST_POINTS) / 2),
        hourly_until,
    }))
}

#[derive(Deserialize)]
struct ExplainQuery {
    metric: String,
}

async fn explain(
    State(site): SiteState,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(ExplainQuery { metric }) = query?;
    let answer = commands::call(&site, Call::Explain { metric }).await?;
    Ok(Json(answer).into_response())
}
