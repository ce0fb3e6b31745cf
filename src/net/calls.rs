//! How a call of the interface is declared.

use axum::http::Method;
use axum::routing::MethodRouter;

use super::routes::{HttpRoute, RouteAccess};
use super::tagged;

/// One call.
pub(crate) struct ApiCall {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// What it is for, in a sentence.
    pub(crate) summary: &'static str,
    /// What stands in its query.
    pub(crate) query: Vec<ApiParameter>,
    /// What stands in its body, an object of JSON; empty for none.
    pub(crate) body: Vec<ApiParameter>,
    /// What it answers, in a sentence.
    pub(crate) answer: &'static str,
    pub(crate) handler: MethodRouter,
}

/// One parameter.
pub(crate) struct ApiParameter {
    pub(crate) name: &'static str,
    /// `string`, `number`, `integer`, `boolean` or `array` (of texts), as in JSON Schema.
    pub(crate) kind: &'static str,
    pub(crate) is_required: bool,
    pub(crate) about: &'static str,
}

/// A parameter that may be left out.
pub(crate) fn may(name: &'static str, kind: &'static str, about: &'static str) -> ApiParameter {
    ApiParameter {
        name,
        kind,
        is_required: false,
        about,
    }
}

/// A parameter that must be there.
pub(crate) fn must(name: &'static str, kind: &'static str, about: &'static str) -> ApiParameter {
    ApiParameter {
        is_required: true,
        ..may(name, kind, about)
    }
}

impl ApiCall {
    /// A question, which changes nothing.
    pub(crate) fn question(
        path: &'static str,
        summary: &'static str,
        query: Vec<ApiParameter>,
        answer: &'static str,
        handler: MethodRouter,
    ) -> Self {
        Self {
            method: Method::GET,
            path,
            summary,
            query,
            body: vec![],
            answer,
            handler,
        }
    }

    pub(crate) fn into_route(self) -> HttpRoute {
        let access = match self.method {
            Method::GET => RouteAccess::Login,
            _ => RouteAccess::Change,
        };
        HttpRoute {
            path: self.path,
            access,
            handler: self.handler.layer(axum::middleware::from_fn(tagged::tag)),
        }
    }
}
