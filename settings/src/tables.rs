//! Finds the tables of which there may be many, receivers and routes, so that their options are known before their values
//! are read.
//!
//! Only the file declares them. A variable or a flag can set an option of one that is there, which is enough for secrets.

use toml::de::DeValue;

use crate::error::Problem;
use crate::field::OptionValue;
use crate::file::{File, TableEntry, in_order};
use crate::origin::Origin;
use crate::raw::{RawSettings, variable};
use crate::receivers::{ReceiverTable, ReceiverType};
use crate::routes::{DEEPEST, RouteTable};
use crate::routing::Routing;
use crate::written::Written;

/// The longest name of a receiver, in letters: it stands in notices and file names.
const LONGEST_NAME: usize = 60;

/// Declares every `[receivers.NAME]` and takes what stands in it.
pub(crate) fn read_receivers(
    raw: &mut RawSettings,
    file: &File<'_>,
    (span, _, value): &TableEntry<'_, '_>,
    routing: &mut Routing,
) {
    let DeValue::Table(table) = value.get_ref() else {
        return raw.refuse(
            "`receivers` holds tables, one for each receiver,".to_owned(),
            file.origin(span),
            "write `[receivers.NAME]` and its keys below it",
        );
    };
    for (span, name, value) in in_order(table) {
        let origin = file.origin(&span);
        let table = format!("receivers.{name}");
        let DeValue::Table(options) = value.get_ref() else {
            raw.problems.push(Problem::NotASection {
                section: table,
                origin,
            });
            continue;
        };
        if !accept_name(raw, name, &origin, routing) {
            continue;
        }
        let options = in_order(options);
        let Some(kind) = read_type(raw, file, name, &origin, &options) else {
            raw.untyped.push(name.to_owned());
            routing.broken.push(name.to_owned());
            continue;
        };
        let mut receiver = ReceiverTable::new(name, kind, origin);
        raw.keys.extend(receiver.fields().into_iter().map(|(key, _)| key));
        routing.receivers.push(receiver);
        for entry in options {
            raw.take(file.given(format!("{table}.{}", entry.1), &entry), |near| {
                format!("`{near}`")
            });
        }
    }
}

/// Whether a receiver may have that name.
fn accept_name(raw: &mut RawSettings, name: &str, origin: &Origin, routing: &Routing) -> bool {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(right) {
        raw.refuse(
            format!("`{name}` is no name for a receiver"),
            origin.clone(),
            &format!("a name has letters, digits, `-` and `_`, at most {LONGEST_NAME} of them"),
        );
        return false;
    }
    let same = |other: &String| variable(other) == variable(name);
    let Some(other) = routing.names().find(|other| same(other)) else {
        return true;
    };
    raw.refuse(
        format!("the receivers `{other}` and `{name}` have the same environment variables, the latter"),
        origin.clone(),
        "variables do not tell capitals from small letters, nor `-` from `_`; choose another name",
    );
    false
}

fn read_type(
    raw: &mut RawSettings,
    file: &File<'_>,
    name: &str,
    origin: &Origin,
    options: &[TableEntry<'_, '_>],
) -> Option<ReceiverType> {
    let Some(entry) = options.iter().find(|(_, key, _)| *key == "type") else {
        let expected = crate::choice::refused("", ReceiverType::WORDS);
        raw.refuse(
            format!("receiver `{name}` has no `type`"),
            origin.clone(),
            &expected.0,
        );
        return None;
    };
    let refused = match ReceiverType::read(&Written::from_toml(entry.2.get_ref())) {
        Ok(kind) => return Some(kind),
        Err(refused) => refused,
    };
    let given = file.given(format!("receivers.{name}.type"), entry);
    raw.problems.push(Problem::WrongValue {
        key: given.key,
        value: given.text,
        origin: given.origin,
        expected: refused.0,
    });
    None
}

/// Declares every `[[routes]]` of one level, those below it too, and takes what stands in them. `all` is the key of the
/// level.
pub(crate) fn read_routes(
    raw: &mut RawSettings,
    file: &File<'_>,
    (span, _, value): &TableEntry<'_, '_>,
    all: &str,
    depth: usize,
) -> Vec<RouteTable> {
    let header = vec!["routes"; depth].join(".");
    let mut routes = Vec::new();
    match value.get_ref() {
        DeValue::Array(_) if depth > DEEPEST => raw.refuse(
            format!("routes nest deeper than {DEEPEST} levels"),
            file.origin(span),
            "take the matchers of two levels together",
        ),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let (origin, key) = (file.origin(&item.span()), format!("{all}[{}]", index + 1));
                if let DeValue::Table(table) = item.get_ref() {
                    let entries = in_order(table);
                    routes.push(read_route(
                        raw,
                        file,
                        RouteTable::new(key, origin),
                        &entries,
                        depth,
                    ));
                } else {
                    raw.refuse(
                        format!("`{key}` is a table, not a value,"),
                        origin,
                        &format!("write `[[{header}]]` and its keys below it"),
                    );
                }
            }
        }
        _ => raw.refuse(
            format!("`{all}` is a list of tables,"),
            file.origin(span),
            &format!("write `[[{header}]]`, with two brackets, for each"),
        ),
    }
    routes
}

fn read_route(
    raw: &mut RawSettings,
    file: &File<'_>,
    mut route: RouteTable,
    entries: &[TableEntry<'_, '_>],
    depth: usize,
) -> RouteTable {
    raw.keys.extend(route.fields().into_iter().map(|(key, _)| key));
    // A key while the file is read, so that a slip finds it; no option that a variable could set.
    let below = format!("{}.routes", route.key);
    raw.keys.push(below.clone());
    for entry in entries {
        if entry.1 == "routes" {
            route.routes = read_routes(raw, file, entry, &below, depth + 1);
        } else {
            let given = file.given(format!("{}.{}", route.key, entry.1), entry);
            raw.take(given, |near| format!("`{near}`"));
        }
    }
    raw.keys.retain(|key| *key != below);
    route
}
