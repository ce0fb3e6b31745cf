//! Whether the Prometheus of entities can be had.

use skywatch_settings::Settings;

use crate::probe::{self, HttpProbe, Probe, ProbeFailure};

/// A probe of the Prometheus; of a cloud's AOM, which has a login of its own, whether it can be reached.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let entities = settings.entities.clone();
    let Some(server) = entities.prometheus.clone().filter(|_| entities.enabled) else {
        return Vec::new();
    };
    vec![Probe::new("entities.prometheus", move || {
        let is_aom = entities.app_code.is_some() || entities.iam_url.is_some();
        let basic = entities
            .username
            .as_ref()
            .map(|user| probe::basic_login(user, entities.password.as_ref()));
        let url = server.join("/api/v1/query?query=vector(1)");
        let asked = HttpProbe {
            url: if is_aom { server.url() } else { &url },
            authorization: entities.token.as_ref().map(probe::bearer_login).or(basic),
            ca_file: entities.ca_file.as_deref(),
            timeout: entities.timeout,
            section: "entities",
        };
        let place = server.url().place();
        if is_aom {
            probe::reach(
                &with_port(server.url().as_str(), place),
                entities.timeout,
                "entities.prometheus",
            )?;
            return Ok(format!(
                "`{place}` takes connections; its login is tried when entities are fetched"
            ));
        }
        let answer = asked.get()?;
        if answer.contains("\"status\":\"success\"") {
            return Ok(format!("`{place}` answers queries"));
        }
        Err(ProbeFailure::new(
            format_args!("`{place}` answers, but not as a Prometheus does"),
            "is `entities.prometheus` the address up to, and without, `/api/v1`?",
        ))
    })]
}

/// Host and port, with the scheme's port where none is written.
fn with_port(url: &str, place: &str) -> String {
    let has_port = place
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    if has_port {
        place.to_owned()
    } else {
        format!("{place}:{}", if url.starts_with("https:") { 443 } else { 80 })
    }
}
