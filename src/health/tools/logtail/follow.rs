//! A file line by line, from its start, and on as it grows: through being cut, and through being renamed and begun anew.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the end of the file is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// A longer line is cut there, in bytes.
const LONGEST: usize = 64 << 10;
/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// A file that is read.
pub(super) struct Follow {
    path: PathBuf,
    file: File,
    position: u64,
    /// What was read and is no whole line yet; `start` is where it begins.
    bytes: Vec<u8>,
    start: usize,
    /// Whether more is waited for at the end.
    waits: bool,
}

impl Follow {
    pub(super) fn open(path: &Path, waits: bool) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            position: 0,
            bytes: Vec::new(),
            start: 0,
            waits,
        })
    }

    /// The next line without its end; waits for it, or gives none at the end of a file that is not waited for.
    pub(super) fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.line() {
                return Ok(Some(line));
            }
            if self.read()? > 0 {
                continue;
            }
            if !self.waits {
                let rest = self.bytes.split_off(self.start);
                self.bytes.clear();
                self.start = 0;
                return Ok((!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned()));
            }
            if !self.begin_anew()? {
                std::thread::sleep(LOOK);
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let rest = &self.bytes[self.start..];
        let (length, end) = match rest.iter().position(|byte| *byte == b'\n') {
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

    /// At the end: whether another file has taken this one's place, or it was cut.
    fn begin_anew(&mut self) -> io::Result<bool> {
        let here = self.file.metadata()?;
        if here.len() < self.position {
            self.file.seek(SeekFrom::Start(0))?;
        } else {
            match std::fs::metadata(&self.path) {
                Ok(there) if (there.dev(), there.ino()) != (here.dev(), here.ino()) => {
                    self.file = File::open(&self.path)?;
                }
                // Between two files there is none for a moment.
                _ => return Ok(false),
            }
        }
        self.position = 0;
        self.bytes.clear();
        self.start = 0;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_read_through_a_cut_and_a_rotation() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("log");
        fs::write(&path, "one\r\ntwo\nthr").expect("room");
        let mut follow = Follow::open(&path, true).expect("a file");
        let mut next = || follow.next().expect("it can be read").expect("a line");
        assert_eq!([next(), next()], ["one", "two"]);
        let add = |text: &str| {
            let mut file = fs::OpenOptions::new().append(true).open(&path).expect("a file");
            file.write_all(text.as_bytes()).expect("room");
        };
        add("ee\n");
        assert_eq!(next(), "three");
        fs::write(&path, "cut\n").expect("room");
        assert_eq!(next(), "cut");
        add("last of the old\n");
        fs::rename(&path, place.path().join("log.1")).expect("room");
        fs::write(&path, "first of the new\n").expect("room");
        assert_eq!([next(), next()], ["last of the old", "first of the new"]);
    }

    #[test]
    fn a_long_line_is_cut_and_a_file_has_an_end() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("log");
        fs::write(&path, format!("{}\nrest", "x".repeat(LONGEST + 5))).expect("room");
        let mut follow = Follow::open(&path, false).expect("a file");
        let lengths: Vec<_> = std::iter::from_fn(|| follow.next().expect("it can be read"))
            .map(|line| line.len())
            .collect();
        assert!(
            lengths.iter().all(|length| *length <= LONGEST) && lengths.last() == Some(&4),
            "{lengths:?}"
        );
    }
}
