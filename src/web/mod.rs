//! The pages: what is wrong now, why, and why it may be quiet.
//!
//! Rendered on the server, working without JavaScript. State comes from the status files the other
//! processes write, windows from the store; this process owns nothing.

mod figures;
mod incidents;
mod pages;

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

use crate::clock::unix_now;
use crate::history::history_path;
use crate::net::Patience;
use crate::net::guard::{Hosts, for_browsers};
use crate::net::http::{HttpListener, Porter};
use crate::net::slots::{self, Slots};
use crate::status::{AnalyzerStatus, IngestStatus, StatusFile};
use crate::stop::Stop;
use crate::store::Connect;
use crate::windows::Windows;
use incidents::Shown;
use pages::Pages;

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
            windows: Windows::new(connect, options.full_duration),
            history: history_path(state_dir),
            pages: Pages::new()?,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .thread_name("web")
            .enable_all()
            .build()
            .map_err(WebError::Start)?;
        let app = Router::new()
            .route("/", get(now::<K>))
            .route("/metric", get(metric::<K>))
            .route("/incidents", get(incidents::<K>))
            .route("/metrics", get(metrics::<K>))
            .route("/api/v1/status", get(status::<K>))
            .route("/healthz", get(healthz::<K>))
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
struct Site<K: Connect> {
    analyzer: StatusFile,
    ingest: StatusFile,
    /// Where the store is, for people.
    store: String,
    windows: Windows<K>,
    history: PathBuf,
    pages: Pages,
}

impl<K: Connect> Site<K> {
    fn analyzer(&self) -> AnalyzerStatus {
        self.analyzer.read().unwrap_or_default()
    }

    fn ingest(&self) -> IngestStatus {
        self.ingest.read().unwrap_or_default()
    }
}

type Shared<K> = State<Arc<Site<K>>>;

async fn now<K: Connect>(State(site): Shared<K>) -> Response {
    blocking(move || {
        let status = site.analyzer();
        let names: Vec<&str> = status
            .anomalies
            .iter()
            .take(pages::CHARTS)
            .map(|c| c.anomaly.name())
            .collect();
        let (windows, trouble) = site.windows.read(&names);
        page(
            site.pages
                .now(&status, &site.ingest(), &site.store, &windows, trouble.as_deref()),
        )
    })
    .await
}

/// `?name=`, the metric's full name.
#[derive(Deserialize)]
struct MetricQuery {
    name: String,
}

async fn metric<K: Connect>(State(site): Shared<K>, query: Query<MetricQuery>) -> Response {
    blocking(move || {
        let (mut windows, trouble) = site.windows.read(&[&query.name]);
        let window = windows.pop().flatten();
        let found = window.is_some() || trouble.is_some();
        let answer = site
            .pages
            .metric(&query.name, &site.analyzer(), window.as_ref(), trouble.as_deref());
        let status = if found {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        (status, page(answer)).into_response()
    })
    .await
}

/// `?all=1` also those that are over, `?before=17` the page behind number 17.
#[derive(Deserialize)]
struct IncidentsQuery {
    all: Option<String>,
    before: Option<u64>,
}

async fn incidents<K: Connect>(State(site): Shared<K>, query: Query<IncidentsQuery>) -> Response {
    blocking(move || {
        let shown = Shown::read(&site.history, query.all.is_some(), query.before);
        page(site.pages.incidents(&site.analyzer(), &shown))
    })
    .await
}

async fn metrics<K: Connect>(State(site): Shared<K>) -> Response {
    blocking(move || match figures::text(&site.analyzer(), &site.ingest()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => failed(&error),
    })
    .await
}

async fn status<K: Connect>(State(site): Shared<K>) -> Response {
    blocking(move || {
        let both = serde_json::json!({ "analyzer": site.analyzer(), "ingest": site.ingest() });
        Json(both).into_response()
    })
    .await
}

/// 200 while passes come; 503 with the reason when they do not.
async fn healthz<K: Connect>(State(site): Shared<K>) -> Response {
    blocking(move || match site.analyzer() {
        AnalyzerStatus {
            trouble: Some(why), ..
        } => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
        AnalyzerStatus { pass: None, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "no pass has ended yet").into_response()
        }
        status => match status.pass.as_ref().filter(|_| status.is_quiet(unix_now())) {
            Some(pass) => {
                let why = format!("the last pass began {} ago", units::length(unix_now() - pass.at));
                (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
            }
            None => "ok".into_response(),
        },
    })
    .await
}

/// Runs a handler that reads files and asks the store on a thread that may block.
async fn blocking(handler: impl FnOnce() -> Response + Send + 'static) -> Response {
    tokio::task::spawn_blocking(handler)
        .await
        .unwrap_or_else(|error| failed(&error))
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
