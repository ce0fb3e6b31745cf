//! Where one thread asks for the hours of its metrics.
//!
//! A metric's hours are read once in a look at it, however many hours turn in that look, and what is new is written when
//! the look ends. Records are read in blocks of [`BLOCK`] neighbours: metrics that are asked for in the order in which they
//! lie cost a read of each day's file for sixteen of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skywatch_algorithms::streaming::{Hour, LongMemory, REACH};

use super::days::{DAY_HOURS, DayFile, RECORD, day_of, decode, encode};
use super::losses::LossCounts;
use super::shared::BaselineShared;
use crate::clock::unix_now;
use crate::hash::hash;

/// Records read at a time.
const BLOCK: u32 = 16;
/// Their bytes in one file.
const BLOCK_BYTES: usize = BLOCK as usize * RECORD;

/// A metric's place, kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricSlot {
    number: u32,
    /// The last day of which an hour was written.
    day: u32,
}

/// One thread's way to the hours on disk.
pub struct BaselineHandle {
    shared: Arc<BaselineShared>,
    /// The files as of `generation` and the last file made.
    files: Vec<Arc<DayFile>>,
    generation: u64,
    /// Which block of records `block` holds, a stretch a file.
    at: Option<u32>,
    block: Vec<u8>,
    /// Places for metrics to come.
    reserved: Vec<u32>,
    /// Hours of the metric being looked at, by number.
    kept: Vec<Hour>,
    /// Those of them that are not on the disk.
    fresh: Vec<u32>,
    is_loaded: bool,
    is_readable: bool,
    /// The last hour appended in this look.
    last: u32,
}

impl BaselineHandle {
    pub(super) fn new(shared: Arc<BaselineShared>) -> Self {
        Self {
            shared,
            files: Vec::new(),
            generation: u64::MAX,
            at: None,
            block: Vec::new(),
            reserved: Vec::new(),
            kept: Vec::new(),
            fresh: Vec::new(),
            is_loaded: false,
            is_readable: true,
            last: 0,
        }
    }

    /// The hours of one metric, for one look at it. What was appended is written when it is dropped.
    pub fn of<'d>(&'d mut self, name: &'d Arc<str>, slot: &'d mut Option<MetricSlot>) -> MetricHours<'d> {
        self.is_loaded = false;
        MetricHours {
            handle: self,
            name,
            slot,
            is_kept: true,
        }
    }

    /// Gives the names of new metrics to the disk; called at the end of a pass.
    pub fn flush(&mut self) {
        let shared = &self.shared;
        if !shared.is_read_only {
            shared.names().flush(&shared.losses);
        }
    }

    pub(super) fn hours_of(&mut self, metric: &str) -> Vec<Hour> {
        let name: Arc<str> = Arc::from(metric);
        let mut slot = None;
        let mut hours = self.of(&name, &mut slot);
        hours.load();
        std::mem::take(&mut hours.handle.kept)
    }

    /// The hours of a metric from a day (UTC, since 1970) on, oldest first, as they lie on the disk.
    pub fn hours_from(&mut self, metric: &str, day: u32) -> Vec<Hour> {
        let mut hours = Vec::new();
        let Some(slot) = self.shared.names().slot_of(metric) else {
            return hours;
        };
        self.refresh();
        let mut record = [0; RECORD];
        for file in self.files.iter().filter(|file| file.day >= day) {
            if file.read(slot, &mut record).is_err() {
                LossCounts::count(&self.shared.losses.failed);
            } else if !decode(&record, file.day, hash(metric), &mut hours) {
                LossCounts::count(&self.shared.losses.dropped);
            }
        }
        hours
    }

    /// Takes over the files as they are now.
    fn refresh(&mut self) {
        let generation = self.shared.generation.load(Ordering::Relaxed);
        let days = self.shared.days();
        let is_same = self.generation == generation
            && self.files.last().map(|file| file.day) == days.newest()
            && self.files.len() == days.files().count();
        if !is_same {
            self.files = days.files().cloned().collect();
            self.generation = generation;
            self.at = None;
        }
    }

    /// Reads the records of one place into `kept`.
    fn read(&mut self, slot: u32, owner: u64) {
        self.refresh();
        let block = slot / BLOCK;
        if self.at != Some(block) {
            self.at = None;
            self.block.resize(self.files.len() * BLOCK_BYTES, 0);
            for (file, bytes) in self.files.iter().zip(self.block.chunks_exact_mut(BLOCK_BYTES)) {
                if let Err(error) = file.read(block * BLOCK, bytes) {
                    LossCounts::count(&self.shared.losses.failed);
                    tracing::debug!("hours of day {} cannot be read :: {error}", file.day);
                    self.is_readable = false;
                    return;
                }
            }
            self.at = Some(block);
        }
        let begin = (slot % BLOCK) as usize * RECORD;
        for (file, bytes) in self.files.iter().zip(self.block.chunks_exact(BLOCK_BYTES)) {
            if !decode(&bytes[begin..begin + RECORD], file.day, owner, &mut self.kept) {
                LossCounts::count(&self.shared.losses.dropped);
            }
        }
    }

    /// Writes the record of one day.
    fn write(&mut self, slot: u32, day: u32, owner: u64) -> std::io::Result<()> {
        let known = self.shared.days().get(day).cloned();
        let file = match known {
            Some(file) => file,
            None => self.shared.days_mut().make(day)?,
        };
        let from = self.kept.partition_point(|hour| hour.number < day * DAY_HOURS);
        let hours = &self.kept[from..];
        let hours = &hours[..hours.partition_point(|hour| hour.number < (day + 1) * DAY_HOURS)];
        let record = encode(hours, day, owner);
        file.write(slot, &record)?;
        // The block read before must say the same.
        if self.at == Some(slot / BLOCK)
            && let Some(position) = self.files.iter().position(|file| file.day == day)
        {
            let begin = position * BLOCK_BYTES + (slot % BLOCK) as usize * RECORD;
            self.block[begin..begin + RECORD].copy_from_slice(&record);
        }
        Ok(())
    }
}

impl Drop for BaselineHandle {
    fn drop(&mut self) {
        self.flush();
        let shared = Arc::clone(&self.shared);
        shared.names().release_unused(&mut self.reserved);
    }
}

/// One metric's hours during one look at it.
pub struct MetricHours<'d> {
    handle: &'d mut BaselineHandle,
    name: &'d Arc<str>,
    slot: &'d mut Option<MetricSlot>,
    /// Whether what is appended is written.
    is_kept: bool,
}

impl MetricHours<'_> {
    /// The same for a look of which nothing is kept.
    #[must_use]
    pub fn without_saving(mut self) -> Self {
        self.is_kept = false;
        self
    }

    fn load(&mut self) {
        let handle = &mut *self.handle;
        if handle.is_loaded {
            return;
        }
        handle.is_loaded = true;
        handle.is_readable = true;
        handle.kept.clear();
        handle.fresh.clear();
        handle.last = 0;
        // Asked each time: after long silence the place may have been given to another.
        let number = handle.shared.names().slot_of(self.name);
        let known = self.slot.filter(|slot| Some(slot.number) == number);
        *self.slot = known.or(number.map(|number| MetricSlot { number, day: 0 }));
        if let Some(slot) = self.slot {
            handle.read(slot.number, hash(self.name));
        }
    }

    /// Writes what is new. DayFiles in which nothing is new are left alone.
    fn store(&mut self) {
        let is_idle = !self.handle.is_loaded || self.handle.fresh.is_empty();
        if !self.is_kept || is_idle || !self.handle.is_readable || self.handle.shared.is_read_only {
            return;
        }
        let shared = Arc::clone(&self.handle.shared);
        let mut days: Vec<u32> = self.handle.fresh.drain(..).map(|hour| hour / DAY_HOURS).collect();
        days.sort_unstable();
        days.dedup();
        let today = day_of(unix_now());
        for day in days {
            if !shared.days().takes(day, today) {
                LossCounts::count(&shared.losses.out_of_reach);
                continue;
            }
            let number = self.place(day);
            if let Err(error) = self.handle.write(number, day, hash(self.name)) {
                LossCounts::count(&shared.losses.failed);
                tracing::debug!("hours of day {day} cannot be written :: {error}");
            }
        }
    }

    /// The metric's place; a new one if it has none, or lost it after long silence.
    fn place(&mut self, day: u32) -> u32 {
        let handle = &mut *self.handle;
        if let Some(slot) = self.slot {
            if day <= slot.day {
                return slot.number;
            }
            if handle.shared.names().touch(self.name, slot.number, day) {
                slot.day = day;
                return slot.number;
            }
        }
        let mut names = handle.shared.names();
        let number = loop {
            match handle.reserved.pop() {
                Some(number) => break number,
                None => names.reserve(&mut handle.reserved),
            }
        };
        names.claim(self.name, number, day);
        *self.slot = Some(MetricSlot { number, day });
        number
    }
}

impl LongMemory for MetricHours<'_> {
    /// An hour that is kept already stays as it is: whoever learns a metric anew sees its first hour only in part.
    fn append(&mut self, hour: Hour) {
        self.load();
        let handle = &mut *self.handle;
        handle.last = hour.number;
        if let Err(place) = handle.kept.binary_search_by_key(&hour.number, |kept| kept.number) {
            handle.kept.insert(place, hour);
            handle.fresh.push(hour.number);
        }
    }

    fn recall(&mut self, hours: &mut Vec<Hour>) {
        self.load();
        let handle = &*self.handle;
        let from = handle.last.saturating_sub(REACH);
        let begin = handle.kept.partition_point(|hour| hour.number < from);
        let end = handle.kept.partition_point(|hour| hour.number <= handle.last);
        hours.clear();
        hours.extend_from_slice(&handle.kept[begin..end]);
    }
}

impl Drop for MetricHours<'_> {
    fn drop(&mut self) {
        self.store();
    }
}
