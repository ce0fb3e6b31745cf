//! The files of hours: one a day of the calendar (UTC), a record of fixed length a metric.
//!
//! A record is 24 times least, mean and largest value as `f32`, NaN where there is no hour, and a checksum over them that
//! also depends on day and metric: what a crash or an earlier owner of the place left is not taken for something else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skywatch_algorithms::streaming::{Hour, REACH};

use super::losses::LossCounts;
use super::record::checksum;

/// Hours a file holds.
pub const DAY_HOURS: u32 = 24;
/// Days of files kept: those the reach lies in, and one for the day that begins.
pub const KEPT_DAYS: u32 = REACH / DAY_HOURS + 1;
/// Bytes of an hour: least, mean and largest value.
const HOUR_BYTES: usize = 12;
/// Bytes of a metric's record.
pub(super) const RECORD: usize = DAY_HOURS as usize * HOUR_BYTES + 4;
/// What a file begins with, its version in the last byte but one.
const MAGIC: &[u8; 12] = b"skyw-hours\x01\n";
/// Bytes before the first record: the magic and the day.
const HEADER: u64 = 16;

/// One day's file.
pub(super) struct DayFile {
    file: File,
    pub(super) day: u32,
}

impl DayFile {
    /// Fills `bytes` with what is stored from record `slot` on; zeros where nothing is.
    pub(super) fn read(&self, slot: u32, bytes: &mut [u8]) -> std::io::Result<()> {
        let mut at = HEADER + u64::from(slot) * RECORD as u64;
        let mut left = bytes;
        while !left.is_empty() {
            match self.file.read_at(left, at) {
                Ok(0) => {
                    left.fill(0);
                    break;
                }
                Ok(read) => {
                    at += read as u64;
                    left = &mut left[read..];
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Stores one record.
    pub(super) fn write(&self, slot: u32, record: &[u8; RECORD]) -> std::io::Result<()> {
        let at = HEADER + u64::from(slot) * RECORD as u64;
        self.file.write_all_at(record, at)
    }
}

/// All files there are.
pub(super) struct DayFiles {
    folder: PathBuf,
    files: BTreeMap<u32, Arc<DayFile>>,
}

impl DayFiles {
    pub(super) fn open(folder: &Path, is_read_only: bool, losses: &LossCounts) -> std::io::Result<Self> {
        let mut files = BTreeMap::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
            Err(error) if is_read_only && error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "hours") {
                continue;
            }
            match open_day(&path, is_read_only) {
                Ok(Some(file)) => {
                    files.insert(file.day, Arc::new(file));
                }
                Ok(None) => {
                    LossCounts::count(&losses.dropped);
                    tracing::warn!(
                        "`{}` holds no hours of this version and is left out",
                        path.display()
                    );
                    if !is_read_only {
                        std::fs::remove_file(&path)?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            files,
        })
    }

    /// The newest day there is a file of.
    pub(super) fn newest(&self) -> Option<u32> {
        self.files.last_key_value().map(|(day, _)| *day)
    }

    /// The files, oldest day first.
    pub(super) fn files(&self) -> impl Iterator<Item = &Arc<DayFile>> {
        self.files.values()
    }

    pub(super) fn get(&self, day: u32) -> Option<&Arc<DayFile>> {
        self.files.get(&day)
    }

    /// Whether hours of that day have a place: not further back than the reach from the newest day, and not further
    /// ahead than the clock (`today`).
    pub(super) fn takes(&self, day: u32, today: u32) -> bool {
        let newest = self.newest();
        let is_near = newest.is_none_or(|newest| day.saturating_add(KEPT_DAYS) > newest);
        is_near && (day <= today + 1 || newest.is_some_and(|newest| day <= newest))
    }

    /// Makes the file of a day.
    pub(super) fn make(&mut self, day: u32) -> std::io::Result<Arc<DayFile>> {
        if let Some(file) = self.files.get(&day) {
            return Ok(Arc::clone(file));
        }
        let path = self.folder.join(format!("{day}.hours"));
        let file = crate::files::create(&path)?;
        let mut header = [0; HEADER as usize];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()..].copy_from_slice(&day.to_le_bytes());
        file.write_all_at(&header, 0)?;
        let file = Arc::new(DayFile { file, day });
        self.files.insert(day, Arc::clone(&file));
        Ok(file)
    }

    /// Writes all files to their places again, from what is open.
    pub(super) fn recreate(&mut self) -> std::io::Result<()> {
        for (day, known) in &mut self.files {
            let mut anew = crate::files::create(&self.folder.join(format!("{day}.hours")))?;
            let mut place = 0;
            let mut piece = vec![0; 1 << 20];
            loop {
                let read = known.file.read_at(&mut piece, place)?;
                if read == 0 {
                    break;
                }
                anew.write_all(&piece[..read])?;
                place += read as u64;
            }
            *known = Arc::new(DayFile {
                file: anew,
                day: *day,
            });
        }
        Ok(())
    }

    /// Removes files that no metric reaches any more; whether there were any. The clock does not count when all data are
    /// older than it, nor a day that is ahead of it.
    pub(super) fn drop_old(&mut self, now: f64, losses: &LossCounts) -> bool {
        let today = day_of(now);
        let Some(newest) = self.files.keys().copied().rfind(|&day| day <= today + 1) else {
            return false;
        };
        let old: Vec<u32> = self
            .files
            .keys()
            .copied()
            .take_while(|&day| day + KEPT_DAYS <= newest)
            .collect();
        for day in &old {
            self.files.remove(day);
            if std::fs::remove_file(self.folder.join(format!("{day}.hours"))).is_err() {
                LossCounts::count(&losses.failed);
            }
        }
        !old.is_empty()
    }
}

/// The day of a moment, days since the epoch.
pub(super) fn day_of(now: f64) -> u32 {
    (now / 86_400.0) as u32
}

/// `None` for a file of another kind or version.
fn open_day(path: &Path, is_read_only: bool) -> std::io::Result<Option<DayFile>> {
    let mut file = File::options().read(true).write(!is_read_only).open(path)?;
    let mut header = [0; HEADER as usize];
    if let Err(error) = file.read_exact(&mut header) {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Ok(None),
            _ => Err(error),
        };
    }
    let (magic, day) = header.split_at(MAGIC.len());
    let day = day.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let is_named = path.file_stem().is_some_and(|stem| *stem == *day.to_string());
    Ok((magic == MAGIC && is_named).then_some(DayFile { file, day }))
}

/// What seeds a record's checksum.
fn seed(owner: u64, day: u32) -> u64 {
    owner ^ u64::from(day).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// A record of the hours of one day; `owner` is the hash of the metric's name.
pub(super) fn encode(hours: &[Hour], day: u32, owner: u64) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    let (slots, _) = record[..RECORD - 4].as_chunks_mut::<HOUR_BYTES>();
    for (number, slot) in (day * DAY_HOURS..).zip(slots) {
        let hour = hours.iter().find(|hour| hour.number == number);
        let [min, mean, max] = hour.map_or([f32::NAN; 3], |hour| [hour.min, hour.mean, hour.max]);
        slot[..4].copy_from_slice(&min.to_le_bytes());
        slot[4..8].copy_from_slice(&mean.to_le_bytes());
        slot[8..].copy_from_slice(&max.to_le_bytes());
    }
    let sum = checksum(&record[..RECORD - 4], seed(owner, day));
    record[RECORD - 4..].copy_from_slice(&sum.to_le_bytes());
    record
}

/// Adds the hours of a record; false if there are bytes that are no record of this day and owner.
pub(super) fn decode(record: &[u8], day: u32, owner: u64, hours: &mut Vec<Hour>) -> bool {
    let Some((slots, check)) = record.split_last_chunk::<4>() else {
        return false;
    };
    let sum = u32::from_le_bytes(*check);
    if sum == 0 && slots.iter().all(|&byte| byte == 0) {
        return true;
    }
    if sum != checksum(slots, seed(owner, day)) {
        return false;
    }
    let float = |bytes: &[u8]| {
        bytes
            .first_chunk()
            .map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes))
    };
    for (number, slot) in (day * DAY_HOURS..).zip(slots.chunks_exact(HOUR_BYTES)) {
        let hour = Hour {
            number,
            min: float(&slot[..4]),
            mean: float(&slot[4..8]),
            max: float(&slot[8..]),
        };
        if !hour.mean.is_nan() {
            hours.push(hour);
        }
    }
    true
}
