//! What goes over the wire and belongs to no room in particular.

pub mod access;
pub(crate) mod calls;
pub mod carbon_out;
pub(crate) mod guard;
pub(crate) mod http;
mod idle;
mod kernel_drops;
pub mod listeners;
pub(crate) mod local;
pub(crate) mod login;
pub(crate) mod multipart;
pub(crate) mod openapi;
pub mod probe;
pub(crate) mod problem;
mod proven;
pub(crate) mod routes;
pub(crate) mod slots;
pub(crate) mod tagged;
pub(crate) mod throttle;
pub mod tls;

pub(crate) use idle::TimeLimits;
pub(crate) use kernel_drops::KernelDrops;
