//! What a role observes, and who it is to the health plane.

use skywatch_alerters::host;
use skywatch_settings::{Settings, StoreUrl};

use super::ProcessError;
use super::roles::Role;
use crate::health::Reporter;
use crate::observer::Observer;
use crate::store::{AnyConnect, Connect as _};

/// Observes for one role, and reports that to the plane of this machine for as long as it lives.
pub(super) struct RoleObserver {
    observer: Observer,
    _reporter: Option<Reporter>,
}

impl RoleObserver {
    /// One that reports if settings want a plane.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start(
        settings: &Settings,
        role: &dyn Role,
        store: Option<&AnyConnect>,
    ) -> Result<Self, ProcessError> {
        if !(settings.health.enabled && role.observes()) {
            return Ok(Self {
                observer: Observer::off(),
                _reporter: None,
            });
        }
        let (observer, reports) = Observer::new();
        if let Some(store) = store {
            observer.map_subject(&store.describe(), &store_subject(settings));
        }
        let name = format!("{}@{}", role.name(), plane_id(settings));
        let reporter = Reporter::start(reports, &settings.state_dir, name);
        Ok(Self {
            observer,
            _reporter: Some(reporter.map_err(|source| ProcessError::Start {
                what: "the thread that reports to the health plane",
                source,
            })?),
        })
    }

    /// What to observe with.
    pub(super) fn observer(&self) -> &Observer {
        &self.observer
    }
}

/// What this machine's plane is called: as set, or as the host.
pub(super) fn plane_id(settings: &Settings) -> String {
    match &*settings.health.id {
        "" => host::name(),
        id => id.to_owned(),
    }
}

/// The store as a subject.
pub(super) fn store_subject(settings: &Settings) -> String {
    let kind = match settings.store.url {
        StoreUrl::Embedded => "embedded",
        StoreUrl::Redis(_) => "redis",
    };
    format!("{kind}:{}", settings.store.name)
}
