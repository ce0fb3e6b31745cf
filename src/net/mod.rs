//! What goes over the wire and belongs to no room in particular.

pub mod carbon_out;
