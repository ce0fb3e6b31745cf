//! Traces through the binary: real exporters, what comes out, and what must not get in.

mod detection;
mod exporters;
mod intake;
mod laws;
mod world;
