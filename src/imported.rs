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

    pub(crate) fn has(&self, setting: &str) -> bool {
        self.get(setting).is_some()
    }

    /// The value in TOML.
    pub(crate) fn get(&self, setting: &str) -> Option<&str> {
        let (section, key) = setting.rsplit_once('.')?;
        self.sections.get(section)?.get(key).map(String::as_str)
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

    /// All of it, under the name of the command that made it.
    pub(crate) fn finish(self, command: &str) -> ImportedSettings {
        let mut settings = format!("# Made by `skywatch {command}`.\n");
        for (section, keys) in self.sections {
            settings += &format!("\n[{section}]\n");
            for (key, value) in keys {
                settings += &format!("{key} = {value}\n");
            }
        }
        settings += &self.tables;
        ImportedSettings {
            settings,
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
