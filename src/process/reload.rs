//! Reading settings anew: all of them are read and tried before any takes effect, so that wrong ones change nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use skywatch_settings::{Loaded, SettingsError};

use super::live::{LiveSettings, is_live, with_live};
use super::{alerting, claim};
use crate::clock::unix_now;
use crate::status::{ProcessStatus, ReloadStatus, StatusFile};

/// How long somebody who asked for it waits until settings are read: files of receivers may lie on a slow disk.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether they are.
const LOOK_EACH: Duration = Duration::from_millis(20);

/// Reads settings from where they came at the start.
pub type ReadSettings = Box<dyn Fn() -> Result<Loaded, SettingsError> + Send>;

/// The settings in force in this process, and where others come from.
pub struct Reloader {
    read: ReadSettings,
    settings: skywatch_settings::Settings,
    /// Keys and values in force; secrets are masked.
    in_force: BTreeMap<String, String>,
    live: LiveSettings,
    number: u64,
}

fn rows(loaded: &Loaded) -> BTreeMap<String, String> {
    let rows = loaded.table();
    rows.map(|(key, value, _)| (key.to_owned(), value.to_owned()))
        .collect()
}

impl Reloader {
    /// Begins with `loaded`; roles that `live` knows are told of others.
    pub fn new(loaded: &Loaded, live: LiveSettings, read: ReadSettings) -> Self {
        Self {
            read,
            settings: loaded.settings.clone(),
            in_force: rows(loaded),
            live,
            number: 0,
        }
    }

    /// Reads settings anew and has what can change take effect. Wrong settings change nothing.
    pub fn reload(&mut self) -> ReloadStatus {
        self.number += 1;
        let status = ReloadStatus {
            number: self.number,
            at: unix_now(),
            ..ReloadStatus::default()
        };
        let refused = |why: String| ReloadStatus {
            refused: Some(why),
            ..status.clone()
        };
        let loaded = match (self.read)() {
            Ok(loaded) => loaded,
            Err(error) => return refused(error.to_string()),
        };
        // Certificates and templates are files that settings only name.
        if let Err(error) = alerting::destinations(&loaded.settings) {
            return refused(error.to_string());
        }
        let new = rows(&loaded);
        let mut keys: Vec<&String> = self.in_force.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        let changed = keys
            .into_iter()
            .filter(|key| self.in_force.get(*key) != new.get(*key));
        let (applied, restart): (Vec<String>, Vec<String>) = changed.cloned().partition(|key| is_live(key));
        for key in &applied {
            match new.get(key) {
                Some(value) => drop(self.in_force.insert(key.clone(), value.clone())),
                None => drop(self.in_force.remove(key)),
            }
        }
        self.settings = with_live(&self.settings, &loaded.settings);
        self.live.publish(&self.settings);
        ReloadStatus {
            applied,
            restart,
            ..status
        }
    }
}

/// Says in the log what became of settings that were read anew.
pub(crate) fn log_reload(status: &ReloadStatus) {
    let shown = |keys: &[String]| match keys {
        [] => "none".to_owned(),
        keys => format!("`{}`", keys.join("`, `")),
    };
    match &status.refused {
        Some(why) => tracing::error!("settings not read anew, those before stay in force :: {why}"),
        None => tracing::info!("settings read anew :: changed: {}", shown(&status.applied)),
    }
    if !status.restart.is_empty() {
        tracing::warn!("these take a restart :: {}", shown(&status.restart));
    }
}

/// Asks the process over a state folder to read its settings anew, and waits until it has.
///
/// # Errors
/// None runs, or it does not answer; for people.
pub(crate) fn request_reload(state_dir: &Path) -> Result<ReloadStatus, String> {
    let file = StatusFile::process(state_dir);
    let reloads = || {
        let status: Option<ProcessStatus> = file.read();
        status.and_then(|status| status.reload)
    };
    let nobody = || format!("no skywatch runs over `{}`", state_dir.display());
    let pid = claim::claimant(state_dir).ok_or_else(nobody)?;
    let before = reloads().map_or(0, |reload| reload.number);
    kill_process(pid, Signal::HUP)
        .map_err(|error| format!("process {} cannot be asked: {error}", pid.as_raw_nonzero()))?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // A process that was started meanwhile counts from the beginning.
        if let Some(reload) = reloads().filter(|reload| reload.number != before) {
            return Ok(reload);
        }
        if claim::claimant(state_dir) != Some(pid) {
            return Err(nobody());
        }
        std::thread::sleep(LOOK_EACH);
    }
    Err(format!(
        "process {} has not read its settings within {PATIENCE:?}",
        pid.as_raw_nonzero()
    ))
}
