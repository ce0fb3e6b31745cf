//! The settings as people are shown them.

use skywatch_settings::SettingRow;

/// The settings a process was started with, for people.
#[derive(Debug, Clone, Default)]
pub struct SettingsTable {
    /// Every option, in the order of the example file; none where they come from no file (the demo).
    pub rows: Vec<SettingRow>,
    /// What is allowed but hardly meant.
    pub notes: Vec<String>,
}
