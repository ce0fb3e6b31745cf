//! The cached window of one metric.
//!
//! Values are kept in as few bytes as give them back ([`CompactValues`]); times as runs of equal steps, because a metric
//! that reports each minute for a day has one run, not 1,440 stamps. The window handed out is always the canonical one; a
//! point that arrives out of order goes the slow way through [`Series::canonicalise_by`], so that there is one definition of
//! the order.

use skywatch_algorithms::compact::{CompactValues, ValuesBuffer};
use skywatch_algorithms::statistics::RunningMoments;
use skywatch_algorithms::{SameTime, Series, Window};

/// Consecutive points at equal distance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TimeRun {
    /// Time of the run's very first point, Unix seconds, whether or not it is still in the window.
    start: f64,
    /// Seconds from point to point; 0 while the run has one point.
    step: f64,
    /// Points that have left the window. Counted, not folded into `start`: `start + step × index` must
    /// give the same bits before and after.
    gone: u32,
    /// Points in the window.
    len: u32,
}

impl TimeRun {
    /// The run that the first points make, found a block at a time: most series are one run.
    fn beginning(times: &[f64]) -> Option<Self> {
        let &[start, second, ..] = times else { return None };
        let step = second - start;
        let mut run = Self {
            start,
            step,
            gone: 0,
            len: 0,
        };
        for block in times.as_chunks::<32>().0 {
            let holds = (0..)
                .zip(block)
                .fold(true, |holds, (i, &time)| holds & (time == run.time(run.len + i)));
            if !holds {
                break;
            }
            run.len += 32;
        }
        (run.len > 0).then_some(run)
    }

    fn time(&self, index: u32) -> f64 {
        self.start + self.step * f64::from(self.gone + index)
    }

    fn last(&self) -> f64 {
        self.time(self.len - 1)
    }
}

/// A canonical window at rest: ascending distinct times, at most `full_duration` apart.
#[derive(Debug, Default)]
pub struct CachedWindow {
    runs: Vec<TimeRun>,
    values: CompactValues,
    /// Sums of all values but the newest; built when the window first moves.
    head: Option<RunningMoments>,
}

/// A window written out. The times are kept from metric to metric: most report at the same times.
#[derive(Debug, Default)]
pub struct WindowBuffer {
    runs: Vec<TimeRun>,
    times: Vec<f64>,
    values: ValuesBuffer,
}

impl CachedWindow {
    /// Takes over a canonical series.
    pub fn store(&mut self, series: &Series) {
        self.runs.clear();
        self.head = None;
        self.values.store(&series.values);
        let regular = TimeRun::beginning(&series.times);
        self.runs.extend(regular);
        for &time in &series.times[regular.map_or(0, |run| run.len as usize)..] {
            self.push_time(time);
        }
        self.runs.shrink_to_fit();
    }

    /// Time of the newest point, Unix seconds.
    pub fn last_time(&self) -> Option<f64> {
        self.runs.last().map(TimeRun::last)
    }

    /// Points in the window.
    pub fn points(&self) -> usize {
        self.values.len()
    }

    /// Mean seconds between two points, if there are two.
    pub fn step(&self) -> Option<f64> {
        let (first, last) = (self.runs.first()?.time(0), self.last_time()?);
        (self.points() > 1).then(|| (last - first) / (self.points() - 1) as f64)
    }

    /// Whether [`CachedWindow::append`] would drop points of the window: it has grown longer than `full_duration`.
    pub fn outgrows(&self, new: &Series, full_duration: f64) -> bool {
        let first = self.runs.first().map(|run| run.time(0));
        let last = new.times.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        first.is_some_and(|first| last - first >= full_duration)
    }

    /// The window, with its times written out into `buffer` unless they stand there already, and its values as far as somebody
    /// asks for them.
    pub fn window<'a>(&'a self, buffer: &'a mut WindowBuffer) -> Window<'a> {
        let WindowBuffer { runs, times, values } = buffer;
        if *runs != self.runs {
            runs.clone_from(&self.runs);
            times.clear();
            for run in &self.runs {
                times.extend((0..run.len).map(|index| run.time(index)));
            }
        }
        let head = self.head.and_then(|head| head.moments());
        Window::compact(times, &self.values, values).with_head_moments(head)
    }

    /// Adds new points, in stored order, and cuts to `(last − full_duration, last]`, with `now` for a last time that is
    /// later.
    ///
    /// `scratch` is used only when the points do not simply continue the window, or correct its newest value, and where the
    /// moments must be summed anew.
    pub fn append(
        &mut self,
        new: &Series,
        now: f64,
        full_duration: f64,
        same_time: SameTime,
        scratch: &mut Series,
    ) {
        let mut last = self.last_time().unwrap_or(f64::NEG_INFINITY);
        let continues = new.times.iter().all(|&time| {
            let follows = time > last || (time == last && same_time == SameTime::Last);
            last = time;
            follows
        });
        if continues {
            let mut newest = self.values.last();
            for (&time, &value) in new.times.iter().zip(&new.values) {
                if newest.is_some() && self.last_time() == Some(time) {
                    self.values.replace_last(value);
                } else {
                    self.push_time(time);
                    if let (Some(head), Some(newest)) = (&mut self.head, newest) {
                        head.push(newest);
                    }
                    self.values.push(value);
                }
                newest = Some(value);
            }
            self.cut(now, full_duration);
            if self.head.and_then(|head| head.moments()).is_none() {
                scratch.clear();
                self.values.write(0..self.values.len(), &mut scratch.values);
                self.head = scratch
                    .values
                    .split_last()
                    .map(|(_, head)| RunningMoments::of(head));
            }
        } else {
            scratch.clear();
            for run in &self.runs {
                scratch.times.extend((0..run.len).map(|index| run.time(index)));
            }
            self.values.write(0..self.values.len(), &mut scratch.values);
            scratch.times.extend_from_slice(&new.times);
            scratch.values.extend_from_slice(&new.values);
            scratch.canonicalise_until(now, full_duration, same_time);
            self.store(scratch);
        }
    }

    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.values.heap_bytes() + self.runs.capacity() * size_of::<TimeRun>()
    }

    /// Appends a time that is later than all before it.
    ///
    /// A time continues a run only if `start + step × index` gives it back to the bit.
    fn push_time(&mut self, time: f64) {
        if let Some(run) = self.runs.last_mut() {
            if run.len == 1 && run.gone == 0 {
                let step = time - run.start;
                if run.start + step == time {
                    *run = TimeRun { step, len: 2, ..*run };
                    return;
                }
            } else if run.time(run.len) == time {
                run.len += 1;
                return;
            }
        }
        self.runs.push(TimeRun {
            start: time,
            step: 0.0,
            gone: 0,
            len: 1,
        });
    }

    /// Drops what is not later than `last − full_duration`.
    fn cut(&mut self, now: f64, full_duration: f64) {
        let Some(last) = self.last_time() else { return };
        let limit = last.min(now) - full_duration;
        let (mut whole_runs, mut gone) = (0, 0);
        for run in &mut self.runs {
            if run.last() <= limit {
                gone += run.len as usize;
                whole_runs += 1;
                continue;
            }
            while run.time(0) <= limit {
                run.gone += 1;
                run.len -= 1;
                gone += 1;
            }
            break;
        }
        self.runs.drain(..whole_runs);
        if let Some(head) = &mut self.head {
            for value in (0..gone).filter_map(|place| self.values.get(place)) {
                head.remove(value);
            }
        }
        self.values.skip(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(points: &[(f64, f64)]) -> Series {
        Series {
            times: points.iter().map(|p| p.0).collect(),
            values: points.iter().map(|p| p.1).collect(),
        }
    }

    fn out(cache: &CachedWindow) -> Vec<(f64, f64)> {
        let mut buffer = WindowBuffer::default();
        let window = cache.window(&mut buffer);
        window
            .times()
            .iter()
            .copied()
            .zip(window.values().iter().copied())
            .collect()
    }

    #[test]
    fn a_regular_day_is_one_run() {
        let day: Vec<_> = (0..1440)
            .map(|i| (1.7e9 + 60.0 * f64::from(i), f64::from(i)))
            .collect();
        let mut cache = CachedWindow::default();
        cache.store(&series(&day));
        assert_eq!(cache.runs.len(), 1);
        let mut scratch = Series::default();
        for minute in 1440..4000 {
            let point = (1.7e9 + 60.0 * f64::from(minute), 1.0);
            cache.append(
                &series(&[point]),
                f64::INFINITY,
                86_400.0,
                SameTime::Smallest,
                &mut scratch,
            );
            assert_eq!(cache.points(), 1440);
            assert!(
                cache.bytes() <= 1440 * 9 / 4,
                "{} bytes for 1,440 points",
                cache.bytes()
            );
        }
        assert_eq!(cache.runs.len(), 1);
    }

    proptest! {
        /// Cached piece by piece or canonicalised whole: the same window to the bit.
        #[test]
        fn piecewise_is_whole(
            pieces in prop::collection::vec(
                prop::collection::vec((0u32..4000, -50i32..50, 0u8..4), 0..12), 0..12),
            full_duration in 10.0f64..3000.0,
            same_time in prop::sample::select(vec![SameTime::Last, SameTime::Smallest]),
            now in prop_oneof![Just(f64::INFINITY), 0.0f64..1000.0],
        ) {
            let mut all = Series::default();
            let mut cache = CachedWindow::default();
            let mut scratch = Series::default();
            let mut clock = 0.0;
            for piece in pieces {
                let mut new = Series::default();
                for (time, value, kind) in piece {
                    clock += if kind == 3 { 0.0 } else { 7.0 };
                    let time = match kind { 0 => f64::from(time), 1 => clock + 0.1, _ => clock };
                    new.push(time, f64::from(value));
                    all.push(time, f64::from(value));
                }
                cache.append(&new, now, full_duration, same_time, &mut scratch);
            }
            all.canonicalise_until(now, full_duration, same_time);
            let whole: Vec<_> = all.times.iter().copied().zip(all.values.iter().copied()).collect();
            prop_assert_eq!(out(&cache), whole);
        }
    }
}
