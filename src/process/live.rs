//! Settings that change while a process runs: which ones can, and who in this process wants to know.
//!
//! What decides what is let in, what is anomalous and who is told can change; what was opened at the start (listeners, the
//! store, threads, files) cannot, and takes a restart.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use skywatch_settings::Settings;

use super::ProcessError;
use crate::log;

/// Keys, or beginnings of keys, that take effect at once …
const LIVE: [&str; 15] = [
    "alerts.",
    "email.",
    "receivers.",
    "routes",
    "adaptive.",
    "analyzer.stale_period",
    "analyzer.min_tolerable_length",
    "analyzer.max_tolerable_boredom",
    "analyzer.boredom_set_size",
    "analyzer.consensus",
    "ingest.skip",
    "ingest.do_not_skip",
    "ingest.max_age",
    "ingest.max_future",
    "ingest.max_metrics",
];
/// … apart from these, with which something is opened or begun at the start.
const NOT_LIVE: [&str; 4] = [
    "adaptive.learned",
    "alerts.base_url",
    "alerts.heartbeat_url",
    "alerts.heartbeat_url_file",
];

/// Whether a new value of the key takes effect without a restart.
pub(crate) fn is_live(key: &str) -> bool {
    key == "log.level" || (LIVE.iter().any(|live| key.starts_with(live)) && !NOT_LIVE.contains(&key))
}

/// `old` with all of `new` that takes effect without a restart.
pub(super) fn with_live(old: &Settings, new: &Settings) -> Settings {
    let mut settings = old.clone();
    settings.alerts = skywatch_settings::Alerts {
        base_url: old.alerts.base_url.clone(),
        heartbeat_url: old.alerts.heartbeat_url.clone(),
        heartbeat_url_file: old.alerts.heartbeat_url_file.clone(),
        ..new.alerts.clone()
    };
    settings.email = new.email.clone();
    settings.routing = new.routing.clone();
    settings.adaptive = skywatch_settings::Adaptive {
        learned: old.adaptive.learned,
        ..new.adaptive.clone()
    };
    settings.analyzer = skywatch_settings::Analyzer {
        stale_period: new.analyzer.stale_period,
        min_tolerable_length: new.analyzer.min_tolerable_length,
        max_tolerable_boredom: new.analyzer.max_tolerable_boredom,
        boredom_set_size: new.analyzer.boredom_set_size,
        consensus: new.analyzer.consensus,
        ..old.analyzer.clone()
    };
    settings.ingest.skip.clone_from(&new.ingest.skip);
    settings.ingest.do_not_skip.clone_from(&new.ingest.do_not_skip);
    settings.ingest.max_age = new.ingest.max_age;
    settings.ingest.max_future = new.ingest.max_future;
    settings.ingest.max_metrics = new.ingest.max_metrics;
    settings.log.level = new.log.level;
    settings
}

/// Takes new settings over into a role that runs.
type ApplySettings = Box<dyn Fn(&Settings) -> Result<(), ProcessError> + Send>;

/// The roles of this process that want to know of new settings.
#[derive(Clone, Default)]
pub struct LiveSettings(Arc<Mutex<Vec<(&'static str, ApplySettings)>>>);

impl fmt::Debug for LiveSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSettings").finish_non_exhaustive()
    }
}

impl LiveSettings {
    /// Has `apply` called with new settings from here on. It must not wait for long.
    pub fn on_change(
        &self,
        role: &'static str,
        apply: impl Fn(&Settings) -> Result<(), ProcessError> + Send + 'static,
    ) {
        let mut roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roles.push((role, Box::new(apply)));
    }

    /// Hands new settings to all roles of this process.
    pub(super) fn publish(&self, settings: &Settings) {
        log::change_level(settings.log.level);
        let roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (role, apply) in &*roles {
            if let Err(error) = apply(settings) {
                tracing::error!("`{role}` goes on with the settings before :: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use skywatch_settings::{Sources, load};

    use super::*;

    fn with(key: &str, value: &str) -> Settings {
        let sources = Sources {
            flags: vec![(key.to_owned(), value.to_owned(), "test".to_owned())],
            env: vec![("HOME".to_owned(), "/home/u".to_owned())],
            ..Sources::default()
        };
        load(sources).expect(key).settings
    }

    #[test]
    fn what_is_said_to_change_live_does_and_nothing_else() {
        let old = with("log.level", "info");
        for (key, value) in [
            ("alerts.seen", "1"),
            ("alerts.of", "3"),
            ("alerts.cooldown", "7s"),
            ("alerts.base_url", "https://a.example.org"),
            ("alerts.heartbeat_url", "https://a.example.org/beat"),
            ("adaptive.sensitivity", "2.0"),
            ("adaptive.overrides", "a.* rest=1h"),
            ("adaptive.learned", "true"),
            ("adaptive.direction", "up"),
            ("adaptive.min_relative_change", "0.1"),
            ("adaptive.min_absolute_change", "0.1"),
            ("adaptive.rest", "7h"),
            ("analyzer.stale_period", "7s"),
            ("analyzer.min_tolerable_length", "7"),
            ("analyzer.max_tolerable_boredom", "7"),
            ("analyzer.boredom_set_size", "2"),
            ("analyzer.consensus", "3"),
            ("analyzer.flavour", "etsy"),
            ("email.port", "465"),
            ("ingest.skip", "a,b"),
            ("ingest.do_not_skip", "a"),
            ("ingest.max_age", "7s"),
            ("ingest.max_future", "7s"),
            ("ingest.max_metrics", "7"),
            ("ingest.queue_bytes", "2000000"),
            ("ingest.flush_interval", "7ms"),
            ("analyzer.workers", "7"),
            ("store.name", "other"),
            ("web.max_connections", "7"),
            ("log.level", "debug"),
            ("log.format", "json"),
        ] {
            let new = with(key, value);
            let merged = with_live(&old, &new);
            assert_eq!(merged == new, is_live(key) || new == old, "{key}");
            assert_eq!(merged == old, !is_live(key) || new == old, "{key}");
        }
    }
}
