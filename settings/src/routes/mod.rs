//! Who is told of what: `[[routes]]`, a tree that an incident walks down.
//!
//! Of the routes of one level the first that matches takes the incident, and of those below it again the first; only
//! `continue` lets one look further. What a route leaves open it has from the route above it, at the top from
//! `[alerts]`. What the tables say ([`RouteTable`]) becomes plain values ([`ResolvedRoute`]) in which nothing is left open.

mod check;
mod route;
mod table;

pub use route::ResolvedRoute;

pub(crate) use check::check;
pub(crate) use route::{implicit, resolve};
pub(crate) use table::{DEEPEST, INHERITED, RouteTable};
