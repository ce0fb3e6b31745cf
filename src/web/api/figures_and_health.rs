//! What monitoring asks: `/metrics` and `/healthz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use skywatch_alerters::units;

use crate::clock::unix_now;
use crate::net::routes::{HttpRoute, RouteAccess};
use crate::web::figures;
use crate::web::site::{Site, SiteState, at_once, failed};

/// The routes of monitoring.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    let site = || Arc::clone(site);
    [
        HttpRoute::login("/metrics", get(metrics).with_state(site())),
        HttpRoute {
            path: "/healthz",
            access: RouteAccess::Open,
            handler: get(healthz).with_state(site()),
        },
    ]
}

async fn metrics(State(site): SiteState) -> Response {
    let answer = at_once(move || {
        let now = unix_now();
        match figures::text(&site.reports(), now) {
            Ok(text) => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Err(error) => failed(&error),
        }
    });
    answer.await
}

/// 200 while passes come and find what they should; 503 with the reasons, a line each, when they do not.
async fn healthz(State(site): SiteState) -> Response {
    let answer = at_once(move || {
        let mut why = site.analyzer().ailments(unix_now());
        if let Some((since, held_up)) = site.ingest().held_up {
            let waited = units::length(unix_now() - since);
            why.push(format!("points have waited for {waited}: {held_up}"));
        }
        if why.is_empty() {
            return "ok".into_response();
        }
        (StatusCode::SERVICE_UNAVAILABLE, why.join("\n")).into_response()
    });
    answer.await
}
