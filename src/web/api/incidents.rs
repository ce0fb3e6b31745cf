//! Calls about incidents and silences: what commands can do, programs can.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::json;
use skywatch_alerters::incident::Phase;
use skywatch_alerters::matcher::Selection;
use skywatch_alerters::schedule::Hours;
use skywatch_alerters::silence::{CompiledSilence, Silence};
use skywatch_alerters::{Severity, Subject};
use skywatch_settings::Pattern;

use super::problem::{ApiProblem, from_history};
use crate::dispatch::{Answer, Call, Reply, Request};
use crate::history::Filter;
use crate::net::calls::{ApiCall, may, must};
use crate::web::actions::{UNTIL_CHANGE, silence_of, silence_until_change};
use crate::web::commands::{ask, call};
use crate::web::site::{Site, SiteState};

/// Incidents of one answer, unless said, and at most.
const INCIDENTS: usize = 100;
const MOST_INCIDENTS: usize = 1_000;

pub(super) fn calls(site: &Arc<Site>) -> Vec<ApiCall> {
    let site = || Arc::clone(site);
    vec![
        ApiCall {
            method: Method::GET,
            path: "/api/v1/incidents",
            summary: "Incidents, newest first",
            query: vec![
                may("all", "boolean", "also those that are over"),
                may(
                    "name",
                    "string",
                    "only about subjects whose name this pattern picks",
                ),
                may(
                    "kind",
                    "string",
                    "only about `metric`, `entity`, `trace` or `component`",
                ),
                may(
                    "severity",
                    "string",
                    "at least so bad at its worst: `warning`, `critical`",
                ),
                may("since", "number", "not over before this, Unix seconds"),
                may("until", "number", "begun before this, Unix seconds"),
                may("before", "integer", "with smaller numbers only: the next page"),
                may(
                    "limit",
                    "integer",
                    "at most so many, 100 unless said, never more than 1,000",
                ),
            ],
            body: vec![],
            answer: "`incidents`",
            handler: get(list).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/incidents/{id}",
            summary: "One incident with the steps of its life and the notices about it",
            query: vec![],
            body: vec![],
            answer: "`incident`, `transitions`, `notices`",
            handler: get(one).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/incidents/{id}/causes",
            summary: "What moved with an incident, as it was worked out when it opened, or worked out now",
            query: vec![may(
                "now",
                "boolean",
                "work it out now, if it was not, from what the store holds",
            )],
            body: vec![],
            answer: "`subject`, `causes`: null where nothing was worked out; with `now` also `is_new`",
            handler: get(causes).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/incidents/{id}/acknowledge",
            summary: "Takes an incident: nothing more is said unless it becomes worse or comes back",
            query: vec![],
            body: vec![
                must("by", "string", "who takes it"),
                may("until_resolved", "boolean", "not a word until it is resolved"),
            ],
            answer: "the incident, as the call for one",
            handler: post(acknowledge).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/incidents/{id}/close",
            summary: "Closes an incident: nothing new begins about its subject unless it becomes worse",
            query: vec![],
            body: vec![must("by", "string", "who closes it")],
            answer: "the incident, as the call for one",
            handler: post(close).with_state(site()),
        },
        ApiCall {
            method: Method::GET,
            path: "/api/v1/silences",
            summary: "Silences",
            query: vec![may("all", "boolean", "also those that have ended")],
            body: vec![],
            answer: "`silences`, by number",
            handler: get(silences).with_state(site()),
        },
        ApiCall {
            method: Method::POST,
            path: "/api/v1/silences/add",
            summary: "Makes a silence from now on",
            query: vec![],
            body: vec![
                may("metrics", "array", "patterns, one of which must pick a subject"),
                may(
                    "incident",
                    "integer",
                    "one incident instead, with the length `change`",
                ),
                may(
                    "tags",
                    "array",
                    "tags that must hold: `dc=eu`, `dc!=eu`, `dc=~eu.*`",
                ),
                may("severity", "string", "only what is at least so severe"),
                may("detectors", "array", "only what one of these calls anomalous"),
                may(
                    "days",
                    "array",
                    "only on these days, again and again: `mon`, `sat-sun`",
                ),
                may(
                    "hours",
                    "string",
                    "only at these hours, again and again: `01:00-03:30`",
                ),
                may("zone", "string", "time zone of days and hours; UTC unless said"),
                must(
                    "length",
                    "string",
                    "`90m`, `2h`, `resolved`: until what it is over is resolved, or `change`: until the incident becomes more \
                     severe, goes to the other side of what is expected, meets another expected level, or is over",
                ),
                may("by", "string", "who asks for it"),
                may("reason", "string", "why"),
            ],
            answer: "201 and `silences`, the new one",
            handler: post(add_silence).with_state(site()),
        },
        ApiCall {
            method: Method::DELETE,
            path: "/api/v1/silences/{id}",
            summary: "Ends a silence before its time",
            query: vec![],
            body: vec![],
            answer: "204",
            handler: delete(end_silence).with_state(site()),
        },
    ]
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    name: String,
    kind: Option<String>,
    severity: Option<String>,
    since: Option<f64>,
    until: Option<f64>,
    before: Option<u64>,
    limit: Option<usize>,
}

async fn list(
    State(site): SiteState,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(query) = query?;
    let name = (!query.name.is_empty()).then(|| Pattern::parse(&query.name));
    let name = name
        .transpose()
        .map_err(|why| ApiProblem::bad(format!("the pattern is wrong: {why}")))?;
    let severity = query.severity.as_deref().map(|word| {
        Severity::parse(word).ok_or_else(|| ApiProblem::bad("`severity` is `info`, `warning` or `critical`"))
    });
    if let Some(kind) = &query.kind
        && Subject::of_kind(kind, String::new()).is_none()
    {
        return Err(ApiProblem::bad(
            "`kind` is `metric`, `entity`, `trace` or `component`",
        ));
    }
    let filter = Filter {
        phases: match query.all {
            true => Vec::new(),
            false => vec![Phase::Open, Phase::Acknowledged],
        },
        name,
        severity: severity.transpose()?,
        kind: query.kind,
        since: query.since,
        until: query.until,
        before: query.before,
        ..Filter::default()
    };
    let limit = query.limit.unwrap_or(INCIDENTS).min(MOST_INCIDENTS);
    let incidents = from_history(&site, move |history| history.incidents(&filter, limit)).await?;
    Ok(Json(json!({ "incidents": incidents })).into_response())
}

async fn one(State(site): SiteState, Path(id): Path<u64>) -> Result<Response, ApiProblem> {
    match ask(&site, Request::Incident { id }).await {
        Ok(reply) => Ok(Json(reply).into_response()),
        Err(crate::web::commands::NotDone::Refused(why)) => Err(ApiProblem::missing(why)),
        Err(not_done) => Err(not_done.into()),
    }
}

#[derive(Deserialize)]
struct CausesQuery {
    #[serde(default)]
    now: bool,
}

async fn causes(
    State(site): SiteState,
    Path(id): Path<u64>,
    query: Result<Query<CausesQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(CausesQuery { now }) = query?;
    if now {
        return match call(&site, Call::Causes { incident: id }).await? {
            Answer::Dispatcher {
                reply: Reply::Refused { why },
            } => Err(ApiProblem::missing(why)),
            answer => Ok(Json(answer).into_response()),
        };
    }
    match ask(&site, Request::Causes { id }).await {
        Ok(reply) => Ok(Json(reply).into_response()),
        Err(crate::web::commands::NotDone::Refused(why)) => Err(ApiProblem::missing(why)),
        Err(not_done) => Err(not_done.into()),
    }
}

#[derive(Deserialize)]
struct ByBody {
    by: String,
    #[serde(default)]
    until_resolved: bool,
}

async fn acknowledge(
    State(site): SiteState,
    Path(id): Path<u64>,
    body: Result<Json<ByBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Json(ByBody { by, until_resolved }) = body?;
    let request = Request::Acknowledge {
        id,
        by,
        until_resolved,
    };
    Ok(Json(ask(&site, request).await?).into_response())
}

async fn close(
    State(site): SiteState,
    Path(id): Path<u64>,
    body: Result<Json<ByBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Json(ByBody { by, .. }) = body?;
    Ok(Json(ask(&site, Request::Close { id, by }).await?).into_response())
}

#[derive(Deserialize)]
struct SilencesQuery {
    #[serde(default)]
    all: bool,
}

async fn silences(
    State(site): SiteState,
    query: Result<Query<SilencesQuery>, QueryRejection>,
) -> Result<Response, ApiProblem> {
    let Query(SilencesQuery { all }) = query?;
    Ok(Json(ask(&site, Request::Silences { all }).await?).into_response())
}

#[derive(Deserialize)]
struct SilenceBody {
    #[serde(default)]
    metrics: Vec<String>,
    incident: Option<u64>,
    #[serde(default)]
    tags: Vec<String>,
    severity: Option<Severity>,
    #[serde(default)]
    detectors: Vec<String>,
    #[serde(default, flatten)]
    week: Hours,
    length: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
}

impl SilenceBody {
    /// The silence that is asked for.
    fn silence(self) -> Result<Silence, ApiProblem> {
        let selects = !self.tags.is_empty() || self.severity.is_some() || !self.detectors.is_empty();
        let hours = Some(self.week).filter(|week| *week != Hours::default());
        match (self.incident, self.length.trim() == UNTIL_CHANGE) {
            (Some(incident), true) if self.metrics.is_empty() && !selects && hours.is_none() => {
                return Ok(silence_until_change(incident, &self.by, &self.reason));
            }
            (None, false) => {}
            _ => {
                return Err(ApiProblem::bad(
                    "`incident` goes with the length `change`, and with nothing else that selects",
                ));
            }
        }
        let plain =
            silence_of(self.metrics, &self.length, &self.by, &self.reason).map_err(ApiProblem::bad)?;
        let silence = Silence {
            selection: Selection {
                tags: self.tags,
                severity: self.severity,
                detectors: self.detectors,
                ..plain.selection
            },
            hours,
            ..plain
        };
        CompiledSilence::new(silence.clone()).map_err(ApiProblem::bad)?;
        Ok(silence)
    }
}

async fn add_silence(
    State(site): SiteState,
    body: Result<Json<SilenceBody>, JsonRejection>,
) -> Result<Response, ApiProblem> {
    let Json(body) = body?;
    let silence = Box::new(body.silence()?);
    let reply = ask(&site, Request::Silence { silence }).await?;
    let made = matches!(reply, Reply::Silences { .. });
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(reply)).into_response())
}
async fn end_silence(State(site): SiteState, Path(id): Path<u64>) -> Result<Response, ApiProblem> {
    match ask(&site, Request::EndSilence { id }).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(crate::web::commands::NotDone::Refused(why)) => Err(ApiProblem::missing(why)),
        Err(not_done) => Err(not_done.into()),
    }
}
