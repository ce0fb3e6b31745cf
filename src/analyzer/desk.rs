//! Where a worker handles one metric: from what the store answered to a counted verdict.
//!
//! Beside the canonical window in the cache the last verdict is kept, and serves as long as nothing new
//! comes; only age can then change it.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use skywatch_algorithms::{Ballot, Exception, Series, Verdict, Window};

use super::cache::{CachedWindow, Times};
use super::judge::{CounterClass, Judge};
use super::mind::{Mind, MindDesk, Sight};
use super::worker::{Pass, WorkerOptions};
use crate::hash::hash;
use crate::status::{Fate, Progress};
use crate::store::{DecodeReport, Fetched, Tail};

/// Anomalies described in full each pass, a share by each worker; the rest tell only who voted. The dispatch keeps no more
/// windows of a pass, and reads one anew when a notice needs another.
const DESCRIBED_IN_FULL: u64 = 500;
/// Age of the last point from which a metric counts as falling silent, seconds, as in the original …
const SILENT_AFTER: f64 = 300.0;
/// … if that is more than so many of its own steps.
const SILENT_STEPS: f64 = 3.0;
/// One metric in so many is used to time the detectors, another one each pass.
const TIMED_ONE_IN: u64 = 256;

/// What a worker knows about one metric.
pub(super) struct Watched<C> {
    /// Where the stored stream was read up to; `None` before the first whole read.
    pub(super) cursor: Option<C>,
    /// Whether it is judged by its rate; `None` until the store was asked.
    pub(super) class: Option<CounterClass>,
    window: CachedWindow,
    /// What the adaptive profile knows of it; `None` before the first look, and in the classic profile.
    mind: Option<Box<Mind>>,
    /// The last verdict and the time of the last point it saw.
    last: Option<(Verdict, f64)>,
    /// Mean seconds between two points.
    step: f32,
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
            mind: None,
            last: None,
            step: 0.0,
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

    /// What the adaptive profile knows of it.
    pub(super) fn mind(&self) -> Option<&Mind> {
        self.mind.as_deref()
    }

    pub(super) fn forget(&mut self) {
        self.cursor = None;
        self.window = CachedWindow::default();
        self.last = None;
    }
}

/// A worker's desk: the judge and the buffers, reused from metric to metric.
pub(super) struct Desk {
    options: WorkerOptions,
    judge: Judge,
    /// In the adaptive profile.
    minds: Option<MindDesk>,
    progress: Progress,
    times: Times,
    spare: Series,
    /// Anomalies of a pass that are described in full.
    in_full: u64,
    /// Bytes of all cached windows as far as known; put right after each pass.
    pub(super) cached_bytes: usize,
}

impl Desk {
    pub(super) fn new(options: WorkerOptions, progress: Progress) -> Self {
        let judge = Judge::new(
            Arc::clone(&options.ensemble),
            options.full_duration,
            options.counters_as_rates,
        );
        Self {
            minds: options.adaptive.clone().map(MindDesk::new),
            in_full: DESCRIBED_IN_FULL.div_ceil(options.seat.1.max(1) as u64),
            options,
            judge,
            progress,
            times: Times::default(),
            spare: Series::default(),
            cached_bytes: 0,
        }
    }

    /// Gets ready for a pass.
    pub(super) fn begin(&mut self) {
        if let Some(minds) = &mut self.minds {
            minds.begin();
        }
    }

    /// Says that no metric is under judgement.
    pub(super) fn rest(&mut self) {
        self.progress.turn_to(None);
        if let Some(minds) = &mut self.minds {
            minds.rest();
        }
    }

    /// Saves what the adaptive profile knows of some metrics.
    pub(super) fn save<'m, C: 'm>(
        &self,
        part: &str,
        metrics: impl Iterator<Item = (&'m Arc<str>, &'m Watched<C>)>,
    ) {
        if let Some(minds) = &self.minds {
            minds.save(part, metrics.map(|(name, watched)| (name, watched.mind())));
        }
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
                let before = watched.last.take().map(|(_, last_time)| last_time);
                watched
                    .window
                    .append(new, self.options.full_duration, &mut self.spare);
                let window = mem::take(&mut watched.window);
                let mut times = mem::take(&mut self.times);
                self.look(index, name, watched, window.window(&mut times), pass);
                self.times = times;
                watched.window = window;
                if let (Some(before), Some((_, last_time))) = (before, watched.last)
                    && last_time - before > silent_after(watched)
                {
                    pass.report.back.push(Arc::clone(name));
                }
            }
            Tail::Lost => {
                watched.forget();
                pass.report.tally.refetched += 1;
            }
            Tail::Missing => Self::missing(name, watched, pass),
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
                    self.keep(watched, cursor, series, pass);
                }
                self.look(index, name, watched, series.sorted_window(), pass);
            }
            Fetched::Missing => Self::missing(name, watched, pass),
            Fetched::Unreadable(why) => Self::unreadable(name, watched, why.to_string(), pass),
        }
    }

    /// Keeps a window if there is room for it.
    fn keep<C>(&mut self, watched: &mut Watched<C>, cursor: C, series: &Series, pass: &mut Pass) {
        let others = self.cached_bytes.saturating_sub(watched.bytes());
        if CachedWindow::bytes_of(series) > self.options.cache_bytes.saturating_sub(others) {
            watched.forget();
            self.cached_bytes = others;
            pass.report.without_room += 1;
            return;
        }
        watched.cursor = Some(cursor);
        watched.window.store(series);
        self.cached_bytes = others + watched.bytes();
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
                self.seen(name, watched, Verdict::Excluded(exception), last_time, pass);
                Self::done(watched, pass);
                return;
            }
            if let Verdict::Judged {
                anomalous: false,
                ballot,
            } = verdict
                && (watched.mind().is_some_and(Mind::is_warm) || !self.options.ensemble.reads_clock())
            {
                pass.report.tally.judged(false, ballot);
                self.seen(name, watched, verdict, last_time, pass);
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
        if let [first, .., last] = window.times() {
            watched.step = ((last - first) / (window.times().len() - 1) as f64) as f32;
        }
        if self.look_with_mind(name, watched, window, pass) {
            pass.report.judging += begun.elapsed();
            return Self::done(watched, pass);
        }
        let class = watched.class.get_or_insert_default();
        let judgement = self.judge.judge(window, class, pass.now);
        if judgement.class_changed {
            pass.classes.push(index);
        }
        match judgement.verdict {
            Ok(verdict) => {
                watched.last = Some((verdict, judgement.last_time));
                self.seen(name, watched, verdict, judgement.last_time, pass);
                match verdict {
                    Verdict::Excluded(exception) => pass.report.tally.excepted(exception),
                    Verdict::Judged { anomalous, ballot } => {
                        let in_full = pass.report.tally.anomalous < self.in_full;
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

    /// Shows the window to the adaptive profile. False if the classic votes are to serve: in the classic profile, and while
    /// the metric is still being learnt.
    fn look_with_mind<C>(
        &mut self,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        window: Window<'_>,
        pass: &mut Pass,
    ) -> bool {
        let Some(minds) = &mut self.minds else {
            return false;
        };
        let Some((last_time, _)) = window.last() else {
            return false;
        };
        let oldest = pass.now - self.options.stale_period;
        let verdict = match minds.look(name, &mut watched.mind, window, oldest) {
            Ok(Sight::Warming) => return false,
            Err(panic) => {
                watched.last = None;
                pass.report.tally.other(name, panic);
                return true;
            }
            Ok(_) if last_time < oldest => {
                pass.report.tally.excepted(Exception::Stale);
                Verdict::Excluded(Exception::Stale)
            }
            Ok(Sight::Normal) => {
                pass.report.tally.judged(false, Ballot::default());
                Verdict::Judged {
                    anomalous: false,
                    ballot: Ballot::default(),
                }
            }
            Ok(Sight::Anomalous(found)) => {
                let in_full = pass.report.tally.anomalous < self.in_full;
                pass.report.tally.found(&found.report.parts);
                pass.report.anomalies.push(found.describe(name, window, in_full));
                Verdict::Judged {
                    anomalous: true,
                    ballot: Ballot::default(),
                }
            }
        };
        watched.last = Some((verdict, last_time));
        self.seen(name, watched, verdict, last_time, pass);
        true
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

    /// Notes what others want to know of a metric besides its verdict: whether its last point is new, and, if it is
    /// followed, that it is well.
    fn seen<C>(
        &self,
        name: &Arc<str>,
        watched: &Watched<C>,
        verdict: Verdict,
        last_time: f64,
        pass: &mut Pass,
    ) {
        pass.report.newest = pass.report.newest.max(last_time);
        let age = pass.now - last_time;
        if age > silent_after(watched) && age <= self.options.stale_period {
            pass.report.silent.push(Arc::clone(name));
        }
        let well = match verdict {
            Verdict::Judged { anomalous, .. } => !anomalous,
            Verdict::Excluded(exception) => exception == Exception::Boring,
        };
        if well && !pass.followed.is_empty() && pass.followed.contains(&**name) {
            let fate = Fate::Normal {
                at: last_time,
                value: f64::NAN,
            };
            pass.report.fates.push((Arc::clone(name), fate));
        }
    }

    fn missing<C>(name: &Arc<str>, watched: &mut Watched<C>, pass: &mut Pass) {
        watched.forget();
        if pass.followed.contains(&**name) {
            pass.report.fates.push((Arc::clone(name), Fate::Deleted));
        }
        pass.report.tally.excepted(Exception::DeletedByRoomba);
        Self::done(watched, pass);
    }

    fn unreadable<C>(name: &Arc<str>, watched: &mut Watched<C>, why: String, pass: &mut Pass) {
        watched.forget();
        pass.report.tally.other(name, why);
        Self::done(watched, pass);
    }

    fn done<C>(watched: &mut Watched<C>, pass: &mut Pass) {
        watched.done_in = pass.number;
        if let Some(mind) = watched.mind().filter(|mind| !mind.is_warm()) {
            pass.report.tally.warming(mind.ready_at());
        }
    }
}

/// Age of the last point from which the metric counts as falling silent, seconds.
fn silent_after<C>(watched: &Watched<C>) -> f64 {
    SILENT_AFTER.max(SILENT_STEPS * f64::from(watched.step))
}

fn count_unusable(report: &DecodeReport, pass: &mut Pass) {
    pass.report.tally.unusable_points += report.skipped as u64 + u64::from(report.truncated_bytes > 0);
}
