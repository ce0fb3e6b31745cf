//! The outlier service: which points of a Druid timeseries are outliers, asked over HTTP as rb-aioutliers has it.
//!
//! A request brings a query, or the rows themselves. A query's rows come from the place its data source names: the Druid of
//! the settings, the store, or a file ([`source`]); no request can name an address. The model that knows the sensor of the
//! query's filter judges them, else the one that is named, else a detector that needs none ([`judge`]); the answer says which.
//! Nothing is remembered between requests.
//!
//! Judging takes a core, fetching takes time: each has a bounded number of threads of its own, so that a slow Druid holds up
//! nobody who brings rows along.

mod addresses;
mod answer;
mod consul;
mod counters;
mod failure;
mod judge;
mod local;
mod probe;
mod request;
mod routes;
mod sensor_models;
mod server;
mod source;

use crate::net::listeners::ListenError;
use crate::net::tls::TlsError;
use crate::sources::SourceError;

#[cfg(test)]
pub(crate) use counters::every_counter;
pub use probe::probes;
pub use server::{OutlierOptions, OutlierServer};

/// Why the service cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum OutliersError {
    /// Its address cannot be bound.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its Druid cannot be asked as the settings say.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The system refuses a thread or a socket.
    #[error("the outlier service cannot start: {0}")]
    Start(std::io::Error),
}
