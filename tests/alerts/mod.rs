//! Alerts, black box: anomalies lie in a real Redis, the real binary watches it, and what arrives at mail servers, web
//! servers and logs on real sockets is held against what must arrive, however badly those behave and whoever is killed.

mod asked;
mod causes;
mod crowd;
mod ear;
mod fallback;
mod full_disk;
pub(crate) mod hook;
mod hostile;
mod killed;
mod lives;
mod machines;
mod mail;
mod nodes;
mod notice_wait;
mod ourselves;
mod receivers;
mod reload;
mod settled;
mod store;
pub(crate) mod world;
