//! Laying the layers over each other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::Check;
use crate::error::{Problem, SettingsError};
use crate::origin::Origin;
use crate::raw::RawSettings;
use crate::routes::INHERITED;
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
    rows: Vec<Row>,
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
    pub fn rows(&self) -> &[Row] {
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
    let mut raw = RawSettings::read(&sources, &mut settings);
    let mut loading = Loading {
        settings: &mut settings,
        origins: BTreeMap::new(),
        broken: Vec::new(),
        problems: Vec::new(),
    };
    loading.take_values(&raw);
    loading.expand_home(sources.variable("HOME"));
    loading.read_secrets();
    loading.move_cooldown();
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
    let mut rows: Vec<Row> = rows
        .map(|(key, field)| Row {
            origin: origin(&key),
            value: field.show(),
            key,
        })
        .collect();
    inherit(&mut rows);
    let notes = settings.notes();
    Ok(Loaded {
        settings,
        rows,
        notes,
    })
}

/// The step from raw to typed.
struct Loading<'s> {
    settings: &'s mut Settings,
    origins: BTreeMap<String, Origin>,
    broken: Vec<String>,
    problems: Vec<Problem>,
}

impl Loading<'_> {
    fn take_values(&mut self, raw: &RawSettings) {
        let mut fields: BTreeMap<_, _> = self.settings.fields().into_iter().collect();
        for given in &raw.given {
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
                self.broken.push(key.clone());
                let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
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

    /// `email.cooldown` became `alerts.cooldown`: who does not set the old one has the new one.
    fn move_cooldown(&mut self) {
        if !self.origins.contains_key("email.cooldown") {
            self.settings.email.cooldown = self.settings.alerts.cooldown;
            if let Some(origin) = self.origins.get("alerts.cooldown").cloned() {
                self.origins.insert("email.cooldown".to_owned(), origin);
            }
        }
    }

    /// Fills each secret from the file its `_file` option names.
    fn read_secrets(&mut self) {
        for secret in self.settings.secrets() {
            let Some(path) = secret.file.clone() else { continue };
            let origin = self
                .origins
                .get(&secret.file_key)
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

/// Shows what a table leaves open as what it has from elsewhere, with the place that says so: a route from the route
/// above it or from `[alerts]`, a receiver of mail from `[email]`.
fn inherit(rows: &mut [Row]) {
    // Those inherited from come before those that inherit, so what is looked up is already filled.
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..rows.len() {
        let row = &rows[index];
        let from = source_of(&row.key).filter(|_| row.value == "\"\"" || row.value == "[]");
        if let Some(&from) = from.and_then(|key| places.get(&key)) {
            let Row { value, origin, .. } = rows[from].clone();
            (rows[index].value, rows[index].origin) = (value, origin);
        }
        places.insert(rows[index].key.clone(), index);
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
