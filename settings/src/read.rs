//! Reads the layers: the file, the environment, the flags.
//!
//! Problems that need no types are found here: an unreadable file, broken TOML, unknown keys and sections.

use std::io::ErrorKind;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::error::Problem;
use crate::file::{File, in_order};
use crate::origin::Origin;
use crate::raw::{Given, RawSettings, is_ours, variable};
use crate::settings::Settings;
use crate::sources::Sources;
use crate::tables::{read_receivers, read_routes};
use crate::written::Written;

/// Reads file, environment and flags. Receivers and routes that the file declares are added to `settings`, with nothing in
/// them set.
pub(crate) fn read(sources: &Sources, settings: &mut Settings) -> RawSettings {
    let mut raw = RawSettings {
        keys: settings.fields().into_iter().map(|(key, _)| key).collect(),
        untyped: Vec::new(),
        given: Vec::new(),
        problems: Vec::new(),
        complete: true,
    };
    if let Some(path) = sources.file_or_variable() {
        raw.complete = read_file(&mut raw, &path, settings).is_some();
    }
    let mut ours: Vec<_> = sources.env.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (name, text) in ours {
        let key = raw.key_of(name);
        take_text(&mut raw, key, text, Origin::Environment(name.clone()), variable);
    }
    for (key, text, flag) in &sources.flags {
        let origin = Origin::Flag(flag.clone());
        take_text(&mut raw, key.clone(), text, origin, str::to_owned);
    }
    raw
}

/// Reads the file; `None` if it is not all there.
fn read_file(raw: &mut RawSettings, path: &Path, settings: &mut Settings) -> Option<()> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
        mend: match error.kind() {
            ErrorKind::PermissionDenied => {
                "let the user who runs this read it: its owner, or one of its group (`ls -l`, `id`); or ask as root"
            }
            ErrorKind::InvalidData => "it must be text in UTF-8",
            _ => "`--config` or `SKYWATCH_CONFIG` names the file",
        },
    });
    let text = text.map_err(|problem| raw.problems.push(problem)).ok()?;
    let file = File { path, text: &text };
    let (root, errors) = DeTable::parse_recoverable(&text);
    raw.problems.extend(errors.iter().map(|error| {
        let (line, column) = file.position(error.span().map_or(0, |span| span.start));
        Problem::Syntax {
            path: path.to_owned(),
            line,
            column,
            what: error.message().lines().collect::<Vec<_>>().join("; "),
        }
    }));
    if !errors.is_empty() {
        return None;
    }
    let spell = |near: &str| format!("`{near}`");
    for entry in in_order(root.get_ref()) {
        let (span, name, value) = &entry;
        match value.get_ref() {
            _ if *name == "receivers" => read_receivers(raw, &file, &entry, &mut settings.routing),
            _ if *name == "routes" => settings.routing.routes = read_routes(raw, &file, &entry, "routes", 1),
            DeValue::Table(table) if raw.is_section(name) => {
                for entry in in_order(table) {
                    raw.take(file.given(format!("{name}.{}", entry.1), &entry), spell);
                }
            }
            _ if raw.is_section(name) => raw.problems.push(Problem::NotASection {
                section: (*name).to_owned(),
                origin: file.origin(span),
            }),
            unknown if is_table(unknown) && !raw.knows(name) => {
                let hint = raw.section_hint(name);
                raw.problems.push(Problem::UnknownSection {
                    section: (*name).to_owned(),
                    origin: file.origin(span),
                    hint,
                });
            }
            _ => raw.take(file.given((*name).to_owned(), &entry), spell),
        }
    }
    Some(())
}

/// Takes a value from where everything is text.
fn take_text(raw: &mut RawSettings, key: String, text: &str, origin: Origin, spell: impl Fn(&str) -> String) {
    let given = Given {
        key,
        written: Written::Text(text.to_owned()),
        text: text.to_owned(),
        origin,
    };
    if given.key.starts_with("receivers.") && given.key.ends_with(".type") && raw.knows(&given.key) {
        return raw.problems.push(Problem::WrongValue {
            key: given.key,
            value: given.text,
            origin: given.origin,
            expected: "only the settings file says what type a receiver has".to_owned(),
        });
    }
    raw.take(given, |near| format!("`{}`", spell(near)));
}

/// Whether the value is what `[name]` or `[[name]]` makes.
fn is_table(value: &DeValue<'_>) -> bool {
    let table = |value: &DeValue<'_>| matches!(value, DeValue::Table(_));
    match value {
        DeValue::Array(items) => !items.is_empty() && items.iter().all(|item| table(item.get_ref())),
        value => table(value),
    }
}
