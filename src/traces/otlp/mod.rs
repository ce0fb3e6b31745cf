//! OpenTelemetry's protocol: spans and metrics, as protobuf and as JSON, over HTTP and gRPC.

pub(super) mod answer;
pub(super) mod grpc;
pub(super) mod json;
pub(super) mod metrics;
mod metrics_json;
pub(super) mod protobuf;
pub(super) mod quantiles;
mod resource;

/// Longest span, or metric with its points, bytes: a bound on what one becomes unpacked.
const LONGEST_ELEMENT: usize = 4 << 20;
