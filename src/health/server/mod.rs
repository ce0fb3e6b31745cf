//! The plane as a gRPC server: Panorama's service, ours, health and reflection of gRPC itself, and the exchange with peers.
//!
//! A report is answered once it is in the file, so that "accepted" means kept. The plane is behind one lock that is held for
//! microseconds and never across a wait; everything on the way to it is checked before. A std mutex, as nothing awaits under
//! it.

mod compatible;
mod counters;
mod options;
mod ours;
mod peer_lines;
mod peer_talk;
mod shared;
#[cfg(test)]
mod tests;
mod upkeep;

use std::sync::Arc;

use axum::Router;
use tonic::service::Routes;

use self::compatible::Compatible;
pub use self::counters::HealthCounters;
pub use self::options::{Collection, ServerOptions};
use self::ours::Ours;
pub use self::shared::HealthServer;
use super::idl::DESCRIPTORS;
use super::idl::panorama::health_service_server::HealthServiceServer;
use super::idl::verdicts::verdicts_server::VerdictsServer;
use super::journal::JournalError;
use crate::net::login::{self, Tokens};

/// Bytes of a message at most, as gRPC has it by default.
const MESSAGE_BYTES: usize = 4 << 20;
/// The paths of gRPC's own health service.
const OPEN: &str = "/grpc.health.v1.Health/{*method}";
/// The module under which a server registers itself as an observer.
const MODULE: &str = "skywatch";

impl HealthServer {
    /// Reads what is kept, and is ready. Needs a tokio runtime: exchange and deadlines are tasks of it, which end with the
    /// last copy of the server.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn start(options: ServerOptions) -> Result<Arc<Self>, JournalError> {
        let server = Arc::new(Self::open(options)?);
        let (own, _) = server.step(|plane, now| {
            server.peers.send_again(plane, now);
            plane.register(MODULE, &server.options.id, now)
        });
        match own {
            Ok(handle) => peer_talk::begin(&server, handle),
            Err(refusal) => tracing::error!("health :: nothing is exchanged with peers :: {refusal}"),
        }
        upkeep::begin(&server);
        Ok(server)
    }

    /// The services, to be served by whoever listens. With `tokens` only those who have one of them are answered; whether
    /// the services are there (`grpc.health.v1`) everybody may ask, as a load balancer has no token.
    pub(crate) fn routes(self: &Arc<Self>, tokens: Option<Tokens>) -> Router {
        let compatible =
            HealthServiceServer::new(Compatible(Arc::clone(self))).max_decoding_message_size(MESSAGE_BYTES);
        let ours = VerdictsServer::new(Ours(Arc::clone(self))).max_decoding_message_size(MESSAGE_BYTES);
        let (reporter, health) = tonic_health::server::health_reporter();
        tokio::spawn(async move {
            reporter.set_serving::<HealthServiceServer<Compatible>>().await;
            reporter.set_serving::<VerdictsServer<Ours>>().await;
        });
        let mut routes = Routes::new(compatible).add_service(ours);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // They refuse descriptors that are none; ours are held to be some by a test.
        if let (Ok(new), Ok(old)) = (reflection().build_v1(), reflection().build_v1alpha()) {
            routes = routes.add_service(new).add_service(old);
        }
        let closed = routes.into_axum_router();
        let closed = match tokens {
            Some(tokens) => login::require(tokens, closed),
            None => closed,
        };
        closed.route_service(OPEN, health)
    }
}
