//! Finds the tables of which there may be many, receivers and routes, so that their options are known before their values
//! are read.
//!
//! Only the file declares them. A variable or a flag can set an option of one that is there, which is enough for secrets.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use crate::error::Problem;
use crate::field::Value;
use crate::nearest::{nearest, nearest_key};
use crate::origin::Origin;
use crate::raw::{File, RawSettings, Written, in_order, in_section, known_are, variable};
use crate::receivers::{ReceiverTable, ReceiverType};
use crate::routes::{DEEPEST, RouteTable};
use crate::routing::Routing;

/// The longest name of a receiver, in letters.
const LONGEST_NAME: usize = 60;

impl RawSettings {
    /// Declares every `[receivers.NAME]` and takes what stands in it.
    pub(crate) fn read_receivers(
        &mut self,
        file: &File<'_>,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        routing: &mut Routing,
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.refuse(
                "`receivers` holds tables, one for each receiver,",
                file.origin(&span),
                "write `[receivers.NAME]` and its keys below it",
            );
        };
        for (span, name, value) in in_order(table) {
            let origin = file.origin(&span);
            let DeValue::Table(options) = value.get_ref() else {
                self.problems.push(Problem::NotASection {
                    section: format!("receivers.{name}"),
                    origin,
                });
                continue;
            };
            if !self.accept_name(name, &origin, routing) {
                continue;
            }
            let options = in_order(options);
            let kind = options.iter().find(|(_, key, _)| *key == "type");
            let Some(kind) = self.read_type(file, name, &origin, kind.map(|(span, _, value)| (span, *value)))
            else {
                self.untyped.push(name.to_owned());
                routing.broken.push(name.to_owned());
                continue;
            };
            let mut receiver = ReceiverTable::new(name, kind, origin);
            let keys: Vec<String> = receiver.fields().into_iter().map(|(key, _)| key).collect();
            for (span, key, value) in options {
                self.add_to_table(file, &keys, &span, &format!("receivers.{name}.{key}"), value);
            }
            self.declared.extend(keys);
            routing.receivers.push(receiver);
        }
    }

    /// Whether a receiver may have that name.
    fn accept_name(&mut self, name: &str, origin: &Origin, routing: &Routing) -> bool {
        let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(right) {
            self.refuse(
                &format!("`{name}` is no name for a receiver"),
                origin.clone(),
                &format!("a name has letters, digits, `-` and `_`, at most {LONGEST_NAME} of them"),
            );
            return false;
        }
        let names = routing.receivers.iter().map(|receiver| &receiver.name);
        let same = |other: &&String| variable(other) == variable(name);
        if let Some(other) = names.chain(&routing.broken).find(same) {
            self.refuse(
                &format!(
                    "the receivers `{other}` and `{name}` have the same environment variables, the latter"
                ),
                origin.clone(),
                "variables do not tell capitals from small letters, nor `-` from `_`; choose another name",
            );
            return false;
        }
        true
    }

    fn read_type(
        &mut self,
        file: &File<'_>,
        name: &str,
        origin: &Origin,
        written: Option<(&Range<usize>, &Spanned<DeValue<'_>>)>,
    ) -> Option<ReceiverType> {
        let Some((span, value)) = written else {
            let expected = crate::choice::refused("", ReceiverType::WORDS);
            self.refuse(
                &format!("receiver `{name}` has no `type`"),
                origin.clone(),
                &expected.0,
            );
            return None;
        };
        match ReceiverType::read(&Written::from_toml(value.get_ref())) {
            Ok(kind) => Some(kind),
            Err(refused) => {
                let given = file.given(&format!("receivers.{name}.type"), span, value);
                self.problems.push(Problem::WrongValue {
                    key: given.key,
                    value: given.text,
                    origin: given.origin,
                    expected: refused.0,
                });
                None
            }
        }
    }

    /// Declares every `[[routes]]` of one level, those below it too, and takes what stands in them.
    pub(crate) fn read_routes(
        &mut self,
        file: &File<'_>,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
        above: Option<&str>,
        depth: usize,
    ) -> Vec<RouteTable> {
        let all = above.map_or_else(|| "routes".to_owned(), |above| format!("{above}.routes"));
        let DeValue::Array(items) = value.get_ref() else {
            let header = vec!["routes"; depth].join(".");
            let hint = format!("write `[[{header}]]`, with two brackets, for each");
            self.refuse(
                &format!("`{all}` is a list of tables,"),
                file.origin(&span),
                &hint,
            );
            return Vec::new();
        };
        if depth > DEEPEST {
            let what = format!("routes nest deeper than {DEEPEST} levels");
            self.refuse(
                &what,
                file.origin(&span),
                "take the matchers of two levels together",
            );
            return Vec::new();
        }
        let mut routes = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let (origin, key) = (file.origin(&item.span()), format!("{all}[{}]", index + 1));
            let DeValue::Table(table) = item.get_ref() else {
                self.refuse(
                    &format!("`{key}` is a table, not a value,"),
                    origin,
                    "write `[[routes]]` and its keys below it",
                );
                continue;
            };
            let mut route = RouteTable::new(key.clone(), origin);
            let mut keys: Vec<String> = route.fields().into_iter().map(|(key, _)| key).collect();
            keys.push(format!("{key}.routes"));
            for (span, name, value) in in_order(table) {
                if name == "routes" {
                    route.routes = self.read_routes(file, span, value, Some(&key), depth + 1);
                } else {
                    self.add_to_table(file, &keys, &span, &format!("{key}.{name}"), value);
                }
            }
            keys.pop();
            self.declared.extend(keys);
            routes.push(route);
        }
        routes
    }

    fn add_to_table(
        &mut self,
        file: &File<'_>,
        keys: &[String],
        span: &Range<usize>,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) {
        if keys.iter().any(|known| known == key) {
            self.given.push(file.given(key, span, value));
        } else {
            self.problems.push(Problem::UnknownKey {
                key: key.to_owned(),
                origin: file.origin(span),
                hint: among(keys.iter().map(String::as_str), key, |near| format!("`{near}`")),
            });
        }
    }

    /// Reports a variable or a flag for an option that no table has.
    pub(crate) fn refuse_key_of_a_table(
        &mut self,
        key: &str,
        origin: Origin,
        spell: impl Fn(&str) -> String,
    ) {
        let (table, option) = key.rsplit_once('.').unwrap_or((key, ""));
        let name = table.strip_prefix("receivers.").unwrap_or_default();
        let same = |other: &String| variable(other) == variable(name);
        if !self.complete || (!name.is_empty() && self.untyped.iter().any(same)) {
            // What is wrong with the file was said; what would be right here nobody knows.
            return;
        }
        let of_table = |known: &&str| {
            known
                .rsplit_once('.')
                .is_some_and(|(other, _)| variable(other) == variable(table))
        };
        let declared = || self.declared.iter().map(String::as_str);
        let hint = if declared().any(|key| of_table(&key)) {
            among(declared().filter(of_table), key, spell)
        } else {
            let tables =
                declared().filter(|known| in_section(known, "receivers") && known.ends_with(".type"));
            let names: Vec<&str> = tables.filter_map(|known| known.split('.').nth(1)).collect();
            match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean {}?", spell(&format!("receivers.{near}.{option}"))),
                None => {
                    "variables and flags set options of receivers and routes that the settings file declares"
                        .to_owned()
                }
            }
        };
        self.problems.push(Problem::UnknownKey {
            key: key.to_owned(),
            origin,
            hint,
        });
    }

    fn refuse(&mut self, what: &str, origin: Origin, hint: &str) {
        self.problems.push(Problem::Conflict {
            what: what.to_owned(),
            origin,
            hint: hint.to_owned(),
        });
    }
}

/// What was probably meant among the keys of one table.
fn among<'k>(
    keys: impl Iterator<Item = &'k str> + Clone,
    key: &str,
    spell: impl Fn(&str) -> String,
) -> String {
    match nearest_key(key, keys.clone()) {
        Some(near) => format!("did you mean {}?", spell(near)),
        None => known_are(keys, spell),
    }
}
