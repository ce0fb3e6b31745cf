//! A file line by line, and on as it grows: through being cut, and through being renamed and begun anew.
//!
//! Nothing waits here: [`Follow::poll`] gives the next whole line there is, and who has none decides how long to sleep. What a
//! reader would question is the order at a rotation: the renamed file is read to its end once more after the new one was seen, since
//! its writer may have added to it in between; a last line without an end is given then, since no more of it will come.

use std::fs::{DirEntry, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A longer line is cut there, in bytes.
const LONGEST: usize = 64 << 10;
/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// How far a file was read, to go on from after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FollowPlace {
    /// Which file: device and number.
    pub(crate) device: u64,
    /// See `device`.
    pub(crate) inode: u64,
    /// Bytes of whole lines that were given.
    pub(crate) offset: u64,
}

/// A file that is read.
pub(crate) struct Follow {
    path: PathBuf,
    file: File,
    /// Where the next bytes are read.
    position: u64,
    /// What was read and is no whole line yet; `start` is where it begins.
    bytes: Vec<u8>,
    start: usize,
    /// Another file has taken this one's place; what is left of it is read.
    is_replaced: bool,
}

impl Follow {
    /// Opens a file at its beginning.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            position: 0,
            bytes: Vec::new(),
            start: 0,
            is_replaced: false,
        })
    }

    /// Opens the file that was read up to `place`, be it that it was renamed within its folder since; after its end comes the one
    /// that has its name now. `None` if it is not there any more, or was cut.
    pub(crate) fn resume(path: &Path, place: &FollowPlace) -> io::Result<Option<Self>> {
        let mut follow = match Self::open(path) {
            Ok(follow) if follow.is_at(place)? => follow,
            _ => match renamed(path, place) {
                Some(found) => Self {
                    path: path.to_owned(),
                    ..Self::open(&found)?
                },
                None => return Ok(None),
            },
        };
        if !follow.is_at(place)? || follow.file.metadata()?.len() < place.offset {
            return Ok(None);
        }
        follow.skip_to(place.offset)?;
        Ok(Some(follow))
    }

    /// How far it was read.
    pub(crate) fn place(&self) -> io::Result<FollowPlace> {
        let here = self.file.metadata()?;
        Ok(FollowPlace {
            device: here.dev(),
            inode: here.ino(),
            offset: self.position - (self.bytes.len() - self.start) as u64,
        })
    }

    /// Bytes there are in the file.
    pub(crate) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Goes on at `offset`, of which nothing was read yet.
    pub(crate) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        self.position = self.file.seek(SeekFrom::Start(offset))?;
        self.bytes.clear();
        self.start = 0;
        Ok(())
    }

    /// The next line there is, without its end; none if no whole one is there yet. A bad byte is read as `U+FFFD`.
    pub(crate) fn poll(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.line() {
                return Ok(Some(line));
            }
            if self.read()? > 0 {
                continue;
            }
            if self.is_replaced {
                let new = File::open(&self.path)?;
                let rest = self.rest();
                self.file = new;
                self.skip_to(0)?;
                self.is_replaced = false;
                if rest.is_some() {
                    return Ok(rest);
                }
            } else if !self.has_changed()? {
                return Ok(None);
            }
        }
    }

    /// What is there and has no end yet; taken out.
    pub(crate) fn rest(&mut self) -> Option<String> {
        let rest = self.bytes.split_off(self.start);
        self.bytes.clear();
        self.start = 0;
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }

    fn line(&mut self) -> Option<String> {
        let rest = &self.bytes[self.start..];
        let (length, end) = match memchr::memchr(b'\n', rest) {
            Some(end) => (end.min(LONGEST), end + 1),
            None if rest.len() >= LONGEST => (LONGEST, LONGEST),
            None => return None,
        };
        let line = String::from_utf8_lossy(&rest[..length])
            .trim_end_matches('\r')
            .to_owned();
        self.start += end;
        Some(line)
    }

    fn read(&mut self) -> io::Result<usize> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let before = self.bytes.len();
        let mut piece = (&self.file).take(PIECE as u64);
        let read = piece.read_to_end(&mut self.bytes)?;
        self.position += (self.bytes.len() - before) as u64;
        Ok(read)
    }

    /// At the end: whether another file has taken this one's place, or it was cut, so that there may be more to read.
    fn has_changed(&mut self) -> io::Result<bool> {
        let here = self.file.metadata()?;
        if here.len() < self.position {
            self.skip_to(0)?;
            return Ok(true);
        }
        // Between two files there is none for a moment.
        let there = std::fs::metadata(&self.path);
        self.is_replaced = there.is_ok_and(|there| (there.dev(), there.ino()) != (here.dev(), here.ino()));
        Ok(self.is_replaced)
    }

    fn is_at(&self, place: &FollowPlace) -> io::Result<bool> {
        let here = self.file.metadata()?;
        Ok((here.dev(), here.ino()) == (place.device, place.inode))
    }
}

/// The file of `place` under another name in the folder of `path`.
fn renamed(path: &Path, place: &FollowPlace) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let is_it = |entry: &DirEntry| {
        let found = entry.metadata();
        found.is_ok_and(|found| found.is_file() && (found.dev(), found.ino()) == (place.device, place.inode))
    };
    entries.flatten().find(is_it).map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn add(path: &Path, text: &str) {
        let file = fs::OpenOptions::new().append(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn all(follow: &mut Follow) -> Vec<String> {
        std::iter::from_fn(|| follow.poll().unwrap()).collect()
    }

    #[test]
    fn lines_are_read_through_a_cut_and_a_rotation() {
        let place = tempfile::tempdir().unwrap();
        let (path, old) = (place.path().join("log"), place.path().join("log.1"));
        fs::write(&path, "one\r\ntwo\nthr").unwrap();
        let mut follow = Follow::open(&path).unwrap();
        assert_eq!(all(&mut follow), ["one", "two"]);
        add(&path, "ee\n");
        assert_eq!(all(&mut follow), ["three"]);
        fs::write(&path, "cut\n").unwrap();
        assert_eq!(all(&mut follow), ["cut"]);
        add(&path, "last of the old\nwithout an e");
        fs::rename(&path, &old).unwrap();
        assert_eq!(all(&mut follow), ["last of the old"]);
        fs::write(&path, "first of the new\n").unwrap();
        add(&old, "nd");
        assert_eq!(all(&mut follow), ["without an end", "first of the new"]);
    }

    #[test]
    fn a_long_line_is_cut_and_what_has_no_end_is_left() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        fs::write(&path, format!("{}\nrest", "x".repeat(LONGEST + 5))).unwrap();
        let mut follow = Follow::open(&path).unwrap();
        let lengths: Vec<_> = all(&mut follow).iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST, 5]);
        assert_eq!(follow.rest().as_deref(), Some("rest"));
    }

    #[test]
    fn what_was_read_before_a_restart_is_not_read_again() {
        let place = tempfile::tempdir().unwrap();
        let (path, old) = (place.path().join("log"), place.path().join("log.1"));
        fs::write(&path, "one\ntwo\nhalf").unwrap();
        let mut follow = Follow::open(&path).unwrap();
        assert_eq!(all(&mut follow), ["one", "two"]);
        let read = follow.place().unwrap();
        assert_eq!(read.offset, 8);

        add(&path, " a line\n");
        let mut follow = Follow::resume(&path, &read).unwrap().unwrap();
        assert_eq!(all(&mut follow), ["half a line"]);
        // Renamed while nobody read.
        fs::rename(&path, &old).unwrap();
        fs::write(&path, "new\n").unwrap();
        let mut follow = Follow::resume(&path, &read).unwrap().unwrap();
        assert_eq!(all(&mut follow), ["half a line", "new"]);
        // Gone, or cut.
        fs::write(&old, "").unwrap();
        assert!(Follow::resume(&path, &read).unwrap().is_none());
    }
}
