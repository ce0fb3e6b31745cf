//! Serves the health plane.

use std::net::SocketAddr;
use std::time::Duration;

use skywatch_alerters::Subject;
use skywatch_algorithms::verdicts::Policy;
use skywatch_settings::Settings;

use super::role::{self, Role, RoleContext};
use crate::health::{
    self, DialOptions, FigureSinks, HealthError, HealthLimits, Options, PlaneFindings, Retention,
    ServeOptions, ServerOptions,
};
use crate::inlet::Finder;
use crate::net::listeners::Service;
use crate::observer::Observer;
use crate::process::{ProcessError, observing, wiring};
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

    fn finds(&self) -> bool {
        true
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let finder = Finder::new("health", Some(Subject::COMPONENT));
        let client = role::connect(context.inlet.clone(), finder, None)?;
        let findings = PlaneFindings {
            inlet: client.inlet(),
            followed: client.followed(),
        };
        let outcome = serve_health(context.settings, Some(findings), context.stop);
        client.finish(role::CONFIRM_PATIENCE);
        outcome
    }
}

/// Serves the health plane as the settings say, until `stop` is said; what it finds is handed over, if somebody wants it.
pub(crate) fn serve_health(
    settings: &Settings,
    findings: Option<PlaneFindings>,
    stop: &Stop,
) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    let bound = Service::HEALTH.bind_tcp(settings.health.listen);
    let listener = bound.map_err(HealthError::from)?;
    let address = listener.local_addr().map_err(HealthError::Start)?;
    let access = wiring::health_access(settings)?;
    access.warn_if_readable("health", address, "health.");
    tracing::info!("health plane on {address}");
    let graphite = wiring::graphite(settings, &Observer::off())?;
    let options = ServeOptions {
        server: options(settings, address)?,
        access,
        max_connections: settings.health.max_connections,
        state_dir: Some(settings.state_dir.clone()),
        findings,
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
    let peers = health
        .peers()
        .map(|(id, address)| (id.to_owned(), address.to_owned()));
    Ok(ServerOptions {
        id: observing::plane_id(settings),
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
