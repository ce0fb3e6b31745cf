//! Laying the layers over each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::Check;
use crate::error::{Problem, SettingsError};
use crate::origin::Origin;
use crate::raw::RawSettings;
use crate::settings::Settings;

/// What the caller has: everything settings can come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file asked for on the command line. Without one, `SKYWATCH_CONFIG` in `env` may name it; without
    /// that there is none.
    pub file: Option<PathBuf>,
    /// The environment. Only `SKYWATCH__*`, `SKYWATCH_CONFIG` and `HOME` are looked at.
    pub env: Vec<(String, String)>,
    /// Flags that stand for options: dotted key, value as typed, the flag's name as the user types it.
    pub flags: Vec<(String, String, String)>,
}

/// One option as `skywatch settings` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The dotted key.
    pub key: &'static str,
    /// The value as the settings file would have it, secrets as `***`.
    pub value: String,
    /// The layer it came from.
    pub origin: Origin,
}

/// Settings that passed every check, and where each came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values in force.
    pub settings: Settings,
    rows: Vec<Row>,
}

impl Loaded {
    /// Every option in the order of the example file: dotted key, value as shown, origin.
    pub fn table(&self) -> impl Iterator<Item = (&'static str, &str, &Origin)> {
        self.rows
            .iter()
            .map(|row| (row.key, row.value.as_str(), &row.origin))
    }

    /// The same, as values that can be kept.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Where an option's value came from; `None` if there is no such option.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.rows.iter().find(|row| row.key == key).map(|row| &row.origin)
    }
}

/// Reads all layers and checks the result.
///
/// # Errors
///
/// Every problem of every layer at once. The program ends with exit code 2 then.
pub fn load(sources: Sources) -> Result<Loaded, SettingsError> {
    let mut settings = Settings::default();
    let known: Vec<&'static str> = settings.fields().into_iter().map(|(key, _)| key).collect();
    let mut raw = RawSettings::read(&sources, &known);
    let mut loading = Loading {
        settings: &mut settings,
        origins: BTreeMap::new(),
        broken: Vec::new(),
        problems: Vec::new(),
    };
    loading.take_values(&raw);
    loading.expand_home(sources.variable("HOME"));
    loading.read_secrets();
    let Loading {
        origins,
        broken,
        problems,
        ..
    } = loading;
    raw.problems.extend(problems);

    let origin = |key: &str| origins.get(key).cloned().unwrap_or(Origin::Default);
    if raw.complete {
        let mut check = Check::new(&origin, &broken);
        settings.check(&mut check);
        raw.problems.append(&mut check.problems);
    }
    if !raw.problems.is_empty() {
        return Err(SettingsError {
            problems: raw.problems,
        });
    }
    let rows = settings.fields().into_iter();
    let rows = rows
        .map(|(key, field)| Row {
            key,
            value: field.show(),
            origin: origin(key),
        })
        .collect();
    Ok(Loaded { settings, rows })
}

/// The step from raw to typed.
struct Loading<'s> {
    settings: &'s mut Settings,
    origins: BTreeMap<&'static str, Origin>,
    broken: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Loading<'_> {
    fn take_values(&mut self, raw: &RawSettings<'_>) {
        for given in &raw.given {
            let mut fields = self.settings.fields();
            let Some((_, field)) = fields.iter_mut().find(|(key, _)| *key == given.key) else {
                continue;
            };
            match field.set(&given.written) {
                Ok(()) => {
                    self.origins.insert(given.key, given.origin.clone());
                }
                Err(refused) => {
                    self.broken.push(given.key);
                    self.problems.push(Problem::WrongValue {
                        key: given.key,
                        value: shortened(&field.mask(&given.text)),
                        origin: given.origin.clone(),
                        expected: refused.0,
                    });
                }
            }
        }
    }

    fn expand_home(&mut self, home: Option<&str>) {
        for (key, field) in self.settings.fields() {
            if let Err(refused) = field.expand_home(home) {
                self.broken.push(key);
                let origin = self.origins.get(key).cloned().unwrap_or(Origin::Default);
                let value = field.show();
                self.problems.push(Problem::WrongValue {
                    key,
                    value,
                    origin,
                    expected: refused.0,
                });
            }
        }
    }

    /// Fills each secret from the file its `_file` option names.
    fn read_secrets(&mut self) {
        for secret in self.settings.secrets() {
            let Some(path) = secret.file.clone() else { continue };
            let origin = self
                .origins
                .get(secret.file_key)
                .cloned()
                .unwrap_or(Origin::Default);
            if secret.value.is_some() {
                self.problems.push(Problem::Conflict {
                    what: format!(
                        "both `{}` and `{}` are set, the latter",
                        secret.key, secret.file_key
                    ),
                    origin,
                    hint: "keep one of them".to_owned(),
                });
                continue;
            }
            match secret.read(&path) {
                Ok(value) => {
                    *secret.value = Some(value);
                    self.origins.insert(secret.key, origin);
                }
                Err(reason) => {
                    self.broken.push(secret.key);
                    self.problems.push(Problem::UnreadableSecret {
                        key: secret.file_key,
                        path,
                        origin,
                        reason,
                    });
                }
            }
        }
    }
}

/// The first line of a value, at most sixty characters of it.
fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.len() => format!("{line}…"),
        None => line.to_owned(),
    }
}
