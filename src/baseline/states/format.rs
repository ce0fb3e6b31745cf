//! The form of a file of states: a header with both versions, an entry a metric, and an end.
//!
//! An entry is a head of fixed length, the name, and the state with what else is kept. Two checksums: one over head and
//! name, so that a walk over the file can trust lengths; one over the state, checked when it is read.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use skywatch_algorithms::streaming::Adaptive;

use super::super::record::checksum;
use crate::hash::hash;

/// What a file begins with, the version of its form in the last byte but one; the version of the states follows.
const MAGIC: &[u8; 12] = b"skyw-state\x04\n";
/// The form before it, which is read: what lies behind a state says less.
const BEFORE: &[u8; 12] = b"skyw-state\x03\n";
/// What files of an earlier form begin with.
const EARLIER: &[u8] = b"skyw-";
/// What a whole file ends with: one that was cut between two entries lacks it.
pub(super) const END: &[u8; 8] = b"states\x00\n";
/// Bytes before the first entry: what a file begins with, and the version of the states.
pub(super) const HEADER: usize = MAGIC.len() + 4;
/// Bytes of an entry before its name: two checksums, lengths of name and state, time of the last point.
pub(super) const ENTRY: usize = 22;
/// Bytes read at once of an entry's head and name; few names are longer.
const HEAD_BYTES: usize = 128;
/// Bytes read at once of states that are asked for one after the other: some seventy states, which stay in the processor's cache.
const AHEAD: usize = 1 << 18;
/// The file of states whose metrics nobody watches.
pub(super) const UNCLAIMED: &str = "unclaimed.states";

/// Where a state lies.
#[derive(Clone, Copy)]
pub(in crate::baseline) struct StateLocation {
    /// The number of its file.
    pub(in crate::baseline) file: usize,
    /// Where the entry begins.
    pub(super) begin: u64,
    /// Where the state begins.
    pub(super) at: u64,
    pub(super) length: u32,
    sum: u32,
    /// Unix seconds of its last point; of its first one for a state that was taught.
    pub(in crate::baseline) time: f64,
}

/// What a start found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// States there are.
    pub states: u64,
    /// States, or ends of files, that do not hold against their checksum.
    pub damaged: u64,
    /// Files whose states are of another version.
    pub other_versions: u64,
}

/// Calls `each` with the metric and the place of every state in a file, and answers whether it is one of states that this
/// version reads. Damage ends the file: where an entry ends is not known without its head.
pub(in crate::baseline) fn walk(
    file: &File,
    counts: &mut StateCounts,
    each: &mut dyn FnMut(&str, StateLocation),
) -> std::io::Result<bool> {
    let mut header = [0; HEADER];
    let is_whole = file.read_exact_at(&mut header, 0).is_ok();
    let (magic, version) = header.split_at(MAGIC.len());
    let is_read = magic == MAGIC || magic == BEFORE;
    if is_whole && !is_read && magic.starts_with(EARLIER) {
        counts.other_versions += 1;
        return Ok(false);
    }
    if !is_whole || !is_read {
        counts.damaged += 1;
        return Ok(false);
    }
    if version != Adaptive::VERSION.to_le_bytes() {
        counts.other_versions += 1;
        return Ok(false);
    }
    let mut length = file.metadata()?.len();
    let mut end = [0; END.len()];
    let before = length.saturating_sub(END.len() as u64);
    let mut is_damaged = file.read_exact_at(&mut end, before).is_err() || end != *END;
    if !is_damaged {
        length = before;
    }
    let mut at = HEADER as u64;
    let mut bytes = vec![0; HEAD_BYTES];
    while at < length {
        let Some((entry, metric)) = read_head(file, at, &mut bytes) else {
            is_damaged = true;
            break;
        };
        let begin = at;
        at += (ENTRY + metric.len()) as u64;
        let place = StateLocation {
            file: 0,
            begin,
            at,
            length: entry.length,
            sum: entry.sum,
            time: entry.time,
        };
        at += u64::from(entry.length);
        if at > length {
            is_damaged = true;
            break;
        }
        each(metric, place);
    }
    counts.damaged += u64::from(is_damaged);
    Ok(true)
}

/// The head of the entry at a place and its name, if they hold against their checksum. Only these are read, not the state: a start
/// looks at the heads of all.
fn read_head<'b>(file: &File, at: u64, bytes: &'b mut Vec<u8>) -> Option<(EntryHead, &'b str)> {
    let read = read_as_much(file, &mut bytes[..HEAD_BYTES], at).ok()?;
    let (sum, entry) = EntryHead::of(bytes[..read].first_chunk()?)?;
    let whole = ENTRY + usize::from(entry.name);
    if whole > read {
        bytes.resize(whole.max(HEAD_BYTES), 0);
        if read_as_much(file, &mut bytes[..whole], at).ok()? < whole {
            return None;
        }
    }
    if checksum(&bytes[4..whole], 0) != sum {
        return None;
    }
    Some((entry, str::from_utf8(&bytes[ENTRY..whole]).ok()?))
}

/// Fills a buffer from a place in a file as far as that goes; how far.
fn read_as_much(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// Reads states one after the other. Those that are asked for in the order in which they lie are read many at a time.
#[derive(Default)]
pub struct StateReader {
    file: Option<usize>,
    /// Where in the file the bytes begin.
    begin: u64,
    /// Those that were read, and room for more.
    bytes: Vec<u8>,
    read: usize,
    /// Where the state that was asked for last ends, and the next entry begins.
    next: u64,
}

impl StateReader {
    fn read(&mut self, place: &StateLocation, file: &File) -> std::io::Result<&[u8]> {
        let (length, is_same_file) = (place.length as usize, self.file == Some(place.file));
        let end = place.at + length as u64;
        let is_here = is_same_file && self.begin <= place.at && end <= self.begin + self.read as u64;
        if !is_here {
            let is_next = is_same_file && place.begin == self.next;
            let wanted = if is_next { length.max(AHEAD) } else { length };
            self.file = None;
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted, 0);
            }
            self.read = read_as_much(file, &mut self.bytes[..wanted], place.at)?;
            if self.read < length {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            (self.file, self.begin) = (Some(place.file), place.at);
        }
        self.next = end;
        let from = (place.at - self.begin) as usize;
        Ok(&self.bytes[from..from + length])
    }
}

impl StateLocation {
    /// The same in the file of that number.
    pub(super) fn in_file(self, file: usize) -> Self {
        Self { file, ..self }
    }

    /// The bytes of the state that lies here, with what else was saved behind it; `None` if they do not hold against their checksum.
    pub(in crate::baseline) fn read<'r>(
        &self,
        file: &File,
        metric: &str,
        reader: &'r mut StateReader,
    ) -> Option<&'r [u8]> {
        let bytes = reader.read(self, file).ok()?;
        (checksum(bytes, hash(metric)) == self.sum).then_some(bytes)
    }
}

/// A state, and the bytes behind it.
pub(in crate::baseline) fn parse(mut bytes: &[u8]) -> Option<(Adaptive, Vec<u8>)> {
    let state = Adaptive::read(&mut bytes)?;
    Some((state, bytes.to_vec()))
}

/// The entries of a whole part of this version.
pub(super) fn entries(part: &[u8]) -> Option<&[u8]> {
    let head = StatePart::new("").bytes;
    part.strip_prefix(head.as_slice())?.strip_suffix(END)
}

struct EntryHead {
    sum: u32,
    name: u16,
    length: u32,
    time: f64,
}

impl EntryHead {
    /// The entry and the checksum over its head.
    fn of(head: &[u8; ENTRY]) -> Option<(u32, Self)> {
        let whole = u32::from_le_bytes(*head.first_chunk()?);
        let entry = Self {
            sum: u32::from_le_bytes(*head[4..].first_chunk()?),
            name: u16::from_le_bytes(*head[8..].first_chunk()?),
            length: u32::from_le_bytes(*head[10..].first_chunk()?),
            time: f64::from_le_bytes(*head[14..].first_chunk()?),
        };
        Some((whole, entry))
    }
}

/// Some metrics' states, on their way to a file of their own.
pub struct StatePart {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl StatePart {
    /// Bytes by now.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the whole part.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend(END);
        self.bytes
    }

    /// An empty part; `name` is the same each time the same metrics are saved.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(Adaptive::VERSION.to_le_bytes());
        Self {
            name: format!("{name}.states"),
            bytes,
        }
    }

    /// Adds a metric's state as of its last point (Unix seconds); `extra` writes what else is to be kept with it.
    pub fn add(&mut self, metric: &str, state: &Adaptive, last: f64, extra: impl FnOnce(&mut Vec<u8>)) {
        let Ok(length) = u16::try_from(metric.len()) else {
            return;
        };
        let begin = self.bytes.len();
        self.bytes.extend([0; 8]);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(last.to_le_bytes());
        self.bytes.extend(metric.as_bytes());
        let body = self.bytes.len();
        state.write(&mut self.bytes);
        extra(&mut self.bytes);
        let sum = checksum(&self.bytes[body..], hash(metric));
        let size = (self.bytes.len() - body) as u32;
        self.bytes[begin + 4..begin + 8].copy_from_slice(&sum.to_le_bytes());
        self.bytes[begin + 10..begin + 14].copy_from_slice(&size.to_le_bytes());
        let whole = checksum(&self.bytes[begin + 4..body], 0);
        self.bytes[begin..begin + 4].copy_from_slice(&whole.to_le_bytes());
    }
}
