//! How a call of the interface is declared.

use axum::http::Method;
use axum::routing::MethodRouter;

use crate::net::routes::{HttpRoute, RouteAccess};

/// One call.
pub(super) struct ApiCall {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// What it is for, in a sentence.
    pub(super) summary: &'static str,
    /// What stands in its query.
    pub(super) query: Vec<ApiParameter>,
    /// What stands in its body, an object of JSON; empty for none.
    pub(super) body: Vec<ApiParameter>,
    /// What it answers, in a sentence.
    pub(super) answer: &'static str,
    pub(super) handler: MethodRouter,
}

/// One parameter.
pub(super) struct ApiParameter {
    pub(super) name: &'static str,
    /// `string`, `number`, `integer`, `boolean` or `array` (of texts), as in JSON Schema.
    pub(super) kind: &'static str,
    pub(super) is_required: bool,
    pub(super) about: &'static str,
}

/// A parameter that may be left out.
pub(super) fn may(name: &'static str, kind: &'static str, about: &'static str) -> ApiParameter {
    ApiParameter {
        name,
        kind,
        is_required: false,
        about,
    }
}

/// A parameter that must be there.
pub(super) fn must(name: &'static str, kind: &'static str, about: &'static str) -> ApiParameter {
    ApiParameter {
        is_required: true,
        ..may(name, kind, about)
    }
}

impl ApiCall {
    pub(super) fn into_route(self) -> HttpRoute {
        let access = match self.method {
            Method::GET => RouteAccess::Login,
            _ => RouteAccess::Change,
        };
        HttpRoute {
            path: self.path,
            access,
            handler: self.handler,
        }
    }
}
