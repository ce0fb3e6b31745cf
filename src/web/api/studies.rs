//! Calls about trainings and models.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::ApiProblem;
use crate::dispatch::{Answer, Call, MODELS_LISTED, Reply, Study};
use crate::net::calls::{ApiCall, may};
use crate::web::commands::{OTHER_VERSION, call};
use crate::web::site::{Site, SiteState};

/// Jobs of one answer, unless said, and at most.
const JOBS: usize = 50;
const MOST_JOBS: usize = 1_000;

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    let version = || {
        may(
            "version",
            "string",
            "the one that serves, or the one before it, unless said",
        )
    };
    vec![
        ApiCall {
            method: Method::GET,
            path: "/api/v1/jobs",
            summary: "What trainers have done, do and are to do, newest first",
            query: vec![may(
                "limit",
                "integer",
                "at most so many, 50 unless said, never more than 1,000",
            )],
            body: vec![],
            answer: "`place` of the queue, `jobs`",
            handler: get(jobs).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/jobs/{id}/retry",
            summary: "Tries a job again that was given up",
            query: vec![],
            body: vec![],
            answer: "`lines`, what there is to say",
            handler: post(retry).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/train",
            summary: "Enqueues a training for whichever trainer is free: of all families, or of one model",
            query: vec![],
            body: vec![
                may("model", "string", "its name; all families unless said"),
                may("metrics", "array", "what the model is made of"),
            ],
            answer: "201 and `lines`: the job's id",
            handler: post(train).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/models",
            summary: "Models, at most 200 of them",
            query: vec![may("name", "string", "only this one")],
            body: vec![],
            answer: "`place`, `models`: `name`, `versions`, `serving`, `before` (what a rollback takes), `card`, `trouble`; `more`, how many are left out",
            handler: get(models).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/models/{name}",
            summary: "The card of a model",
            query: vec![version()],
            body: vec![],
            answer: "the card",
            handler: get(model).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/models/{name}/rollback",
            summary: "Lets an earlier version of a model serve again",
            query: vec![version()],
            body: vec![],
            answer: "`lines`, what serves now",
            handler: post(roll_back).with_state(site()),
        },
    ]
}

async fn study(site: &Arc<Site>, study: Study) -> Result<Answer, ApiProblem> {
    match call(site, Call::Study { study }).await? {
        Answer::Dispatcher {
            reply: Reply::Refused { why },
        } => Err(ApiProblem::missing(why)),
        answer => Ok(answer),
    }
}

/// What is there to say for people.
async fn lines(site: &Arc<Site>, asked: Study) -> Result<Vec<String>, ApiProblem> {
    match study(site, asked).await? {
        Answer::Lines { lines } => Ok(lines),
        _ => Err(ApiProblem::unavailable(OTHER_VERSION)),
    }
}

#[derive(Deserialize)]
struct JobsQuery {
    limit: Option<usize>,
}

async fn jobs(
    State(site): SiteState,
    query: Result<Query<JobsQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(JOBS).min(MOST_JOBS);
    match study(&site, Study::Jobs { limit }).await? {
        Answer::Jobs { place, jobs } => Ok(Json(json!({ "place": place, "jobs": jobs })).into_response()),
        _ => Err(ApiProblem::unavailable(OTHER_VERSION)),
    }
}

async fn retry(State(site): SiteState, Path(id): Path<String>) -> Result<Response, ApiProblem> {
    let lines = lines(&site, Study::RetryJob { id }).await?;
    Ok(Json(json!({ "lines": lines })).into_response())
}

#[derive(Deserialize)]
struct TrainBody {
    model: Option<String>,
    #[serde(default)]
    metrics: Vec<String>,
}

async fn train(
    State(site): SiteState,
    body: Result<Json<TrainBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Json(TrainBody { model, metrics }) = body?;
    if model.is_some() == metrics.is_empty() {
        return Err(ApiProblem::bad(
            "a model is made of metrics: give both or none of them",
        ));
    }
    let lines = lines(&site, Study::Train { model, metrics }).await?;
    Ok((StatusCode::CREATED, Json(json!({ "lines": lines }))).into_response())
}

#[derive(Deserialize)]
struct ModelsQuery {
    name: Option<String>,
}

async fn models(
    State(site): SiteState,
    query: Result<Query<ModelsQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let listings = Study::Listings {
        only: query.name,
        limit: MODELS_LISTED,
    };
    match study(&site, listings).await? {
        Answer::Models { place, models, more } => {
            Ok(Json(json!({ "place": place, "models": models, "more": more })).into_response())
        }
        _ => Err(ApiProblem::unavailable(OTHER_VERSION)),
    }
}

#[derive(Deserialize)]
struct VersionQuery {
    version: Option<String>,
}

async fn model(
    State(site): SiteState,
    Path(model): Path<String>,
    query: Result<Query<VersionQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(VersionQuery { version }) = query?;
    let text = lines(&site, Study::Model { model, version }).await?.concat();
    let card: Value = serde_json::from_str(&text).map_err(|_| ApiProblem::unavailable(OTHER_VERSION))?;
    Ok(Json(card).into_response())
}

async fn roll_back(
    State(site): SiteState,
    Path(model): Path<String>,
    query: Result<Query<VersionQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(VersionQuery { version }) = query?;
    let lines = lines(&site, Study::RollBack { model, version }).await?;
    Ok(Json(json!({ "lines": lines })).into_response())
}
