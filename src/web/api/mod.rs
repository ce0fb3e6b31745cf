//! What programs ask for: `/metrics`, `/healthz`, and the interface under `/api/v1`.
//!
//! A call is a line of a table: method, path, what it is for, what it takes, and its handler. Routes and the OpenAPI document
//! are both made from these tables, so neither can say what the other does not.

mod commands;
mod figures_and_health;
mod found;
mod grafana;
mod incidents;
mod metrics;
mod past;
mod problem;
mod skyline;
mod state;
#[cfg(feature = "learned")]
mod studies;
mod trials;

use std::sync::Arc;

use super::site::Site;
use crate::net::calls::ApiCall;
use crate::net::openapi;
use crate::net::routes::HttpRoute;

/// Every call under `/api/v1`.
fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let mut calls = state::calls(site);
    calls.extend(metrics::calls(site));
    calls.extend(incidents::calls(site));
    calls.extend(found::calls(site));
    calls.extend(trials::calls(site));
    calls.extend(past::calls(site));
    calls.extend(commands::calls(site));
    #[cfg(feature = "learned")]
    calls.extend(studies::calls(site));
    calls
}

/// The routes of programs.
pub(super) fn routes(site: &Arc<Site>) -> Vec<HttpRoute> {
    let calls = calls(site);
    let document = openapi::document(&calls);
    let mut routes: Vec<HttpRoute> = calls.into_iter().map(ApiCall::into_route).collect();
    routes.push(openapi::route(document));
    routes.extend(figures_and_health::routes(site));
    routes.extend(skyline::routes(site));
    routes.extend(grafana::routes(site));
    routes
}
