//! A consistent copy of the state folder while a process works in it, and the way back.
//!
//! Databases (SQLite, found by their first bytes) are copied by `VACUUM INTO`, which reads one moment of them whatever is written
//! meanwhile. All other files are replaced as a whole by those who write them, or hold records with a checksum each, so a
//! plain copy is one that is readable. Left out is what says something about a process that runs (`status`, locks, sockets) and,
//! while one runs, the embedded store, whose files belong together.
//!
//! A copy is a folder with the same layout and a list of its files with their checksums, which the way back holds them against.

mod copy;
mod manifest;
mod restore;

use std::path::{Path, PathBuf};

pub use copy::{BackupMade, back_up};
pub use manifest::{BackedUpFile, Manifest};
pub use restore::{Restored, restore};

/// What belongs to a process and not to a copy, at the top of the state folder.
const OF_A_PROCESS: [&str; 5] = ["lock", "status", "control", "inlet", "socket"];
/// Where the embedded store lies.
const STORE: &str = "store";
/// What the names of folders begin with into which a restore has moved what was there.
const BEFORE: &str = "before-";

/// Why there is no copy, or no way back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder cannot be read or written.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A database cannot be copied.
    #[error("the database `{}` cannot be copied: {source}", path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A copy of a database is not whole.
    #[error("the copy of the database `{}` is not whole: {found}", path.display())]
    DamagedDatabase {
        /// Where.
        path: PathBuf,
        /// What SQLite found.
        found: String,
    },
    /// Something lies where the copy is to go.
    #[error("`{}` is not empty\nhint: name a folder that is not there yet", .0.display())]
    NotEmpty(PathBuf),
    /// The folder holds no copy.
    #[error("`{}` holds no backup: {why}\nhint: `skywatch backup` makes one", path.display())]
    NoBackup {
        /// Where.
        path: PathBuf,
        /// Why it is none.
        why: String,
    },
    /// A file of the copy is missing or not as it was made.
    #[error("`{}` is not as it was backed up: {why}; nothing was restored", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The state folder holds something already.
    #[error("the state folder `{}` is not empty\nhint: `--replace` moves what is there into a folder `{BEFORE}…` in it", .0.display())]
    Occupied(PathBuf),
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}
