//! From a copy to the state folder.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::manifest::Manifest;
use super::{BEFORE, BackupError, OF_A_PROCESS, io_error};
use crate::files;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the copy holds.
    pub manifest: Manifest,
    /// Where what was there lies now, if anything was.
    pub before: Option<PathBuf>,
}

/// Puts the copy in `folder` into `state_dir`, in which no process may work. All of it is held against its list first. With
/// `replaces`, what is there is moved aside and never deleted. Files belong to whom the state folder belongs to.
///
/// # Errors
/// The copy is not whole, the state folder is not empty, or something cannot be written.
pub fn restore(folder: &Path, state_dir: &Path, replaces: bool) -> Result<Restored, BackupError> {
    let manifest = Manifest::check(folder)?;
    files::folder(state_dir).map_err(io_error(state_dir))?;
    let before = put_aside(state_dir, replaces)?;
    let owner = std::fs::metadata(state_dir).map_err(io_error(state_dir))?;
    let owner = (owner.uid(), owner.gid());
    for file in &manifest.files {
        copy(&folder.join(&file.path), state_dir, &file.path, owner)?;
    }
    Ok(Restored { manifest, before })
}

/// Moves what is in the state folder into a folder in it.
fn put_aside(state_dir: &Path, replaces: bool) -> Result<Option<PathBuf>, BackupError> {
    let mut there = Vec::new();
    for entry in std::fs::read_dir(state_dir).map_err(io_error(state_dir))? {
        let name = entry.map_err(io_error(state_dir))?.file_name();
        let shown = name.to_string_lossy();
        if !(OF_A_PROCESS.contains(&&*shown) || shown.starts_with(BEFORE)) {
            there.push(name);
        }
    }
    if there.is_empty() {
        return Ok(None);
    }
    if !replaces {
        return Err(BackupError::Occupied(state_dir.to_owned()));
    }
    let aside = state_dir.join(format!("{BEFORE}{}", Timestamp::now().strftime("%Y%m%d-%H%M%S")));
    files::folder(&aside).map_err(io_error(&aside))?;
    for name in there {
        let from = state_dir.join(&name);
        std::fs::rename(&from, aside.join(&name)).map_err(io_error(&from))?;
    }
    Ok(Some(aside))
}

/// Copies a file to `state_dir`/`path`, with the folders above it.
fn copy(from: &Path, state_dir: &Path, path: &Path, owner: (u32, u32)) -> Result<(), BackupError> {
    let to = state_dir.join(path);
    let mut folders: Vec<&Path> = path
        .ancestors()
        .skip(1)
        .filter(|folder| !folder.as_os_str().is_empty())
        .collect();
    folders.reverse();
    for folder in folders {
        let folder = state_dir.join(folder);
        if !folder.exists() {
            files::folder(&folder).map_err(io_error(&folder))?;
            belong(&folder, owner)?;
        }
    }
    let mut read = File::open(from).map_err(io_error(from))?;
    let mut written = files::create(&to).map_err(io_error(&to))?;
    std::io::copy(&mut read, &mut written).map_err(io_error(&to))?;
    written.sync_all().map_err(io_error(&to))?;
    belong(&to, owner)
}

/// Only root can give a file away, and only where it has to.
fn belong(path: &Path, owner: (u32, u32)) -> Result<(), BackupError> {
    let found = std::fs::metadata(path).map_err(io_error(path))?;
    if (found.uid(), found.gid()) == owner {
        return Ok(());
    }
    chown(path, Some(owner.0), Some(owner.1)).map_err(io_error(path))
}
