//! What was fetched before, part by part, so that a command that was broken off goes on where it ended, and one given again
//! fetches only what is new.
//!
//! A line of JSON for each part that is done, in a file named for the source and the store. It is appended to and flushed; half a
//! line at its end, from a crash, is passed over, and the part is fetched again, which does no harm.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::hash::hash;
use crate::sources::Span;

/// What was fetched up to so few seconds ago is done: a command that is given twice in a row fetches nothing.
const RECENT: f64 = 300.0;
/// Seconds fetched once more before what is new: points may come late.
const OVERLAP: f64 = 120.0;

/// A part that is done.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    part: String,
    after: f64,
    until: f64,
}

/// The progress of one source into one store.
pub(super) struct BackfillProgress {
    path: PathBuf,
    file: File,
    done: HashMap<String, (f64, f64)>,
}

impl BackfillProgress {
    /// Opens the progress of `source` into `store` in a folder, which is made if need be.
    pub(super) fn open(folder: &Path, source: &str, store: &str) -> std::io::Result<Self> {
        files::folder(folder)?;
        // No address holds a line break.
        let path = folder.join(format!("{:016x}.jsonl", hash(&format!("{source}\n{store}"))));
        let mut done = HashMap::new();
        let mut lines = 0;
        match File::open(&path) {
            Ok(file) => {
                for line in BufReader::new(file).lines() {
                    lines += 1;
                    if let Ok(one) = serde_json::from_str::<Done>(&line?) {
                        done.insert(one.part, (one.after, one.until));
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if lines > done.len() {
            rewrite(&path, &done)?;
        }
        let file = files::append(&path)?;
        Ok(Self { path, file, done })
    }

    /// What of `span` is still to be fetched of a part; `None` if it is done.
    pub(super) fn left(&self, part: &str, span: Span) -> Option<Span> {
        let Some((after, until)) = self.done.get(part) else {
            return Some(span);
        };
        // The beginning of a relative span moves on with the clock.
        if *after > span.after + 1.0 || *until < span.after {
            return Some(span);
        }
        if *until >= span.until - RECENT {
            return None;
        }
        Some(Span {
            after: (until - OVERLAP).max(span.after),
            ..span
        })
    }

    /// Notes that a part is done.
    pub(super) fn done(&mut self, part: &str, span: Span) -> std::io::Result<()> {
        let one = Done {
            part: part.to_owned(),
            // JSON knows no infinity.
            after: span.after.max(f64::MIN),
            until: span.until.min(f64::MAX),
        };
        let mut line = serde_json::to_vec(&one)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.done.insert(one.part, (one.after, one.until));
        Ok(())
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Leaves out what is said twice or in half.
fn rewrite(path: &Path, done: &HashMap<String, (f64, f64)>) -> std::io::Result<()> {
    let mut text = Vec::new();
    for (part, &(after, until)) in done {
        let part = part.clone();
        serde_json::to_writer(&mut text, &Done { part, after, until })?;
        text.push(b'\n');
    }
    files::replace(path, &text, files::Durability::Volatile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(after: f64, until: f64) -> Span {
        Span { after, until }
    }

    #[test]
    fn what_is_done_is_known_again_and_what_is_new_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || BackfillProgress::open(folder.path(), "source", "store").expect("a writable folder");
        let mut progress = open();
        assert_eq!(
            progress.left("a", span(1_000.0, 9_000.0)),
            Some(span(1_000.0, 9_000.0))
        );
        progress.done("a", span(1_000.0, 9_000.0)).expect("room");
        progress
            .done("b", span(f64::NEG_INFINITY, f64::INFINITY))
            .expect("room");
        // Half a line, as a crash leaves it.
        let mut raw = File::options()
            .append(true)
            .open(progress.path())
            .expect("the file");
        raw.write_all(b"{\"part\":\"c\",\"aft").expect("room");
        let mut progress = open();
        assert_eq!(progress.left("b", span(0.0, 9_000.0)), None);
        assert_eq!(progress.left("c", span(0.0, 9_000.0)), Some(span(0.0, 9_000.0)));
        for (asked, left) in [
            (span(1_000.0, 9_000.0), None),
            // A minute later, and half an hour later.
            (span(1_060.0, 9_060.0), None),
            (span(2_800.0, 10_800.0), Some(span(8_880.0, 10_800.0))),
            // Further back than before, and nothing in common.
            (span(0.0, 9_000.0), Some(span(0.0, 9_000.0))),
            (span(20_000.0, 30_000.0), Some(span(20_000.0, 30_000.0))),
        ] {
            assert_eq!(progress.left("a", asked), left, "{asked:?}");
        }
        progress.done("c", span(0.0, 1.0)).expect("room");
        let lines = std::fs::read_to_string(progress.path()).expect("text");
        assert_eq!(lines.lines().count(), 3, "{lines}");
        let other = BackfillProgress::open(folder.path(), "source", "another store").expect("a folder");
        assert!(other.left("a", span(1_000.0, 9_000.0)).is_some());
    }
}
