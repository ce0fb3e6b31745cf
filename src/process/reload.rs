//! Reading settings anew: all of them are read and tried before any takes effect, so that wrong ones change nothing.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use skywatch_settings::{Loaded, SettingRow, SettingsError};

use super::live::{LiveSettings, is_live, with_live};
use super::{alerting, claim};
use crate::clock::unix_now;
use crate::status::{ProcessStatus, ReloadStatus, StatusFile};
use crate::web::{LiveSettingsTable, SettingsTable};

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
    /// The settings in force, for people; secrets are masked.
    shown: LiveSettingsTable,
    live: LiveSettings,
    number: u64,
}

/// What is in force once `new` was read while `old` was: rows that take effect at once are the new ones, others stay as they are.
fn in_force(old: &SettingsTable, new: &Loaded) -> SettingsTable {
    let kept: HashMap<&str, &SettingRow> = old.rows.iter().map(|row| (row.key.as_str(), row)).collect();
    let of_new = new.rows().iter().filter_map(|row| match is_live(&row.key) {
        true => Some(row),
        false => kept.get(row.key.as_str()).copied(),
    });
    let mut rows: Vec<SettingRow> = of_new.cloned().collect();
    // What the new ones do not have any more, and only a restart takes away.
    let is_new = |key: &str| new.rows().iter().any(|row| row.key == key);
    let gone = old
        .rows
        .iter()
        .filter(|row| !is_live(&row.key) && !is_new(&row.key));
    rows.extend(gone.cloned());
    SettingsTable {
        rows,
        notes: new.notes().to_vec(),
    }
}

/// Keys whose values are not the same, in order.
fn changed_keys(old: &[SettingRow], new: &[SettingRow]) -> Vec<String> {
    fn values(rows: &[SettingRow]) -> HashMap<&str, &str> {
        rows.iter()
            .map(|row| (row.key.as_str(), row.value.as_str()))
            .collect()
    }
    let (old, new) = (values(old), values(new));
    let mut keys: Vec<&str> = old.keys().chain(new.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let changed = keys.into_iter().filter(|key| old.get(key) != new.get(key));
    changed.map(str::to_owned).collect()
}

impl Reloader {
    /// Begins with `loaded`; roles that `live` knows are told of others, and `shown` is kept as they are in force.
    pub fn new(loaded: &Loaded, live: LiveSettings, shown: LiveSettingsTable, read: ReadSettings) -> Self {
        shown.replace(SettingsTable {
            rows: loaded.rows().to_vec(),
            notes: loaded.notes().to_vec(),
        });
        Self {
            read,
            settings: loaded.settings.clone(),
            shown,
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
        let before = self.shown.current();
        let changed = changed_keys(&before.rows, loaded.rows());
        let (applied, restart): (Vec<String>, Vec<String>) =
            changed.into_iter().partition(|key| is_live(key));
        self.shown.replace(in_force(&before, &loaded));
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

#[cfg(test)]
mod tests {
    use skywatch_settings::{Sources, load};

    use super::*;

    fn with(flags: &[(&str, &str)]) -> Loaded {
        let flag = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned(), "--set".to_owned());
        let sources = Sources {
            flags: flags.iter().map(flag).collect(),
            env: vec![("HOME".to_owned(), "/home/u".to_owned())],
            ..Sources::default()
        };
        load(sources).expect("settings")
    }

    #[test]
    fn the_table_shows_what_is_in_force_and_no_value_that_takes_a_restart() {
        let shown = LiveSettingsTable::default();
        let new = [("alerts.cooldown", "7s"), ("analyzer.workers", "7")];
        let read = move || Ok(with(&new));
        let mut reloader = Reloader::new(&with(&[]), LiveSettings::default(), shown.clone(), Box::new(read));
        for _ in 0..2 {
            let status = reloader.reload();
            assert_eq!(status.restart, ["analyzer.workers"], "said until it is done");
            let table = shown.current();
            let row = |key: &str| table.rows.iter().find(|row| row.key == key).expect(key);
            assert_eq!(row("alerts.cooldown").value, "\"7s\"");
            assert_eq!(row("alerts.cooldown").origin.to_string(), "flag --set");
            assert_ne!(row("analyzer.workers").value, "7");
            assert_eq!(table.rows.len(), with(&[]).rows().len());
        }
    }
}
