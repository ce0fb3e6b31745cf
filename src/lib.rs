//! Skywatch watches every metric you have: ingest, analyzer, alerts and pages in one binary.
//!
//! This library is the wiring; numbers live in `skywatch-algorithms`, messages in `skywatch-alerters`,
//! options in `skywatch-settings`. `docs/architecture.md` walks through the rooms.

#[cfg(not(target_os = "linux"))]
compile_error!("Skywatch is built and tried on Linux only");

#[cfg(feature = "learned")]
pub mod aioutliers;
pub mod analyzer;
pub mod anteater;
mod archive_file;
pub mod backfill;
mod backoff;
pub mod backtest;
pub mod backup;
pub mod baseline;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod demo;
pub mod dispatch;
pub mod entities;
pub mod events;
mod files;
mod follow;
pub mod hash;
pub mod health;
pub mod history;
pub mod imported;
pub mod ingest;
pub mod inlet;
#[cfg(feature = "learned")]
pub mod jobs;
pub mod live_value;
mod log;
pub mod logs;
mod metric_name;
#[cfg(feature = "learned")]
pub mod models;
pub mod net;
pub mod observer;
#[cfg(feature = "learned")]
pub mod outliers;
mod panics;
pub mod probe;
pub mod process;
mod sender_mark;
pub mod skyline_settings;
pub mod sources;
pub mod status;
pub mod stop;
pub mod store;
pub mod topology;
pub mod trace_files;
pub mod traces;
mod unpack;
pub mod web;
mod windows;
