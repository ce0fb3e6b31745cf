//! Where a worker handles one metric: from what the store answered to a counted verdict.
//!
//! Beside the canonical window in the cache the last verdict is kept, and serves as long as nothing new
//! comes; only age can then change it.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use skywatch_algorithms::streaming::Adaptive;
use skywatch_algorithms::{Ballot, Exception, SameTime, Series, Verdict, Window};

use super::adaptive::{AdaptiveDesk, Moment};
use super::cache::{CachedWindow, Times};
use super::inquiry::Insight;
use super::judge::{CounterClass, Judge};
use super::metric_state::{Judged, MetricState};
use super::rule::{SILENT_STEPS, stale_after};
use super::worker::{Pass, WorkerOptions};
use crate::hash::hash;
use crate::status::{Fate, Progress};
use crate::store::{DecodeReport, Fetched, Tail};

/// Anomalies described in full each pass, a share by each worker; the rest tell only who voted. The dispatch keeps no more
/// windows of a pass, and reads one anew when a notice needs another.
const DESCRIBED_IN_FULL: u64 = 500;
/// Age of the last point from which a metric counts as falling silent, seconds, as in the original, if that is more than
/// [`SILENT_STEPS`] of its own steps.
const SILENT_AFTER: f64 = 300.0;
/// For how long a slow metric of the adaptive profile is listed as silent, seconds, though it is stale as soon as it is
/// silent: as long as any other with the default `stale_period`.
const SILENT_LISTED: f64 = 200.0;
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
    state: Option<Box<MetricState>>,
    /// The last verdict and the time of the last point it saw.
    last: Option<(Verdict, f64)>,
    /// Mean seconds between two points, in the classic profile.
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
            state: None,
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
    pub(super) fn state(&self) -> Option<&MetricState> {
        self.state.as_deref()
    }

    /// How far the adaptive profile, if that is the profile, has learnt a metric that it does not judge yet: the share of the
    /// points it needs, and when it will have them, Unix seconds, if that can be told.
    fn warmth(&self) -> Option<(f64, Option<f64>)> {
        match self.state() {
            Some(state) => {
                let state = state.adaptive();
                (!state.is_ready()).then(|| (state.warmth(), state.ready_at()))
            }
            None => {
                let (enough, points) = (f64::from(Adaptive::ENOUGH), self.window.points() as f64);
                let ready_at = self.window.last_time().zip(self.window.step());
                Some((
                    (points / enough).min(1.0),
                    ready_at.map(|(last, step)| last + (enough - points) * step),
                ))
            }
        }
    }

    /// Age of the last point from which the metric counts as falling silent, seconds.
    fn silent_after(&self) -> f64 {
        let step = match self.state() {
            Some(state) => state.adaptive().step(),
            None => self.window.step().unwrap_or(f64::from(self.step)),
        };
        SILENT_AFTER.max(SILENT_STEPS * step)
    }

    /// Age of the last point from which the metric is stale, seconds.
    fn stale_after(&self, stale_period: f64) -> f64 {
        self.state()
            .map_or(stale_period, |state| stale_after(state.adaptive(), stale_period))
    }

    /// What is known of it, for somebody who asks.
    pub(super) fn insight(&self) -> Insight {
        let window = self.cursor.is_some().then(|| {
            let mut times = Times::default();
            let window = self.window.window(&mut times);
            let mut kept = Series::default();
            kept.times.extend_from_slice(window.times());
            kept.values.extend_from_slice(window.values());
            kept
        });
        Insight {
            pass: self.done_in,
            verdict: self.last,
            window: window.filter(|window| !window.times.is_empty()),
            class: self.class,
            learnt: self.state().map(MetricState::saved),
        }
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
    adaptive: Option<AdaptiveDesk>,
    same_time: SameTime,
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
            adaptive: options.adaptive.clone().map(AdaptiveDesk::new),
            same_time: options.same_time(),
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
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.begin();
        }
    }

    /// Says that no metric is under judgement.
    pub(super) fn rest(&mut self) {
        self.progress.turn_to(None);
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.rest();
        }
    }

    /// Saves what the adaptive profile knows of some metrics.
    pub(super) fn save<'m, C: 'm>(
        &self,
        part: &str,
        metrics: impl Iterator<Item = (&'m Arc<str>, &'m Watched<C>)>,
    ) {
        if let Some(adaptive) = &self.adaptive {
            adaptive.save(part, metrics.map(|(name, watched)| (name, watched.state())));
        }
    }

    /// Keeps what the adaptive profile knows of metrics that are not watched any more.
    pub(super) fn leave<'m, C: 'm>(&self, metrics: impl Iterator<Item = (&'m Arc<str>, &'m Watched<C>)>) {
        if let Some(adaptive) = &self.adaptive {
            adaptive.leave(metrics.filter_map(|(name, watched)| Some((name, watched.state()?))));
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
                if let Some(state) = watched.state() {
                    let late = new.times.iter().filter(|&&time| time <= state.learnt());
                    pass.report.tally.late_points += late.count() as u64;
                }
                if watched.state.is_none() && watched.window.outgrows(new, self.options.full_duration) {
                    self.learn_cached(name, watched, pass);
                }
                watched.window.append(
                    new,
                    self.clock(pass),
                    self.options.full_duration,
                    self.same_time,
                    &mut self.spare,
                );
                self.look_at_cached(index, name, watched, pass);
                if let (Some(before), Some((_, last_time))) = (before, watched.last)
                    && last_time - before > watched.silent_after()
                {
                    pass.report.back.push(Arc::clone(name));
                }
            }
            Tail::Lost => {
                self.learn_cached(name, watched, pass);
                watched.forget();
                pass.report.tally.refetched += 1;
            }
            Tail::Missing => self.missing(name, watched, pass),
            Tail::Unreadable(why) => self.unreadable(name, watched, why.to_string(), pass),
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
                series.canonicalise_until(self.clock(pass), self.options.full_duration, self.same_time);
                if self.options.cache {
                    self.keep(watched, cursor, series, pass);
                }
                self.look(index, name, watched, series.sorted_window(), pass);
            }
            Fetched::Missing => self.missing(name, watched, pass),
            Fetched::Unreadable(why) => self.unreadable(name, watched, why.to_string(), pass),
        }
    }

    /// The time later than which no point is the end of a window: the classic profile goes by points alone.
    fn clock(&self, pass: &Pass) -> f64 {
        match self.adaptive {
            Some(_) => pass.now,
            None => f64::INFINITY,
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

    /// A metric without new points. Only its age, the end of its class, or a clock that reaches a point that was ahead of it
    /// can change the verdict; an anomaly is looked at once more because it must be described again, and a followed metric
    /// because its value is asked for.
    fn again<C>(&mut self, index: usize, name: &Arc<str>, watched: &mut Watched<C>, pass: &mut Pass) {
        let class_ended = watched
            .class
            .is_some_and(|class| class.until > 0.0 && !class.is_counter(pass.now));
        let is_followed = pass.follows(name);
        let has_ahead = |last_time: f64| {
            self.adaptive.is_some() && watched.window.last_time().is_some_and(|last| last > last_time)
        };
        if let Some((verdict, last_time)) = watched.last
            && !class_ended
            && !is_followed
            && !has_ahead(last_time)
        {
            let stale = pass.now - last_time > watched.stale_after(self.options.stale_period);
            let served = match verdict {
                Verdict::Excluded(exception @ (Exception::TooShort | Exception::Stale)) => Some(exception),
                _ if stale => Some(Exception::Stale),
                Verdict::Excluded(exception) => Some(exception),
                Verdict::Judged { .. } => None,
            };
            if let Some(exception) = served {
                pass.report.tally.excepted(exception);
                self.seen(name, watched, last_time, pass);
                self.done(watched, pass);
                return;
            }
            if let Verdict::Judged {
                anomalous: false,
                ballot,
            } = verdict
                && (self.adaptive.is_some() || !self.options.ensemble.reads_clock())
            {
                pass.report.tally.judged(false, ballot);
                self.seen(name, watched, last_time, pass);
                self.done(watched, pass);
                return;
            }
        }
        self.look_at_cached(index, name, watched, pass);
    }

    /// Gives a metric that had no need of one a state before its window loses points. None of them can be an alarm.
    fn learn_cached<C>(&mut self, name: &Arc<str>, watched: &mut Watched<C>, pass: &Pass) {
        let Some(adaptive) = self.adaptive.as_mut().filter(|_| watched.state.is_none()) else {
            return;
        };
        let window = watched.window.window(&mut self.times);
        let moment = Moment {
            now: pass.now,
            stale_period: self.options.stale_period,
        };
        if !window.times().is_empty() {
            // What panics is counted when it panics again, a moment later.
            let _ = adaptive.look(name, &mut watched.state, window, moment);
        }
    }

    /// Judges the cached window.
    fn look_at_cached<C>(
        &mut self,
        index: usize,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        pass: &mut Pass,
    ) {
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
        match self.adaptive.is_some() {
            true => self.look_with_state(name, watched, window, pass),
            false => self.look_with_votes(index, name, watched, window, pass),
        }
        pass.report.judging += begun.elapsed();
        self.done(watched, pass);
    }

    /// The classic profile's look.
    fn look_with_votes<C>(
        &mut self,
        index: usize,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        window: Window<'_>,
        pass: &mut Pass,
    ) {
        if let [first, .., last] = window.times() {
            watched.step = ((last - first) / (window.times().len() - 1) as f64) as f32;
        }
        let class = watched.class.get_or_insert_default();
        let judgement = self.judge.judge(window, class, pass.now);
        if judgement.class_changed {
            pass.classes.push(index);
        }
        match judgement.verdict {
            Ok(verdict) => {
                watched.last = Some((verdict, judgement.last_time));
                self.seen(name, watched, judgement.last_time, pass);
                let well = match verdict {
                    Verdict::Judged { anomalous, .. } => !anomalous,
                    Verdict::Excluded(exception) => exception == Exception::Boring,
                };
                if well && pass.follows(name) {
                    let fate = Fate::Normal {
                        at: judgement.last_time,
                        value: judgement.last_value,
                    };
                    pass.report.fates.push((Arc::clone(name), fate));
                }
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
    }

    /// The adaptive profile's look: its state is the only judge.
    fn look_with_state<C>(
        &mut self,
        name: &Arc<str>,
        watched: &mut Watched<C>,
        window: Window<'_>,
        pass: &mut Pass,
    ) {
        let Some(adaptive) = &mut self.adaptive else {
            return;
        };
        let moment = Moment {
            now: pass.now,
            stale_period: self.options.stale_period,
        };
        let is_kept = watched.cursor.is_some() && self.options.cache;
        let waits = match watched.state {
            None if is_kept => adaptive.waits(name, window, pass.now),
            _ => None,
        };
        let sight = match waits.map_or_else(|| adaptive.look(name, &mut watched.state, window, moment), Ok) {
            Ok(sight) => sight,
            Err(panic) => {
                watched.last = None;
                pass.report.tally.other(name, panic);
                return;
            }
        };
        let verdict = match sight.verdict {
            Judged::Excluded(exception) => {
                pass.report.tally.excepted(exception);
                Verdict::Excluded(exception)
            }
            Judged::Normal => {
                pass.report.tally.judged(false, Ballot::default());
                if let Some(state) = watched.state.as_deref()
                    && pass.follows(name)
                {
                    let fate = adaptive.fate(state, window, sight.at);
                    pass.report.fates.push((Arc::clone(name), fate));
                }
                Verdict::Judged {
                    anomalous: false,
                    ballot: Ballot::default(),
                }
            }
            Judged::Anomalous(found) => {
                let in_full = pass.report.tally.anomalous < self.in_full;
                pass.report.tally.found(found.parts());
                pass.report.anomalies.push(found.describe(name, window, in_full));
                Verdict::Judged {
                    anomalous: true,
                    ballot: Ballot::default(),
                }
            }
        };
        watched.last = Some((verdict, sight.at));
        self.seen(name, watched, sight.at, pass);
    }

    /// How far a metric is that the adaptive profile does not judge yet (see [`Watched::warmth`]).
    pub(super) fn warmth<C>(&self, watched: &Watched<C>) -> Option<(f64, Option<f64>)> {
        let is_learnt = self.adaptive.is_some() && (watched.state.is_some() || watched.last.is_some());
        is_learnt.then(|| watched.warmth()).flatten()
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

    /// Notes what others want to know of a metric besides its verdict: whether its last point is new.
    fn seen<C>(&self, name: &Arc<str>, watched: &Watched<C>, last_time: f64, pass: &mut Pass) {
        pass.report.newest = pass.report.newest.max(last_time);
        let age = pass.now - last_time;
        let silent_after = watched.silent_after();
        let listed_until = match self.adaptive {
            Some(_) => silent_after + SILENT_LISTED,
            None => 0.0,
        };
        let listed_until = listed_until.max(watched.stale_after(self.options.stale_period));
        if age > silent_after && age <= listed_until {
            pass.report.silent.push((Arc::clone(name), last_time));
        }
    }

    fn missing<C>(&self, name: &Arc<str>, watched: &mut Watched<C>, pass: &mut Pass) {
        watched.forget();
        if pass.follows(name) {
            pass.report.fates.push((Arc::clone(name), Fate::Deleted));
        }
        pass.report.tally.excepted(Exception::DeletedByRoomba);
        self.done(watched, pass);
    }

    fn unreadable<C>(&self, name: &Arc<str>, watched: &mut Watched<C>, why: String, pass: &mut Pass) {
        watched.forget();
        pass.report.tally.other(name, why);
        self.done(watched, pass);
    }

    fn done<C>(&self, watched: &mut Watched<C>, pass: &mut Pass) {
        watched.done_in = pass.number;
        if let Some((_, ready_at)) = self.warmth(watched) {
            pass.report.tally.warming(ready_at);
        }
    }
}

fn count_unusable(report: &DecodeReport, pass: &mut Pass) {
    pass.report.tally.unusable_points += report.skipped as u64 + u64::from(report.truncated_bytes > 0);
}
