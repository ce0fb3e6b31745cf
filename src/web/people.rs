//! The pages people read: what they ask for, and what it takes to draw it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;

use super::incidents::IncidentsPage;
use super::pages;
use super::site::{Site, SiteState, of_a_page, page};
use crate::net::routes::{HttpRoute, RouteAccess};

/// The routes of people.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 3] {
    let site = || Arc::clone(site);
    [
        HttpRoute {
            path: "/",
            access: RouteAccess::Login,
            handler: get(now).with_state(site()),
        },
        HttpRoute {
            path: "/metric",
            access: RouteAccess::Login,
            handler: get(metric).with_state(site()),
        },
        HttpRoute {
            path: "/incidents",
            access: RouteAccess::Login,
            handler: get(incidents).with_state(site()),
        },
    ]
}

async fn now(State(site): SiteState) -> Response {
    let asked = Arc::clone(&site);
    let status = match of_a_page(&site, move || asked.analyzer()).await {
        Ok(status) => status,
        Err(response) => return response,
    };
    let anomalies = status.anomalies.iter().take(pages::CHARTS);
    let names = anomalies
        .map(|current| current.anomaly.name().to_owned())
        .collect();
    let (windows, trouble) = site.reader.read(names).await;
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        page(asked.pages.now(
            &status,
            &asked.ingest(),
            &asked.store,
            &windows,
            trouble.as_deref(),
        ))
    });
    drawn.await.unwrap_or_else(|response| response)
}

/// `?name=`, the metric's full name.
#[derive(Deserialize)]
struct MetricQuery {
    name: String,
}

async fn metric(State(site): SiteState, query: Query<MetricQuery>) -> Response {
    let (mut windows, trouble) = site.reader.read(vec![query.name.clone()]).await;
    let window = windows.pop().flatten();
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let found = window.is_some() || trouble.is_some();
        let answer = asked.pages.metric(
            &query.name,
            &asked.analyzer(),
            window.as_ref(),
            trouble.as_deref(),
        );
        let status = if found {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        (status, page(answer)).into_response()
    });
    drawn.await.unwrap_or_else(|response| response)
}

/// `?all=1` also those that are over, `?before=17` the page behind number 17.
#[derive(Deserialize)]
struct IncidentsQuery {
    all: Option<String>,
    before: Option<u64>,
}

async fn incidents(State(site): SiteState, query: Query<IncidentsQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let shown = IncidentsPage::read(&asked.history, query.all.is_some(), query.before);
        page(asked.pages.incidents(&asked.analyzer(), &shown))
    });
    drawn.await.unwrap_or_else(|response| response)
}
