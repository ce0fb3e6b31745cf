//! YAML and JSON as one kind of value.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Number, Value};
use yaml_rust2::parser::Parser;
use yaml_rust2::{Event, Yaml, YamlLoader};

use super::error::AnteaterError;

/// Tables and lists in each other; the original has six.
const MOST_DEPTH: usize = 64;

/// Reads a file with one document whose top is a table. JSON is YAML.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>, AnteaterError> {
    let text = text(path)?;
    let refused = |reason: String| AnteaterError::Malformed {
        path: path.to_owned(),
        reason,
    };
    check(&text).map_err(refused)?;
    let documents = YamlLoader::load_from_str(&text).map_err(|error| refused(error.to_string()))?;
    match documents.into_iter().next().map(value) {
        Some(Value::Object(table)) => Ok(table),
        _ => Err(refused("a table of keys and values is expected".to_owned())),
    }
}

/// Refuses what would be read at the cost of memory or stack: the reader copies what an alias stands for, and goes down by
/// recursion.
fn check(text: &str) -> Result<(), String> {
    let mut parser = Parser::new_from_str(text);
    let mut depth = 0;
    loop {
        match parser.next_token().map_err(|error| error.to_string())?.0 {
            Event::StreamEnd => return Ok(()),
            Event::Alias(_) => return Err("it has aliases (`*name`), which are not followed".to_owned()),
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth -= 1,
            _ => {}
        }
        if depth > MOST_DEPTH {
            return Err(format!("tables and lists more than {MOST_DEPTH} deep"));
        }
    }
}

fn value(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Real(text) => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map_or(Value::String(text), Value::Number)
        }
        Yaml::Integer(number) => number.into(),
        Yaml::String(text) => text.into(),
        Yaml::Boolean(yes) => yes.into(),
        Yaml::Array(list) => list.into_iter().map(value).collect(),
        Yaml::Hash(table) => {
            let pairs = table
                .into_iter()
                .map(|(name, of)| (plain(&value(name)), value(of)));
            Value::Object(pairs.collect())
        }
        Yaml::Alias(_) | Yaml::Null | Yaml::BadValue => Value::Null,
    }
}

/// A value as somebody would write it in a line: text without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The text of a file of at most 4 MiB: the original's largest has 200 KiB.
pub(super) fn text(path: &Path) -> Result<String, AnteaterError> {
    const MOST_BYTES: u64 = 4 << 20;
    let unreadable = |source| AnteaterError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(AnteaterError::Malformed {
            path: path.to_owned(),
            reason: format!("more than {MOST_BYTES} bytes"),
        });
    }
    Ok(text)
}
