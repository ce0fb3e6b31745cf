//! Whether addresses are free, and Graphite can be had.

use skywatch_settings::Settings;

use super::listeners;
use crate::probe::{self, Probe, ProbeFailure};

/// Probes of the addresses that are listened on. While a Skywatch runs over these settings they are its own, so they are tried
/// only when none does.
pub fn listener_probes(settings: &Settings) -> Vec<Probe> {
    let probe = |listener: listeners::Listener| {
        Probe::new(listener.service.setting, move || {
            let (address, service) = (listener.address, listener.service);
            match listener.bind() {
                Ok(_) => Ok(format!("`{address}` is free")),
                Err(error) => Err(ProbeFailure::new(
                    format_args!("cannot listen on `{address}`: {}", error.source),
                    format!(
                        "set `{}` to a free address of this machine, or {}; `ss -lntup` says who has it",
                        service.setting, service.without
                    ),
                )),
            }
        })
    };
    listeners::declared(settings).map(probe).collect()
}

/// A probe of the Graphite that our own metrics go to.
pub fn graphite_probes(settings: &Settings) -> Vec<Probe> {
    let Some(address) = &settings.graphite.address else {
        return Vec::new();
    };
    let (address, timeout) = (address.to_string(), settings.graphite.timeout);
    vec![Probe::new("graphite", move || {
        probe::reach(&address, timeout, "graphite.address")?;
        Ok(format!("`{address}` takes connections"))
    })]
}
