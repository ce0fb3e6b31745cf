//! What a process of Skywatch can do: a role a file, and one table of them.
//!
//! With a Redis each role is a child of its own, over the embedded store and in the demo all are threads of one process; a
//! role does not ask which. How roles become processes is in [`launch`](super::launch).

mod analyzer;
mod dispatch;
mod entities;
mod events;
mod health;
mod ingest;
mod logs;
#[cfg(feature = "learned")]
mod outliers;
mod role;
mod traces;
#[cfg(feature = "learned")]
mod trainer;
mod web;

use skywatch_settings::Settings;

pub(crate) use analyzer::watch;
pub(crate) use dispatch::{dispatch, in_this_process};
pub(crate) use health::serve_health;
pub(crate) use ingest::take_in;
#[cfg(feature = "learned")]
pub(crate) use outliers::serve_outliers;
pub use role::{Needs, Role, RoleContext, RunOptions};
pub(crate) use web::serve;

/// All roles, in the order in which they are started.
pub const ROLES: &[&dyn Role] = &[
    &dispatch::DispatchRole,
    &events::EventsRole,
    &ingest::IngestRole,
    &analyzer::AnalyzerRole,
    &logs::LogsRole,
    &health::HealthRole,
    &traces::TracesRole,
    &entities::EntitiesRole,
    #[cfg(feature = "learned")]
    &outliers::OutliersRole,
    &web::WebRole,
    #[cfg(feature = "learned")]
    &trainer::TrainerRole,
];

/// The roles that `settings` ask for, in the order in which they are started.
pub(crate) fn wanted(settings: &Settings) -> impl Iterator<Item = &'static dyn Role> {
    let has_finder = ROLES.iter().any(|role| role.finds() && role.is_wanted(settings));
    ROLES
        .iter()
        .copied()
        .filter(move |role| role.is_wanted(settings) || (has_finder && role.serves_finders()))
}

/// The role of that name.
///
/// # Errors
/// A sentence that lists the names there are.
pub(crate) fn named(name: &str) -> Result<&'static dyn Role, String> {
    let found = ROLES.iter().copied().find(|role| role.name() == name);
    found.ok_or_else(|| {
        let names: Vec<_> = ROLES.iter().map(|role| role.name()).collect();
        format!("no role of this name, but {}", names.join(", "))
    })
}
