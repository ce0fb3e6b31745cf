//! Trimming, against a real redis-server: nothing that a window reaches is ever lost, whatever else goes on at the same
//! time; what is dead goes and comes back; what is no series stays.

mod crowd;
mod laws;
mod moments;
mod old_server;
mod thread;
mod world;
