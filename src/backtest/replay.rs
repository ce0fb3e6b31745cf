//! A file of rows through a player, and out again with two columns more.
//!
//! Bytes are read and written in large blocks through buffers that a thread keeps from file to file; nothing is allocated
//! a row. A row waits for the next one, whose time says whether it is the last of its own. What is written goes beside its
//! place and is renamed when it is whole. The first row may be a heading; an empty line is no row. A score is written as the shortest text that gives the same `f32` back.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use memchr::memchr;

use super::error::BacktestError;
use super::player::{Player, RowScorer};
use super::record::MetricRecord;
use crate::files::{Durability, Replacement};
use crate::sources::row::Rows;
use crate::stop::Stop;

/// Bytes read and written at a time.
const BLOCK: usize = 256 << 10;
/// A longer line is no row but a file that is no text.
const LONGEST_LINE: usize = 1 << 20;
/// What the output begins with.
const HEADING: &[u8] = b"timestamp,value,anomaly_score,alarm\n";

/// What a thread keeps from file to file.
pub(super) struct Replay<P> {
    pub(super) track: RowScorer<P>,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl<P: Player> Replay<P> {
    pub(super) fn new(track: RowScorer<P>) -> Self {
        Self {
            track,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Replays a file into `record`, and writes its rows to `to` if that is given. `told` hears how many bytes were read.
    pub(super) fn file(
        &mut self,
        from: &Path,
        to: Option<&Path>,
        record: &mut MetricRecord,
        told: &dyn Fn(u64),
        stop: &Stop,
    ) -> Result<(), BacktestError> {
        let unreadable = |source| BacktestError::Unreadable {
            path: from.to_owned(),
            source,
        };
        let mut file = File::open(from).map_err(unreadable)?;
        let mut out = to.map(Out::create).transpose()?;
        self.track.begin(&record.name);
        self.output.clear();
        self.output.extend_from_slice(HEADING);
        self.input.clear();
        let mut rows = Rows::new(false);
        let mut held = Held::default();
        loop {
            if stop.is_said() {
                return Err(BacktestError::Interrupted);
            }
            let kept = self.input.len();
            self.input.resize(kept + BLOCK, 0);
            let read = read_some(&mut file, &mut self.input[kept..]).map_err(unreadable)?;
            self.input.truncate(kept + read);
            told(read as u64);
            let is_end = read == 0;
            let mut begin = 0;
            while let Some(end) = memchr(b'\n', &self.input[begin..]) {
                let line = &self.input[begin..begin + end];
                held.line(&mut rows, line, &mut self.track, record, &mut self.output);
                begin += end + 1;
            }
            if is_end {
                held.line(
                    &mut rows,
                    &self.input[begin..],
                    &mut self.track,
                    record,
                    &mut self.output,
                );
                held.answer(f64::INFINITY, &mut self.track, record, &mut self.output);
            }
            self.input.drain(..begin);
            if let Some(out) = &mut out
                && (is_end || self.output.len() >= BLOCK)
            {
                out.write(&self.output)?;
                self.output.clear();
            } else if out.is_none() {
                self.output.clear();
            }
            if is_end {
                break;
            }
            if self.input.len() > LONGEST_LINE {
                return Err(BacktestError::LongLine {
                    path: from.to_owned(),
                });
            }
        }
        out.map_or(Ok(()), Out::finish)
    }

    /// Replays points in canonical order, as a store or a Graphite has them.
    pub(super) fn series(
        &mut self,
        times: &[f64],
        values: &[f64],
        to: Option<&Path>,
        record: &mut MetricRecord,
    ) -> Result<(), BacktestError> {
        let mut out = to.map(Out::create).transpose()?;
        self.track.begin(&record.name);
        self.output.clear();
        self.output.extend_from_slice(HEADING);
        for (&time, &value) in times.iter().zip(values) {
            // In canonical order the next one is later.
            let answer = self.track.row(time, value, f64::INFINITY);
            record.row(time, answer);
            if let Some(out) = &mut out {
                // Writing to memory does not fail.
                let _ = write!(self.output, "{time},{value}");
                write_answer(&mut self.output, answer.heard, answer.is_alarm);
                if self.output.len() >= BLOCK {
                    out.write(&self.output)?;
                    self.output.clear();
                }
            }
        }
        if let Some(out) = &mut out {
            out.write(&self.output)?;
        }
        out.map_or(Ok(()), Out::finish)
    }
}

/// A row that waits for the time of the next.
#[derive(Default)]
struct Held {
    time: f64,
    value: f64,
    /// Its fields as they stand; empty while none waits.
    fields: Vec<u8>,
}

impl Held {
    /// Takes the row of a line, behind which the one that waits is answered.
    #[inline]
    fn line<P: Player>(
        &mut self,
        rows: &mut Rows,
        line: &[u8],
        track: &mut RowScorer<P>,
        record: &mut MetricRecord,
        output: &mut Vec<u8>,
    ) {
        let Some(row) = rows.read(line) else { return };
        self.answer(row.time, track, record, output);
        self.time = row.time;
        self.value = row.value;
        self.fields.extend_from_slice(row.time_field);
        self.fields.push(b',');
        self.fields.extend_from_slice(row.value_field);
    }

    /// Shows the row that waits to the player, and writes it with its answer. `next`: the time of the row behind it.
    fn answer<P: Player>(
        &mut self,
        next: f64,
        track: &mut RowScorer<P>,
        record: &mut MetricRecord,
        output: &mut Vec<u8>,
    ) {
        if self.fields.is_empty() {
            return;
        }
        let answer = track.row(self.time, self.value, next);
        record.row(self.time, answer);
        output.append(&mut self.fields);
        write_answer(output, answer.heard, answer.is_alarm);
    }
}

fn write_answer(output: &mut Vec<u8>, score: f32, is_alarm: bool) {
    if score == 0.0 {
        output.extend_from_slice(b",0");
    } else {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(score);
        output.push(b',');
        output.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    }
    output.extend_from_slice(if is_alarm { b",1\n" } else { b",0\n" });
}

fn read_some(file: &mut File, into: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(into) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Output that takes its place when it is whole.
struct Out<'p> {
    new: Replacement,
    path: &'p Path,
}

impl<'p> Out<'p> {
    fn create(path: &'p Path) -> Result<Self, BacktestError> {
        let new = Replacement::begin(path).map_err(|source| unwritable(path, source))?;
        Ok(Self { new, path })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BacktestError> {
        let written = self.new.file().write_all(bytes);
        written.map_err(|source| unwritable(self.path, source))
    }

    fn finish(self) -> Result<(), BacktestError> {
        let finished = self.new.finish(Durability::Volatile);
        finished.map_err(|source| unwritable(self.path, source))
    }
}
fn unwritable(path: &Path, source: std::io::Error) -> BacktestError {
    BacktestError::Unwritable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_score_is_written_short_and_read_back_to_the_bit() {
        let written = |score, is_alarm| {
            let mut output = Vec::new();
            write_answer(&mut output, score, is_alarm);
            String::from_utf8(output).expect("text")
        };
        assert_eq!(written(0.0, false), ",0,0\n");
        assert_eq!(written(3.0, true), ",3,1\n");
        assert_eq!(written(0.1, false), ",0.1,0\n");
        proptest!(|(score in 0.0_f32..)| {
            let text = written(score, true);
            let read: f32 = text[1..text.len() - 3].parse().expect("a number");
            prop_assert_eq!(read.to_bits(), score.to_bits());
        });
    }
}
