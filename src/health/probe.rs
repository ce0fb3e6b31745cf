//! Whether peers of the health plane can be had.

use std::time::Duration;

use skywatch_settings::{Secret, Settings};

use super::dial::DialOptions;
use crate::probe::{Probe, ProbeFailure};

/// How long a peer may take to be connected to: it is told of reports within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A probe of each peer but ourselves.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let health = &settings.health;
    if !health.enabled {
        return Vec::new();
    }
    let (ca_file, token) = (health.peer_ca_file.clone(), health.peer_token.clone());
    let own = match health.id.as_str() {
        "" => skywatch_alerters::host::name(),
        id => id.to_owned(),
    };
    let peers = health.peers().filter(|(id, _)| *id != own);
    peers
        .map(|(id, address)| {
            let (id, address, ca_file, token) = (id.to_owned(), address.to_owned(), ca_file.clone(), token.clone());
            Probe::new(format!("health.peers.{id}"), move || {
                connect(&address, ca_file.as_deref(), token.as_ref()).map_err(|why| {
                    ProbeFailure::new(
                        format_args!("no connection to peer `{id}` at `{address}`: {why}"),
                        "is its Skywatch running with `health.enabled`, does `health.listen` there take other machines, and do both speak TLS or neither?",
                    )
                })?;
                Ok(format!("`{address}` takes connections"))
            })
        })
        .collect()
}

fn connect(address: &str, ca_file: Option<&std::path::Path>, token: Option<&Secret>) -> Result<(), String> {
    let dial = DialOptions::new(ca_file, token).map_err(|error| error.to_string())?;
    let endpoint = dial
        .endpoint(address, TIMEOUT)
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let connected = runtime.block_on(async { tokio::time::timeout(TIMEOUT, endpoint.connect()).await });
    match connected {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            Err(std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string))
        }
        Err(_) => Err(format!("nobody answered within {TIMEOUT:?}")),
    }
}
