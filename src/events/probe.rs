//! Whether events would be taken.

use skywatch_settings::Settings;

use super::kafka;
use super::sending::SinkOptions;
use crate::probe::{self, HttpProbe, Probe, ProbeFailure};

/// Probes of Kafka and of the webhook.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let events = &settings.events;
    let mut probes = Vec::new();
    if !events.kafka_brokers.is_empty() {
        let options = SinkOptions::of_settings(events, false);
        probes.push(Probe::new("events.kafka", move || {
            let Some(options) = &options.kafka else {
                return Ok("no Kafka is asked for".to_owned());
            };
            kafka::topics(options).map_err(|why| {
                ProbeFailure::new(
                    format_args!("`{}`: {why}", options.place()),
                    "are the brokers running and reachable from here under the names they give themselves (`advertised.listeners`), and are `kafka_sasl`, `kafka_tls` and the login in [events] theirs?",
                )
            })
        }));
    }
    if let Some(url) = events.webhook_url.clone() {
        let events = events.clone();
        probes.push(Probe::new("events.webhook", move || {
            let url = url.expose();
            let asked = HttpProbe {
                url,
                authorization: events.webhook_token.as_ref().map(probe::bearer_login),
                ca_file: events.webhook_ca_file.as_deref(),
                timeout: events.webhook_timeout,
                section: "events",
            };
            asked.knock()?;
            Ok(format!(
                "`{}` answers; `skywatch events test` sends it a message",
                url.place()
            ))
        }));
    }
    probes
}
