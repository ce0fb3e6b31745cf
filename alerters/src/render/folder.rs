//! Templates from a folder.
//!
//! Only the names that exist are read, and a file of any other name is refused: a misspelt one would
//! otherwise be a template that never speaks. Hidden files are passed over, for a mounted Kubernetes
//! ConfigMap keeps its real files in hidden folders and links to them. A link may lead anywhere within
//! the folder and nowhere else; templates include each other by name, never by path.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The templates there are, by the names their replacements have in a folder.
pub const TEMPLATES: [&str; 5] = [
    "email.subject",
    "email.txt",
    "email.html",
    "slack.txt",
    "line.txt",
];

/// Longest template, bytes.
const LONGEST: u64 = 256 * 1024;

/// The known names of which the folder holds a file, and what is in it.
pub(super) fn read(folder: &Path) -> Result<Vec<(&'static str, String)>, Error> {
    let root = fs::canonicalize(folder).map_err(|source| unreadable(folder, &source))?;
    let entries = fs::read_dir(&root).map_err(|source| unreadable(folder, &source))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| unreadable(folder, &source))?;
        let file_name = entry.file_name();
        if file_name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let Some(name) = TEMPLATES.into_iter().find(|name| file_name == **name) else {
            let known = TEMPLATES.map(|name| format!("`{name}`")).join(", ");
            return Err(wrong(
                path,
                format!("no template has this name; there are {known}"),
            ));
        };
        found.push((name, read_one(&root, &path)?));
    }
    found.sort_by_key(|(name, _)| *name);
    Ok(found)
}

fn read_one(root: &Path, path: &Path) -> Result<String, Error> {
    let target = fs::canonicalize(path).map_err(|source| unreadable(path, &source))?;
    if !target.starts_with(root) {
        return Err(wrong(path.to_owned(), "it leads out of the folder".into()));
    }
    let about = fs::metadata(&target).map_err(|source| unreadable(path, &source))?;
    if !about.is_file() {
        return Err(wrong(path.to_owned(), "it is no file".into()));
    }
    if about.len() > LONGEST {
        let long = format!("it is {} bytes long, {LONGEST} are allowed", about.len());
        return Err(wrong(path.to_owned(), long));
    }
    fs::read_to_string(&target).map_err(|source| unreadable(path, &source))
}

fn unreadable(path: &Path, source: &io::Error) -> Error {
    wrong(path.to_owned(), source.to_string())
}

fn wrong(path: PathBuf, reason: String) -> Error {
    Error::TemplateFile { path, reason }
}
