//! The long memory as a detector sees it: an hour is its least, mean and largest value.

/// How far back the long memory reaches, hours.
pub const REACH: u32 = 35 * 24;

/// One hour of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hour {
    /// InMemoryHours since the epoch.
    pub number: u32,
    /// The least value of the hour.
    pub min: f32,
    /// The mean of its points.
    pub mean: f32,
    /// The largest value.
    pub max: f32,
}

/// Where the finished hours of one metric go and come from.
///
/// [`super::Adaptive::observe`] calls it when the first point of a later hour comes, on the thread that owns the metric:
/// first `append`, then `recall`; never otherwise. A memory that cannot be read recalls nothing, and counts that itself.
pub trait LongMemory {
    /// Takes an hour that is over. Its number is larger than all before it.
    fn append(&mut self, hour: Hour);

    /// Fills `hours` with what is kept, oldest first: no hour more than [`REACH`] before the last appended one.
    fn recall(&mut self, hours: &mut Vec<Hour>);
}

/// A long memory in RAM, for a replay.
#[derive(Debug, Clone, Default)]
pub struct InMemoryHours(Vec<Hour>);

impl LongMemory for InMemoryHours {
    fn append(&mut self, hour: Hour) {
        let oldest = hour.number.saturating_sub(REACH);
        // Rarely, so that an hour costs next to nothing.
        if self.0.len() > 2 * REACH as usize {
            self.0.retain(|kept| kept.number >= oldest);
        }
        self.0.push(hour);
    }

    fn recall(&mut self, hours: &mut Vec<Hour>) {
        hours.clear();
        let Some(newest) = self.0.last() else { return };
        let oldest = newest.number.saturating_sub(REACH);
        let from = self.0.partition_point(|kept| kept.number < oldest);
        hours.extend_from_slice(&self.0[from..]);
    }
}
