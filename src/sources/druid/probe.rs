//! Whether the broker can be had.

use skywatch_settings::Settings;

use crate::probe::{self, HttpProbe, Probe, ProbeFailure};

/// A probe of the broker: the tables it knows, which it lists below the address of queries.
pub fn probes(settings: &Settings) -> Vec<Probe> {
    let druid = settings.druid.clone();
    let Some(server) = druid.url.clone() else {
        return Vec::new();
    };
    vec![Probe::new("druid", move || {
        let asked = HttpProbe {
            url: &server.join("/datasources"),
            authorization: druid
                .username
                .as_ref()
                .map(|user| probe::basic_login(user, druid.password.as_ref())),
            ca_file: druid.ca_file.as_deref(),
            timeout: druid.timeout,
            section: "druid",
        };
        let place = server.url().place();
        match serde_json::from_str::<Vec<String>>(&asked.get()?) {
            Ok(tables) => Ok(format!("`{place}` answers, {} tables", tables.len())),
            Err(_) => Err(ProbeFailure::new(
                format_args!("`{place}` answers, but not as a Druid broker does"),
                "is `druid.url` that of queries, such as `http://broker:8082/druid/v2`?",
            )),
        }
    })]
}
