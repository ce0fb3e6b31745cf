//! Whether a topology can be read.

use skywatch_settings::{Settings, TopologySource};

use super::TopologyCache;
use crate::probe::{Probe, ProbeFailure};

/// A probe of where settings say it is known from who depends on whom; what traces tell needs none.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let causes = settings.causes.clone();
    let is_elsewhere = matches!(
        causes.topology,
        TopologySource::File | TopologySource::Http | TopologySource::ArangoDb
    );
    if !(causes.enabled && is_elsewhere) {
        return Vec::new();
    }
    let state_dir = settings.state_dir.clone();
    vec![Probe::new("causes.topology", move || {
        match TopologyCache::new(&causes, &state_dir).read_now() {
            Ok(topology) => Ok(format!(
                "{} services and machines are known",
                topology.nodes().len()
            )),
            Err(error) => Err(ProbeFailure::new(
                error,
                "check `topology`, the address or file, and the login in [causes]; docs/causes.md says what is read",
            )),
        }
    })]
}
