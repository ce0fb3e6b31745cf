//! Calls about the state of the whole.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::{ApiProblem, from_history};
use crate::clock::unix_now;
use crate::dispatch::{Answer, Call, Reply};
use crate::net::calls::{ApiCall, may};
use crate::web::commands::{NotDone, OTHER_VERSION, call};
use crate::web::site::{Site, SiteState, at_once};

/// Seconds of passes that are listed unless said.
const PAST: f64 = 86_400.0;

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    vec![
        ApiCall {
            method: Method::GET,
            path: "/api/v1/status",
            summary: "What each role has last said, and what is wrong",
            query: vec![],
            body: vec![],
            answer: "`analyzer`, `ingest`, `health`, `traces`, `entities`, `events`, `dispatch`, and `ailments`, each in a sentence: none when all is well",
            handler: get(status).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/anomalies",
            summary: "What the last pass found, worst first, at most a thousand",
            query: vec![],
            body: vec![],
            answer: "`at` of the pass, `is_current` while that says something about now, `anomalies`",
            handler: get(anomalies).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/passes",
            summary: "Passes, those of earlier hours together",
            query: vec![
                may("from", "number", "Unix seconds; a day ago unless said"),
                may("until", "number", "Unix seconds; now unless said"),
            ],
            body: vec![],
            answer: "`passes`, oldest first",
            handler: get(passes).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/reload",
            summary: "Has settings read anew",
            query: vec![],
            body: vec![],
            answer: "`applied`, keys whose new values are in force, and `restart`, those that take a restart; 409 if settings are wrong and those before stay in force",
            handler: post(reload).with_state(site()),
        },
    ]
}

async fn status(State(site): SiteState) -> Response {
    let answer = at_once(move || {
        let (analyzer, ingest) = (site.analyzer(), site.ingest());
        let ailments = analyzer.ailments(unix_now());
        let (health, traces, events) = (site.health(), site.traces(), site.events());
        let all = json!({
            "analyzer": analyzer, "ingest": ingest, "health": health, "traces": traces,
            "entities": site.entities(), "events": events, "dispatch": site.dispatch(), "ailments": ailments,
        });
        Json(all).into_response()
    });
    answer.await
}

async fn anomalies(State(site): SiteState) -> Response {
    let answer = at_once(move || {
        let analyzer = site.analyzer();
        let now = unix_now();
        let body = json!({
            "at": analyzer.pass.as_ref().map(|pass| pass.at),
            "is_current": analyzer.pass.is_some() && analyzer.trouble.is_none() && !analyzer.is_quiet(now),
            "anomalies": analyzer.anomalies,
        });
        Json(body).into_response()
    });
    answer.await
}

async fn reload(State(site): SiteState) -> Result<Response, ApiProblem> {
    match call(&site, Call::Reload).await? {
        Answer::Reloaded { reload } => match reload.refused {
            Some(why) => Err(NotDone::Refused(why).into()),
            None => Ok(Json(json!({"applied": reload.applied, "restart": reload.restart})).into_response()),
        },
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => Err(ApiProblem::unavailable(why)),
        _ => Err(ApiProblem::unavailable(OTHER_VERSION)),
    }
}

#[derive(Deserialize)]
struct PassesQuery {
    from: Option<f64>,
    until: Option<f64>,
}

async fn passes(
    State(site): SiteState,
    query: Result<Query<PassesQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let now = unix_now();
    let (from, until) = (query.from.unwrap_or(now - PAST), query.until.unwrap_or(now + 1.0));
    let passes = from_history(&site, move |history| history.passes(from, until)).await?;
    let passes: Vec<Value> = passes
        .iter()
        .map(|row| {
            json!({
                "at": row.at, "passes": row.passes, "metrics": row.metrics, "analyzed": row.analyzed,
                "anomalies": row.anomalies, "seconds": row.seconds, "longest": row.longest,
            })
        })
        .collect();
    Ok(Json(json!({ "passes": passes })).into_response())
}
