//! The outlier service: real requests, a stand-in for Druid that holds queries to what a broker takes, models on disk.

mod cluster;
mod druid;
mod import;
mod models;
mod requests;
mod sensors;
mod sources;
mod world;
