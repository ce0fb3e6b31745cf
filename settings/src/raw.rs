//! What the layers say, before any of it is believed: dotted keys with values as written and their origins.
//!
//! There is one list of keys. Those of receivers and routes come to it when the file declares them; from then on they are
//! keys like any other.

use crate::error::Problem;
use crate::nearest::{nearest, nearest_key};
use crate::origin::Origin;
use crate::written::Written;

const PREFIX: &str = "SKYWATCH__";

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
    /// Every dotted key there is.
    pub(crate) keys: Vec<String>,
    /// Receivers declared with a type that is missing or wrong, so that nobody knows their options.
    pub(crate) untyped: Vec<String>,
    pub(crate) given: Vec<Given>,
    pub(crate) problems: Vec<Problem>,
    /// False when the file could not be read as a whole, so that what it says is not all there.
    pub(crate) complete: bool,
}

impl RawSettings {
    /// Takes a value, or refuses its key; `spell` writes a suggestion the way this layer writes keys.
    pub(crate) fn take(&mut self, given: Given, spell: impl Fn(&str) -> String) {
        if self.knows(&given.key) {
            self.given.push(given);
        } else if let Some(hint) = self.hint(&given.key, spell) {
            self.problems.push(Problem::UnknownKey {
                key: given.key,
                origin: given.origin,
                hint,
            });
        }
    }

    pub(crate) fn knows(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }

    /// The key that an environment variable sets. A receiver's name may hold what a variable's cannot, so the variables
    /// are compared, not the keys.
    pub(crate) fn key_of(&self, name: &str) -> String {
        let upper = name.to_uppercase();
        let known = self.keys.iter().find(|key| variable(key) == upper);
        known
            .cloned()
            .unwrap_or_else(|| name[PREFIX.len()..].replace("__", ".").to_lowercase())
    }

    /// What was probably meant by an unknown key; `None` where what is wrong with its table was said already.
    fn hint(&self, key: &str, spell: impl Fn(&str) -> String) -> Option<String> {
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        let in_table = |known: &&str| {
            let other = known.rsplit_once('.');
            !table.is_empty() && other.is_some_and(|(other, _)| variable(other) == variable(table))
        };
        let keys = || self.keys.iter().map(String::as_str);
        let beside: Vec<&str> = keys().filter(in_table).collect();
        let name = table.strip_prefix("receivers.").unwrap_or_default();
        let near = if !is_of_a_table(key) {
            nearest_key(key, keys().filter(|known| !is_of_a_table(known)))
        } else if !self.complete || self.untyped.iter().any(|other| variable(other) == variable(name)) {
            return None;
        } else {
            nearest_key(key, beside.iter().copied())
        };
        Some(match near {
            Some(near) => format!("did you mean {}?", spell(near)),
            None if !beside.is_empty() => {
                let known: Vec<String> = beside.into_iter().map(spell).collect();
                format!("known are {}", known.join(", "))
            }
            None if is_of_a_table(key) => {
                let types =
                    keys().filter_map(|known| known.strip_prefix("receivers.")?.strip_suffix(".type"));
                match nearest(name, types) {
                    Some(near) => {
                        let option = &key[table.len()..];
                        format!("did you mean {}?", spell(&format!("receivers.{near}{option}")))
                    }
                    None => {
                        "variables and flags set options of receivers and routes that the settings file declares"
                            .to_owned()
                    }
                }
            }
            None => self.section_hint(key.split('.').next().unwrap_or_default()),
        })
    }

    fn sections(&self) -> Vec<&str> {
        let plain = self.keys.iter().filter(|key| !is_of_a_table(key));
        let mut sections: Vec<&str> = plain.filter_map(|key| Some(key.split_once('.')?.0)).collect();
        sections.dedup();
        sections
    }

    pub(crate) fn is_section(&self, name: &str) -> bool {
        self.sections().contains(&name)
    }

    /// Which section was probably meant, or which there are.
    pub(crate) fn section_hint(&self, name: &str) -> String {
        let spell = |section: &str| match section {
            "receivers" => "`[receivers.NAME]`".to_owned(),
            "routes" => "`[[routes]]`".to_owned(),
            section => format!("`[{section}]`"),
        };
        let mut all = self.sections();
        all.extend(["receivers", "routes"]);
        match nearest(name, all.iter().copied()) {
            Some(near) => format!("did you mean {}?", spell(near)),
            None => format!(
                "the sections are {}",
                all.into_iter().map(spell).collect::<Vec<_>>().join(", ")
            ),
        }
    }

    /// Reports what no key can be blamed for.
    pub(crate) fn refuse(&mut self, what: String, origin: Origin, hint: &str) {
        self.problems.push(Problem::Conflict {
            what,
            origin,
            hint: hint.to_owned(),
        });
    }
}

/// The environment variable that sets a dotted key. Shells take no `-` in it, so that becomes `_`.
pub(crate) fn variable(key: &str) -> String {
    format!(
        "{PREFIX}{}",
        key.to_uppercase().replace('.', "__").replace('-', "_")
    )
}

/// Whether a variable is meant for Skywatch's settings.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Whether the key belongs to a table of which there may be many.
pub(crate) fn is_of_a_table(key: &str) -> bool {
    key.starts_with("receivers.") || key.starts_with("routes")
}
