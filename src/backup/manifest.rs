//! The list of a copy's files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{BackupError, io_error};

/// The list's file.
pub(super) const NAME: &str = "backup.json";
/// The form of the list.
pub(super) const FORM: u32 = 1;

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this list: 1.
    pub form: u32,
    /// The version of Skywatch that made the copy.
    pub version: String,
    /// When, Unix seconds.
    pub at: f64,
    /// Whether a process worked in the folder.
    pub was_running: bool,
    /// The files.
    pub files: Vec<BackedUpFile>,
}

/// One file of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpFile {
    /// Below the folder.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// XXH3 of its bytes, 64 bits, in hexadecimal.
    pub xxh3: String,
}

impl BackedUpFile {
    /// Of the file at `root`/`path` as it is now.
    pub(super) fn of(root: &Path, path: PathBuf) -> Result<Self, BackupError> {
        let whole = root.join(&path);
        let mut file = File::open(&whole).map_err(io_error(&whole))?;
        let (mut hash, mut bytes) = (Xxh3::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(io_error(&whole))? {
                0 => break,
                read => {
                    hash.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
        Ok(Self {
            path,
            bytes,
            xxh3: format!("{:016x}", hash.digest()),
        })
    }
}

impl Manifest {
    /// The list of the copy in `folder`, with all files held against it.
    ///
    /// # Errors
    /// There is none, or a file is not as it was.
    pub(super) fn check(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(NAME);
        let none = |why: String| BackupError::NoBackup {
            path: folder.to_owned(),
            why,
        };
        let text = std::fs::read(&path).map_err(|error| none(format!("`{NAME}`: {error}")))?;
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| none(format!("`{NAME}`: {error}")))?;
        if manifest.form != FORM {
            return Err(none(format!(
                "its form is {}, this Skywatch knows {FORM}",
                manifest.form
            )));
        }
        for file in &manifest.files {
            let is_below = file
                .path
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            let wrong = |why: &str| BackupError::Damaged {
                path: folder.join(&file.path),
                why: why.to_owned(),
            };
            if !is_below {
                return Err(wrong("its place is not below the folder"));
            }
            let found =
                BackedUpFile::of(folder, file.path.clone()).map_err(|error| wrong(&error.to_string()))?;
            if found != *file {
                return Err(wrong("its bytes are others"));
            }
        }
        Ok(manifest)
    }
}
