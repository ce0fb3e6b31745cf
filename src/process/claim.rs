//! The claim to a state folder: one running process has it, others get an error that names it.
//!
//! The claim is a lock on a file in the folder, which the system takes back however the process ends, so nothing is left
//! behind by one that died. What the file says is for people only. A folder that is deleted under the process is made
//! again here; the rooms that keep files in it notice and write them again.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Pid;

use super::ProcessError;
use super::wiring::{prepare_state_dir, state_dir_error};
use crate::files;
use crate::stop::{Stop, StoppableThread};

/// How often the folder is looked at: what is lost with a deleted folder is at most what was written since.
const LOOK_EACH: Duration = Duration::from_secs(1);
/// Pause before a lock that somebody has is tried again: a command that only asks holds it for microseconds.
const AGAIN_AFTER: Duration = Duration::from_millis(30);

/// A claimed state folder; the claim ends when this is dropped, or with the process.
pub(crate) struct StateFolderClaim {
    _thread: StoppableThread,
}

impl StateFolderClaim {
    /// Takes the state folder for this process and its children.
    ///
    /// # Errors
    /// Somebody else has it, or it cannot be made or written.
    pub(crate) fn take(folder: &Path) -> Result<Self, ProcessError> {
        prepare_state_dir(folder)?;
        let lock = lock(folder)?;
        let folder = folder.to_owned();
        let thread = StoppableThread::spawn("state-folder", move |stop| watch(&folder, lock, stop));
        let thread = thread.map_err(|source| ProcessError::Start {
            what: "the thread that watches the state folder",
            source,
        })?;
        Ok(Self { _thread: thread })
    }
}

/// Whether a process has the state folder at this moment.
pub(crate) fn is_claimed(folder: &Path) -> bool {
    File::open(path_of(folder))
        .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The process that has the state folder at this moment.
pub(crate) fn claimant(folder: &Path) -> Option<Pid> {
    if !is_claimed(folder) {
        return None;
    }
    let said = std::fs::read_to_string(path_of(folder)).ok()?;
    let pid = said.strip_prefix("process ")?.split(',').next()?;
    Pid::from_raw(pid.parse().ok()?)
}

fn path_of(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn lock(folder: &Path) -> Result<File, ProcessError> {
    let path = path_of(folder);
    let mut file = files::write(&path).map_err(|source| state_dir_error(&path, source))?;
    let mut tries = 0;
    let locked = loop {
        match file.try_lock() {
            // A command may be asking whether somebody has it, which takes a moment.
            Err(TryLockError::WouldBlock) if tries < 3 => {
                tries += 1;
                std::thread::sleep(AGAIN_AFTER);
            }
            outcome => break outcome,
        }
    };
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut who = String::new();
            let _ = file.take(200).read_to_string(&mut who);
            let who = match who.trim() {
                "" => "another process".to_owned(),
                who => who.to_owned(),
            };
            return Err(ProcessError::StateDirInUse {
                path: folder.to_owned(),
                who,
            });
        }
        Err(TryLockError::Error(source)) => return Err(state_dir_error(&path, source)),
    }
    let since = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    // A full disk is no reason not to run: then the error of others names no process.
    let _ = file
        .set_len(0)
        .and_then(|()| writeln!(file, "process {}, since {since}", std::process::id()));
    Ok(file)
}

/// Looks whether the folder is still there, and makes it again if it is not.
fn watch(folder: &Path, lock: File, stop: &Stop) {
    let of = |file: &File| file.metadata().ok().map(|found| (found.dev(), found.ino()));
    let mut lock = (of(&lock), lock);
    let mut failing = false;
    while !stop.sleep(LOOK_EACH) {
        if files::identity(&path_of(folder)) == lock.0 {
            continue;
        }
        match prepare_state_dir(folder).and_then(|()| self::lock(folder)) {
            Ok(file) => {
                failing = false;
                lock = (of(&file), file);
                tracing::error!(
                    "the state folder `{}` was deleted while in use :: made anew; what is in memory is written again",
                    folder.display()
                );
            }
            Err(error) if !failing => {
                failing = true;
                tracing::error!(
                    "the state folder was deleted while in use, and cannot be made anew :: {error}"
                );
            }
            Err(_) => {}
        }
    }
    // Closing it is not enough: a child that is being started at this moment has a copy of it.
    let _ = lock.1.unlock();
}
