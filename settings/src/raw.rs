//! What the layers say, before any of it is believed: dotted keys with values as written and their origins.
//!
//! Problems that need no types are found here: an unreadable file, broken TOML, unknown keys and sections. The tables of
//! which there may be many are found in `tables.rs`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::adaptive::SENSITIVITY_INSTEAD;
use crate::error::Problem;
use crate::load::Sources;
use crate::nearest::{nearest, nearest_key};
use crate::origin::Origin;
use crate::settings::Settings;

const PREFIX: &str = "SKYWATCH__";

/// A value as somebody wrote it.
#[derive(Clone)]
pub(crate) enum Written {
    /// From a variable or a flag, where everything is text.
    Text(String),
    /// A TOML string.
    String(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    Array(Vec<Written>),
    /// Anything no option takes: dates, tables, integers beyond 64 bits.
    Other,
}

impl Written {
    /// The value if it can stand for a text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value if it can stand for a list of texts: a TOML array, or in a variable also `one, two`.
    pub(crate) fn as_list(&self) -> Option<Vec<String>> {
        match self {
            Self::Array(items) => items
                .iter()
                .map(|item| item.as_text().map(str::to_owned))
                .collect(),
            Self::Text(text) if text.trim_start().starts_with('[') => match DeValue::parse(text.trim()) {
                Ok(value) => match Self::from_toml(value.get_ref()) {
                    Self::Array(items) => Self::Array(items).as_list(),
                    _ => None,
                },
                Err(_) => None,
            },
            Self::Text(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => None,
        }
    }

    pub(crate) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::String(text.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Self::Other, Self::Integer)
            }
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Array(items) => {
                Self::Array(items.iter().map(|item| Self::from_toml(item.get_ref())).collect())
            }
            DeValue::Float(number) => number.as_str().parse().map_or(Self::Other, Self::Float),
            DeValue::Datetime(_) | DeValue::Table(_) => Self::Other,
        }
    }
}

/// One value of one layer. Not `Debug`: `text` may be a secret.
pub(crate) struct Given {
    pub(crate) key: String,
    pub(crate) written: Written,
    /// The value exactly as typed, for error messages; the option's own mask is laid over it first.
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// All layers above the defaults, the winning one last.
pub(crate) struct RawSettings {
    /// Every dotted key there always is.
    known: Vec<String>,
    /// Every dotted key of the tables that the file declares.
    pub(crate) declared: Vec<String>,
    /// Receivers the file declares with a type that is missing or wrong, so that nobody knows their options.
    pub(crate) untyped: Vec<String>,
    pub(crate) given: Vec<Given>,
    pub(crate) problems: Vec<Problem>,
    /// False when the file could not be read as a whole, so that what it says is not all there.
    pub(crate) complete: bool,
}

impl RawSettings {
    /// Reads file, environment and flags. Receivers and routes that the file declares are added to `settings`, with
    /// nothing in them set.
    pub(crate) fn read(sources: &Sources, settings: &mut Settings) -> Self {
        let mut raw = Self {
            known: settings.fields().into_iter().map(|(key, _)| key).collect(),
            declared: Vec::new(),
            untyped: Vec::new(),
            given: Vec::new(),
            problems: Vec::new(),
            complete: true,
        };
        if let Some(path) = sources.file_or_variable() {
            raw.read_file(&path, settings);
        }
        raw.read_environment(&sources.env);
        for (key, text, flag) in &sources.flags {
            raw.add_text(key, key, text, Origin::Flag(flag.clone()), |near| {
                format!("`{near}`")
            });
        }
        raw
    }

    fn read_file(&mut self, path: &Path, settings: &mut Settings) {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.complete = false;
                return self.problems.push(Problem::Unreadable {
                    path: path.to_owned(),
                    reason: error.to_string(),
                });
            }
        };
        let file = File { path, text: &text };
        let (root, errors) = DeTable::parse_recoverable(&text);
        if !errors.is_empty() {
            self.complete = false;
            for error in errors {
                let (line, column) = file.position(error.span().map_or(0, |span| span.start));
                let what = error.message().lines().collect::<Vec<_>>().join("; ");
                self.problems.push(Problem::Syntax {
                    path: path.to_owned(),
                    line,
                    column,
                    what,
                });
            }
            return;
        }
        for (span, name, value) in in_order(root.get_ref()) {
            match value.get_ref() {
                _ if name == "receivers" => self.read_receivers(&file, span, value, &mut settings.routing),
                _ if name == "routes" => {
                    settings.routing.routes = self.read_routes(&file, span, value, None, 1);
                }
                _ if self.is_known(name) => self.add_toml(&file, span, name, value),
                DeValue::Table(table) if self.is_section(name) => {
                    for (span, key, value) in in_order(table) {
                        self.add_toml(&file, span, &format!("{name}.{key}"), value);
                    }
                }
                _ if self.is_section(name) => self.problems.push(Problem::NotASection {
                    section: name.to_owned(),
                    origin: file.origin(&span),
                }),
                unknown if is_table(unknown) => self.problems.push(Problem::UnknownSection {
                    section: name.to_owned(),
                    origin: file.origin(&span),
                    hint: self.section_hint(name),
                }),
                _ => self.add_toml(&file, span, name, value),
            }
        }
    }

    fn add_toml(
        &mut self,
        file: &File<'_>,
        key_span: Range<usize>,
        key: &str,
        value: &toml::Spanned<DeValue<'_>>,
    ) {
        if self.is_known(key) {
            self.given.push(file.given(key, &key_span, value));
        } else {
            self.refuse_key(key, file.origin(&key_span), |near| format!("`{near}`"));
        }
    }

    fn read_environment(&mut self, env: &[(String, String)]) {
        let mut ours: Vec<_> = env.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        for (name, text) in ours {
            let upper = name.to_uppercase();
            let keys = self.known.iter().chain(&self.declared);
            // A receiver's name may hold what a variable's cannot, so the variables are compared, not the keys.
            let key = keys.clone().find(|key| variable(key) == upper).cloned();
            let read = name[PREFIX.len()..].replace("__", ".").to_lowercase();
            self.add_text(
                key.as_deref().unwrap_or(&read),
                &read,
                text,
                Origin::Environment(name.clone()),
                |near| format!("`{}`", variable(near)),
            );
        }
    }

    /// Takes a value for `key`, which a message calls `called` when there is no such option.
    fn add_text(
        &mut self,
        key: &str,
        called: &str,
        text: &str,
        origin: Origin,
        spell: impl Fn(&str) -> String,
    ) {
        if !self.is_known(key) && !self.declared.iter().any(|declared| declared == key) {
            return match is_of_a_table(key) {
                true => self.refuse_key_of_a_table(called, origin, spell),
                false => self.refuse_key(called, origin, spell),
            };
        }
        if is_type(key) {
            return self.problems.push(Problem::WrongValue {
                key: key.to_owned(),
                value: text.to_owned(),
                origin,
                expected: "only the settings file says what type a receiver has".to_owned(),
            });
        }
        self.given.push(Given {
            key: key.to_owned(),
            written: Written::Text(text.to_owned()),
            text: text.to_owned(),
            origin,
        });
    }

    fn is_known(&self, key: &str) -> bool {
        self.known.iter().any(|known| known == key)
    }

    /// Reports an unknown key; `spell` writes the suggestion the way this layer writes keys.
    fn refuse_key(&mut self, key: &str, origin: Origin, spell: impl Fn(&str) -> String) {
        let section = key.split_once('.').map(|(section, _)| section);
        let known = || self.known.iter().map(String::as_str);
        let hint = match (nearest_key(key, known()), section) {
            _ if key == "adaptive.threshold" => SENSITIVITY_INSTEAD.to_owned(),
            (Some(near), _) => format!("did you mean {}?", spell(near)),
            (None, Some(section)) if self.is_section(section) => {
                known_are(known().filter(|known| in_section(known, section)), spell)
            }
            (None, Some(section)) => self.section_hint(section),
            (None, None) => self.section_hint(key),
        };
        self.problems.push(Problem::UnknownKey {
            key: key.to_owned(),
            origin,
            hint,
        });
    }

    fn sections(&self) -> Vec<&str> {
        let mut sections: Vec<&str> = self
            .known
            .iter()
            .filter_map(|key| Some(key.split_once('.')?.0))
            .collect();
        sections.dedup();
        sections
    }

    fn is_section(&self, name: &str) -> bool {
        self.sections().contains(&name)
    }

    fn section_hint(&self, name: &str) -> String {
        let sections = self.sections();
        let spell = |section: &str| match section {
            "receivers" => "`[receivers.NAME]`".to_owned(),
            "routes" => "`[[routes]]`".to_owned(),
            section => format!("`[{section}]`"),
        };
        let all = || sections.iter().copied().chain(["receivers", "routes"]);
        match nearest(name, all()) {
            Some(near) => format!("did you mean {}?", spell(near)),
            None => format!(
                "the sections are {}",
                all().map(spell).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

impl Sources {
    /// The settings file: the one asked for, else the one `SKYWATCH_CONFIG` names.
    fn file_or_variable(&self) -> Option<PathBuf> {
        self.file
            .clone()
            .or_else(|| self.variable("SKYWATCH_CONFIG").map(PathBuf::from))
    }

    /// A variable that is set to something.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// The environment variable that sets a dotted key. Shells take no `-` in it, so that becomes `_`.
pub(crate) fn variable(key: &str) -> String {
    format!(
        "{PREFIX}{}",
        key.to_uppercase().replace('.', "__").replace('-', "_")
    )
}

/// Whether the key belongs to a table of which there may be many.
fn is_of_a_table(key: &str) -> bool {
    in_section(key, "receivers") || key.starts_with("routes")
}

/// Whether the key is that of a receiver's type, on which its other options depend.
fn is_type(key: &str) -> bool {
    in_section(key, "receivers") && key.ends_with(".type")
}

/// The end of a hint when nothing is near to what was written.
pub(crate) fn known_are<'k>(keys: impl Iterator<Item = &'k str>, spell: impl Fn(&str) -> String) -> String {
    format!("known are {}", keys.map(spell).collect::<Vec<_>>().join(", "))
}

/// Whether the value is what `[name]` or `[[name]]` makes.
fn is_table(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(items) => {
            !items.is_empty()
                && items
                    .iter()
                    .all(|item| matches!(item.get_ref(), DeValue::Table(_)))
        }
        _ => false,
    }
}

pub(crate) fn in_section(key: &str, section: &str) -> bool {
    key.strip_prefix(section)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// The entries of a table as they stand in the file.
pub(crate) fn in_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(Range<usize>, &'t str, &'t toml::Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| (key.span(), key.get_ref().as_ref(), value))
        .collect();
    entries.sort_by_key(|(span, _, _)| span.start);
    entries
}

/// A settings file while it is read.
pub(crate) struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// The value of a key as it stands here.
    pub(crate) fn given(
        &self,
        key: &str,
        key_span: &Range<usize>,
        value: &toml::Spanned<DeValue<'_>>,
    ) -> Given {
        Given {
            key: key.to_owned(),
            written: Written::from_toml(value.get_ref()),
            text: match value.get_ref() {
                DeValue::Table(_) => "a table".to_owned(),
                _ => self.text.get(value.span()).unwrap_or_default().to_owned(),
            },
            origin: self.origin(key_span),
        }
    }

    /// Line and column of a byte, both counted from one, the column in characters.
    fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    pub(crate) fn origin(&self, span: &Range<usize>) -> Origin {
        Origin::File {
            path: self.path.to_owned(),
            line: self.position(span.start).0,
        }
    }
}
