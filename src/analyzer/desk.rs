//! Where a worker handles one metric: from what the store answered to a counted verdict.
//!
//! Beside the canonical window in the cache the last verdict is kept, and serves as long as nothing new
//! comes; only age can then change it.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use skywatch_algorithms::{Exception, Series, Verdict, Window};

use super::cache::{CachedWindow, Times};
use super::judge::{CounterClass, Judge};
use super::worker::{Pass, WorkerOptions};
use crate::hash::hash;
use crate::status::Progress;
use crate::store::{DecodeReport, Fetched, Tail};

/// Anomalies a worker describes in full each pass; the rest tell only who voted.
const DESCRIBED_IN_FULL: u64 = 500;
/// One metric in so many is used to time the detectors, another one each pass.
const TIMED_ONE_IN: u64 = 256;

/// What a worker knows about one metric.
pub(super) struct Watched<C> {
    /// Where the stored stream was read up to; `None` before the first whole read.
    pub(super) cursor: Option<C>,
    /// Whether it is judged by its rate; `None` until the store was asked.
    pub(super) class: Option<CounterClass>,
    window: CachedWindow,
    /// The last verdict and the time of the last point it saw.
    last: Option<(Verdict, f64)>,
    /// Number of the last pass that was done with the metric.
    done_in: u64,
    /// The store had nothing new: the cursor lent to it is still the right one.
    unchanged: bool,
}

impl<C> Default for Watched<C> {
    fn default() -> Self {
        Self {
            cursor: None,
            class: None,
            window: CachedWindow::default(),
            last: None,
            done_in: 0,
            unchanged: false,
        }
    }
}

impl<C> Watched<C> {
    /// Whether pass `number` is done with the metric.
    pub(super) fn is_done(&self, number: u64) -> bool {
        self.done_in == number
    }

    /// Whether the cursor lent for the last question still holds.
    pub(super) fn keeps_cursor(&self) -> bool {
        self.unchanged
    }

    /// Heap bytes of the cached window.
    pub(super) fn bytes(&self) -> usize {
        self.window.bytes()
    }

    fn forget(&mut self) {
        self.cursor = None;
        self.window = CachedWindow::default();
        self.last = None;
    }
}

/// A worker's desk: the judge and the buffers, reused from metric to metric.
pub(super) struct Desk {
    options: WorkerOptions,
    judge: Judge,
    progress: Progress,
    times: Times,
    spare: Series,
}

impl Desk {
    pub(super) fn new(options: WorkerOptions, progress: Progress) -> Self {
        let judge = Judge::new(
            Arc::clone(&options.ensemble),
            options.full_duration,
            options.counters_as_rates,
        );
        Self {
            options,
            judge,
            progress,
            times: Times::default(),
            spare: Series::default(),
        }
    }

    /// Says that no metric is under judgement.
    pub(super) fn rest(&self) {
        self.progress.turn_to(None);
    }

    /// Takes the answer to a question for what is new.
    pub(super) fn tail<C>(
        &mut self,
        index: usize,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        new: &mut Series,
        tail: Tail<C>,
        pass: &mut Pass,
    ) {
        watched.unchanged = matches!(tail, Tail::Unchanged);
        match tail {
            Tail::Unchanged => self.again(index, name, watched, pass),
            Tail::New { cursor, report } => {
                watched.cursor = Some(cursor);
                count_unusable(&report, pass);
                // The old verdict has not seen the new points, whether or not there is time to judge them.
                watched.last = None;
                watched
                    .window
                    .append(new, self.options.full_duration, &mut self.spare);
                let window = mem::take(&mut watched.window);
                let mut times = mem::take(&mut self.times);
                self.look(index, name, watched, window.window(&mut times), pass);
                self.times = times;
                watched.window = window;
            }
            Tail::Lost => {
                watched.forget();
                pass.report.tally.refetched += 1;
            }
            Tail::Missing => Self::missing(watched, pass),
            Tail::Unreadable(why) => Self::unreadable(name, watched, why.to_string(), pass),
        }
    }

    /// Takes the whole stored stream.
    pub(super) fn whole<C>(
        &mut self,
        index: usize,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        series: &mut Series,
        fetched: Fetched<C>,
        pass: &mut Pass,
    ) {
        match fetched {
            Fetched::Found { cursor, report } => {
                count_unusable(&report, pass);
                watched.last = None;
                series.canonicalise(self.options.full_duration);
                if self.options.cache {
                    watched.cursor = Some(cursor);
                    watched.window.store(series);
                }
                self.look(index, name, watched, series.sorted_window(), pass);
            }
            Fetched::Missing => Self::missing(watched, pass),
            Fetched::Unreadable(why) => Self::unreadable(name, watched, why.to_string(), pass),
        }
    }

    /// A metric without new points. Only its age, or the end of its class, can change the verdict; an
    /// anomaly is looked at once more because it must be described again.
    fn again<C>(&mut self, index: usize, name: &Arc<str>, watched: &mut Watched<C>, pass: &mut Pass) {
        let class_ended = watched
            .class
            .is_some_and(|class| class.until > 0.0 && !class.is_counter(pass.now));
        if let (Some((verdict, last_time)), false) = (watched.last, class_ended) {
            let stale = pass.now - last_time > self.options.stale_period;
            let served = match verdict {
                Verdict::Excluded(exception @ (Exception::TooShort | Exception::Stale)) => Some(exception),
                _ if stale => Some(Exception::Stale),
                Verdict::Excluded(exception) => Some(exception),
                Verdict::Judged { .. } => None,
            };
            if let Some(exception) = served {
                pass.report.tally.excepted(exception);
                Self::done(watched, pass);
                return;
            }
            if let Verdict::Judged {
                anomalous: false,
                ballot,
            } = verdict
                && !self.options.ensemble.reads_clock()
            {
                pass.report.tally.judged(false, ballot);
                Self::done(watched, pass);
                return;
            }
        }
        let window = mem::take(&mut watched.window);
        let mut times = mem::take(&mut self.times);
        self.look(index, name, watched, window.window(&mut times), pass);
        self.times = times;
        watched.window = window;
    }

    /// Judges a canonical window and counts what comes of it, unless the deadline has passed.
    fn look<C>(
        &mut self,
        index: usize,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        window: Window<'_>,
        pass: &mut Pass,
    ) {
        let begun = Instant::now();
        if begun >= pass.deadline {
            return;
        }
        self.progress.turn_to(Some(name));
        self.measure_length(name, window, pass);
        let class = watched.class.get_or_insert_default();
        let judgement = self.judge.judge(window, class, pass.now);
        if judgement.class_changed {
            pass.classes.push(index);
        }
        match judgement.verdict {
            Ok(verdict) => {
                watched.last = Some((verdict, judgement.last_time));
                match verdict {
                    Verdict::Excluded(exception) => pass.report.tally.excepted(exception),
                    Verdict::Judged { anomalous, ballot } => {
                        let in_full = pass.report.tally.anomalous < DESCRIBED_IN_FULL;
                        let described =
                            anomalous.then(|| self.judge.describe(name, window, ballot, pass.now, in_full));
                        match described.transpose() {
                            Ok(anomaly) => {
                                pass.report.tally.judged(anomalous, ballot);
                                pass.report.anomalies.extend(anomaly);
                            }
                            Err(panic) => pass.report.tally.other(name, panic),
                        }
                        let sampled = (hash(name) ^ pass.number).is_multiple_of(TIMED_ONE_IN);
                        // A shard of few metrics must have a sample, too.
                        if sampled || pass.report.timings.iter().any(Vec::is_empty) {
                            self.judge
                                .time_detectors(window, pass.now, &mut pass.report.timings);
                        }
                    }
                }
            }
            Err(panic) => {
                watched.last = None;
                pass.report.tally.other(name, panic);
            }
        }
        pass.report.judging += begun.elapsed();
        Self::done(watched, pass);
    }

    fn measure_length(&self, name: &Arc<str>, window: Window<'_>, pass: &mut Pass) {
        let length = match (window.times().first(), window.times().last()) {
            (Some(first), Some(last)) => last - first,
            _ => return,
        };
        if **name == *self.options.canary {
            pass.report.canary = Some(length);
        }
        pass.report.longest = pass.report.longest.max(length);
    }

    fn missing<C>(watched: &mut Watched<C>, pass: &mut Pass) {
        watched.forget();
        pass.report.tally.excepted(Exception::DeletedByRoomba);
        Self::done(watched, pass);
    }

    fn unreadable<C>(name: &Arc<str>, watched: &mut Watched<C>, why: String, pass: &mut Pass) {
        watched.forget();
        pass.report.tally.other(name, why);
        Self::done(watched, pass);
    }

    fn done<C>(watched: &mut Watched<C>, pass: &Pass) {
        watched.done_in = pass.number;
    }
}

fn count_unusable(report: &DecodeReport, pass: &mut Pass) {
    pass.report.tally.unusable_points += report.skipped as u64 + u64::from(report.truncated_bytes > 0);
}
