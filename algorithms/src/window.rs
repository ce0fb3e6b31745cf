//! The canonical window: times and values side by side.
//!
//! Whatever a store holds (duplicates, disorder, surplus that was not trimmed yet), every detector sees the same
//! window: sorted by time, one value a time (which, says [`SameTime`]), and cut to
//! `(last time − full duration, last time]`. [`Series::canonicalise_until`] is the one place where that is done.
//!
//! Times are Unix seconds as `f64`, so that fractional stamps survive. Non-finite times and values never get here:
//! the decoder drops and counts them. If one does, nothing panics, but the answers mean nothing.

use std::ops::Range;

use crate::compact::{CompactValues, ValuesBuffer};
use crate::statistics::Moments;

/// A borrowed window: `times[i]` belongs to `values[i]`, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    times: &'a [f64],
    values: WindowValues<'a>,
    /// Whether the times are known to be in order.
    is_known_sorted: bool,
    /// Moments of all values but the newest, if the caller keeps them.
    head: Option<Moments>,
}

#[derive(Debug, Clone, Copy)]
enum WindowValues<'a> {
    Written(&'a [f64]),
    /// Written out as far as they are asked for.
    Compact(&'a CompactValues, &'a ValuesBuffer),
}

impl<'a> Window<'a> {
    /// Pairs times (Unix seconds, oldest first) with values. If the lengths differ the surplus of the longer slice
    /// is ignored.
    #[must_use]
    pub fn new(times: &'a [f64], values: &'a [f64]) -> Self {
        let n = times.len().min(values.len());
        Self {
            times: &times[..n],
            values: WindowValues::Written(&values[..n]),
            is_known_sorted: false,
            head: None,
        }
    }

    /// The same for times of which the caller knows that none stands after a later one, which spares a pass over
    /// them. If that is not so, the wrong points may be taken for those of an hour.
    #[must_use]
    pub fn sorted(times: &'a [f64], values: &'a [f64]) -> Self {
        Self {
            is_known_sorted: true,
            ..Self::new(times, values)
        }
    }

    /// A window whose values are written out, into the buffer, only as far as somebody asks for them. The times are known to be
    /// in order, as those of [`Window::sorted`], and there are as many of them as there are values.
    #[must_use]
    pub fn compact(times: &'a [f64], values: &'a CompactValues, buffer: &'a mut ValuesBuffer) -> Self {
        debug_assert_eq!(times.len(), values.len());
        if let Some(values) = values.as_slice() {
            return Self::sorted(times, values);
        }
        buffer.turn_to(values);
        Self {
            times,
            values: WindowValues::Compact(values, buffer),
            is_known_sorted: true,
            head: None,
        }
    }

    /// The same window with the moments of all its values but the newest, for a caller that keeps them running
    /// (see [`crate::statistics::RunningMoments`]). Moments of other values make for wrong answers.
    #[must_use]
    pub fn with_head_moments(self, head: Option<Moments>) -> Self {
        Self { head, ..self }
    }

    /// The moments the caller gave.
    #[must_use]
    pub(crate) fn head_moments(&self) -> Option<Moments> {
        self.head
    }

    /// Unix seconds, oldest first.
    #[must_use]
    pub fn times(&self) -> &'a [f64] {
        self.times
    }

    /// The values, in the order of [`Window::times`]. The first call for a compact window writes all of them out: ask for
    /// [`Window::newest`] or [`Window::at`] where they will do.
    #[must_use]
    pub fn values(&self) -> &'a [f64] {
        match self.values {
            WindowValues::Written(values) => values,
            WindowValues::Compact(values, buffer) => buffer.all(values),
        }
    }

    /// The newest `count` values, oldest first; all of them if there are fewer.
    #[must_use]
    pub fn newest(&self, count: usize) -> &'a [f64] {
        match self.values {
            WindowValues::Written(values) => &values[values.len().saturating_sub(count)..],
            WindowValues::Compact(values, buffer) => buffer.newest(values, count),
        }
    }

    /// The values at these places, which must be there; written into `buffer` if they lie in no slice.
    #[must_use]
    pub fn at<'b>(&self, places: Range<usize>, buffer: &'b mut Vec<f64>) -> &'b [f64]
    where
        'a: 'b,
    {
        match self.values {
            WindowValues::Written(values) => &values[places],
            WindowValues::Compact(values, _) => {
                buffer.clear();
                values.write(places, buffer);
                buffer
            }
        }
    }

    /// Whether no time stands after a later one. O(n), unless it is known.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        self.is_known_sorted || holds_throughout(self.times, |earlier, later| earlier <= later)
    }

    /// How many points there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no point at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The newest point, `(time, value)`.
    #[must_use]
    pub fn last(&self) -> Option<(f64, f64)> {
        Some((*self.times.last()?, *self.newest(1).last()?))
    }

    /// Mean of the last three values, added newest first as the originals do; the last value alone when there are
    /// fewer than three; NaN for an empty window.
    #[must_use]
    pub fn tail_mean(&self) -> f64 {
        match self.newest(3) {
            [.., a, b, c] => (c + b + a) / 3.0,
            [.., last] => *last,
            [] => f64::NAN,
        }
    }
}

/// Which of several points of one time stays in a canonical window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameTime {
    /// The one stored last, as carbon has it: an aggregator sends a part of a sum first and the whole of it later.
    #[default]
    Last,
    /// The smallest value, as the original trimmer keeps it.
    Smallest,
}

/// What [`Series::canonicalise_until`] had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CanonicalCut {
    /// Points dropped because another one has the same time.
    pub duplicates: usize,
    /// Points that stood after a later one.
    pub out_of_order: usize,
    /// Points dropped because they are older than the window.
    pub surplus: usize,
}

/// The caller's own buffers, reused from metric to metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Unix seconds.
    pub times: Vec<f64>,
    /// The values, side by side with the times.
    pub values: Vec<f64>,
}

impl Series {
    /// Forgets the points and keeps the memory.
    pub fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
    }

    /// Appends one point.
    pub fn push(&mut self, time: f64, value: f64) {
        self.times.push(time);
        self.values.push(value);
    }

    /// How many points there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len().min(self.values.len())
    }

    /// Whether there is no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points as a window.
    #[must_use]
    pub fn window(&self) -> Window<'_> {
        Window::new(&self.times, &self.values)
    }

    /// The points as a window, after [`Series::canonicalise`].
    #[must_use]
    pub fn sorted_window(&self) -> Window<'_> {
        Window::sorted(&self.times, &self.values)
    }

    /// [`Series::canonicalise_by`] where of equal times the last stays.
    pub fn canonicalise(&mut self, full_duration: f64) -> CanonicalCut {
        self.canonicalise_by(full_duration, SameTime::Last)
    }

    /// [`Series::canonicalise_until`] with no clock.
    pub fn canonicalise_by(&mut self, full_duration: f64, same_time: SameTime) -> CanonicalCut {
        self.canonicalise_until(f64::INFINITY, full_duration, same_time)
    }

    /// Brings the points, which stand as they were stored, into canonical form, in place, and says what that took:
    /// stable sort by time; of equal times the one that `same_time` says stays; cut to
    /// `(last time − full_duration, last time]`. Where the last time is later than `now` (Unix seconds), `now` stands in
    /// its stead for the cut: a point ahead of the clock stays, and pushes nothing out.
    ///
    /// O(n) without allocation when the times are already strictly increasing, as they nearly always are, and also
    /// when they only repeat. Otherwise O(n log n) with one buffer. Doing it twice changes nothing. The order in which
    /// points of different times came does not matter; that of equal ones only where the last stays.
    pub fn canonicalise_until(&mut self, now: f64, full_duration: f64, same_time: SameTime) -> CanonicalCut {
        let n = self.len();
        self.times.truncate(n);
        self.values.truncate(n);
        let mut cut = CanonicalCut::default();
        if !strictly_increasing(&self.times) {
            cut.out_of_order = self.sort();
            cut.duplicates = self.keep_one_of_equal_times(same_time);
        }
        if let Some(&last) = self.times.last() {
            let before = last.min(now) - full_duration;
            cut.surplus = self.times.partition_point(|&time| time <= before);
            if cut.surplus > 0 {
                self.times.drain(..cut.surplus);
                self.values.drain(..cut.surplus);
            }
        }
        cut
    }

    /// Sorts by time if need be; how many points stood after a later one.
    fn sort(&mut self) -> usize {
        let mut latest = f64::NEG_INFINITY;
        let mut late = 0;
        for &time in &self.times {
            if time >= latest {
                latest = time;
            } else {
                late += 1;
            }
        }
        if late > 0 {
            let mut points: Vec<(f64, f64)> = self
                .times
                .iter()
                .copied()
                .zip(self.values.iter().copied())
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (i, (time, value)) in points.into_iter().enumerate() {
                self.times[i] = time;
                self.values[i] = value;
            }
        }
        late
    }

    fn keep_one_of_equal_times(&mut self, same_time: SameTime) -> usize {
        let n = self.times.len();
        let mut kept = 0;
        for i in 1..n {
            if self.times[i] == self.times[kept] {
                let stays = match same_time {
                    SameTime::Last => false,
                    SameTime::Smallest => self.values[kept].total_cmp(&self.values[i]).is_le(),
                };
                if !stays {
                    self.values[kept] = self.values[i];
                }
            } else {
                kept += 1;
                self.times[kept] = self.times[i];
                self.values[kept] = self.values[i];
            }
        }
        let distinct = if n == 0 { 0 } else { kept + 1 };
        self.times.truncate(distinct);
        self.values.truncate(distinct);
        n - distinct
    }
}

fn strictly_increasing(times: &[f64]) -> bool {
    holds_throughout(times, |earlier, later| earlier < later)
}

/// Counts the pairs that fail, without an exit, so that the compiler can compare several at once.
fn holds_throughout(times: &[f64], holds: impl Fn(f64, f64) -> bool) -> bool {
    let later = times.get(1..).unwrap_or_default();
    let pairs = times.iter().zip(later);
    pairs
        .map(|(&earlier, &later)| u64::from(!holds(earlier, later)))
        .sum::<u64>()
        == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: &[(f64, f64)]) -> Series {
        let mut series = Series::default();
        for &(time, value) in points {
            series.push(time, value);
        }
        series
    }

    #[test]
    fn the_tail_is_the_mean_of_three_or_the_last_alone() {
        let times = [1.0, 2.0, 3.0, 4.0];
        let values = [9.0, 1.0, 2.0, 6.0];
        assert_eq!(Window::new(&times, &values).tail_mean(), 3.0);
        assert_eq!(Window::new(&times[..2], &values[..2]).tail_mean(), 1.0);
        assert!(Window::new(&[], &[]).tail_mean().is_nan());
    }

    #[test]
    fn an_ordered_series_only_loses_its_front() {
        let mut s = series(&[(0.0, 5.0), (10.0, 6.0), (20.0, 7.0)]);
        let cut = s.canonicalise(20.0);
        assert_eq!(
            cut,
            CanonicalCut {
                surplus: 1,
                ..CanonicalCut::default()
            }
        );
        assert_eq!(s, series(&[(10.0, 6.0), (20.0, 7.0)]));
    }

    #[test]
    fn disorder_is_sorted_and_of_equal_times_one_value_stays() {
        let stored = series(&[(30.0, 1.0), (10.0, 4.0), (20.0, 3.0), (10.0, 2.0), (20.0, 9.0)]);
        for (same_time, of_twenty) in [(SameTime::Smallest, 3.0), (SameTime::Last, 9.0)] {
            let mut s = stored.clone();
            let cut = s.canonicalise_by(1000.0, same_time);
            assert_eq!(
                cut,
                CanonicalCut {
                    duplicates: 2,
                    out_of_order: 4,
                    surplus: 0
                }
            );
            assert_eq!(s, series(&[(10.0, 2.0), (20.0, of_twenty), (30.0, 1.0)]));
        }
    }

    #[test]
    fn all_times_equal_leave_one_point() {
        let mut s = series(&[(7.0, 3.0), (7.0, -1.0), (7.0, 2.0)]);
        assert_eq!(
            s.canonicalise_by(60.0, SameTime::Smallest),
            CanonicalCut {
                duplicates: 2,
                ..CanonicalCut::default()
            }
        );
        assert_eq!(s, series(&[(7.0, -1.0)]));
    }

    #[test]
    fn a_point_ahead_of_the_clock_pushes_nothing_out() {
        let mut s = series(&[(10.0, 1.0), (20.0, 2.0), (30.0, 3.0), (1000.0, 4.0)]);
        let cut = s.canonicalise_until(35.0, 20.0, SameTime::Last);
        assert_eq!(cut.surplus, 1);
        assert_eq!(s, series(&[(20.0, 2.0), (30.0, 3.0), (1000.0, 4.0)]));
    }

    #[test]
    fn nothing_stays_nothing() {
        let mut s = Series::default();
        assert_eq!(s.canonicalise(60.0), CanonicalCut::default());
        assert!(s.is_empty());
    }
}
