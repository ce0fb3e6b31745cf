//! What Grafana's data sources of the SimpleJSON kind ask for, and its annotations: metrics as they are stored, incidents as regions.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json as Body, State};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use skywatch_alerters::incident::Incident;
use skywatch_alerters::{Anomaly, units};
use skywatch_settings::Pattern;

use super::metrics::{FoundPoints, points_of};
use super::problem::ApiProblem;
use crate::clock::unix_now;
use crate::history::Filter;
use crate::net::routes::HttpRoute;
use crate::web::describe::of_history;
use crate::web::site::{Site, SiteState, of_a_page};

/// Names that a search offers: more than anybody scrolls through.
const OFFERED: usize = 200;
/// Metrics of one panel.
const PANEL: usize = 100;
/// Points of a metric where the panel does not say how wide it is.
const POINTS: usize = 1_000;
/// Incidents of one picture.
const INCIDENTS: usize = 500;

/// The routes of data sources: their address in Grafana is `…/grafana`.
pub(super) fn routes(site: &Arc<Site>) -> Vec<HttpRoute> {
    let site = || Arc::clone(site);
    // Asked by POST, as they have it, and nothing changes by it.
    vec![
        HttpRoute::login("/grafana", get(|| async { "Skywatch\n" })),
        HttpRoute::login("/grafana/", get(|| async { "Skywatch\n" })),
        HttpRoute::login("/grafana/search", post(search).with_state(site())),
        HttpRoute::login("/grafana/query", post(query).with_state(site())),
        HttpRoute::login("/grafana/annotations", post(annotations).with_state(site())),
    ]
}

#[derive(Deserialize)]
struct SearchBody {
    #[serde(default)]
    target: String,
}

/// Names that hold what was typed, or that a pattern picks.
async fn search(
    State(site): SiteState,
    body: Result<Body<SearchBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Body(SearchBody { target }) = body?;
    Ok(Json(names(&site, &target, OFFERED).await?).into_response())
}

async fn names(site: &Arc<Site>, text: &str, most: usize) -> Result<Vec<String>, ApiProblem> {
    let known = site.reader.names().await.map_err(ApiProblem::unavailable)?;
    let found = known.search(text.trim(), 0, most);
    let found = found.map_err(|why| ApiProblem::bad(format!("the pattern is wrong: {why}")))?;
    Ok(found.shown.iter().map(ToString::to_string).collect())
}

/// A stretch of time, Unix seconds; Grafana writes RFC 3339.
#[derive(Deserialize)]
struct TimeRange {
    #[serde(deserialize_with = "moment")]
    from: f64,
    #[serde(deserialize_with = "moment")]
    to: f64,
}

fn moment<'d, D: Deserializer<'d>>(from: D) -> Result<f64, D::Error> {
    let text = String::deserialize(from)?;
    let at: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
    Ok(at.as_millisecond() as f64 / 1e3)
}

#[derive(Deserialize)]
struct QueryBody {
    range: TimeRange,
    #[serde(rename = "maxDataPoints")]
    points: Option<usize>,
    #[serde(default)]
    targets: Vec<PanelTarget>,
}

#[derive(Deserialize)]
struct PanelTarget {
    /// A name, or a pattern; none for a line that is not filled in yet.
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    hide: bool,
}

/// `[{"target", "datapoints": [[value, milliseconds], …]}, …]`; a metric without points has none, and a panel shows that.
async fn query(
    State(site): SiteState,
    body: Result<Body<QueryBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Body(body) = body?;
    let (from, until) = (body.range.from, body.range.to);
    let most = body.points.unwrap_or(POINTS);
    let mut wanted: Vec<String> = Vec::new();
    for target in body.targets.into_iter().filter(|target| !target.hide) {
        let text = target.target.unwrap_or_default();
        let room = PANEL - wanted.len();
        match text.contains(['*', '?', '[', '{']) {
            true => wanted.extend(names(&site, &text, room).await?),
            false => wanted.extend((!text.is_empty() && room > 0).then_some(text)),
        }
    }
    let mut answer: Vec<Value> = Vec::with_capacity(wanted.len());
    let (windows, trouble) = site.reader.windows(wanted.clone()).await;
    if let Some(why) = trouble {
        return Err(ApiProblem::unavailable(why));
    }
    for (metric, window) in wanted.into_iter().zip(windows) {
        let window = window.unwrap_or_default();
        let Some(FoundPoints { points, .. }) =
            points_of(&site, &metric, window, (Some(from), until), most).await?
        else {
            continue;
        };
        let rows = points.times.iter().zip(&points.values);
        let rows: Vec<_> = rows.map(|(time, value)| json!([value, millis(*time)])).collect();
        answer.push(json!({ "target": metric, "datapoints": rows }));
    }
    Ok(Json(answer).into_response())
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

#[derive(Deserialize)]
struct AnnotationsBody {
    range: TimeRange,
    /// Given back with each of its annotations.
    #[serde(default)]
    annotation: Value,
}

/// Incidents that were open in that time, each a region; with a `query` only those whose subject's name it picks.
async fn annotations(
    State(site): SiteState,
    body: Result<Body<AnnotationsBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Body(AnnotationsBody { range, annotation }) = body?;
    let (from, until) = (range.from, range.to);
    let name = annotation["query"]
        .as_str()
        .filter(|text| !text.trim().is_empty());
    let name = name.map(|text| Pattern::parse(text.trim())).transpose();
    let filter = Filter {
        name: name.map_err(|why| ApiProblem::bad(format!("the pattern is wrong: {why}")))?,
        since: Some(from),
        ..Filter::default()
    };
    let asked = Arc::clone(&site);
    let read = of_a_page(&site, move || {
        of_history(&asked.history, |history| history.incidents(&filter, INCIDENTS))
    });
    let incidents = match read.await {
        Ok((incidents, None)) => incidents,
        Ok((_, Some(why))) => return Err(ApiProblem::unavailable(why)),
        Err(busy) => return Ok(busy),
    };
    let shown = incidents.iter().filter(|incident| incident.since <= until);
    let regions: Vec<_> = shown.map(|incident| region(incident, &annotation)).collect();
    Ok(Json(regions).into_response())
}

/// What its finder says, else what was seen and expected.
fn what_of(anomaly: &Anomaly) -> String {
    if !anomaly.sentence.is_empty() {
        return anomaly.sentence.clone();
    }
    let observed = units::number(anomaly.observed);
    anomaly.expected.map_or_else(
        || observed.clone(),
        |expected| {
            let [low, high] = [expected.low, expected.high].map(units::number);
            format!("{observed}, expected {low} to {high}")
        },
    )
}

fn region(incident: &Incident, annotation: &Value) -> Value {
    let end = incident.closed_at.unwrap_or_else(unix_now);
    json!({
        "annotation": annotation,
        "time": millis(incident.since),
        "timeEnd": millis(end.max(incident.since)),
        "isRegion": true,
        "title": incident.subject.name(),
        "text": what_of(&incident.anomaly),
        "tags": [incident.severity.as_str(), incident.phase.as_str(), incident.subject.kind().name],
    })
}
