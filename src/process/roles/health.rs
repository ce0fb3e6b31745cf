//! Serves the health plane.

use std::net::SocketAddr;
use std::time::Duration;

use skywatch_alerters::host;
use skywatch_algorithms::verdicts::Policy;
use skywatch_settings::Settings;

use super::role::{Role, RoleContext};
use crate::health::{
    self, DialOptions, FigureSinks, HealthError, HealthLimits, Options, Retention, ServeOptions,
    ServerOptions,
};
use crate::net::listeners::Service;
use crate::process::{ProcessError, wiring};
use crate::status::StatusFile;
use crate::stop::Stop;

/// The role of that name.
#[derive(Debug)]
pub(super) struct HealthRole;

impl Role for HealthRole {
    fn name(&self) -> &'static str {
        "health"
    }

    fn is_wanted(&self, settings: &Settings) -> bool {
        settings.health.enabled
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        serve_health(context.settings, context.stop)
    }
}

/// Serves the health plane as the settings say, until `stop` is said.
pub(crate) fn serve_health(settings: &Settings, stop: &Stop) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    let bound = Service::HEALTH.bind_tcp(settings.health.listen);
    let listener = bound.map_err(HealthError::from)?;
    let address = listener.local_addr().map_err(HealthError::Start)?;
    let access = wiring::health_access(settings)?;
    access.warn_if_readable("health", address, "health.");
    tracing::info!("health plane on {address}");
    let graphite = wiring::graphite(settings)?;
    let options = ServeOptions {
        server: options(settings, address)?,
        access,
        max_connections: settings.health.max_connections,
        state_dir: Some(settings.state_dir.clone()),
        figures: Some(FigureSinks {
            file: StatusFile::health(&settings.state_dir),
            graphite: graphite.map(|graphite| (graphite, wiring::prefix(settings, "health"))),
        }),
    };
    Ok(health::serve(listener, options, stop)?)
}

/// What the settings say of a server at this address.
fn options(settings: &Settings, address: SocketAddr) -> Result<ServerOptions, HealthError> {
    let health = &settings.health;
    let nanoseconds = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let id = match &*health.id {
        "" => host::name(),
        id => id.to_owned(),
    };
    let peers = health
        .peers()
        .map(|(id, address)| (id.to_owned(), address.to_owned()));
    Ok(ServerOptions {
        id,
        address: address.to_string(),
        peers: peers.collect(),
        dial: DialOptions::new(health.peer_ca_file.as_deref(), health.peer_token.as_ref())?,
        subjects: health.subjects.clone(),
        file: Some(settings.state_dir.join("health.sqlite")),
        retention: Retention {
            age: health.keep,
            rows: health.keep_reports,
        },
        collection: None,
        plane: Options {
            limits: HealthLimits {
                subjects: health.max_subjects,
                memory: health.max_bytes,
                ..HealthLimits::default()
            },
            policy: Policy {
                pending_deadline: nanoseconds(health.pending_deadline),
                ..Policy::default()
            },
            filter: health.filter,
            ..Options::default()
        },
    })
}
