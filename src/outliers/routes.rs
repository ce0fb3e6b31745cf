//! What is asked over HTTP: outliers, addresses, the interface described, figures, whether it lives.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::Value;
use skywatch_settings::Outliers;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::addresses::AddressFields;
use super::counters::{OutlierCounters, OutlierEvent};
use super::failure::{FailureReason, OutlierFailure};
use super::judge::Judge;
use super::request::{OutlierFields, OutlierRequest, fields};
use super::sensor_models::SensorModels;
use super::source::OutlierSources;
use crate::net::calls::{ApiCall, ApiParameter, may};
use crate::net::guard::is_of_a_page;
use crate::net::openapi;
use crate::net::routes::{HttpRoute, RouteAccess};
use crate::panics;
use crate::sources::druid::Timeseries;

/// How long a request waits for its turn: longer than a burst of clients takes, shorter than they wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What every request shares.
pub(super) struct OutlierService {
    pub(super) settings: Outliers,
    pub(super) sources: OutlierSources,
    pub(super) models: SensorModels,
    pub(super) counters: OutlierCounters,
    /// As many as may judge at the same time.
    pub(super) judging: Arc<Semaphore>,
    /// As many as may wait for a source at the same time.
    pub(super) fetching: Arc<Semaphore>,
}

type ServiceState = State<Arc<OutlierService>>;

/// What a request has become once it is read.
enum Read {
    /// It brought its rows, and is judged.
    Judged(Vec<u8>),
    /// Its rows are to be fetched.
    ToFetch(Box<OutlierRequest>, Judge),
}

/// All that is served.
pub(super) fn routes(service: &Arc<OutlierService>) -> Vec<HttpRoute> {
    let calls = calls(service);
    let document = openapi::document_with_forms(&calls);
    let mut routes: Vec<HttpRoute> = calls
        .into_iter()
        // Nothing is changed by them, and programs say nothing of an origin.
        .map(|call| HttpRoute::login(call.path, call.handler))
        .collect();
    routes.push(openapi::route(document));
    routes.push(HttpRoute::login(
        "/metrics",
        get(metrics).with_state(Arc::clone(service)),
    ));
    routes.push(HttpRoute {
        path: "/healthz",
        access: RouteAccess::Open,
        handler: get(|| async { "ok" }),
    });
    routes
}

fn calls(service: &Arc<OutlierService>) -> Vec<ApiCall> {
    let body = || {
        vec![
            may(
                "query",
                "string",
                "base64 of a Druid timeseries query; in JSON also the query itself",
            ),
            may(
                "data",
                "string",
                "base64 of rows as Druid answers them, in place of the query's; in JSON also the list itself",
            ),
            may(
                "model",
                "string",
                "base64 of the name of a model, for queries whose filter names no sensor that has one",
            ),
            may(
                "metric",
                "string",
                "the column that is judged, or whose expected values are told",
            ),
            may(
                "detector",
                "string",
                "`scales` or `forest`: judged by this, not by a model",
            ),
            may("sensitivity", "number", "of `forest`, 0 to 1"),
        ]
    };
    let outliers = |path, summary| ApiCall {
        method: Method::POST,
        path,
        summary,
        query: vec![],
        body: body(),
        answer: "`status`, `anomalies`, `predicted` (and the same as `prediction`), `metric`, `model`, `left_out`",
        handler: post(outliers).with_state(Arc::clone(service)),
    };
    vec![
        outliers(
            "/api/v1/outliers",
            "Outliers among the rows of a query, or among rows sent along",
        ),
        outliers(
            "/calculate",
            "The same, under the name that the documentation of rb-aioutliers has",
        ),
        ApiCall {
            method: Method::POST,
            path: "/api/v1/ip_identifier",
            summary: "Which addresses caused outliers",
            query: vec![],
            body: address_body(),
            answer: "`ips`, one for each outlier: `caused_by` and `ranking`",
            handler: post(addresses).with_state(Arc::clone(service)),
        },
    ]
}

fn address_body() -> Vec<ApiParameter> {
    vec![
        may(
            "payload",
            "string",
            "JSON of an object with `outliers` and `all_ips_data`; in JSON these may stand by themselves",
        ),
        may(
            "compat",
            "string",
            "`string`: the answer as a JSON text that holds JSON, as rb-aioutliers gives it",
        ),
    ]
}

impl OutlierService {
    /// Counts what became of a request and answers it.
    fn respond(&self, outcome: Result<Vec<u8>, OutlierFailure>) -> Response {
        match outcome {
            Ok(body) => {
                self.counters.count(OutlierEvent::Answered, 1);
                ([(header::CONTENT_TYPE, "application/json")], Bytes::from(body)).into_response()
            }
            Err(failure) => {
                self.counters.refused(failure.reason);
                if failure.reason == FailureReason::Internal {
                    tracing::error!("outliers :: {}", failure.detail);
                } else {
                    tracing::debug!("outliers :: {} :: {}", failure.reason.name(), failure.detail);
                }
                failure.into_response(self.settings.always_200)
            }
        }
    }

    /// Reads a request, and judges it if it brought its rows.
    fn read(&self, fields: OutlierFields) -> Result<Read, OutlierFailure> {
        let mut request = fields.read()?;
        let judge = Judge::choose(&request, &self.settings, &self.models, &self.counters);
        let Some(rows) = request.rows.take() else {
            return Ok(Read::ToFetch(Box::new(request), judge));
        };
        let table = Timeseries::read(&rows, self.settings.max_points)?;
        self.judge(judge, &request, &table).map(Read::Judged)
    }

    fn judge(
        &self,
        judge: Judge,
        request: &OutlierRequest,
        table: &Timeseries,
    ) -> Result<Vec<u8>, OutlierFailure> {
        judge.answer(request, &self.settings, table, &self.counters)
    }

    /// The rows of a request's query; of a model with the columns it knows.
    fn fetch(&self, request: &OutlierRequest, judge: &Judge) -> Result<Timeseries, OutlierFailure> {
        let Some(query) = &request.query else {
            return Err(OutlierFailure::new(
                FailureReason::NoData,
                "neither `query` nor `data` is there",
            ));
        };
        self.sources.check(query)?;
        if !self.sources.is_druids(query) {
            return self.sources.fetch(query);
        }
        self.counters.count(OutlierEvent::DruidQuery, 1);
        if judge.is_model() {
            return self.sources.fetch(&query.clone().with_canonical_columns()?);
        }
        self.sources.fetch(query)
    }
}

/// Waits for a turn.
async fn turn(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, OutlierFailure> {
    let permit = tokio::time::timeout(LONGEST_WAIT, Arc::clone(of).acquire_owned()).await;
    permit
        .ok()
        .and_then(Result::ok)
        .ok_or_else(|| OutlierFailure::new(FailureReason::Busy, "too many requests are under way"))
}

/// Does work that blocks, in turn.
async fn in_turn<T: Send + 'static>(
    of: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, OutlierFailure> + Send + 'static,
) -> Result<T, OutlierFailure> {
    let permit = turn(of).await?;
    let done = tokio::task::spawn_blocking(move || {
        let outcome = panics::caught(work);
        drop(permit);
        outcome
    });
    let internal = |why: String| OutlierFailure::new(FailureReason::Internal, why);
    match done.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(message)) => Err(internal(format!("a panic, which is a defect: {message}"))),
        Err(error) => Err(internal(error.to_string())),
    }
}

/// Refuses what a page of somebody else sends from its reader's browser.
fn refuse_pages(request: &Request) -> Result<(), OutlierFailure> {
    if is_of_a_page(request.headers()) {
        let why = "a page in a browser may not ask this service";
        return Err(OutlierFailure::new(FailureReason::BadRequest, why));
    }
    Ok(())
}

async fn outliers(State(service): ServiceState, request: Request) -> Response {
    service.counters.count(OutlierEvent::Request, 1);
    let outcome = find_outliers(&service, request).await;
    service.respond(outcome)
}

async fn find_outliers(service: &Arc<OutlierService>, request: Request) -> Result<Vec<u8>, OutlierFailure> {
    refuse_pages(&request)?;
    let fields: OutlierFields = fields(request).await?;
    let reading = Arc::clone(service);
    let (request, judge) = match in_turn(&service.judging, move || reading.read(fields)).await? {
        Read::Judged(answer) => return Ok(answer),
        Read::ToFetch(request, judge) => (request, judge),
    };
    let fetching = Arc::clone(service);
    let fetch = move || {
        let table = fetching.fetch(&request, &judge)?;
        Ok((request, judge, table))
    };
    let (request, judge, table) = in_turn(&service.fetching, fetch).await?;
    let judging = Arc::clone(service);
    in_turn(&service.judging, move || judging.judge(judge, &request, &table)).await
}

async fn addresses(State(service): ServiceState, request: Request) -> Response {
    service.counters.count(OutlierEvent::Request, 1);
    service.counters.count(OutlierEvent::Addresses, 1);
    let outcome = find_addresses(&service, request).await;
    service.respond(outcome)
}

async fn find_addresses(service: &Arc<OutlierService>, request: Request) -> Result<Vec<u8>, OutlierFailure> {
    refuse_pages(&request)?;
    let fields: AddressFields = fields(request).await?;
    let (most, as_text) = (service.settings.max_points, service.settings.ips_as_text);
    in_turn(&service.judging, move || {
        let request = fields.read()?;
        let as_text = as_text || request.as_text;
        let answer = request.answer(most)?.to_string();
        Ok(match as_text {
            true => Value::String(answer).to_string(),
            false => answer,
        }
        .into_bytes())
    })
    .await
}

async fn metrics(State(service): ServiceState) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], service.counters.text()).into_response()
}
