//! OTLP's messages and services, generated from the `.proto` files beside this one by
//! `cargo run --manifest-path scripts/idl/Cargo.toml`, and checked in, so that building needs no compiler for them.

#[expect(unreachable_pub, clippy::all, clippy::allow_attributes, reason = "generated")]
mod generated {
    pub mod trace_service {
        include!("opentelemetry.proto.collector.trace.v1.rs");
    }
    pub mod metrics_service {
        include!("opentelemetry.proto.collector.metrics.v1.rs");
    }
    pub mod otlp {
        include!("skywatch.otlp.rs");
    }
    pub mod rpc {
        include!("google.rpc.rs");
    }
}

pub(in crate::traces) use generated::{metrics_service, otlp, rpc, trace_service};
