//! A file of JSON lines that is renamed when it has grown.
//!
//! What was written is forced to the disk before it counts as sent. A line that a crash or a full disk has cut off is taken
//! away before the next is written; its event comes again. A file that somebody else has renamed is begun anew.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::super::outbox::EventMessage;
use super::{EventSink, SinkFailure, SinkOutcome};
use crate::files;

/// How a file of events is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSinkOptions {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes after which it is renamed to `PATH.1`.
    pub max_bytes: u64,
    /// So many renamed ones are kept, `PATH.1` the newest.
    pub keep: usize,
}

/// Writes to a file.
#[derive(Debug)]
pub(in crate::events) struct FileSink {
    options: FileSinkOptions,
    open: Option<OpenEventFile>,
}

#[derive(Debug)]
struct OpenEventFile {
    file: File,
    /// Device and number, by which it is known that the path leads elsewhere now.
    identity: Option<(u64, u64)>,
    /// Bytes of whole lines.
    length: u64,
}

impl FileSink {
    pub(in crate::events) fn new(options: FileSinkOptions) -> Self {
        Self { options, open: None }
    }

    /// The file, ready for a line of `more` bytes.
    fn ready(&mut self, more: u64) -> io::Result<&mut OpenEventFile> {
        let path = &self.options.path;
        let moved = |open: &OpenEventFile| open.identity != files::identity(path);
        if self.open.as_ref().is_some_and(moved) {
            self.open = None;
        }
        if self.open.as_ref().is_none() {
            self.open = Some(OpenEventFile::open(path)?);
        }
        let is_full = |open: &OpenEventFile| open.length > 0 && open.length + more > self.options.max_bytes;
        if self.open.as_ref().is_some_and(is_full) {
            if let Some(full) = self.open.take() {
                full.file.sync_data()?;
            }
            self.rotate()?;
            self.open = Some(OpenEventFile::open(&self.options.path)?);
        }
        self.open
            .as_mut()
            .ok_or_else(|| io::Error::other("the file is gone"))
    }

    /// `PATH` becomes `PATH.1`, that `PATH.2`, and the last is overwritten.
    fn rotate(&self) -> io::Result<()> {
        for number in (0..self.options.keep).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.options.path.clone().into_os_string();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name.into()
    }

    fn write(&mut self, messages: &[EventMessage]) -> io::Result<()> {
        for message in messages {
            let mut line = message.body.clone().into_bytes();
            line.push(b'\n');
            self.ready(line.len() as u64)?.add(&line)?;
        }
        match &self.open {
            Some(open) => open.file.sync_data(),
            None => Ok(()),
        }
    }
}

impl OpenEventFile {
    fn open(path: &std::path::Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            files::folder(folder)?;
        }
        let mut file = files::write(path)?;
        let length = whole_lines(&mut file)?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(Self {
            file,
            identity: files::identity(path),
            length,
        })
    }

    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(())
    }
}

/// Bytes up to the end of the last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 64 << 10];
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let read = &mut block[..(end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(read)?;
        if let Some(place) = read.iter().rposition(|&byte| byte == b'\n') {
            return Ok(begin + place as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

impl EventSink for FileSink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn place(&self) -> String {
        format!("file:{}", self.options.path.display())
    }

    fn send(
        &mut self,
        messages: &[EventMessage],
        outcome: &mut dyn FnMut(i64, SinkOutcome),
    ) -> Result<(), SinkFailure> {
        if let Err(error) = self.write(messages) {
            // Opened anew, which takes away what is not whole.
            self.open = None;
            return Err(SinkFailure::of(error));
        }
        for message in messages {
            outcome(message.id, SinkOutcome::Taken);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::form::EventTopic;
    use super::*;

    fn message(id: i64) -> EventMessage {
        EventMessage {
            id,
            message_id: format!("x-{id}"),
            topic: EventTopic::Anomaly,
            key: "e".to_owned(),
            event_id: "1_e".to_owned(),
            event_at: 0.0,
            body: format!("{{\"n\":{id:04}}}"),
        }
    }

    fn send(sink: &mut FileSink, ids: std::ops::Range<i64>) {
        let messages: Vec<_> = ids.map(message).collect();
        let mut taken = 0;
        sink.send(&messages, &mut |_, outcome| {
            taken += usize::from(outcome == SinkOutcome::Taken)
        })
        .expect("room");
        assert_eq!(taken, messages.len());
    }

    #[test]
    fn a_file_is_renamed_when_full_and_a_cut_line_comes_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/events.jsonl");
        let options = FileSinkOptions {
            path: path.clone(),
            // Three lines of eleven bytes.
            max_bytes: 35,
            keep: 2,
        };
        let read = |suffix: &str| {
            let path = format!("{}{suffix}", path.display());
            std::fs::read_to_string(path).unwrap_or_default()
        };
        let mut sink = FileSink::new(options.clone());
        send(&mut sink, 0..4);
        assert_eq!(read(".1"), "{\"n\":0000}\n{\"n\":0001}\n{\"n\":0002}\n");
        assert_eq!(read(""), "{\"n\":0003}\n");
        send(&mut sink, 4..10);
        assert_eq!(read(".2"), "{\"n\":0003}\n{\"n\":0004}\n{\"n\":0005}\n");
        assert_eq!(read(""), "{\"n\":0009}\n");
        assert_eq!(read(".3"), "");
        // A crash in the middle of a line.
        std::fs::write(&path, "{\"n\":0009}\n{\"n\":00").expect("room");
        let mut sink = FileSink::new(options);
        send(&mut sink, 10..11);
        assert_eq!(read(""), "{\"n\":0009}\n{\"n\":0010}\n");
        // Somebody else renames it.
        std::fs::rename(&path, folder.path().join("deep/old")).expect("it is there");
        send(&mut sink, 11..12);
        assert_eq!(read(""), "{\"n\":0011}\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_failure_and_nothing_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = FileSink::new(FileSinkOptions {
            path: folder.path().to_owned(),
            max_bytes: 1_000,
            keep: 1,
        });
        let outcome = sink.send(&[message(1)], &mut |_, _| panic!("it has no outcome"));
        assert!(outcome.is_err());
    }
}
