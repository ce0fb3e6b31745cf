//! The settings as people are shown them.

use skywatch_settings::SettingRow;

use crate::live_value::LiveValue;

/// All settings, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsTable {
    /// Every option, in the order of the example file; none where they come from no file (the demo).
    pub rows: Vec<SettingRow>,
    /// What is allowed but hardly meant.
    pub notes: Vec<String>,
}

/// The table as it is in force: settings that are read anew change it while pages are served.
pub type LiveSettingsTable = LiveValue<SettingsTable>;
