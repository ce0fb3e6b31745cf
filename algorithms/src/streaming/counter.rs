//! Whether a metric only ever grows, and then its rate.

use super::pack::{Pack, packed};

/// Points before a metric is called a counter.
const ENOUGH: u32 = 60;

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said {
    /// This value is to be judged.
    Value(f64),
    /// A counter began again, or has no rate yet.
    Nothing,
    /// From now on it is judged the other way; what was learnt does not hold.
    Changed,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Counter {
    last: f64,
    time: f64,
    /// Points since the last fall that was no reset.
    points: u32,
    grown: u32,
    /// Mean growth of a point.
    growth: f64,
    /// Falls that were no resets.
    falls: u16,
    is_counter: u8,
}

packed!(Counter {
    last,
    time,
    points,
    grown,
    growth,
    falls,
    is_counter
});

impl Counter {
    pub(super) fn is_counter(&self) -> bool {
        self.is_counter > 0
    }

    /// Points without a fall that make a counter: many more for what has fallen before.
    fn enough(&self) -> u32 {
        if self.falls == 0 { ENOUGH } else { 20_000 }
    }

    pub(super) fn observe(&mut self, time: f64, value: f64) -> Said {
        let (last, before) = (self.last, self.time);
        self.last = value;
        self.time = time;
        if before == 0.0 {
            return if self.is_counter() {
                Said::Nothing
            } else {
                Said::Value(value)
            };
        }
        let growth = value - last;
        let was = self.is_counter();
        if growth < 0.0 {
            let reset = value >= 0.0
                && (value <= 0.05 * last || value <= 10.0 * self.growth)
                && self.points >= self.enough();
            if !reset {
                self.points = 0;
                self.falls = self.falls.saturating_add(1);
                self.grown = 0;
                self.is_counter = 0;
                return if was { Said::Changed } else { Said::Value(value) };
            }
            return if was { Said::Nothing } else { Said::Value(value) };
        }
        self.points = self.points.saturating_add(1);
        self.grown = self.grown.saturating_add(u32::from(growth > 0.0));
        self.growth += (growth - self.growth) / f64::from(self.points.min(1000));
        if !was
            && self.points >= self.enough()
            && f64::from(self.grown) > 0.7 * f64::from(self.points)
            && last >= 0.0
        {
            self.is_counter = 1;
            return Said::Changed;
        }
        if was {
            Said::Value(growth / (time - before))
        } else {
            Said::Value(value)
        }
    }
}
