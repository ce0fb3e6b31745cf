//! Files and folders of our own: for their owner only, and never through a symbolic link that somebody has put in their
//! place.
//!
//! The mode is asked for where a file is made, and the umask of the process set so that a library that makes files (SQLite,
//! the embedded store) cannot make others. A path that the user names may lead through links as it likes: only the last
//! part, the file we make, may be none.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Makes all files of this process from now on files for its owner only.
pub(crate) fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Makes a folder, with those above it. One that is there stays as it is.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// How a file of ours is opened, reading or writing to be added.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

/// Opens a file for appending, beginning it if there is none.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    said(options().create(true).append(true).open(path))
}

/// Opens a file for writing at its beginning, beginning it if there is none; what is in it stays.
pub(crate) fn write(path: &Path) -> io::Result<File> {
    said(
        options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path),
    )
}

/// Makes a file that takes the place of whatever lies there, be it a link.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    options().read(true).write(true).create_new(true).open(path)
}

/// Writes a file beside its place and renames it, so that nobody sees half of it; with `sync` it is on the disk before.
pub(crate) fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = create(&beside)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_data()?;
    }
    std::fs::rename(&beside, path)
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

#[cfg(test)]
mod tests {
    use super::*;
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
        symlink(&there, place.path().join("status.new")).expect("a link");
        let status = place.path().join("status");
        replace(&status, b"whole", true).expect("a file");
        assert_eq!(std::fs::read(&there).expect("it is there"), b"kept");
        let deep = place.path().join("a/b");
        folder(&deep).expect("folders");
        folder(&deep).expect("they may be there");
        for (path, mode) in [(&status, 0o600), (&deep, 0o700), (&link, 0o600)] {
            let found = std::fs::symlink_metadata(path).expect("it is there");
            assert_eq!(found.permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }
}
