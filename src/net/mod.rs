//! What goes over the wire and belongs to no room in particular.

pub mod carbon_out;
mod idle;
mod kernel_drops;
pub mod listeners;

pub(crate) use idle::Idle;
pub(crate) use kernel_drops::KernelDrops;
