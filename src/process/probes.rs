//! The table of all that settings lead to outside, and that can be tried.

use skywatch_settings::{Settings, StoreUrl};

use super::{alerting, wiring};
use crate::probe::{Probe, ProbeFailure, ProbesOf};
use crate::store::StoreError;
use crate::store::redis::RedisConnect;
use crate::{entities, events, files, health, net, sources, store, topology};

/// What is tried, in this order. Whoever has to do with something outside adds a line.
const PROBES: &[ProbesOf] = &[
    state_dir,
    store_probes,
    receivers,
    net::probe::graphite_probes,
    events::probes,
    entities::probes,
    topology::probes,
    health::probes,
    sources::druid::probes,
    #[cfg(feature = "learned")]
    crate::outliers::probes,
    #[cfg(feature = "learned")]
    crate::models::probes,
];

/// All probes of what `settings` ask for; of the addresses they listen on only if no Skywatch has them already.
pub(crate) fn probes(settings: &Settings, is_running: bool) -> Vec<Probe> {
    let mut probes: Vec<Probe> = PROBES.iter().flat_map(|probes| probes(settings)).collect();
    if !is_running {
        probes.extend(net::probe::listener_probes(settings));
    }
    probes
}

/// Whether the state folder can be written.
fn state_dir(settings: &Settings) -> Vec<Probe> {
    let folder = settings.state_dir.clone();
    vec![Probe::new("state_dir", move || {
        let failed = |source| wiring::state_dir_error(&folder, source);
        let tried = wiring::prepare_state_dir(&folder)
            .and_then(|()| tempfile::NamedTempFile::new_in(&folder).map_err(failed))
            .and_then(|_| files::lack_of_space(&folder).map_err(failed));
        match tried {
            Ok(None) => Ok(format!("`{}` can be written", folder.display())),
            Ok(Some(lack)) => Err(ProbeFailure::new(
                lack,
                "make room on it, or set `state_dir` to a folder on another",
            )),
            Err(error) => {
                let cause = error.to_string();
                let cause = cause.split("\nhint").next().unwrap_or_default();
                Err(ProbeFailure::new(
                    cause,
                    format!(
                        "let `{}` belong to the user Skywatch runs as, or set `state_dir` to a folder he may write",
                        folder.display()
                    ),
                ))
            }
        }
    })]
}

/// The way to the store, if it is a Redis.
fn redis(settings: &Settings) -> Option<Result<RedisConnect, StoreError>> {
    let StoreUrl::Redis(url) = &settings.store.url else {
        return None;
    };
    Some(wiring::redis(url, settings).map_err(|error| match error {
        super::ProcessError::Store(error) => error,
        other => StoreError::Options {
            reason: other.to_string(),
        },
    }))
}

/// The store, unless it is a part of the state folder.
fn store_probes(settings: &Settings) -> Vec<Probe> {
    let connect = redis(settings).into_iter();
    connect
        .map(|connect| store::probe(&settings.store, connect))
        .collect()
}

/// Addresses of some nodes of the cluster of which the store is one, as `host:port`; `None` if that cannot be said.
pub(crate) fn cluster_nodes(settings: &Settings) -> Option<Vec<String>> {
    let nodes = redis(settings)?.ok()?.cluster_nodes().ok()?;
    Some(nodes.iter().map(ToString::to_string).collect())
}

/// Everybody who can be told.
fn receivers(settings: &Settings) -> Vec<Probe> {
    let destinations = match alerting::destinations(settings) {
        Ok(destinations) => destinations,
        Err(error) => {
            let failure = ProbeFailure::new(
                &error,
                error
                    .hint()
                    .unwrap_or("see the options of this receiver in docs/alerting.md"),
            );
            return vec![Probe::new("receivers", move || Err(failure))];
        }
    };
    destinations
        .into_iter()
        .map(|destination| {
            let (name, kind) = (destination.name.clone(), destination.sender.kind());
            Probe::new(format!("receivers.{name}"), move || {
                destination.sender.probe().map_err(|error| {
                    let usual = if error.is_transient() {
                        "is the server running and reachable from here, and are address and port right?"
                    } else {
                        "compare the options of this receiver with what the other side asks for"
                    };
                    let mend = error.hint().unwrap_or(usual);
                    ProbeFailure::new(&error, format!("{mend} ({kind}, docs/alerting.md)"))
                })
            })
        })
        .collect()
}
