//! The protocol: messages and services, generated from the `.proto` files beside this one by
//! `cargo run --manifest-path scripts/idl/Cargo.toml`, and checked in, so that building needs no compiler for them.
//!
//! [`panorama`] is the original's package `idl`, [`verdicts`] what we add. Names are the protocol's.

/// The package `idl`: Panorama's messages and its service.
#[expect(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes,
    reason = "generated"
)]
mod generated {
    pub mod idl {
        include!("idl.rs");
    }
    pub mod skywatch {
        pub mod health {
            pub mod v1 {
                include!("skywatch.health.v1.rs");
            }
        }
    }
}

pub use generated::idl as panorama;
pub use generated::skywatch::health::v1 as verdicts;

/// All files of both, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");

#[cfg(test)]
mod tests;
