//! What the process that keeps all others knows of them.

use serde::{Deserialize, Serialize};

/// The parent, or the one process that does everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its process id.
    pub pid: u32,
    /// Since when it runs, Unix seconds.
    pub since: f64,
    /// Its children, in the order of their start; none where all is one process.
    pub children: Vec<ChildStatus>,
    /// Why it has ended by itself, if it has.
    #[serde(default)]
    pub ended: Option<String>,
    /// Settings that were read anew last, if any were.
    #[serde(default)]
    pub reload: Option<ReloadStatus>,
}

/// One child.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ChildStatus {
    /// Its role.
    pub name: String,
    /// Its process id; `None` while it waits to be started again.
    pub pid: Option<u32>,
    /// Since when it runs, or waits, Unix seconds.
    pub since: f64,
    /// How often it was started.
    pub starts: u64,
    /// How it ended the last time, if it did.
    pub ended: Option<String>,
}

/// What became of settings that were read anew.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReloadStatus {
    /// How often settings were read anew since the start; the first time is 1.
    pub number: u64,
    /// When, Unix seconds.
    pub at: f64,
    /// Why the settings before are still in force, if they are.
    pub refused: Option<String>,
    /// Keys whose new values are in force.
    pub applied: Vec<String>,
    /// Keys whose new values a restart brings.
    pub restart: Vec<String>,
}
