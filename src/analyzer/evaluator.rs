//! From what is known of a metric and its canonical window to a verdict: the one way for passes and for `explain`, in
//! both profiles. (A replay judges point by point, through the same [`ClassicJudge`] and the same
//! [`PendingState`](super::pending_state::PendingState).)

use std::sync::Arc;

use skywatch_alerters::Anomaly;
use skywatch_algorithms::{Ballot, Exception, Verdict, Window};

use super::adaptive::AdaptiveJudge;
use super::adaptive_metric::AdaptiveMetric;
use super::classic::ClassicJudge;
use super::counter_class::CounterClass;
use super::evaluation::Evaluation;
use super::options::{LiveEnsemble, WorkerOptions};
use crate::status::FollowedOutcome;

/// What is known of a metric beside its window.
#[derive(Default)]
pub(super) struct MetricKnowledge {
    /// Whether it is judged by its rate; `None` until the store was asked, and where the adaptive profile, which knows counters
    /// by itself, judges.
    pub(super) class: Option<CounterClass>,
    /// What the adaptive profile knows of it; `None` before the first look, and in the classic profile.
    pub(super) state: Option<Box<AdaptiveMetric>>,
}

/// What is no longer as it was in the pass before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewRules {
    /// The classic tests, or when a metric is stale: no verdict serves any longer.
    pub(super) ensemble: bool,
    /// What the adaptive profile calls anomalous: each metric is to be [ruled](AdaptiveJudge::rule_anew) anew.
    pub(super) adaptive: bool,
}

/// One thread's means of judging metrics.
pub(super) struct Evaluator {
    ensemble: LiveEnsemble,
    classic: ClassicJudge,
    adaptive: Option<AdaptiveJudge>,
}

impl Evaluator {
    /// Judges as the options say.
    pub(super) fn new(options: &WorkerOptions) -> Self {
        let adaptive = options.adaptive.clone();
        let ensemble = options.ensemble.current();
        let stale_period = ensemble.rules().stale_period;
        Self {
            ensemble: options.ensemble.clone(),
            classic: ClassicJudge::new(ensemble, options.full_duration, options.counters_as_rates),
            adaptive: adaptive.map(|adaptive| AdaptiveJudge::new(adaptive, stale_period)),
        }
    }

    /// Takes what is in force now for the pass that begins.
    #[must_use]
    pub(super) fn begin(&mut self) -> NewRules {
        let ensemble = self.classic.judge_by(self.ensemble.current());
        let stale_period = self.stale_period();
        let adaptive = self.adaptive.as_mut();
        NewRules {
            ensemble,
            adaptive: adaptive.is_some_and(|adaptive| adaptive.begin(stale_period)),
        }
    }

    /// Age of the last point from which a metric is stale, seconds.
    pub(super) fn stale_period(&self) -> f64 {
        self.classic.ensemble().rules().stale_period
    }

    /// Whether what the classic tests say of a window can change while nothing comes.
    pub(super) fn reads_clock(&self) -> bool {
        self.classic.ensemble().reads_clock()
    }

    /// What the adaptive profile judges by, if that is the profile.
    pub(super) fn adaptive(&self) -> Option<&AdaptiveJudge> {
        self.adaptive.as_ref()
    }

    /// The same, to be told where a pass begins and ends.
    pub(super) fn adaptive_mut(&mut self) -> Option<&mut AdaptiveJudge> {
        self.adaptive.as_mut()
    }

    /// Judges a metric by classic votes in the adaptive profile, which has had no time to learn its window.
    ///
    /// # Errors
    /// The message of a panic.
    pub(super) fn evaluate_by_votes(
        &mut self,
        known: &mut MetricKnowledge,
        window: Window<'_>,
        now: f64,
    ) -> Result<Evaluation, String> {
        self.classic
            .evaluate(window, known.class.get_or_insert_default(), now)
    }

    /// What the classic profile judges by.
    pub(super) fn classic_mut(&mut self) -> &mut ClassicJudge {
        &mut self.classic
    }

    /// Judges a metric by its canonical window at `now`, Unix seconds; of the adaptive profile also by the end of it, if that
    /// holds all that its state has not learnt.
    ///
    /// # Errors
    /// The message of a panic.
    pub(super) fn evaluate(
        &mut self,
        name: &Arc<str>,
        known: &mut MetricKnowledge,
        window: Window<'_>,
        is_whole: bool,
        now: f64,
    ) -> Result<Evaluation, String> {
        match &mut self.adaptive {
            Some(adaptive) => adaptive.evaluate(name, &mut known.state, window, is_whole, now),
            None => self
                .classic
                .evaluate(window, known.class.get_or_insert_default(), now),
        }
    }

    /// Describes an anomaly: `evaluation` is the last one, of this window. `in_full` adds the window and what was measured.
    ///
    /// # Errors
    /// The message of a panic.
    pub(super) fn describe(
        &mut self,
        name: &str,
        window: Window<'_>,
        evaluation: Evaluation,
        now: f64,
        in_full: bool,
    ) -> Result<Anomaly, String> {
        match evaluation.scored {
            Some(scored) => Ok(scored.describe(name, window, in_full)),
            None => self
                .classic
                .describe(name, window, ballot_of(&evaluation), now, in_full),
        }
    }

    /// Describes the newest point of the metric looked at last, whatever the verdict (`evaluation`) was; `None` if too
    /// little is known to say anything of it.
    ///
    /// # Errors
    /// The message of a panic.
    pub(super) fn describe_newest(
        &mut self,
        name: &str,
        known: &MetricKnowledge,
        window: Window<'_>,
        evaluation: &Evaluation,
        now: f64,
    ) -> Result<Option<Anomaly>, String> {
        match (&self.adaptive, known.state.as_deref()) {
            (Some(_), _) if matches!(evaluation.verdict, Verdict::Excluded(_)) => Ok(None),
            (Some(adaptive), Some(state)) => adaptive.newest(name, state, window, evaluation.at).map(Some),
            (Some(_), None) => Ok(None),
            (None, _) => self
                .classic
                .describe(name, window, ballot_of(evaluation), now, true)
                .map(Some),
        }
    }

    /// The outcome of the metric looked at last if it is well.
    pub(super) fn outcome(
        &self,
        known: &MetricKnowledge,
        window: Window<'_>,
        evaluation: &Evaluation,
    ) -> Option<FollowedOutcome> {
        let is_normal = matches!(evaluation.verdict, Verdict::Judged { anomalous: false, .. });
        let is_boring = evaluation.verdict == Verdict::Excluded(Exception::Boring);
        let is_by_votes = self.adaptive.is_none() || (known.state.is_none() && known.class.is_some());
        match (&self.adaptive, known.state.as_deref()) {
            (Some(adaptive), Some(state)) if is_normal => {
                Some(adaptive.outcome(state, window, evaluation.at))
            }
            _ if is_by_votes && (is_normal || is_boring) => {
                let (at, value) = self.classic.newest(window);
                Some(FollowedOutcome::Normal { at, value })
            }
            _ => None,
        }
    }
}

fn ballot_of(evaluation: &Evaluation) -> Ballot {
    match evaluation.verdict {
        Verdict::Judged { ballot, .. } => ballot,
        Verdict::Excluded(_) => Ballot::default(),
    }
}
