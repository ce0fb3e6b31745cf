//! Style and script of the pages, compiled in.

use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::hash::hash;
use crate::net::routes::{HttpRoute, RouteAccess};
use crate::net::tagged::names;

/// A browser asks again after this time whether it is still the same.
const CACHE: &str = "public, max-age=300";

/// A file as it is sent.
struct Asset {
    kind: &'static str,
    text: &'static str,
    /// Changes with the text.
    tag: String,
}

impl Asset {
    fn new(kind: &'static str, text: &'static str) -> Self {
        Self {
            kind,
            text,
            tag: format!("\"{:016x}\"", hash(text)),
        }
    }

    fn send(&self, asked: &HeaderMap) -> Response {
        let known = asked.get(header::IF_NONE_MATCH);
        let headers = [(header::ETAG, self.tag.as_str()), (header::CACHE_CONTROL, CACHE)];
        if known.is_some_and(|known| names(known, &self.tag)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, self.kind)], self.text).into_response()
    }
}

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/css; charset=utf-8", include_str!("assets/style.css")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", include_str!("assets/pages.js")));
static CHARTS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", include_str!("assets/charts.js")));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("image/svg+xml", include_str!("assets/icon.svg")));

/// The routes of these files. They say nothing of what is watched.
pub(super) fn routes() -> [HttpRoute; 4] {
    let open = |path, handler| HttpRoute {
        path,
        access: RouteAccess::Open,
        handler,
    };
    [
        open(
            "/assets/style.css",
            get(|asked: HeaderMap| async move { STYLE.send(&asked) }),
        ),
        open(
            "/assets/pages.js",
            get(|asked: HeaderMap| async move { SCRIPT.send(&asked) }),
        ),
        open(
            "/assets/charts.js",
            get(|asked: HeaderMap| async move { CHARTS.send(&asked) }),
        ),
        open(
            "/assets/icon.svg",
            get(|asked: HeaderMap| async move { ICON.send(&asked) }),
        ),
    ]
}
