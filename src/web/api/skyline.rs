//! What tools that were written for Skyline's web application ask for.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use crate::net::routes::HttpRoute;
use crate::web::site::{Site, SiteState, at_once};

/// The routes of these tools.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    [
        HttpRoute::login("/api", get(series).with_state(Arc::clone(site))),
        HttpRoute::login("/anomalies.json", get(anomalies).with_state(Arc::clone(site))),
    ]
}

#[derive(Deserialize)]
struct SkylineQuery {
    metric: String,
}

/// `{"results": [[time, value], …]}`, the whole window; 404 with empty results where there is none.
async fn series(State(site): SiteState, Query(query): Query<SkylineQuery>) -> Response {
    let (mut windows, trouble) = site.reader.windows(vec![query.metric]).await;
    if let Some(why) = trouble {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "results": why }))).into_response();
    }
    match windows.pop().flatten() {
        Some(window) => {
            let points: Vec<(f64, f64)> = window.times.into_iter().zip(window.values).collect();
            Json(json!({ "results": points })).into_response()
        }
        None => {
            let why = "Error: no points are stored under this name";
            (StatusCode::NOT_FOUND, Json(json!({ "results": why }))).into_response()
        }
    }
}

/// `handle_data([[value, name], …])`, the anomalies of the last pass by name, as the page of Skyline loads them.
async fn anomalies(State(site): SiteState) -> Response {
    let answer = at_once(move || {
        let mut anomalies = site.analyzer().anomalies;
        anomalies.sort_by(|a, b| a.anomaly.name().cmp(b.anomaly.name()));
        let rows: Vec<_> = anomalies
            .iter()
            .map(|current| json!([current.anomaly.observed, current.anomaly.name()]))
            .collect();
        let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
        (kind, format!("handle_data({})", json!(rows))).into_response()
    });
    answer.await
}
