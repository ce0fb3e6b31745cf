//! From the state folder to a copy.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::manifest::{BackedUpFile, FORM, Manifest, NAME};
use super::{BEFORE, BackupError, OF_A_PROCESS, STORE, io_error};
use crate::clock::unix_now;
use crate::files;

/// What a database of SQLite begins with.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";
/// How long a writer may hold a database up: its transactions take milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A copy that was made.
#[derive(Debug)]
pub struct BackupMade {
    /// What it holds.
    pub manifest: Manifest,
    /// Whether the points of the embedded store are not in it, as a process works with them.
    pub left_store_out: bool,
}

/// Copies what `state_dir` holds into `folder`, which is made. `is_running` says whether a process works in it.
///
/// # Errors
/// Something cannot be read or written. What was copied by then is left, without a list.
pub fn back_up(state_dir: &Path, folder: &Path, is_running: bool) -> Result<BackupMade, BackupError> {
    files::folder(folder).map_err(io_error(folder))?;
    let mut there = std::fs::read_dir(folder).map_err(io_error(folder))?;
    if there.next().is_some() {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    let mut copy = FolderCopy {
        from: state_dir,
        to: folder,
        leaves_store_out: is_running,
        left_store_out: false,
        files: Vec::new(),
    };
    copy.folder(Path::new(""))?;
    copy.files.sort_by(|a, b| a.path.cmp(&b.path));
    let manifest = Manifest {
        form: FORM,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: unix_now(),
        was_running: is_running,
        files: copy.files,
    };
    let list = folder.join(NAME);
    let text = serde_json::to_vec_pretty(&manifest).map_err(std::io::Error::from);
    let written = text.and_then(|text| files::replace(&list, &text, files::Durability::Durable));
    written.map_err(io_error(&list))?;
    Ok(BackupMade {
        manifest,
        left_store_out: copy.left_store_out,
    })
}

struct FolderCopy<'a> {
    from: &'a Path,
    to: &'a Path,
    leaves_store_out: bool,
    left_store_out: bool,
    files: Vec<BackedUpFile>,
}

impl FolderCopy<'_> {
    fn folder(&mut self, below: &Path) -> Result<(), BackupError> {
        let from = self.from.join(below);
        for entry in std::fs::read_dir(&from).map_err(io_error(&from))? {
            let entry = entry.map_err(io_error(&from))?;
            let name = entry.file_name();
            let path = below.join(&name);
            if below.as_os_str().is_empty() && self.is_left_out(&name.to_string_lossy()) {
                continue;
            }
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error(&from.join(name))(error)),
            };
            // Neither sockets nor links are state.
            if kind.is_dir() {
                self.folder(&path)?;
            } else if kind.is_file() {
                self.file(path)?;
            }
        }
        Ok(())
    }

    fn is_left_out(&mut self, name: &str) -> bool {
        let is_store = name == STORE && self.leaves_store_out;
        self.left_store_out |= is_store;
        is_store || OF_A_PROCESS.contains(&name) || name.starts_with(BEFORE)
    }

    fn file(&mut self, path: PathBuf) -> Result<(), BackupError> {
        let (from, to) = (self.from.join(&path), self.to.join(&path));
        let name = path.to_string_lossy();
        // They belong to a database and are part of the moment that is copied of it, or to whoever has it open.
        if ["-wal", "-shm", "-journal", ".lock"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            return Ok(());
        }
        if let Some(folder) = to.parent() {
            files::folder(folder).map_err(io_error(folder))?;
        }
        let mut file = match File::open(&from) {
            Ok(file) => file,
            // It was replaced or removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error(&from)(error)),
        };
        let mut head = Vec::new();
        let begins = (&mut file).take(SQLITE.len() as u64).read_to_end(&mut head);
        begins.map_err(io_error(&from))?;
        if head == SQLITE {
            database(&from, &to)?;
        } else {
            let mut copy = files::create(&to).map_err(io_error(&to))?;
            let mut whole = head.as_slice().chain(file);
            std::io::copy(&mut whole, &mut copy).map_err(io_error(&from))?;
            copy.sync_all().map_err(io_error(&to))?;
        }
        self.files.push(BackedUpFile::of(self.to, path)?);
        Ok(())
    }
}

/// One moment of a database, whoever writes it.
fn database(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::Database {
        path: from.to_owned(),
        source,
    };
    let open = |path: &Path| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = open(from).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let place = to.to_string_lossy();
    connection.execute("VACUUM INTO ?1", [&*place]).map_err(failed)?;
    let check = |connection: Connection| {
        connection.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0))
    };
    match open(to).and_then(check).map_err(failed)?.as_str() {
        "ok" => Ok(()),
        found => Err(BackupError::DamagedDatabase {
            path: to.to_owned(),
            found: found.to_owned(),
        }),
    }
}
