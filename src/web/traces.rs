//! Kept traces: pages with a list and a waterfall.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use minijinja::{Value, context};
use serde::Deserialize;
use skywatch_alerters::text::percent_encode;

use super::site::{Site, SiteState, of_a_page, page};
use super::waterfall;
use crate::archive_file::ArchiveError;
use crate::net::routes::HttpRoute;
use crate::traces::{ArchiveReader, TraceDocument, TraceFilter, TraceJudgement, TraceSummary};

/// Traces on one page.
const A_PAGE: usize = 200;

/// The routes of traces.
pub(super) fn routes(site: &Arc<Site>) -> [HttpRoute; 2] {
    let site = || Arc::clone(site);
    [
        HttpRoute::login("/traces", get(list_page).with_state(site())),
        HttpRoute::login("/traces/{id}", get(trace_page).with_state(site())),
    ]
}

/// `?all=1` also those that are not anomalous, `?of=` those of one kind of request, `?before=1700000000.5` those kept before
/// that, Unix seconds.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct TracesQuery {
    all: Option<String>,
    of: Option<String>,
    before: Option<f64>,
}

impl TracesQuery {
    pub(super) fn read(&self, archive: &std::path::Path) -> Result<Vec<TraceSummary>, ArchiveError> {
        let filter = TraceFilter {
            all: self.all.is_some(),
            kind: self.of.clone(),
            before: self.before,
        };
        match ArchiveReader::open(archive).and_then(|reader| reader.list(&filter, A_PAGE)) {
            // Nothing has been kept yet: there are none.
            Err(ArchiveError::Missing { .. }) => Ok(Vec::new()),
            outcome => outcome,
        }
    }

    /// The address of this list with another `all` and `before`.
    fn link(&self, all: bool, before: Option<f64>) -> String {
        let all = all.then(|| "all=1".to_owned());
        let of = self
            .of
            .as_deref()
            .map(|kind| format!("of={}", percent_encode(kind)));
        let before = before.map(|before| format!("before={before}"));
        let parts: Vec<_> = [all, of, before].into_iter().flatten().collect();
        format!("/traces?{}", parts.join("&"))
    }
}

async fn list_page(State(site): SiteState, query: Query<TracesQuery>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        let (traces, unreadable) = match query.read(&asked.archive) {
            Ok(traces) => (traces, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let all = query.all.is_some();
        let last = traces.last().filter(|_| traces.len() == A_PAGE);
        let shown = context! {
            all,
            of => query.of.as_deref(),
            only => query.link(false, None),
            every => query.link(true, None),
            more => last.map(|last| query.link(all, Some(last.kept))),
            traces => traces.iter().map(listed).collect::<Vec<_>>(),
            unreadable,
        };
        page(
            asked
                .pages
                .render("traces.html", "/traces", &asked.analyzer(), shown),
        )
    });
    drawn.await.unwrap_or_else(|busy| busy)
}

fn listed(trace: &TraceSummary) -> Value {
    context! {
        id => trace.id.as_str(),
        kind => trace.kind.as_str(),
        verdict => trace.verdict.as_str(),
        anomalous => trace.verdict == "anomalous",
        sentence => trace.sentence.as_str(),
        began => trace.began,
        took => waterfall::time(trace.seconds * 1e6),
        spans => trace.spans,
    }
}

async fn trace_page(State(site): SiteState, Path(id): Path<String>) -> Response {
    let asked = Arc::clone(&site);
    let drawn = of_a_page(&site, move || {
        match ArchiveReader::open(&asked.archive).and_then(|reader| reader.trace(&id)) {
            Ok(Some(document)) => page(asked.pages.render(
                "trace.html",
                "/traces",
                &asked.analyzer(),
                described(&document),
            )),
            Ok(None) | Err(ArchiveError::Missing { .. }) => not_kept(),
            Err(error) => unreadable(&error),
        }
    });
    drawn.await.unwrap_or_else(|busy| busy)
}

fn described(document: &TraceDocument) -> Value {
    let (why, sentences) = match &document.judgement {
        TraceJudgement::Unjudged { why } => (why.as_str(), &[][..]),
        TraceJudgement::Normal { .. } => ("", &[][..]),
        TraceJudgement::Anomalous { sentences, .. } => ("", &sentences[..]),
    };
    let defects = &document.defects;
    let counted = [
        (defects.orphans, "spans whose parent did not come"),
        (defects.loops, "loops of spans that are each other's ancestors"),
        (defects.duplicates, "spans that came more than once"),
    ];
    let counted = counted
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"));
    let partial = defects.partial.then(|| "spans are missing".to_owned());
    let defects: Vec<_> = partial.into_iter().chain(counted).collect();
    let (rows, left_out) = waterfall::rows(document);
    context! {
        trace => context! {
            id => document.trace_id.as_str(),
            kind => document.kind.as_str(),
            began => document.start_us as f64 / 1e6,
            took => waterfall::time(document.duration_us as f64),
            spans => document.spans.len(),
            verdict => document.judgement.word(),
            anomalous => document.judgement.is_anomalous(),
            why,
            sentences => sentences.to_vec(),
            defects => defects.join(", "),
            others => format!("/traces?all=1&of={}", percent_encode(&document.kind)),
        },
        rows,
        left_out,
    }
}

fn not_kept() -> Response {
    (StatusCode::NOT_FOUND, "no trace of this id is kept\n").into_response()
}

fn unreadable(error: &ArchiveError) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}
