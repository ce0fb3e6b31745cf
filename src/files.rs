//! Files and folders of our own: for their owner only, and never through a symbolic link that somebody has put in their
//! place.
//!
//! The mode is asked for where a file is made, and the umask of the process set so that a library that makes files (SQLite,
//! the embedded store) cannot make others. A path that the user names may lead through links as it likes: only the last
//! part, the file we make, may be none.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};

/// Makes all files of this process from now on files for its owner only.
pub(crate) fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a folder, with those above it. One that is there stays as it is.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => hand_over(&File::open(path)?, path),
    }
}

/// Gives what root makes in the folder of another user to that user: a command that root types in a service's folder must not leave
/// behind what the service cannot open.
fn hand_over(made: &File, path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (owner, found) = (
        std::fs::metadata(above.unwrap_or(Path::new(".")))?,
        made.metadata()?,
    );
    let (owner, found) = ((owner.uid(), owner.gid()), (found.uid(), found.gid()));
    if owner.0 == 0 || found == owner {
        return Ok(());
    }
    fchown(made, Some(owner.0), Some(owner.1))
}

/// Free space on the disk of the state folder below which it is called full, bytes: what the databases there may grow by while
/// somebody comes to look.
const LOW_SPACE: u64 = 64 << 20;

/// Why there is no room for long on the disk that `path` lies on, if there is none.
///
/// # Errors
/// The system does not say.
pub(crate) fn lack_of_space(path: &Path) -> io::Result<Option<String>> {
    let disk = rustix::fs::statvfs(path)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let is_low = free < LOW_SPACE;
    Ok(is_low.then(|| format!("the disk of `{}` has {} KiB left", path.display(), free >> 10)))
}

/// How a file of ours is opened, reading or writing to be added.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

/// Opens a file for appending, beginning it if there is none.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let file = said(options().create(true).append(true).open(path))?;
    hand_over(&file, path)?;
    Ok(file)
}

/// Opens a file for writing at its beginning, beginning it if there is none; what is in it stays.
pub(crate) fn write(path: &Path) -> io::Result<File> {
    let mut options = options();
    options.read(true).write(true).create(true).truncate(false);
    let file = said(options.open(path))?;
    hand_over(&file, path)?;
    Ok(file)
}

/// Makes a file that takes the place of whatever lies there, be it a link.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = options().read(true).write(true).create_new(true).open(path)?;
    hand_over(&file, path)?;
    Ok(file)
}

/// What is left of a replaced file after the power has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The old content, the new, or an empty file: for what is written again soon or can be made again.
    Volatile,
    /// The new content: it and the folder's entry are forced to the disk before the call returns.
    Durable,
}

/// A file that is written beside its place and takes it when it is whole: who opens the place sees the old content or the
/// new, never a part. Dropped before, it leaves nothing behind.
pub(crate) struct Replacement {
    file: File,
    beside: PathBuf,
    place: PathBuf,
    is_in_place: bool,
}

impl Replacement {
    /// Begins a file that is to lie at `place`; several may be written at once, the last one to finish stays.
    pub(crate) fn begin(place: &Path) -> io::Result<Self> {
        static BEGUN: AtomicU64 = AtomicU64::new(0);
        let mut name = std::ffi::OsString::from(".");
        name.push(place.file_name().unwrap_or_default());
        // No other writer, of this process or another, has the same name.
        let count = BEGUN.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{count}.new", std::process::id()));
        let beside = place.with_file_name(name);
        Ok(Self {
            file: create(&beside)?,
            beside,
            place: place.to_owned(),
            is_in_place: false,
        })
    }

    /// The file under way.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it in its place.
    pub(crate) fn finish(mut self, durability: Durability) -> io::Result<()> {
        if durability == Durability::Durable {
            self.file.sync_all()?;
        }
        std::fs::rename(&self.beside, &self.place)?;
        self.is_in_place = true;
        match (durability, self.place.parent()) {
            (Durability::Durable, Some(folder)) if folder.as_os_str().is_empty() => {
                File::open(".")?.sync_all()
            }
            (Durability::Durable, Some(folder)) => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

/// Replaces the file at `path` as a whole.
pub(crate) fn replace(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let mut new = Replacement::begin(path)?;
    new.file().write_all(bytes)?;
    new.finish(durability)
}

/// Which file lies at a path: device and number. `None` for none.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The system's words for a link are about levels.
fn said<T>(outcome: io::Result<T>) -> io::Result<T> {
    outcome.map_err(|error| {
        if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            io::Error::other("it is a symbolic link, which is not followed")
        } else {
            error
        }
    })
}

/// A path with something at its end.
pub(crate) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Renames a database of SQLite and its log, the log first: a new database must never find the log of another one.
pub(crate) fn rename_database(from: &Path, to: &Path) -> io::Result<()> {
    for end in ["-wal", "-shm", ""] {
        match std::fs::rename(with_end(from, end), with_end(to, end)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !end.is_empty() => {}
            renamed => renamed?,
        }
    }
    Ok(())
}

/// Renames a database to `<name>.<why>-<date>`, with a number where that is taken; `why` is a word like `broken`, and `now`, Unix
/// seconds, gives the date. Where it lies then.
pub(crate) fn put_database_aside(path: &Path, why: &str, now: f64) -> io::Result<PathBuf> {
    let date = Timestamp::from_second(now as i64).unwrap_or_default();
    let stem = format!(".{why}-{}", date.strftime("%Y%m%dT%H%M%SZ"));
    let mut aside = with_end(path, &stem);
    for number in 2.. {
        if !aside.try_exists()? {
            break;
        }
        aside = with_end(path, &format!("{stem}-{number}"));
    }
    rename_database(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_from_one_with_room() {
        let lack = |path: &str| lack_of_space(Path::new(path)).expect("Linux says it of all that is mounted");
        // A file system of the kernel's own has no room for anything of ours.
        assert!(lack("/proc").is_some_and(|why| why.ends_with("has 0 KiB left")));
        assert_eq!(lack(env!("CARGO_MANIFEST_DIR")), None);
    }
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_is_made_is_the_owners_and_no_link_is_followed() {
        let place = tempfile::tempdir().expect("a folder");
        let (there, link) = (place.path().join("there"), place.path().join("link"));
        std::fs::write(&there, "kept").expect("room");
        symlink(&there, &link).expect("a link");
        for opened in [append(&link), write(&link)] {
            let error = opened.expect_err("a link").to_string();
            assert!(error.contains("symbolic link"), "{error}");
        }
        create(&link)
            .expect("a file in its place")
            .write_all(b"new")
            .expect("room");
        assert_eq!(std::fs::read(&there).expect("it is there"), b"kept");
        let status = place.path().join("status");
        symlink(&there, &status).expect("a link");
        replace(&status, b"whole", Durability::Durable).expect("a file");
        assert_eq!(std::fs::read(&there).expect("it is there"), b"kept");
        let deep = place.path().join("a/b");
        folder(&deep).expect("folders");
        folder(&deep).expect("they may be there");
        for (path, mode) in [(&status, 0o600), (&deep, 0o700), (&link, 0o600)] {
            let found = std::fs::symlink_metadata(path).expect("it is there");
            assert_eq!(found.permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }

    #[test]
    fn a_replacement_is_whole_or_leaves_no_trace() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("status");
        replace(&place, b"old", Durability::Volatile).expect("room");
        let (mut one, mut other) = (
            Replacement::begin(&place).expect("room"),
            Replacement::begin(&place).expect("room for two at once"),
        );
        one.file().write_all(b"half").expect("room");
        other.file().write_all(b"whole").expect("room");
        drop(one);
        assert_eq!(std::fs::read(&place).expect("it is there"), b"old");
        other.finish(Durability::Durable).expect("a place");
        assert_eq!(std::fs::read(&place).expect("it is there"), b"whole");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}
