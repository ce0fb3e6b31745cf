//! Calls for what else commands do: routes and receivers tried, notices tried again, jobs and models.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use skywatch_alerters::Severity;

use super::problem::ApiProblem;
use crate::dispatch::{Answer, Call, Reply, Request, Which};
use crate::net::calls::{ApiCall, may, must};
use crate::web::commands::{OTHER_VERSION, ask, call};
use crate::web::site::{Site, SiteState};

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    let chosen = || {
        vec![
            may("id", "string", "one notice"),
            may("receiver", "string", "or all of this receiver"),
            may("all", "boolean", "or all"),
        ]
    };
    vec![
        ApiCall {
            method: Method::GET,
            path: "/api/v1/route-test",
            summary: "Which routes an anomaly would take, and who would be told",
            query: vec![
                must("metric", "string", "its full name"),
                may(
                    "severity",
                    "string",
                    "`info`, `warning` or `critical`; `warning` unless said",
                ),
                may(
                    "detectors",
                    "string",
                    "those that would call it anomalous, with commas; all unless said",
                ),
            ],
            body: vec![],
            answer: "`tried`, each route looked at, and `prospects`",
            handler: get(route_test).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/alert-test",
            summary: "Sends a test notice to everybody a route leads to",
            query: vec![],
            body: vec![
                must("route", "string", "its name, or a receiver's"),
                must("by", "string", "who asks"),
            ],
            answer: "`receivers`, each with its `error` if it did not take it",
            handler: post(alert_test).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/notices/retry",
            summary: "Tries notices again that reached nobody",
            query: vec![],
            body: chosen(),
            answer: "`count`, how many",
            handler: post(|state, body| notices(state, body, true)).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/notices/drop",
            summary: "Takes notices off the list of those that reached nobody",
            query: vec![],
            body: chosen(),
            answer: "`count`, how many",
            handler: post(|state, body| notices(state, body, false)).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/events",
            summary: "What was counted of events for other programs",
            query: vec![],
            body: vec![],
            answer: "`at`, and `counters` by name",
            handler: get(events).with_state(site()),
        },
    ]
}

#[derive(Deserialize)]
struct RouteQuery {
    metric: String,
    severity: Option<String>,
    #[serde(default)]
    detectors: String,
}

async fn route_test(
    State(site): SiteState,
    query: Result<Query<RouteQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let severity = match query.severity.as_deref() {
        None => Severity::Warning,
        Some(word) => Severity::parse(word)
            .ok_or_else(|| ApiProblem::bad("`severity` is `info`, `warning` or `critical`"))?,
    };
    let detectors = query.detectors.split(',').map(str::trim);
    let request = Request::RouteTest {
        metric: query.metric,
        severity,
        detectors: detectors
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    Ok(Json(ask(&site, request).await?).into_response())
}

#[derive(Deserialize)]
struct AlertTestBody {
    route: String,
    by: String,
}

async fn alert_test(
    State(site): SiteState,
    body: Result<Json<AlertTestBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Json(AlertTestBody { route, by }) = body?;
    match call(&site, Call::AlertTest { route, by }).await? {
        Answer::Tested { receivers } => Ok(Json(json!({ "receivers": receivers })).into_response()),
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => Err(ApiProblem::missing(why)),
        _ => Err(ApiProblem::unavailable(OTHER_VERSION)),
    }
}

#[derive(Deserialize)]
struct ChosenBody {
    id: Option<String>,
    receiver: Option<String>,
    #[serde(default)]
    all: bool,
}

async fn notices(
    State(site): SiteState,
    body: Result<Json<ChosenBody>, JsonRejection>,
    retry: bool,
) -> Result<Response, ApiProblem> {
    let Json(body) = body?;
    let which = match (body.id, body.receiver, body.all) {
        (Some(id), None, false) => Which::One(id),
        (None, Some(receiver), false) => Which::Of(receiver),
        (None, None, true) => Which::All,
        _ => return Err(ApiProblem::bad("give one of `id`, `receiver` and `all`")),
    };
    match ask(&site, Request::Notices { which, retry }).await? {
        Reply::Done { count: 0 } => Err(ApiProblem::missing(
            "there is no such notice among those that reached nobody",
        )),
        reply => Ok(Json(reply).into_response()),
    }
}

async fn events(State(site): SiteState) -> Response {
    let events = site.events();
    let counters: serde_json::Map<_, _> = events
        .counters
        .into_iter()
        .map(|(name, count)| (name, count.into()))
        .collect();
    Json(json!({ "at": events.at, "counters": counters })).into_response()
}
