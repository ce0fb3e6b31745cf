//! Calls about what is watched beside metrics: traces, entities, and the subjects of the health plane.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use serde_json::json;

use super::problem::ApiProblem;
use crate::archive_file::ArchiveError;
use crate::health::PlaneSilent;
use crate::net::calls::{ApiCall, may};
use crate::traces::ArchiveReader;
use crate::web::entities::{self, HoursQuery};
use crate::web::health::{self, HealthQuery};
use crate::web::site::{Site, SiteState, of_a_page};
use crate::web::traces::TracesQuery;

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    vec![
        ApiCall::question(
            "/api/v1/traces",
            "Kept traces, newest first, at most 200",
            vec![
                may("all", "string", "anything: also those that are not anomalous"),
                may("of", "string", "only of this kind of request"),
                may(
                    "before",
                    "number",
                    "only kept before this, Unix seconds: the next page",
                ),
            ],
            "`traces`",
            get(traces).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/traces/{id}",
            "One kept trace",
            vec![],
            "the trace, in the form of which `skywatch traces` reads one a line",
            get(trace).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/entities",
            "Entities, the worst first",
            vec![],
            "`entities`",
            get(all_entities).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/entities/{name}",
            "One entity and its scores",
            vec![may("hours", "number", "how far back scores go, 24 unless said")],
            "`entity`, `scores`",
            get(entity).with_state(site()),
        ),
        ApiCall::question(
            "/api/v1/health",
            "What the health plane says of its subjects",
            vec![may("subject", "string", "only of this one, with all votes")],
            "`verdicts`, `changes`",
            get(plane).with_state(site()),
        ),
    ]
}

/// What is broken on our side: a file that cannot be read.
fn unreadable(error: &impl ToString) -> ApiProblem {
    ApiProblem::unavailable(error.to_string())
}

async fn traces(
    State(site): SiteState,
    query: Result<Query<TracesQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let archive = site.archive.clone();
    match of_a_page(&site, move || query.read(&archive)).await {
        Ok(Ok(traces)) => Ok(Json(json!({ "traces": traces })).into_response()),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(busy) => Ok(busy),
    }
}

async fn trace(State(site): SiteState, Path(id): Path<String>) -> Result<Response, ApiProblem> {
    let archive = site.archive.clone();
    match of_a_page(&site, move || ArchiveReader::open(&archive)?.trace(&id)).await {
        Ok(Ok(Some(document))) => Ok(Json(document).into_response()),
        Ok(Ok(None) | Err(ArchiveError::Missing { .. })) => {
            Err(ApiProblem::missing("no trace of this id is kept"))
        }
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(busy) => Ok(busy),
    }
}

async fn all_entities(State(site): SiteState) -> Result<Response, ApiProblem> {
    let asked = Arc::clone(&site);
    match of_a_page(&site, move || entities::list(&asked)).await {
        Ok(Ok(entities)) => Ok(Json(json!({ "entities": entities })).into_response()),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(busy) => Ok(busy),
    }
}

async fn entity(
    State(site): SiteState,
    Path(name): Path<String>,
    hours: Result<Query<HoursQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(hours) = hours?;
    let asked = Arc::clone(&site);
    match of_a_page(&site, move || entities::find(&asked, &name, hours)).await {
        Ok(Ok(Some((entity, scores)))) => {
            Ok(Json(json!({ "entity": entity, "scores": scores })).into_response())
        }
        Ok(Ok(None)) => Err(ApiProblem::missing("no entity of this name is watched")),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(busy) => Ok(busy),
    }
}

async fn plane(
    State(site): SiteState,
    query: Result<Query<HealthQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    match health::ask(&site, query.subject.as_deref()).await {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(silent @ PlaneSilent::Away(_)) => Err(ApiProblem::unavailable(silent.to_string())),
        Err(silent @ PlaneSilent::UnknownSubject(_)) => Err(ApiProblem::missing(silent.to_string())),
    }
}
