//! One file that is followed: its lines, what is learnt from them, and what of it is kept on disk.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::{Deserialize, Serialize};
use skywatch_algorithms::templates::{
    Counting, MinerOptions, MinerSnapshot, TemplateError, TemplateMiner, TemplateTally,
};

use crate::files::{self, Durability};
use crate::follow::{Follow, FollowPlace};

/// Of a file that was never followed before, so many bytes at its end are read for what is in them.
const READ_BEFORE: u64 = 16 << 20;

/// Where a file is, and how its lines are read.
#[derive(Debug, Clone)]
pub struct WatchedFile {
    /// Stands in the names of its metrics and files.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What cuts the header: a group `message`.
    pub header: Option<Regex>,
}

/// A file that is followed.
pub(super) struct WatchedLog {
    file: WatchedFile,
    /// Where what is learnt lies, without its ending.
    state: PathBuf,
    follow: Option<Follow>,
    /// How far it was read when it was last open.
    place: Option<FollowPlace>,
    /// Bytes there were when it was opened first: what is before was not written just now.
    behind: Option<u64>,
    /// Whether something was learnt of it before this process was started.
    is_known: bool,
    /// Whether it was not looked at yet.
    is_first: bool,
    /// Whether all of the interval was watched so far.
    is_watched: bool,
    miner: TemplateMiner,
    tally: TemplateTally,
    has_changed: bool,
    /// What was said last of what keeps it from being read.
    complaint: Option<String>,
}

/// What is kept on disk of one file.
#[derive(Serialize, Deserialize)]
struct SavedLog {
    miner: MinerSnapshot,
    tally: TemplateTally,
}

impl WatchedLog {
    /// A file that is followed from where it was left, with what was learnt then; what is broken is left out with a warning.
    pub(super) fn new(
        file: WatchedFile,
        folder: &Path,
        options: &MinerOptions,
    ) -> Result<Self, TemplateError> {
        let state = folder.join(&file.name);
        let saved = read_json::<SavedLog>(&state.with_extension("json"))
            .filter(|saved| saved.miner.options() == options);
        let restored = saved.and_then(|saved| match TemplateMiner::restore(&saved.miner) {
            Ok(miner) => Some((miner, saved.tally)),
            Err(error) => {
                tracing::warn!("logs :: `{}` is learnt anew :: {error}", file.name);
                None
            }
        });
        let is_known = restored.is_some();
        let (miner, tally) = match restored {
            Some(restored) => restored,
            None => (TemplateMiner::new(options)?, TemplateTally::default()),
        };
        Ok(Self {
            place: read_json(&state.with_extension("place")),
            state,
            file,
            follow: None,
            behind: None,
            is_known,
            is_first: true,
            is_watched: false,
            miner,
            tally,
            has_changed: false,
            complaint: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.file.name
    }

    /// Reads what is there, `most` lines at a time; whether there may be more.
    pub(super) fn read(&mut self, most: usize) -> bool {
        match self.try_read(most) {
            Ok(is_more) => {
                if self.complaint.take().is_some() {
                    tracing::info!("logs :: `{}` is read again", self.file.path.display());
                }
                is_more
            }
            Err(error) => {
                let complaint = error.to_string();
                if self.complaint.as_ref() != Some(&complaint) {
                    tracing::warn!(
                        "logs :: `{}` cannot be read, tried again :: {complaint}",
                        self.file.path.display()
                    );
                    self.complaint = Some(complaint);
                }
                self.follow = None;
                false
            }
        }
    }

    fn try_read(&mut self, most: usize) -> io::Result<bool> {
        if self.follow.is_none() {
            self.open()?;
        }
        let Some(mut follow) = self.follow.take() else {
            return Ok(false);
        };
        let mut outcome = Ok(true);
        for _ in 0..most {
            match follow.poll() {
                Ok(Some(line)) => self.take(&line),
                Ok(None) => {
                    self.behind = None;
                    outcome = Ok(false);
                    break;
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let place = follow.place()?;
        if self.behind.is_some_and(|until| place.offset >= until) {
            self.behind = None;
        }
        self.place = Some(place);
        self.follow = Some(follow);
        outcome
    }

    /// Opens the file where it was left, or near its end.
    fn open(&mut self) -> io::Result<()> {
        // A file that was not there at first is all fresh when it comes.
        let is_first = std::mem::replace(&mut self.is_first, false);
        let resumed = match &self.place {
            Some(place) => Follow::resume(&self.file.path, place)?,
            None => None,
        };
        let mut follow = match resumed {
            Some(follow) => follow,
            None => Follow::open(&self.file.path)?,
        };
        if is_first {
            let length = follow.length()?;
            self.behind = Some(length);
            if self.place.is_none() && length > READ_BEFORE {
                follow.skip_to(length - READ_BEFORE)?;
                // The rest of a line.
                follow.poll()?;
            }
        }
        self.follow = Some(follow);
        Ok(())
    }

    fn take(&mut self, line: &str) {
        let counting = match (self.behind, self.is_known) {
            (Some(_), true) => Counting::Late,
            (Some(_), false) => Counting::Known,
            (None, _) => Counting::Fresh,
        };
        let message = match &self.file.header {
            Some(header) => header
                .captures(line)
                .and_then(|found| found.name("message"))
                .map(|found| found.as_str()),
            None => Some(line),
        };
        match message {
            Some(message) => {
                let update = self.miner.learn(message);
                self.has_changed = true;
                self.tally.count(&update, counting);
            }
            None => self.tally.count_unmatched(counting),
        }
    }

    /// Ends an interval; `point` gets the names below the file's own, and their values. Nothing is counted unless the interval
    /// `is_whole` and the file was watched all through it.
    pub(super) fn close(&mut self, is_whole: bool, max_rates: usize, point: impl FnMut(&str, f64)) {
        let is_watched = self.follow.is_some() && self.behind.is_none();
        if std::mem::replace(&mut self.is_watched, is_watched) && is_watched && is_whole {
            let miner = &self.miner;
            self.tally
                .close(max_rates, |cluster| miner.template(cluster), point);
        } else {
            self.tally.discard();
        }
    }

    /// Notes how far it was read, in few bytes.
    pub(super) fn save_place(&self) -> io::Result<()> {
        match &self.place {
            Some(place) => write_json(&self.state.with_extension("place"), place),
            None => Ok(()),
        }
    }

    /// Writes what was learnt, and beside it a table of templates for people, if there is anything new.
    pub(super) fn save(&mut self) -> io::Result<()> {
        self.save_place()?;
        if !std::mem::take(&mut self.has_changed) {
            return Ok(());
        }
        let saved = SavedLog {
            miner: self.miner.snapshot(),
            tally: self.tally.clone(),
        };
        write_json(&self.state.with_extension("json"), &saved)?;
        let mut table = String::from("ClusterId,Lines,Metric,Template\n");
        for (cluster, template, lines) in self.miner.templates() {
            let metric = self.tally.metric(cluster).unwrap_or_default();
            let _ = writeln!(
                table,
                "{cluster},{lines},{metric},{}",
                super::csv::field(&template)
            );
        }
        files::replace(
            &self.state.with_extension("csv"),
            table.as_bytes(),
            Durability::Volatile,
        )
    }
}

/// What is written in a file; nothing if there is none, and with a warning if it cannot be read.
fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    let found = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error),
    };
    found
        .map_err(|error| tracing::warn!("logs :: `{}` is left out :: {error}", path.display()))
        .ok()
}

fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    files::replace(path, &serde_json::to_vec(value)?, Durability::Volatile)
}
