//! Laying the layers over each other.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::Check;
use crate::error::{Problem, SettingsError};
use crate::origin::Origin;
use crate::raw::Given;
use crate::read::read;
use crate::routes::INHERITED;
use crate::secret;
use crate::settings::Settings;
use crate::sources::Sources;

/// One option as `skywatch settings` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The dotted key.
    pub key: String,
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
    rows: Vec<SettingRow>,
    notes: Vec<String>,
}

impl Loaded {
    /// Every option in the order of the example file: dotted key, value as shown, origin.
    pub fn table(&self) -> impl Iterator<Item = (&str, &str, &Origin)> {
        self.rows
            .iter()
            .map(|row| (row.key.as_str(), row.value.as_str(), &row.origin))
    }

    /// The same, as values that can be kept.
    pub fn rows(&self) -> &[SettingRow] {
        &self.rows
    }

    /// What is allowed, but hardly meant, such as a receiver no route leads to. Each is worth a warning; it is a text
    /// for people that ends with a `hint:` line.
    pub fn notes(&self) -> &[String] {
        &self.notes
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
    let raw = read(&sources, &mut settings);
    let mut loading = Loading {
        settings,
        origins: BTreeMap::new(),
        broken: Vec::new(),
        problems: raw.problems,
    };
    loading.take_values(&raw.given);
    loading.expand_home(sources.variable("HOME"));
    loading.read_secrets();
    if raw.complete {
        let origin = |key: &str| loading.origin(key);
        let mut check = Check::new(&origin, &loading.broken);
        loading.settings.check(&mut check);
        let found = check.problems;
        loading.problems.extend(found);
    }
    if loading.problems.is_empty() {
        Ok(loading.finish())
    } else {
        Err(SettingsError {
            problems: loading.problems,
        })
    }
}

/// The step from raw to typed.
struct Loading {
    settings: Settings,
    origins: BTreeMap<String, Origin>,
    broken: Vec<String>,
    problems: Vec<Problem>,
}

impl Loading {
    fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    fn take_values(&mut self, given: &[Given]) {
        let mut fields: BTreeMap<_, _> = self.settings.fields().into_iter().collect();
        for given in given {
            let Some(field) = fields.get_mut(&given.key) else {
                continue;
            };
            match field.set(&given.written) {
                Ok(()) => {
                    self.origins.insert(given.key.clone(), given.origin.clone());
                }
                Err(refused) => {
                    self.broken.push(given.key.clone());
                    self.problems.push(Problem::WrongValue {
                        key: given.key.clone(),
                        value: shortened(&field.masked(&given.text)),
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
                self.broken.push(key.clone());
                self.problems.push(Problem::WrongValue {
                    origin: self.origins.get(&key).cloned().unwrap_or(Origin::Default),
                    value: field.show(),
                    key,
                    expected: refused.0,
                });
            }
        }
    }

    /// Fills each option from the file that its sibling `…_file` names.
    fn read_secrets(&mut self) {
        let path = |field: &dyn Any| field.downcast_ref::<Option<PathBuf>>().cloned().flatten();
        let files = self.settings.fields().into_iter();
        let files: Vec<(String, PathBuf)> = files
            .filter_map(|(key, field)| Some((key, path(field)?)))
            .collect();
        let mut fields: BTreeMap<_, _> = self.settings.fields().into_iter().collect();
        for (file_key, path) in files {
            // `ca_file` and its like hold no option.
            let Some(key) = file_key.strip_suffix("_file") else {
                continue;
            };
            let Some(field) = fields.get_mut(key) else {
                continue;
            };
            let origin = self.origins.get(&file_key).cloned().unwrap_or(Origin::Default);
            if !field.is_open() {
                self.problems.push(Problem::Conflict {
                    what: format!("both `{key}` and `{file_key}` are set, the latter"),
                    origin,
                    hint: "keep one of them".to_owned(),
                });
                continue;
            }
            let key = key.to_owned();
            let problem = match secret::read_file(&path).map(|written| field.set(&written)) {
                Ok(Ok(())) => {
                    self.origins.insert(key, origin);
                    continue;
                }
                Ok(Err(refused)) => Problem::WrongValue {
                    key: key.clone(),
                    value: field.masked(""),
                    origin,
                    expected: refused.0,
                },
                Err(reason) => Problem::UnreadableSecret {
                    key: file_key,
                    path,
                    origin,
                    reason,
                },
            };
            self.broken.push(key);
            self.problems.push(problem);
        }
    }

    /// The table of all options. What one leaves open is shown as what it has from elsewhere, with the place that says so:
    /// a route from the route above it or from `[alerts]`, a receiver of mail from `[email]`.
    fn finish(mut self) -> Loaded {
        let mut rows: Vec<SettingRow> = Vec::new();
        for (key, field) in self.settings.fields() {
            let source = field.is_open().then(|| source_of(&key)).flatten();
            // What is inherited from comes before what inherits, so its row is there.
            let source = source.and_then(|source| rows.iter().find(|row| row.key == source));
            let row = match source {
                Some(source) => SettingRow {
                    key,
                    ..source.clone()
                },
                None => SettingRow {
                    value: field.show(),
                    origin: self.origins.get(&key).cloned().unwrap_or(Origin::Default),
                    key,
                },
            };
            rows.push(row);
        }
        Loaded {
            notes: self.settings.notes(),
            settings: self.settings,
            rows,
        }
    }
}

/// The key of the option that a key has its value from when it has none of its own.
fn source_of(key: &str) -> Option<String> {
    let (table, option) = key.rsplit_once('.')?;
    if table.starts_with("receivers.") {
        // Only receivers of mail can leave these open.
        return matches!(option, "to" | "from" | "timeout").then(|| format!("email.{option}"));
    }
    if !table.starts_with("routes[") || !INHERITED.contains(&option) {
        return None;
    }
    let above = table.rsplit_once('.').map_or("alerts", |(above, _)| above);
    Some(format!("{above}.{option}"))
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
