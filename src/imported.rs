//! Settings made of another program's configuration, and what became of each of its keys.

use std::collections::BTreeMap;

/// What became of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedSettings {
    /// Settings in TOML.
    pub settings: String,
    /// What is in them, what is not, and what is to be done by hand: a line each, file by file, by the names of the keys.
    pub notes: Vec<ImportNote>,
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportNote {
    /// The key, with the sections above it: `Kafka.server`.
    pub key: String,
    /// What became of it.
    pub outcome: ImportOutcome,
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportOutcome {
    /// It is this setting now.
    Carried(String),
    /// It is not carried over, and why.
    Left(String),
    /// Something is left to be done.
    ToDo(String),
}

/// Settings under way, in TOML.
#[derive(Debug, Default)]
pub(crate) struct SettingsDraft {
    /// What stands above all sections.
    top: BTreeMap<String, String>,
    /// By section and key, values in TOML. Sections come out in the order of their names.
    sections: BTreeMap<String, BTreeMap<String, String>>,
    /// What follows them, such as `[[routes]]`, whose order counts.
    tables: String,
    notes: Vec<ImportNote>,
}

impl SettingsDraft {
    /// Sets the dotted key `setting` to a value in TOML.
    pub(crate) fn set(&mut self, setting: &str, value: String) {
        if let Some((section, key)) = setting.rsplit_once('.') {
            let section = self.sections.entry(section.to_owned()).or_default();
            section.insert(key.to_owned(), value);
        }
    }

    /// Sets a key that belongs to no section.
    pub(crate) fn set_top(&mut self, key: &str, value: String) {
        self.top.insert(key.to_owned(), value);
    }

    pub(crate) fn remove(&mut self, setting: &str) {
        if let Some((section, key)) = setting.rsplit_once('.')
            && let Some(keys) = self.sections.get_mut(section)
        {
            keys.remove(key);
        }
    }

    pub(crate) fn has(&self, setting: &str) -> bool {
        let parts = setting.rsplit_once('.');
        parts.is_some_and(|(section, key)| {
            let keys = self.sections.get(section);
            keys.is_some_and(|keys| keys.contains_key(key))
        })
    }

    /// Adds tables behind all sections.
    pub(crate) fn add_tables(&mut self, tables: &str) {
        self.tables += tables;
    }

    pub(crate) fn note(&mut self, key: &str, outcome: ImportOutcome) {
        self.notes.push(ImportNote {
            key: key.to_owned(),
            outcome,
        });
    }

    /// The settings, under the name of the command that makes them.
    pub(crate) fn text(&self, command: &str) -> String {
        let mut settings = format!("# Made by `skywatch {command}`.\n");
        for (key, value) in &self.top {
            settings += &format!("{key} = {value}\n");
        }
        for (section, keys) in self.sections.iter().filter(|(_, keys)| !keys.is_empty()) {
            settings += &format!("\n[{section}]\n");
            for (key, value) in keys {
                settings += &format!("{key} = {value}\n");
            }
        }
        settings + &self.tables
    }

    /// All of it.
    pub(crate) fn finish(self, command: &str) -> ImportedSettings {
        ImportedSettings {
            settings: self.text(command),
            notes: self.notes,
        }
    }
}

/// A text of TOML: the same escapes as in JSON, except for one character.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

/// A list of texts of TOML, in one line.
pub(crate) fn quoted_list<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}
