//! What is served over HTTP: rooms offer routes, and whoever serves a listener puts them together under its rules.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::MethodRouter;

use super::guard::{self, Hosts};
use super::login::{self, Tokens};

/// One path. The room that offers it has given the handler its state.
pub(crate) struct Route {
    /// With parameters in braces, as axum has them.
    pub(crate) path: &'static str,
    /// What whoever asks must have.
    pub(crate) needs: Needs,
    /// Method and handler.
    pub(crate) handler: MethodRouter,
}

/// What whoever asks must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: a load balancer or a supervisor has no token, and the answer tells nobody anything.
    Nothing,
    /// One of the listener's tokens, if it has any.
    Login,
}

/// What holds for every route of a listener.
#[derive(Default)]
pub(crate) struct Rules {
    /// The names under which browsers may ask; any if `None`.
    pub(crate) hosts: Option<Hosts>,
    /// Who may ask; everybody if `None`.
    pub(crate) tokens: Option<Tokens>,
    /// Largest body of a request, bytes.
    pub(crate) max_body: usize,
}

/// All `routes` under the same rules. Panics if two of them have the same path and method: a defect of ours that shows at
/// every start.
pub(crate) fn compose(routes: impl IntoIterator<Item = Route>, rules: Rules) -> Router {
    let (mut open, mut closed) = (Router::new(), Router::new());
    for Route { path, needs, handler } in routes {
        match needs {
            Needs::Nothing => open = open.route(path, handler),
            Needs::Login => closed = closed.route(path, handler),
        }
    }
    if let Some(tokens) = rules.tokens {
        closed = login::require(tokens, closed);
    }
    let all = open.merge(closed).layer(DefaultBodyLimit::max(rules.max_body));
    guard::for_browsers(rules.hosts, all)
}
