//! One metric in one pass: from what the store answered to a counted verdict.

mod keeping;

use std::sync::Arc;
use std::time::Instant;

use skywatch_algorithms::{Ballot, Exception, SameTime, Series, Verdict, Window};

use super::adaptive::AdaptiveJudge;
use super::cache::WindowBuffer;
use super::evaluation::Evaluation;
use super::evaluator::Evaluator;
use super::options::WorkerOptions;
use super::shard_pass::ShardPass;
use super::tracked::TrackedMetric;
use crate::hash::hash;
use crate::status::{FollowedOutcome, WorkerProgress};
use crate::store::{DecodeReport, Fetched, Tail};

/// Anomalies described in full each pass, a share by each worker; the rest tell only who voted. The dispatch keeps no more
/// windows of a pass, and reads one anew when a notice needs another.
const DESCRIBED_IN_FULL: u64 = 500;
/// For how long a slow metric of the adaptive profile is listed as silent, seconds, though it is stale as soon as it is
/// silent: as long as any other with the default `stale_period`.
const SILENT_LISTED: f64 = 200.0;
/// One metric in so many is used to time the detectors, another one each pass: each is then timed once in some hours, and
/// a pass loses less than a hundredth by it.
const TIMED_ONE_IN: u64 = 256;

/// What a worker judges with: the evaluator and the buffers, reused from metric to metric.
pub(super) struct JudgingContext {
    pub(super) options: WorkerOptions,
    pub(super) evaluator: Evaluator,
    /// Bytes of all cached windows as far as known; put right after each pass.
    pub(super) cached_bytes: usize,
    progress: WorkerProgress,
    same_time: SameTime,
    buffer: WindowBuffer,
    spare: Series,
    /// Pending points of a metric with what is new.
    tail: Series,
    /// Anomalies of a pass that are described in full.
    in_full: u64,
    /// The pass from which on the classic tests are those in force: what was judged before does not serve.
    ruled_in: u64,
}

impl JudgingContext {
    pub(super) fn new(options: WorkerOptions, progress: WorkerProgress) -> Self {
        Self {
            evaluator: Evaluator::new(&options),
            same_time: options.same_time(),
            in_full: DESCRIBED_IN_FULL.div_ceil(options.seat.1.max(1) as u64),
            options,
            progress,
            buffer: WindowBuffer::default(),
            spare: Series::default(),
            tail: Series::default(),
            cached_bytes: 0,
            ruled_in: 0,
        }
    }

    /// The names of a worker's metrics, to be changed between passes.
    pub(super) fn change<'n>(&self, names: &'n mut Arc<Vec<Arc<str>>>) -> &'n mut Vec<Arc<str>> {
        // Or all of them would be copied.
        self.progress.has(&Arc::default());
        Arc::make_mut(names)
    }

    /// Gets ready for the pass of that number over these metrics.
    pub(super) fn begin<C>(
        &mut self,
        number: u64,
        names: &Arc<Vec<Arc<str>>>,
        metrics: &mut [TrackedMetric<C>],
    ) {
        self.progress.has(names);
        let rules = self.evaluator.begin();
        if rules.ensemble {
            self.ruled_in = number;
        }
        if rules.adaptive
            && let Some(adaptive) = self.evaluator.adaptive()
        {
            for (name, metric) in names.iter().zip(metrics) {
                if let Some(state) = metric.state_mut() {
                    adaptive.rule_anew(name, state);
                }
            }
        }
    }

    /// Says that no metric is being judged, and gives to the disk what the pass left.
    pub(super) fn end(&mut self) {
        self.progress.turn_to(None);
        if let Some(adaptive) = self.evaluator.adaptive_mut() {
            adaptive.flush();
        }
    }

    /// How far a metric is that the adaptive profile does not judge yet (see [`TrackedMetric::warmth`]).
    pub(super) fn warmth<C>(&self, metric: &TrackedMetric<C>) -> Option<(f64, Option<f64>)> {
        metric.warmth().filter(|_| self.is_adaptive())
    }

    /// Age of the last point from which a metric is stale, seconds.
    fn stale_period(&self) -> f64 {
        self.evaluator.stale_period()
    }

    fn is_adaptive(&self) -> bool {
        self.evaluator.adaptive().is_some()
    }

    /// Whether a metric that has a state needs no more of its window than what that has not learnt. The canary's is kept whole:
    /// its length is asked for.
    pub(super) fn may_live_on_tail(&self, name: &str) -> bool {
        let adaptive = self.evaluator.adaptive();
        adaptive.is_some_and(AdaptiveJudge::lives_on_tails) && name != self.options.canary
    }

    /// The time later than which no point is the end of a window: the classic profile goes by points alone.
    fn clock(&self, pass: &ShardPass) -> f64 {
        self.options.clock(pass.now)
    }
}

/// One metric in one pass.
pub(super) struct MetricPass<'p, C> {
    pub(super) context: &'p mut JudgingContext,
    pub(super) pass: &'p mut ShardPass,
    /// The metric's place in its shard.
    pub(super) index: usize,
    pub(super) name: &'p Arc<str>,
    pub(super) metric: &'p mut TrackedMetric<C>,
}

impl<C> MetricPass<'_, C> {
    /// Takes the answer to a question for what is new.
    pub(super) fn tail(mut self, new: &mut Series, tail: Tail<C>) {
        self.metric.unchanged = matches!(tail, Tail::Unchanged);
        match tail {
            Tail::Unchanged => self.again(),
            Tail::New { cursor, report } => {
                self.metric.cursor = Some(cursor);
                self.count_unusable(&report);
                if self.is_on_tail() && self.was_taught() {
                    // What a backfill has learnt goes on with points that are not kept.
                    self.metric.forget();
                    return;
                }
                self.append(new);
            }
            Tail::Lost => {
                self.learn_cached();
                self.metric.forget();
                self.pass.report.tally.refetched += 1;
            }
            Tail::Missing => self.missing(),
            Tail::Unreadable(why) => self.unreadable(why.to_string()),
        }
    }

    /// Takes the whole stored stream.
    pub(super) fn whole(mut self, series: &mut Series, fetched: Fetched<C>) {
        match fetched {
            Fetched::Found { cursor, report } => {
                self.count_unusable(&report);
                self.metric.last = None;
                let (clock, options) = (self.context.clock(self.pass), &self.context.options);
                series.canonicalise_until(clock, options.full_duration, self.context.same_time);
                if options.cache {
                    self.metric.cursor = Some(cursor);
                    self.look_at_whole(series);
                } else {
                    self.look(series.sorted_window(), true);
                }
            }
            Fetched::Missing => self.missing(),
            Fetched::Unreadable(why) => self.unreadable(why.to_string()),
        }
    }

    /// A metric without new points: the last verdict serves where it can.
    fn again(&mut self) {
        let Some((verdict, last_time)) = self.served() else {
            return match self.is_on_tail() {
                true => self.look_at_tail(None),
                false => self.look_at_cached(),
            };
        };
        match verdict {
            Verdict::Excluded(exception) => self.pass.report.tally.excepted(exception),
            Verdict::Judged { anomalous, ballot } => self.pass.report.tally.judged(anomalous, ballot),
        }
        self.seen(last_time);
        self.done();
    }

    /// The verdict as of now on a metric without new points, with the time of its last point, unless it must be looked at.
    /// Only its age, the end of its class, other rules, or a clock that reaches a point that was ahead of it can change the verdict; an
    /// anomaly is looked at once more because it must be described again, and a followed metric because its value is asked
    /// for.
    fn served(&self) -> Option<(Verdict, f64)> {
        let (verdict, last_time) = self.metric.last?;
        let (now, is_adaptive) = (self.pass.now, self.context.is_adaptive());
        let class_ended = self.metric.known.class.is_some_and(|class| class.has_ended(now));
        let has_ahead = is_adaptive && self.metric.last_time().is_some_and(|last| last > last_time);
        let is_outdated = self.metric.done_in < self.context.ruled_in;
        if class_ended || has_ahead || is_outdated || self.pass.follows(self.name) {
            return None;
        }
        let is_stale = now - last_time > self.metric.stale_after(self.context.stale_period());
        let served = match verdict {
            Verdict::Excluded(Exception::TooShort | Exception::Stale) => verdict,
            _ if is_stale => Verdict::Excluded(Exception::Stale),
            Verdict::Excluded(_) => verdict,
            Verdict::Judged { anomalous: false, .. }
                if is_adaptive || !self.context.evaluator.reads_clock() =>
            {
                verdict
            }
            Verdict::Judged { .. } => return None,
        };
        Some((served, last_time))
    }

    /// Judges a canonical window, or the end of one, and counts what comes of it, unless the deadline has passed.
    fn look(&mut self, window: Window<'_>, is_whole: bool) {
        let begun = Instant::now();
        if begun >= self.pass.deadline {
            return;
        }
        self.context.progress.turn_to(Some(self.index));
        self.measure_length(window, is_whole);
        match self.evaluate(window, is_whole) {
            Ok(evaluation) => self.count(window, evaluation, is_whole),
            Err(panic) => {
                self.metric.last = None;
                self.pass.report.tally.other(self.name, panic);
            }
        }
        self.pass.report.judging += begun.elapsed();
        self.done();
    }

    fn evaluate(&mut self, window: Window<'_>, is_whole: bool) -> Result<Evaluation, String> {
        let Self {
            context,
            pass,
            name,
            metric,
            ..
        } = self;
        if let Some(adaptive) = context.evaluator.adaptive() {
            let is_kept = metric.cursor.is_some() && context.options.cache;
            if is_kept
                && metric.known.state.is_none()
                && let Some(waits) = adaptive.waits(name, window, pass.now)
            {
                return Ok(waits);
            }
            if context.options.cache && metric.known.state.is_none() && adaptive.postpones(name, window) {
                metric.is_unlearnt = true;
                return context
                    .evaluator
                    .evaluate_by_votes(&mut metric.known, window, pass.now);
            }
            metric.is_unlearnt = false;
            metric.known.class = None;
        } else if let [first, .., last] = window.times() {
            metric.step = ((last - first) / (window.times().len() - 1) as f64) as f32;
        }
        let seen_before = metric.known.class.map_or(0.0, |class| class.seen);
        let evaluated = context
            .evaluator
            .evaluate(name, &mut metric.known, window, is_whole, pass.now);
        if metric.known.class.is_some_and(|class| class.seen != seen_before) {
            pass.classes.push(self.index);
        }
        evaluated
    }

    /// Counts an evaluation and notes what others want to know of it.
    fn count(&mut self, window: Window<'_>, evaluation: Evaluation, is_whole: bool) {
        let (verdict, at) = (evaluation.verdict, evaluation.at);
        self.metric.last = Some((verdict, at));
        self.seen(at);
        if self.pass.follows(self.name) {
            let known = &self.metric.known;
            let outcome = self.context.evaluator.outcome(known, window, &evaluation);
            self.pass
                .report
                .outcomes
                .extend(outcome.map(|outcome| (Arc::clone(self.name), outcome)));
        }
        match verdict {
            Verdict::Excluded(exception) => self.pass.report.tally.excepted(exception),
            Verdict::Judged { anomalous, ballot } => {
                match anomalous {
                    true => self.found(window, evaluation, ballot, is_whole),
                    false => self.pass.report.tally.judged(false, ballot),
                }
                self.time_detectors(window);
            }
        }
    }

    /// Counts an anomaly and describes it.
    fn found(&mut self, window: Window<'_>, evaluation: Evaluation, ballot: Ballot, is_whole: bool) {
        let report = &mut self.pass.report;
        let in_full = report.tally.anomalous < self.context.in_full;
        let is_scored = evaluation
            .scored
            .as_ref()
            .map(|scored| report.tally.found(scored.voters()));
        let evaluator = &mut self.context.evaluator;
        match evaluator.describe(self.name, window, evaluation, self.pass.now, in_full && is_whole) {
            Ok(anomaly) => {
                if is_scored.is_none() {
                    report.tally.judged(true, ballot);
                }
                report.anomalies.push(anomaly);
                if in_full && !is_whole {
                    let place = report.anomalies.len() - 1;
                    self.pass.without_window.push((place, self.index));
                }
            }
            Err(panic) => report.tally.other(self.name, panic),
        }
    }

    /// Times the classic detectors on a sample of metrics.
    fn time_detectors(&mut self, window: Window<'_>) {
        if self.context.is_adaptive() {
            return;
        }
        let timings = &mut self.pass.report.timings;
        let is_sampled = (hash(self.name) ^ self.pass.number).is_multiple_of(TIMED_ONE_IN);
        // A shard of few metrics must have a sample, too.
        if is_sampled || timings.iter().any(Vec::is_empty) {
            let classic = self.context.evaluator.classic_mut();
            classic.time_detectors(window, self.pass.now, timings);
        }
    }

    fn measure_length(&mut self, window: Window<'_>, is_whole: bool) {
        let (Some(&first), Some(last)) = (window.times().first(), window.times().last()) else {
            return;
        };
        let first = if is_whole { first } else { self.metric.begins };
        if first.is_nan() {
            return;
        }
        let length = (last - first).min(self.context.options.full_duration);
        let report = &mut self.pass.report;
        if **self.name == *self.context.options.canary {
            report.canary = Some(length);
        }
        report.longest = report.longest.max(length);
    }

    /// Notes what others want to know of a metric besides its verdict: whether its last point is new.
    fn seen(&mut self, last_time: f64) {
        let report = &mut self.pass.report;
        report.newest = report.newest.max(last_time);
        let age = self.pass.now - last_time;
        let silent_after = self.metric.silent_after();
        let listed_until = match self.context.is_adaptive() {
            true => silent_after + SILENT_LISTED,
            false => 0.0,
        };
        let listed_until = listed_until.max(self.metric.stale_after(self.context.stale_period()));
        if age > silent_after && age <= listed_until {
            report.silent.push((Arc::clone(self.name), last_time));
        }
    }

    fn missing(&mut self) {
        self.metric.forget();
        if self.pass.follows(self.name) {
            let deleted = (Arc::clone(self.name), FollowedOutcome::Deleted);
            self.pass.report.outcomes.push(deleted);
        }
        self.pass.report.tally.excepted(Exception::DeletedByRoomba);
        self.done();
    }

    fn unreadable(&mut self, why: String) {
        self.metric.forget();
        self.pass.report.tally.other(self.name, why);
        self.done();
    }

    fn done(&mut self) {
        self.metric.done_in = self.pass.number;
        self.pass.report.tally.unlearnt += u64::from(self.metric.is_unlearnt);
        if let Some((_, ready_at)) = self.context.warmth(self.metric) {
            self.pass.report.tally.warming(ready_at);
        }
    }

    fn count_unusable(&mut self, report: &DecodeReport) {
        let tally = &mut self.pass.report.tally;
        tally.unusable_points += report.skipped as u64 + u64::from(report.truncated_bytes > 0);
    }
}
