//! A node says in Consul that it serves outliers, and says so again where Consul has forgotten it.
//!
//! Over the agent's HTTP interface (Consul's documentation, "Agent Service"): registered with an HTTP check on `/healthz`,
//! which the agent asks by itself, looked for now and then, deregistered at the end. An agent that does not answer is asked
//! again after a doubling pause and holds up nothing: requests are served meanwhile.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};
use skywatch_alerters::host;
use skywatch_alerters::http_client::{self, Trust};
use skywatch_settings::{Consul, Secret};
use ureq::http::StatusCode;

use crate::backoff::Backoff;
use crate::sources::SourceError;
use crate::stop::Stop;

/// Pauses after an agent that does not answer: it restarts within seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The longest wait for an agent at the end, when a supervisor waits for us.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read: only errors are shown.
const MOST_BYTES: u64 = 4 << 10;

/// One node's entry in Consul.
pub(super) struct ConsulRegistration {
    agent: ureq::Agent,
    url: String,
    token: Option<Secret>,
    id: String,
    service: Value,
    look_each: Duration,
}

impl ConsulRegistration {
    /// The entry of a service that listens on `address`, over TLS if `is_secure`; `None` where settings name no Consul.
    ///
    /// # Errors
    /// [`SourceError::Options`] for a file of authorities that cannot be used.
    pub(super) fn new(
        settings: &Consul,
        address: SocketAddr,
        is_secure: bool,
    ) -> Result<Option<Self>, SourceError> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        let trust = settings.ca_file.as_deref().map_or(Trust::Public, Trust::Only);
        let config = http_client::config(trust).map_err(|error| SourceError::Options {
            reason: error.to_string(),
        })?;
        let id = match settings.id.as_str() {
            "" => format!("{}-{}", settings.service, host::name()),
            id => id.to_owned(),
        };
        Ok(Some(Self {
            agent: config.timeout_global(Some(settings.timeout)).build().into(),
            url: url.as_str().to_owned(),
            token: settings.token.clone(),
            service: entry(settings, &id, address, is_secure),
            id,
            look_each: settings.look_each,
        }))
    }

    /// Keeps the entry until `stop` is said, then takes it out.
    pub(super) fn keep(&self, stop: &Stop) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut is_known = false;
        let mut is_silent = false;
        loop {
            let pause = match self.ensure(is_known) {
                Ok(registered) => {
                    if registered {
                        tracing::info!("outliers :: registered in Consul as `{}`", self.id);
                    }
                    (is_known, is_silent) = (true, false);
                    backoff.reset();
                    self.look_each
                }
                Err(why) => {
                    if !is_silent {
                        tracing::warn!("outliers :: Consul at {} :: {why} :: asked again", self.url);
                    }
                    is_silent = true;
                    backoff.pause()
                }
            };
            if stop.sleep(pause) {
                break;
            }
        }
        match self.put(
            &format!("/v1/agent/service/deregister/{}", self.id),
            None,
            Some(LAST_WORD),
        ) {
            Ok(()) => tracing::info!("outliers :: taken out of Consul"),
            Err(why) => {
                tracing::warn!("outliers :: not taken out of Consul, which finds out by itself :: {why}")
            }
        }
    }

    /// Registers us unless the agent knows us; whether that was necessary.
    fn ensure(&self, is_known: bool) -> Result<bool, String> {
        if is_known && self.is_registered()? {
            return Ok(false);
        }
        self.put(
            "/v1/agent/service/register?replace-existing-checks=true",
            Some(&self.service),
            None,
        )?;
        Ok(true)
    }

    fn is_registered(&self) -> Result<bool, String> {
        let mut request = self
            .agent
            .get(format!("{}/v1/agent/service/{}", self.url, self.id));
        if let Some(token) = &self.token {
            request = request.header("X-Consul-Token", token.expose());
        }
        let answer = request.call().map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            status => Err(status.to_string()),
        }
    }

    fn put(&self, path: &str, body: Option<&Value>, within: Option<Duration>) -> Result<(), String> {
        let mut request = self.agent.put(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("X-Consul-Token", token.expose());
        }
        if let Some(limit) = within {
            request = request.config().timeout_global(Some(limit)).build();
        }
        let answer = match body {
            Some(body) => request
                .header("Content-Type", "application/json")
                .send(body.to_string().as_bytes()),
            None => request.send_empty(),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let text = text.unwrap_or_default().replace(char::is_control, " ");
        Err(format!("{status} {}", text.trim()).trim_end().to_owned())
    }
}

/// A length of time as Go reads it, which knows no days.
fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs().max(1))
}

/// What the agent is told.
fn entry(settings: &Consul, id: &str, address: SocketAddr, is_secure: bool) -> Value {
    // Where we listen on all addresses the agent, which is on this machine, asks the near one, and tells others its own.
    let told = match settings.address.as_str() {
        "" if address.ip().is_unspecified() => String::new(),
        "" => address.ip().to_string(),
        told => told.to_owned(),
    };
    let asked = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let scheme = if is_secure { "https" } else { "http" };
    let check = SocketAddr::new(asked, address.port());
    json!({
        "ID": id,
        "Name": settings.service,
        "Address": told,
        "Port": address.port(),
        "Tags": settings.tags,
        "Meta": { "version": env!("CARGO_PKG_VERSION") },
        "Check": {
            "CheckID": format!("service:{id}"),
            "Name": "skywatch serves outliers",
            "HTTP": format!("{scheme}://{check}/healthz"),
            "Interval": seconds(settings.check_each),
            "Timeout": seconds(settings.timeout),
            "DeregisterCriticalServiceAfter": seconds(settings.deregister_after),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_an_address_that_they_can_reach() {
        let told = |listen: &str, address: &str, is_secure: bool| {
            let settings = Consul {
                address: address.to_owned(),
                ..Consul::default()
            };
            let entry = entry(&settings, "x", listen.parse().unwrap(), is_secure);
            (
                entry["Address"].as_str().unwrap().to_owned(),
                entry["Check"]["HTTP"].as_str().unwrap().to_owned(),
            )
        };
        let near = "http://127.0.0.1:80/healthz".to_owned();
        assert_eq!(told("0.0.0.0:80", "", false), (String::new(), near.clone()));
        assert_eq!(
            told("0.0.0.0:80", "10.0.0.9", false),
            ("10.0.0.9".to_owned(), near)
        );
        assert_eq!(
            told("[::1]:80", "", true),
            ("::1".to_owned(), "https://[::1]:80/healthz".to_owned())
        );
    }
}
