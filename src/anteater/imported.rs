//! What became of a configuration.

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
