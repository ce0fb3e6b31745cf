//! The pages: what is wrong now, why, and why it may be quiet.
//!
//! Rendered on the server, working without JavaScript. State comes from the status files the other
//! processes write, windows from the store; this process owns nothing.

mod figures;
mod incidents;
mod pages;
mod reader;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use serde::Deserialize;
use skywatch_alerters::units;
use tokio::sync::Semaphore;

use crate::clock::unix_now;
use crate::history::history_path;
use crate::net::Patience;
use crate::net::guard::{Hosts, for_browsers};
use crate::net::http::{HttpListener, Porter};
use crate::net::slots::{self, Slots};
use crate::status::{AnalyzerStatus, IngestStatus, StatusFile};
use crate::stop::Stop;
use crate::store::Connect;
use incidents::Shown;
use pages::Pages;
use reader::Reader;

/// Pages that are drawn at the same time; others wait.
const DRAWN_AT_ONCE: usize = 3;
/// How long they wait.
const PAGE_PATIENCE: Duration = Duration::from_secs(5);
/// Threads that may block: for those pages, for the one that waits for the end, and for those who only ask how we are.
const BLOCKING_THREADS: usize = 12;
/// How long those wait.
const AT_ONCE: Duration = Duration::from_millis(800);

/// Their part of the descriptors that may be connections.
const CONNECTIONS_SHARE: f64 = 0.25;
/// Pages are asked for in one piece, and the store may take its 30 seconds to answer.
const PATIENCE: Patience = Patience {
    silence: Duration::from_secs(75),
    request: Duration::from_secs(60),
    reading_is_work: false,
};

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The address is taken or not ours.
    #[error(
        "cannot listen on `{address}`: {source}\nhint: set `web.listen` to a free address, or `web.enabled = false`"
    )]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The system refuses a runtime.
    #[error("cannot serve pages: {0}")]
    Start(#[source] std::io::Error),
    /// A template of ours does not compile: a defect.
    #[error("cannot prepare the pages: {0}")]
    Template(#[from] minijinja::Error),
}

/// How pages are served.
#[derive(Debug, Clone)]
pub struct WebOptions {
    /// Seconds that a window reaches back.
    pub full_duration: f64,
    /// Connections open at once.
    pub max_connections: usize,
    /// Names under which pages may be asked for, beside those everybody has.
    pub hosts: Vec<String>,
    /// Public address of the pages; empty for none.
    pub base_url: String,
}

/// Says what happens at the door.
struct Door;

impl Porter for Door {
    fn admitted(&self, instead: bool) {
        if instead {
            tracing::warn!(
                "web :: the idlest connection closed for another one, `web.max_connections` are open"
            );
        }
    }

    fn refused(&self, peer: SocketAddr) {
        tracing::warn!("web :: connection of {peer} refused, `web.max_connections` are open and at work");
    }

    fn failed(&self, error: &std::io::Error) {
        tracing::warn!("web :: cannot accept a connection :: {error}");
    }
}

/// A bound but not yet serving web server.
pub struct Web {
    listener: std::net::TcpListener,
}

impl Web {
    /// Binds the address.
    ///
    /// # Errors
    /// [`WebError::Listen`].
    pub fn bind(address: SocketAddr) -> Result<Self, WebError> {
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|source| WebError::Listen { address, source })?;
        Ok(Self { listener })
    }

    /// Binds the address or, if its port is taken, one of the next hundred.
    ///
    /// # Errors
    /// [`WebError::Listen`] of the first address.
    pub fn bind_near(address: SocketAddr) -> Result<Self, WebError> {
        let first = Self::bind(address);
        if first.is_ok() || address.port() == 0 {
            return first;
        }
        (1..=100)
            .filter_map(|n| Some(SocketAddr::new(address.ip(), address.port().checked_add(n)?)))
            .find_map(|address| Self::bind(address).ok())
            .map_or(first, Ok)
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until `stop` is said.
    ///
    /// # Errors
    /// [`WebError::Start`] and [`WebError::Template`].
    pub fn run<K: Connect>(
        self,
        connect: K,
        state_dir: &Path,
        options: &WebOptions,
        stop: &Stop,
    ) -> Result<(), WebError> {
        let site = Arc::new(Site {
            analyzer: StatusFile::analyzer(state_dir),
            ingest: StatusFile::ingest(state_dir),
            store: connect.describe(),
            reader: Reader::start(&connect, options.full_duration).map_err(WebError::Start)?,
            history: history_path(state_dir),
            pages: Pages::new()?,
            drawing: Semaphore::new(DRAWN_AT_ONCE),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("web")
            .enable_all()
            .build()
            .map_err(WebError::Start)?;
        let app = Router::new()
            .route("/", get(now))
            .route("/metric", get(metric))
            .route("/incidents", get(incidents))
            .route("/metrics", get(metrics))
            .route("/api/v1/status", get(status))
            .route("/healthz", get(healthz))
            .with_state(site)
            .layer(axum::middleware::from_fn_with_state(
                Hosts::new(&options.hosts, &options.base_url),
                for_browsers,
            ));
        runtime
            .block_on(async {
                let clients = HttpListener {
                    listener: tokio::net::TcpListener::from_std(self.listener)?,
                    slots: Slots::new(slots::affordable(
                        options.max_connections,
                        CONNECTIONS_SHARE,
                        "web.max_connections",
                    )),
                    patience: PATIENCE,
                    porter: Door,
                };
                let served = tokio::spawn(async move { axum::serve(clients, app).await });
                let stopped = stop.clone();
                let waited = tokio::task::spawn_blocking(move || stopped.wait());
                tokio::select! {
                    served = served => served.map_err(std::io::Error::other)?,
                    _ = waited => Ok(()),
                }
            })
            .map_err(WebError::Start)?;
        // Open connections are cut: pages hold nothing that could be lost.
        runtime.shutdown_background();
        Ok(())
    }
}

/// What every request needs; shared by all.
struct Site {
    analyzer: StatusFile,
    ingest: StatusFile,
    /// Where the store is, for people.
    store: String,
    reader: Reader,
    history: PathBuf,
    pages: Pages,
    /// Taken by whoever draws a page.
    drawing: Semaphore,
}

impl Site {
    fn analyzer(&self) -> AnalyzerStatus {
        self.analyzer.read().unwrap_or_default()
    }

    fn ingest(&self) -> IngestStatus {
        self.ingest.read().unwrap_or_default()
    }
}

type Shared = State<Arc<Site>>;

async fn now(State(site): Shared) -> Response {
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

async fn metric(State(site): Shared, query: Query<MetricQuery>) -> Response {
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

async fn incidents(State(site): Shared, query: Query<IncidentsQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let shown = Shown::read(&asked.history, query.all.is_some(), query.before);
        page(asked.pages.incidents(&asked.analyzer(), &shown))
    });
    drawn.await.unwrap_or_else(|response| response)
}

async fn metrics(State(site): Shared) -> Response {
    let answer = at_once(
        move || match figures::text(&site.analyzer(), &site.ingest(), unix_now()) {
            Ok(text) => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Err(error) => failed(&error),
        },
    );
    answer.await
}

async fn status(State(site): Shared) -> Response {
    let answer = at_once(move || {
        let both = serde_json::json!({ "analyzer": site.analyzer(), "ingest": site.ingest() });
        Json(both).into_response()
    });
    answer.await
}

/// 200 while passes come and find what they should; 503 with the reasons, a line each, when they do not.
async fn healthz(State(site): Shared) -> Response {
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

/// Does what may block for a page, among few at a time, so that threads are left for those who only ask how we are.
async fn of_a_page<T: Send + 'static>(
    site: &Arc<Site>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Response> {
    let waited = tokio::time::timeout(PAGE_PATIENCE, site.drawing.acquire()).await;
    let Ok(Ok(_permit)) = waited else {
        let why = "the pages are busy, or wait for a disk";
        return Err((StatusCode::SERVICE_UNAVAILABLE, why).into_response());
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| failed(&error))
}

/// Reads the small files, within a second.
async fn at_once(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::time::timeout(AT_ONCE, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.unwrap_or_else(|error| failed(&error)),
        Err(_) => {
            let why = "the state folder cannot be read: its disk does not answer";
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

fn page(rendered: Result<String, minijinja::Error>) -> Response {
    match rendered {
        Ok(html) => {
            // Charts carry their own style elements; nothing else may run or be loaded.
            let policy =
                "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
            ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!("a page failed :: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
