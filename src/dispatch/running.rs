//! Which Skywatch processes run on this machine, for commands that know no settings.
//!
//! Each process that can be asked leaves a small file in a folder that a command finds by the user and the system alone,
//! and beside it a socket; so a command asks the process that runs, whatever settings either was started with, and also
//! when the state folder has been removed under it. The file is locked for as long as the process lives: the system lets go
//! of the lock however it ends, so a file that can be locked is stale and is removed, and a process id that was given again
//! misleads nobody. The first of these folders that this user may use is written, and all of them are read:
//! `$RUNTIME_DIRECTORY` (systemd's, which is `/run/skywatch`), `$XDG_RUNTIME_DIR/skywatch`, `/run/user/UID/skywatch`,
//! `/tmp/skywatch-UID`.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::unix_now;
use crate::files::{Durability, Replacement};
use crate::hash::hash;

/// The folder of a service of the system.
const OF_THE_SYSTEM: &str = "/run/skywatch";
/// Longest file that is read, bytes.
const LONGEST: u64 = 64 << 10;

/// A process that can be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningProcess {
    /// Its id; that of the child that watches, where there are children.
    pub pid: u32,
    /// Its state folder.
    pub state_dir: PathBuf,
    /// Where it listens; `None` of one that only says that it keeps a process running that will.
    pub socket: Option<PathBuf>,
    /// When it began, Unix seconds.
    pub since: f64,
}

/// Our own entry. Dropping it removes it.
#[derive(Debug)]
pub struct Entry {
    running: RunningProcess,
    file: PathBuf,
    /// Holds the lock.
    _locked: File,
}

impl Entry {
    /// Says that this process answers, at the socket that is named in the entry.
    ///
    /// # Errors
    /// There is no folder that this user may use and nobody else may write.
    pub fn of_answers(state_dir: &Path) -> io::Result<Self> {
        Self::make(state_dir, true)
    }

    /// Says that this process keeps one running that answers: should that have to be started again, commands wait for it.
    ///
    /// # Errors
    /// As [`of_answers`](Self::of_answers).
    pub fn of_keeper(state_dir: &Path) -> io::Result<Self> {
        Self::make(state_dir, false)
    }

    fn make(state_dir: &Path, answers: bool) -> io::Result<Self> {
        let folder = ours()?;
        let state_dir = whole(state_dir);
        let pid = std::process::id();
        let kind = if answers { "" } else { "-keeper" };
        let name = format!("{pid}-{:08x}{kind}", hash(&state_dir.to_string_lossy()) as u32);
        let running = RunningProcess {
            pid,
            state_dir,
            socket: answers.then(|| folder.join(format!("{name}.sock"))),
            since: unix_now(),
        };
        let file = folder.join(format!("{name}.json"));
        let mut entry = Replacement::begin(&file)?;
        // Nobody ever sees it without its lock, which belongs to the file wherever it is opened.
        let locked = entry.file().try_clone()?;
        locked.lock()?;
        entry.file().write_all(&serde_json::to_vec(&running)?)?;
        entry.finish(Durability::Volatile)?;
        Ok(Self {
            running,
            file,
            _locked: locked,
        })
    }

    /// Where this process is to listen.
    pub fn socket(&self) -> Option<&Path> {
        self.running.socket.as_deref()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
        if let Some(socket) = &self.running.socket {
            let _ = fs::remove_file(socket);
        }
    }
}

/// Every process that runs and that this user can know of, oldest first; of a process and its keeper, the process. Removes what those have left that run no more.
pub fn all() -> Vec<RunningProcess> {
    let mut found: Vec<RunningProcess> = Vec::new();
    for folder in known() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        for file in files.filter(|file| file.extension().is_some_and(|kind| kind == "json")) {
            if let Some(running) = read(&file)
                && !found.contains(&running)
            {
                found.push(running);
            }
        }
    }
    let answering: Vec<PathBuf> = found
        .iter()
        .filter(|running| running.socket.is_some())
        .map(|running| running.state_dir.clone())
        .collect();
    found.retain(|running| running.socket.is_some() || !answering.contains(&running.state_dir));
    found.sort_by(|a, b| a.since.total_cmp(&b.since));
    found
}

/// The process that runs over this state folder.
pub fn over(state_dir: &Path) -> Option<RunningProcess> {
    let state_dir = whole(state_dir);
    all().into_iter().find(|running| running.state_dir == state_dir)
}

/// The path without links and dots, as far as it is there.
pub fn whole(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut there = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    loop {
        if let Ok(found) = there.canonicalize() {
            return rest
                .iter()
                .rev()
                .fold(found, |path: PathBuf, part| path.join(part));
        }
        let Some(name) = there.file_name().map(ToOwned::to_owned) else {
            return path.to_owned();
        };
        rest.push(name);
        there.pop();
    }
}

/// The entry in a file; `None`, and no file any more, if its process has ended.
fn read(path: &Path) -> Option<RunningProcess> {
    let file = File::open(path).ok()?;
    let is_stale = match file.try_lock_shared() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => return None,
    };
    if is_stale {
        let _ = fs::remove_file(path);
        let _ = fs::remove_file(path.with_extension("sock"));
        return None;
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn folder_in(variable: &str) -> Option<PathBuf> {
    let value = std::env::var_os(variable).filter(|value| !value.is_empty())?;
    // Of several that systemd names, the first.
    let first = std::env::split_paths(&value).next()?;
    first.is_absolute().then_some(first)
}

/// The folders of one user, those that are his own first.
fn of_user(uid: u32) -> [PathBuf; 2] {
    [
        PathBuf::from(format!("/run/user/{uid}/skywatch")),
        PathBuf::from(format!("/tmp/skywatch-{uid}")),
    ]
}

/// The folder to write to, made if need be.
fn ours() -> io::Result<PathBuf> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    let own = folder_in("XDG_RUNTIME_DIR").map(|folder| folder.join("skywatch"));
    let named = folder_in("RUNTIME_DIRECTORY").into_iter().chain(own);
    for folder in named.chain(of_user(uid())) {
        match make(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Makes a folder that is ours alone. One that is there, and that others may write, is refused.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if !is_trusted(folder, &[uid()]) {
        let why = format!("`{}` is not this user's alone", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(())
}

/// Whether a folder, not a link to one, belongs to one of `owners` and nobody else may write it.
fn is_trusted(folder: &Path, owners: &[u32]) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|found| {
        found.is_dir() && owners.contains(&found.uid()) && found.permissions().mode() & 0o022 == 0
    })
}

/// The folders to read, each once.
fn known() -> Vec<PathBuf> {
    let me = uid();
    let mut owners = vec![me];
    // Whoever asks as root asks about what runs as the user behind it, too.
    let behind = std::env::var("SUDO_UID")
        .ok()
        .and_then(|uid| uid.parse::<u32>().ok());
    owners.extend(behind.filter(|_| me == 0));
    let mut folders: Vec<PathBuf> = folder_in("RUNTIME_DIRECTORY").into_iter().collect();
    folders.extend(folder_in("XDG_RUNTIME_DIR").map(|folder| folder.join("skywatch")));
    folders.extend(owners.iter().copied().flat_map(of_user));
    folders.retain(|folder| is_trusted(folder, &owners));
    // Only root can have let it be made.
    let system = Path::new(OF_THE_SYSTEM);
    if fs::symlink_metadata(system).is_ok_and(|found| found.is_dir() && found.mode() & 0o022 == 0) {
        folders.push(system.to_owned());
    }
    folders.sort();
    folders.dedup();
    folders
}

/// The folder of a service of the system, if there is one that this user may not read.
pub(crate) fn closed_folder() -> Option<&'static Path> {
    let system = Path::new(OF_THE_SYSTEM);
    let read = fs::read_dir(system);
    read.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        .then_some(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_whole_also_where_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().canonicalize().unwrap();
        fs::create_dir(there.join("a")).unwrap();
        std::os::unix::fs::symlink(there.join("a"), there.join("link")).unwrap();
        assert_eq!(whole(&there.join("link")), there.join("a"));
        assert_eq!(whole(&there.join("link/not/here")), there.join("a/not/here"));
    }

    #[test]
    fn a_folder_of_others_or_open_to_them_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        make(&own).unwrap();
        assert!(is_trusted(&own, &[uid()]) && !is_trusted(&own, &[uid() + 1]));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        assert!(make(&link).is_err());
        fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make(&own).is_err());
    }

    #[test]
    fn what_nobody_holds_any_more_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.json");
        let running = RunningProcess {
            pid: 1,
            state_dir: "/a".into(),
            socket: Some(folder.path().join("1.sock")),
            since: 1.0,
        };
        fs::write(&file, serde_json::to_vec(&running).unwrap()).unwrap();
        let socket = running.socket.clone().unwrap();
        fs::write(&socket, "").unwrap();
        let held = File::open(&file).unwrap();
        held.lock().unwrap();
        assert_eq!(read(&file), Some(running));
        drop(held);
        assert_eq!(read(&file), None);
        assert!(!file.exists() && !socket.exists());
    }
}
