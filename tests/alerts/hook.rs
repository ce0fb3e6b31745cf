//! A webhook's other end: what it was told, by whom and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::common::http_sink::{Answer, HttpSink, Request};
use crate::common::wait_for;

/// A web server that takes notices.
pub(crate) struct Hook {
    pub(crate) sink: HttpSink,
}

/// One notice as it came.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The idempotency key.
    pub(crate) id: String,
    pub(crate) body: Value,
}

impl Told {
    /// Kind of subject, its name, and what was said of it; for each incident listed.
    pub(crate) fn items(&self) -> Vec<(String, String, String)> {
        let items = self.body["incidents"]["items"].as_array();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let item = |item: &Value| {
            let subject = &item["subject"];
            (
                text(&subject["kind"]),
                text(&subject["name"]),
                text(&item["what"]),
            )
        };
        items.into_iter().flatten().map(item).collect()
    }
}

impl Hook {
    pub(crate) fn start() -> Self {
        Self::after(Duration::ZERO)
    }

    /// One that thinks for a while before it answers.
    pub(crate) fn after(pause: Duration) -> Self {
        Self::answering(move |_| {
            std::thread::sleep(pause);
            Answer::status(204)
        })
    }

    pub(crate) fn answering(respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            sink: HttpSink::start(respond),
        }
    }

    /// A receiver of this name that leads here, for a settings file.
    pub(crate) fn receiver(&self, name: &str) -> String {
        format!(
            "[receivers.{name}]\ntype = \"webhook\"\nurl = \"{}/{name}\"\n",
            self.sink.url()
        )
    }

    /// Everything that came in whole, in order.
    pub(crate) fn told(&self) -> Vec<Told> {
        let requests = self.sink.requests();
        let told = requests.iter().map(|request| Told {
            id: request.header("idempotency-key").unwrap().to_owned(),
            body: request.json(),
        });
        told.collect()
    }

    /// What was said of metrics, by name, in order; a repeat of the same notice counts once.
    pub(crate) fn of_metrics(&self) -> BTreeMap<String, Vec<String>> {
        self.of("metric")
    }

    /// What was said of Skywatch's own parts.
    pub(crate) fn of_components(&self) -> BTreeMap<String, Vec<String>> {
        self.of("component")
    }

    fn of(&self, wanted: &str) -> BTreeMap<String, Vec<String>> {
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for told in self.told() {
            if seen.insert(told.id.clone()) {
                for (kind, name, what) in told.items() {
                    if kind == wanted {
                        said.entry(name).or_default().push(what);
                    }
                }
            }
        }
        said
    }

    /// Waits until exactly this was said of a metric, or more.
    pub(crate) fn wait_for(&self, name: &str, said: &[&str]) {
        wait_for(&format!("{said:?} about {name}"), || {
            let all = [self.of_metrics(), self.of_components()];
            let found = all.iter().find_map(|of| of.get(name))?;
            (found.len() >= said.len()).then(|| assert_eq!(found[..said.len()], *said, "{name}"))
        });
    }
}
