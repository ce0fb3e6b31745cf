//! Hours that another process has for the one that keeps the baseline.
//!
//! `skywatch backfill` may run beside the analyzer; two writers of the same files would need locks, so it leaves whole files
//! here, and the analyzer takes them in between two passes. A file that is cut off or damaged gives what stands before
//! the damage. Taking in the same file twice changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use skywatch_algorithms::streaming::{Hour, LongMemory as _};

use super::handle::BaselineHandle;
use super::losses::LossCounts;
use super::record::{checksum, replace};

/// The folder within that of the baseline.
pub(super) const FOLDER: &str = "inbox";
/// What a file begins with, its version in the last byte but one.
const MAGIC: &[u8; 12] = b"skyw-inbox\x01\n";
/// Bytes after which a file is left and another begun.
const FILE_BYTES: usize = 4 << 20;
/// Files taken in at one go, so that a pass does not wait long.
const AT_ONCE: usize = 8;
/// Bytes of an entry before its name: checksum, length of the name, hours.
const ENTRY: usize = 8;
/// Bytes of an hour.
const HOUR: usize = 16;

/// Hours of metrics, as bytes: a file of the inbox, or what another node is given.
pub struct HoursPart {
    bytes: Vec<u8>,
}

impl Default for HoursPart {
    /// Of no metric yet.
    fn default() -> Self {
        Self {
            bytes: MAGIC.to_vec(),
        }
    }
}

impl HoursPart {
    /// Adds hours of a metric, by number.
    pub fn add(&mut self, metric: &str, hours: &[Hour]) {
        let Ok(length) = u16::try_from(metric.len()) else {
            return;
        };
        for hours in hours.chunks(usize::from(u16::MAX)) {
            let begin = self.bytes.len();
            self.bytes.extend([0; 4]);
            self.bytes.extend(length.to_le_bytes());
            self.bytes.extend((hours.len() as u16).to_le_bytes());
            self.bytes.extend(metric.as_bytes());
            for hour in hours {
                self.bytes.extend(hour.number.to_le_bytes());
                for value in [hour.min, hour.mean, hour.max] {
                    self.bytes.extend(value.to_le_bytes());
                }
            }
            let sum = checksum(&self.bytes[begin + 4..], 0);
            self.bytes[begin..begin + 4].copy_from_slice(&sum.to_le_bytes());
        }
    }

    /// Bytes by now.
    #[must_use]
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes of the whole part.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn is_empty(&self) -> bool {
        self.bytes.len() == MAGIC.len()
    }
}

/// Leaves hours for the process that keeps the baseline.
pub struct InboxWriter {
    folder: PathBuf,
    part: HoursPart,
    hours: u64,
}

impl InboxWriter {
    /// For the baseline in `folder`, which need not be there yet.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(folder: &Path) -> std::io::Result<Self> {
        let folder = folder.join(FOLDER);
        crate::files::folder(&folder)?;
        Ok(Self {
            folder,
            part: HoursPart::default(),
            hours: 0,
        })
    }

    /// Adds hours of a metric, by number.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, metric: &str, hours: &[Hour]) -> std::io::Result<()> {
        let before = self.part.length();
        self.part.add(metric, hours);
        if self.part.length() > before {
            self.hours += hours.len() as u64;
        }
        if self.part.length() >= FILE_BYTES {
            self.leave()?;
        }
        Ok(())
    }

    /// Leaves what is not left yet; how many hours there were in all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> std::io::Result<u64> {
        self.leave()?;
        Ok(self.hours)
    }

    fn leave(&mut self) -> std::io::Result<()> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        if !self.part.is_empty() {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let now = crate::clock::unix_now();
            let name = format!("{now:.3}-{}-{number}.inbox", std::process::id());
            replace(&self.folder.join(name), &self.part.bytes)?;
            self.part = HoursPart::default();
        }
        Ok(())
    }
}

/// Takes in what waits; how many metrics' hours there were.
pub(super) fn take(folder: &Path, handle: &mut BaselineHandle, losses: &LossCounts) -> usize {
    let Ok(entries) = std::fs::read_dir(folder.join(FOLDER)) else {
        return 0;
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "inbox"))
        .collect();
    files.sort_unstable();
    let mut metrics = 0;
    for path in files.into_iter().take(AT_ONCE) {
        match std::fs::read(&path) {
            Ok(bytes) => metrics += take_in(&bytes, handle, losses),
            Err(_) => LossCounts::count(&losses.failed),
        }
        if let Err(error) = std::fs::remove_file(&path) {
            LossCounts::count(&losses.failed);
            tracing::warn!("`{}` stays in the inbox :: {error}", path.display());
        }
    }
    metrics
}

/// Takes in the hours of a [part](HoursPart); how many metrics' there were.
pub(super) fn take_in(bytes: &[u8], handle: &mut BaselineHandle, losses: &LossCounts) -> usize {
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        LossCounts::count(&losses.dropped);
        return 0;
    };
    let mut metrics = 0;
    while !rest.is_empty() {
        let Some((name, hours)) = entry(&mut rest) else {
            LossCounts::count(&losses.dropped);
            break;
        };
        let name: Arc<str> = Arc::from(name);
        let mut slot = None;
        let mut hours_of = handle.of(&name, &mut slot);
        hours.into_iter().for_each(|hour| hours_of.append(hour));
        metrics += 1;
    }
    metrics
}

/// Takes an entry off the front; `None` if it is none.
fn entry<'b>(bytes: &mut &'b [u8]) -> Option<(&'b str, Vec<Hour>)> {
    let head = bytes.get(..ENTRY)?;
    let sum = u32::from_le_bytes(*head.first_chunk()?);
    let length = usize::from(u16::from_le_bytes(*head[4..].first_chunk()?));
    let count = usize::from(u16::from_le_bytes(*head[6..].first_chunk()?));
    let whole = bytes.get(..ENTRY + length + count * HOUR)?;
    if checksum(&whole[4..], 0) != sum {
        return None;
    }
    let (name, hours) = whole[ENTRY..].split_at(length);
    let name = str::from_utf8(name).ok()?;
    let (hours, _) = hours.as_chunks::<HOUR>();
    let hours = hours.iter().map(|hour| {
        let float = |at: usize| {
            hour[at..]
                .first_chunk()
                .map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes))
        };
        Hour {
            number: hour.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)),
            min: float(4),
            mean: float(8),
            max: float(12),
        }
    });
    *bytes = &bytes[ENTRY + length + count * HOUR..];
    Some((name, hours.filter(|hour| !hour.mean.is_nan()).collect()))
}
