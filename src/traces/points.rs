//! Where points go that come over OTLP or are made of traces. The role is given a place and does not know the ingest.

/// A point on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedPoint {
    /// The metric, tags included, in any spelling.
    pub metric: String,
    /// Unix seconds.
    pub time: f64,
    /// The value.
    pub value: f64,
}

/// Takes points, all of a call or, when there is no room, none. Called from several threads; does not block.
pub trait PointSink: Send + Sync {
    /// Takes points. Answers how many of them were dropped, which the sink counts by reason; `None` says that there is no
    /// room and the caller may come again.
    fn take(&self, points: &[NamedPoint]) -> Option<u64>;

    /// Name and value of the sink's counters.
    fn counters(&self) -> Vec<(String, u64)>;
}
