//! Places a window can be fetched from: a Graphite, a Prometheus, an InfluxDB, a file, another Skyline's Redis.
//!
//! The decision a reader would question: a source hands out what it has, in whatever order and as often as it has it, with
//! names as they are called there. Order, age and names are judged by whoever stores or scores it, once for all
//! sources. Retry and pace are the caller's too.

mod arguments;
mod csv;
pub mod druid;
mod error;
mod graphite;
mod http;
mod iam;
mod influx;
mod json;
mod kinds;
mod prometheus;
mod range_query;
mod redis;
pub mod row;
mod wide_csv;

use std::collections::BTreeMap;

use skywatch_algorithms::Series;

pub use arguments::{CommonArguments, SourceArguments};
pub use error::SourceError;
pub use graphite::{Graphite, GraphiteOptions};
pub use http::SourceLogin;
pub use iam::IamLogin;
pub use kinds::{ChosenSource, KINDS, SourceKind};
pub use range_query::{EachLabelled, RangeQueries, RangeQueryOptions};
pub use wide_csv::WideCsv;

/// A place windows can be fetched from. One thread uses it; calls block on the network or the disk, for no longer than the
/// source's own limits.
pub trait Source: Send {
    /// Where it is, for people; holds no secret.
    fn describe(&self) -> String;

    /// What is fetched at one go each: a metric, an expression, a piece of a file. In a stable order, and under words that
    /// mean the same tomorrow.
    fn parts(&mut self) -> Result<Vec<String>, SourceError>;

    /// Whether no two parts have points of the same metric.
    fn gives_metrics_whole(&self) -> bool {
        true
    }

    /// Fetches one part. `each` gets a metric's name and points, perhaps more than `span` asks for, and perhaps
    /// in several calls.
    ///
    /// After an error [worth trying again](SourceError::is_retryable) the part is fetched anew from its beginning.
    fn fetch(&mut self, part: &str, span: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError>;
}

/// Takes the points of one metric; the buffer may be changed at will.
pub type EachSeries<'e> = dyn FnMut(&str, &mut Series) + 'e;

/// How many points, or things that should have been points, were left out, by reason.
pub type LeftOut = BTreeMap<&'static str, u64>;

/// A stretch of time, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Later than this …
    pub after: f64,
    /// … and up to this.
    pub until: f64,
}
