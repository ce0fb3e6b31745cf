//! What the pages share, and how what may block is done for them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::Hour;
use skywatch_settings::{Adaptive, Profile, Settings};
use tokio::sync::Semaphore;

use super::error::WebError;
use super::figures::RoleReports;
use super::pages::Pages;
use super::reader::SeriesReader;
use super::rule_trials::RuleTrials;
use super::settings_table::LiveSettingsTable;
use super::shared_page::SharedPages;
use crate::analyzer::rule::AlarmRule;
use crate::backtest::{BandSeries, RuleReplay};
use crate::baseline;
use crate::history::history_path;
use crate::live_value::LiveValue;
use crate::status::{
    AnalyzerStatus, DispatchStatus, EntitiesStatus, EventsStatus, HealthStatus, IngestStatus, ProcessStatus,
    ReloadStatus, StatusFile, TracesStatus,
};
use crate::store::{AnyConnect, Connect as _};
use crate::traces::archive_path;

/// Pages that are drawn at the same time; others wait. Fewer than there are threads that may block.
const DRAWN_AT_ONCE: usize = 3;
/// How long a page waits for its turn: about as long as a person does.
const PAGE_PATIENCE: Duration = Duration::from_secs(5);
/// How long reading the small files may take: supervisors give `/healthz` a second.
const AT_ONCE: Duration = Duration::from_millis(800);

/// What a page of ours may do: run our script, ask us and nobody else, and send its forms here. Charts carry style elements
/// of their own.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What every request needs; shared by all.
pub(super) struct Site {
    analyzer: StatusFile,
    ingest: StatusFile,
    health: StatusFile,
    traces: StatusFile,
    entities: StatusFile,
    events: StatusFile,
    outliers: StatusFile,
    dispatch: StatusFile,
    process: StatusFile,
    /// Whether there is to be a health plane over the state folder.
    pub(super) has_plane: bool,
    /// Where the store is, for people.
    pub(super) store: String,
    pub(super) reader: SeriesReader,
    /// Seconds of a window.
    pub(super) full_duration: f64,
    /// Whose sockets answer, and take what people want changed.
    pub(super) state_dir: PathBuf,
    pub(super) history: PathBuf,
    /// Where kept traces are.
    pub(super) archive: PathBuf,
    pub(super) pages: Pages,
    /// The settings in force, for people.
    pub(super) settings: LiveSettingsTable,
    /// How series are judged.
    pub(super) profile: Profile,
    /// What the adaptive profile calls anomalous.
    pub(super) adaptive: LiveValue<Adaptive>,
    /// Tries other rules.
    pub(super) trials: RuleTrials,
    /// Front pages that are drawn for all who ask for them.
    pub(super) shared: SharedPages,
    /// Taken by whoever draws a page.
    drawing: Semaphore,
}

/// The site as handlers get it.
pub(super) type SiteState = State<Arc<Site>>;

impl Site {
    /// Over these settings; nothing is read yet.
    pub(super) fn open(
        store: &AnyConnect,
        settings: &Settings,
        shown: LiveSettingsTable,
        adaptive: LiveValue<Adaptive>,
    ) -> Result<Arc<Self>, WebError> {
        let state_dir = &settings.state_dir;
        let full_duration = settings.store.full_duration.as_secs_f64();
        Ok(Arc::new(Self {
            analyzer: StatusFile::analyzer(state_dir),
            ingest: StatusFile::ingest(state_dir),
            health: StatusFile::health(state_dir),
            traces: StatusFile::traces(state_dir),
            entities: StatusFile::entities(state_dir),
            events: StatusFile::events(state_dir),
            outliers: StatusFile::outliers(state_dir),
            dispatch: StatusFile::dispatch(state_dir),
            process: StatusFile::process(state_dir),
            has_plane: settings.health.enabled,
            store: store.describe(),
            reader: SeriesReader::start(store, full_duration, baseline::folder(state_dir))
                .map_err(WebError::Start)?,
            full_duration,
            state_dir: state_dir.clone(),
            history: history_path(state_dir),
            archive: archive_path(state_dir),
            pages: Pages::new()?,
            settings: shown,
            profile: settings.analyzer.profile,
            trials: RuleTrials::start(store, baseline::folder(state_dir), adaptive.clone())
                .map_err(WebError::Start)?,
            adaptive,
            shared: SharedPages::default(),
            drawing: Semaphore::new(DRAWN_AT_ONCE),
        }))
    }

    /// What is said of each point of a metric's window as it is set now, knowing the hours before it; `None` in a profile that
    /// says nothing of single points.
    pub(super) fn replay(&self, metric: &str, window: &Series, hours: &[Hour]) -> Option<BandSeries> {
        if self.profile != Profile::Adaptive {
            return None;
        }
        let rules = AlarmRule::of_settings(&self.adaptive.current());
        let rule = rules.get(AlarmRule::of(&rules, metric))?;
        Some(RuleReplay::scored(window, hours, rule).1)
    }

    /// What the analyzer has last said.
    pub(super) fn analyzer(&self) -> AnalyzerStatus {
        self.analyzer.read().unwrap_or_default()
    }

    /// What the health plane has last said.
    pub(super) fn health(&self) -> HealthStatus {
        self.health.read().unwrap_or_default()
    }

    /// The files whose change means that pages show something else: what the analyzer says, the history, and its journal, in
    /// which stands what was committed lately.
    pub(super) fn what_pages_show(&self) -> [PathBuf; 3] {
        let journal = self.history.with_extension("sqlite-wal");
        [self.analyzer.path().to_owned(), self.history.clone(), journal]
    }

    /// What the role that takes traces in has last said.
    pub(super) fn traces(&self) -> TracesStatus {
        self.traces.read().unwrap_or_default()
    }

    /// What the role that watches entities has last said.
    pub(super) fn entities(&self) -> EntitiesStatus {
        self.entities.read().unwrap_or_default()
    }

    /// What the role that sends events has last said.
    pub(super) fn events(&self) -> EventsStatus {
        self.events.read().unwrap_or_default()
    }

    /// What every role has last said.
    pub(super) fn reports(&self) -> RoleReports {
        RoleReports {
            analyzer: self.analyzer(),
            ingest: self.ingest(),
            health: self.health(),
            traces: self.traces(),
            entities: self.entities(),
            events: self.events(),
            outliers: self.outliers.read().unwrap_or_default(),
            dispatch: self.dispatch(),
        }
    }

    /// What the dispatch has last said.
    pub(super) fn dispatch(&self) -> DispatchStatus {
        self.dispatch.read().unwrap_or_default()
    }

    /// What became of settings that were read anew last, if any were.
    pub(super) fn reload(&self) -> Option<ReloadStatus> {
        let process: Option<ProcessStatus> = self.process.read();
        process.and_then(|process| process.reload)
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
        Ok(html) => ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response(),
        Err(error) => failed(&error),
    }
}

/// A defect as an answer.
pub(super) fn failed(error: &dyn std::fmt::Display) -> Response {
    tracing::error!("a page failed :: {error}");
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
