//! What the pages share, and how what may block is done for them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use skywatch_settings::Settings;
use tokio::sync::Semaphore;

use super::error::WebError;
use super::pages::Pages;
use super::reader::WindowReader;
use crate::history::history_path;
use crate::status::{AnalyzerStatus, HealthStatus, IngestStatus, StatusFile};
use crate::store::{AnyConnect, Connect as _};

/// Pages that are drawn at the same time; others wait. Fewer than there are threads that may block.
const DRAWN_AT_ONCE: usize = 3;
/// How long a page waits for its turn: about as long as a person does.
const PAGE_PATIENCE: Duration = Duration::from_secs(5);
/// How long reading the small files may take: supervisors give `/healthz` a second.
const AT_ONCE: Duration = Duration::from_millis(800);

/// What every request needs; shared by all.
pub(super) struct Site {
    analyzer: StatusFile,
    ingest: StatusFile,
    health: StatusFile,
    /// Where the store is, for people.
    pub(super) store: String,
    pub(super) reader: WindowReader,
    pub(super) history: PathBuf,
    pub(super) pages: Pages,
    /// Taken by whoever draws a page.
    drawing: Semaphore,
}

/// The site as handlers get it.
pub(super) type SiteState = State<Arc<Site>>;

impl Site {
    /// Over these settings; nothing is read yet.
    pub(super) fn open(store: &AnyConnect, settings: &Settings) -> Result<Arc<Self>, WebError> {
        let state_dir = &settings.state_dir;
        let full_duration = settings.store.full_duration.as_secs_f64();
        Ok(Arc::new(Self {
            analyzer: StatusFile::analyzer(state_dir),
            ingest: StatusFile::ingest(state_dir),
            health: StatusFile::health(state_dir),
            store: store.describe(),
            reader: WindowReader::start(store, full_duration).map_err(WebError::Start)?,
            history: history_path(state_dir),
            pages: Pages::new()?,
            drawing: Semaphore::new(DRAWN_AT_ONCE),
        }))
    }

    /// What the analyzer has last said.
    pub(super) fn analyzer(&self) -> AnalyzerStatus {
        self.analyzer.read().unwrap_or_default()
    }

    /// What the health plane has last said.
    pub(super) fn health(&self) -> HealthStatus {
        self.health.read().unwrap_or_default()
    }

    /// What the ingest has last said.
    pub(super) fn ingest(&self) -> IngestStatus {
        self.ingest.read().unwrap_or_default()
    }
}

/// Does what may block for a page, among few at a time, so that threads are left for those who only ask how we are.
pub(super) async fn of_a_page<T: Send + 'static>(
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
pub(super) async fn at_once(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::time::timeout(AT_ONCE, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.unwrap_or_else(|error| failed(&error)),
        Err(_) => {
            let why = "the state folder cannot be read: its disk does not answer";
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
    }
}

/// A page as an answer.
pub(super) fn page(rendered: Result<String, minijinja::Error>) -> Response {
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

/// A defect as an answer.
pub(super) fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!("a page failed :: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
