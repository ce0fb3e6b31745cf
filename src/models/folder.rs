//! Models in a local folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{BlobStore, ModelError};
use crate::files::{self, Durability};

/// A folder. Written beside and renamed, and forced to the disk before it is named.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, which is made at the first write.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn failure(&self, error: &std::io::Error) -> ModelError {
        ModelError::Place {
            place: self.describe(),
            reason: error.to_string(),
        }
    }
}

/// Reads a file and nothing else: a pipe would be waited for, and a device may have no end.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let known = fs::metadata(path)?;
    if !known.is_file() && !known.is_dir() {
        return Err(std::io::Error::other(format!(
            "`{}` is a pipe, a device or a socket, not a file",
            path.display()
        )));
    }
    fs::read(path)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    files::folder(folder)?;
    files::replace(path, bytes, Durability::Durable)
}

impl BlobStore for Folder {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        match read(&self.path.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        write(&self.path.join(name), bytes).map_err(|error| self.failure(&error))
    }

    fn remove(&self, name: &str) -> Result<(), ModelError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.failure(&error)),
            _ => {}
        }
        // A folder is a name like any other once nothing lies in it; while something does, it stays.
        if let Some(folder) = path.parent() {
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, ModelError> {
        let entries = match fs::read_dir(self.path.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failure(&error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| self.failure(&error))?.file_name();
            if let Ok(name) = name.into_string()
                && !name.starts_with('.')
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}
