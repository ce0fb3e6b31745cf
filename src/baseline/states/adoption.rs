//! States that another node has learnt, on their way to whoever looks at the metrics here.
//!
//! However many parts there are, they go into one file without a name, from which each state is read when its metric is first looked at:
//! of many metrics they are too much for memory, and too many parts to be open each by itself. The file is gone with the last of its
//! states, or with the process; then they can be had again.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::format::{END, HEADER, StatePart, entries};
use crate::files;

/// Parts that are taken over together.
pub struct StateAdoption {
    folder: PathBuf,
    file: Option<File>,
    /// Parts that were left out.
    damaged: u64,
}

impl StateAdoption {
    /// None yet; the file is to be in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            file: None,
            damaged: 0,
        }
    }

    /// Adds the bytes of a whole [`StatePart`]. One of another version, or that is cut off, is counted and left out.
    ///
    /// # Errors
    /// The disk takes nothing.
    pub fn add(&mut self, part: &[u8]) -> std::io::Result<()> {
        let Some(entries) = entries(part) else {
            self.damaged += 1;
            return Ok(());
        };
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                files::folder(&self.folder)?;
                let mut file = tempfile::tempfile_in(&self.folder)?;
                file.write_all(&StatePart::new("").bytes[..HEADER])?;
                self.file.insert(file)
            }
        };
        file.write_all(entries)
    }

    /// The file, whole, if anything was added, and how many parts were left out.
    pub(super) fn finish(self) -> std::io::Result<(Option<File>, u64)> {
        let Some(mut file) = self.file else {
            return Ok((None, self.damaged));
        };
        file.write_all(END)?;
        file.rewind()?;
        Ok((Some(file), self.damaged))
    }
}
