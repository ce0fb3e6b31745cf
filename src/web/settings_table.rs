//! The settings as people are shown them.

use std::sync::{Arc, PoisonError, RwLock};

use skywatch_settings::SettingRow;

/// All settings, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsTable {
    /// Every option, in the order of the example file; none where they come from no file (the demo).
    pub rows: Vec<SettingRow>,
    /// What is allowed but hardly meant.
    pub notes: Vec<String>,
}

/// The table as it is in force: settings that are read anew change it while pages are served. Copies are of one.
#[derive(Debug, Clone, Default)]
pub struct LiveSettingsTable(Arc<RwLock<Arc<SettingsTable>>>);

impl LiveSettingsTable {
    /// Begins with this.
    #[must_use]
    pub fn new(table: SettingsTable) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(table))))
    }

    /// Has this shown from here on.
    pub fn replace(&self, table: SettingsTable) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// What is in force.
    #[must_use]
    pub fn get(&self) -> Arc<SettingsTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
