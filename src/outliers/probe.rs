//! Whether the agent of Consul can be had.

use skywatch_settings::Settings;

use crate::probe::{self, HttpProbe, Probe};

/// A probe of the agent.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let consul = settings.consul.clone();
    let Some(agent) = consul.url.clone() else {
        return Vec::new();
    };
    vec![Probe::new("consul", move || {
        let asked = HttpProbe {
            url: &agent.join("/v1/agent/self"),
            authorization: consul.token.as_ref().map(probe::bearer_login),
            ca_file: consul.ca_file.as_deref(),
            timeout: consul.timeout,
            section: "consul",
        };
        asked.get()?;
        Ok(format!("the agent at `{}` answers", agent.url().place()))
    })]
}
