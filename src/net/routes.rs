//! What is served over HTTP: rooms offer routes, and whoever serves a listener puts them together under its rules.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::MethodRouter;

use super::guard::{self, Hosts};
use super::login::{self, Tokens};
use super::throttle::{self, Throttle};

/// One path. The room that offers it has given the handler its state.
pub(crate) struct HttpRoute {
    /// With parameters in braces, as axum has them.
    pub(crate) path: &'static str,
    /// Who may ask.
    pub(crate) access: RouteAccess,
    /// Method and handler.
    pub(crate) handler: MethodRouter,
}

impl HttpRoute {
    /// One for whoever has a token of the listener, if it has any.
    pub(crate) fn login(path: &'static str, handler: MethodRouter) -> Self {
        Self {
            path,
            access: RouteAccess::Login,
            handler,
        }
    }
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteAccess {
    /// Everybody may ask, as a load balancer or a supervisor has no token: the answer must be fit for all to read.
    Open,
    /// One of the listener's tokens, if it has any.
    Login,
    /// One of those that may change something; never for a page of somebody else.
    Change,
}

/// What holds for every route of a listener.
#[derive(Default)]
pub(crate) struct ListenerRules {
    /// The names under which browsers may ask; any if `None`.
    pub(crate) hosts: Option<Hosts>,
    /// Who may ask; everybody if `None`.
    pub(crate) tokens: Option<Tokens>,
    /// How often one address may ask for what is not open to all; as often as it likes if `None`.
    pub(crate) throttle: Option<Throttle>,
    /// Largest body of a request, bytes.
    pub(crate) max_body: usize,
}

/// All `routes` under the same rules. Panics if two of them have the same path and method: a defect of ours that shows at
/// every start.
pub(crate) fn compose(routes: impl IntoIterator<Item = HttpRoute>, rules: ListenerRules) -> Router {
    let (mut open, mut closed) = (Router::new(), Router::new());
    for HttpRoute {
        path,
        access,
        handler,
    } in routes
    {
        match access {
            RouteAccess::Open => open = open.route(path, handler),
            RouteAccess::Login => closed = closed.route(path, handler),
            RouteAccess::Change => {
                let handler = handler
                    .layer(axum::middleware::from_fn(guard::only_of_ours))
                    .layer(axum::middleware::from_fn(login::only_writers));
                closed = closed.route(path, handler);
            }
        }
    }
    if let Some(tokens) = rules.tokens {
        closed = login::require(tokens, closed);
    }
    if let Some(throttle) = rules.throttle {
        closed = throttle::limit(throttle, closed);
    }
    let all = open.merge(closed).layer(DefaultBodyLimit::max(rules.max_body));
    guard::for_browsers(rules.hosts, all)
}
