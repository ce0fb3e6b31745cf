//! The last arrivals of a metric, in memory and in the order they came: what tails are read from.
//!
//! Counting arrivals rather than comparing times is what lets a point that arrives late be new.

use skywatch_algorithms::Series;

use crate::store::SavedCursor;

/// Arrivals kept: a reader that looks once in ten seconds misses nothing of a point each second.
const KEPT: usize = 10;

/// How many points of a metric had arrived when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedCursor {
    /// Which opening of the store counted; numbers of another one mean nothing.
    pub(super) opening: u32,
    pub(super) metric: u32,
    pub(super) arrivals: u64,
}

/// Arrivals are counted from the opening of the store on: a later process counts others.
impl SavedCursor for EmbeddedCursor {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &[u8]) -> Option<Self> {
        None
    }
}

/// What arrived since a cursor was made.
#[derive(Debug, PartialEq)]
pub(super) enum Since {
    Unchanged,
    New(EmbeddedCursor),
    Lost,
    Missing,
}

/// The last arrivals of one metric.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    arrivals: u64,
    /// Arrival `n` lies at `n % KEPT`.
    last: [(f64, f64); KEPT],
}

impl Recent {
    pub(super) fn arrivals(&self) -> u64 {
        self.arrivals
    }

    pub(super) fn push(&mut self, time: f64, value: f64) {
        self.last[place(self.arrivals)] = (time, value);
        self.arrivals += 1;
    }

    /// Appends what came after the first `known` arrivals, or says that it is no longer all there.
    pub(super) fn since(&self, known: u64, into: &mut Series) -> bool {
        if self.arrivals.saturating_sub(known) > KEPT as u64 {
            return false;
        }
        for arrival in known..self.arrivals {
            let (time, value) = self.last[place(arrival)];
            into.times.push(time);
            into.values.push(value);
        }
        true
    }
}

fn place(arrival: u64) -> usize {
    (arrival % KEPT as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_come_back_in_order_until_they_are_overwritten() {
        let mut recent = Recent::default();
        for arrival in 0..25u32 {
            recent.push(f64::from(arrival), -1.0);
        }
        let mut series = Series::default();
        assert!(recent.since(15, &mut series));
        assert_eq!(series.times, (15..25).map(f64::from).collect::<Vec<_>>());
        assert!(!recent.since(14, &mut series));
    }
}
