//! Receivers and routes: what a file declares, what follows from it, and what people read when it is wrong.

mod receivers;
mod refused;
mod routes;

use std::time::Duration;

use skywatch_settings::{Loaded, Origin, SettingsError, Sources, load};

/// Every type of receiver, and routes on three levels.
const EVERYTHING: &str = include_str!("everything.toml");

fn load_with(text: &str, env: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    let dir = tempfile::tempdir().expect("there is a temporary folder");
    let path = dir.path().join("skywatch.toml");
    std::fs::write(&path, text).expect("a temporary folder can be written");
    let env = env
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    load(Sources {
        file: Some(path),
        env: env.chain([("HOME".to_owned(), "/home/u".to_owned())]).collect(),
        flags: Vec::new(),
    })
}

fn loaded(text: &str) -> Loaded {
    load_with(text, &[]).unwrap_or_else(|error| panic!("refused: {error}"))
}

/// What people read, the file's folder left out.
fn error_with(text: &str, env: &[(&str, &str)]) -> String {
    let error = load_with(text, env).expect_err("the file is wrong").to_string();
    let words = error.split(' ').map(|word| match word.rfind("/skywatch.toml") {
        Some(at) => &word[at + 1..],
        None => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn error(text: &str) -> String {
    error_with(text, &[])
}

fn row(loaded: &Loaded, key: &str) -> (String, String) {
    let row = loaded.rows().iter().find(|row| row.key == key);
    let row = row.unwrap_or_else(|| panic!("no row `{key}`"));
    let origin = match &row.origin {
        Origin::File { line, .. } => format!("line {line}"),
        other => other.to_string(),
    };
    (row.value.clone(), origin)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
