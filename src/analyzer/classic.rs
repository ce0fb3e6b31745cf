//! The classic profile: from a canonical window to the votes of its detectors, for one metric at a time.
//!
//! Holds what a worker reuses from metric to metric, turns never-decreasing counters into rates before
//! any check, and keeps a detector that panics from taking more than its own metric.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use skywatch_alerters::{Anomaly, DetectorVote, Expected, JudgedWindow, Severity, Subject, Votes};
use skywatch_algorithms::{
    Ballot, BallotMark, Ensemble, Scratch, Series, Vote, Window, WindowStats, counter,
};

use super::counter_class::CounterClass;
use super::evaluation::Evaluation;
use crate::panics;

/// How many standard deviations the band of what was expected reaches to each side, as in the original's mails.
const BAND: f64 = 3.0;
/// Newest points that the band leaves out: those whose mean the classic tests hold against the rest.
const TAIL: usize = 3;

/// Share of the cast votes from which an anomaly is critical: eight of the nine classic tests.
const CRITICAL_SHARE: f64 = 0.85;

/// One thread's means of judging by votes; not shared.
pub struct ClassicJudge {
    ensemble: Arc<Ensemble>,
    full_duration: f64,
    counters_as_rates: bool,
    scratch: Scratch,
    /// The rate of the counter under judgement.
    rates: Series,
    /// Whether `rates`, and not the window given, was judged last.
    judged_rates: bool,
    /// The answers of each ballot that was described briefly: few ballots come up, and many anomalies share each.
    brief: HashMap<Ballot, Votes>,
}

impl ClassicJudge {
    /// A judge for windows of `full_duration` seconds.
    pub fn new(ensemble: Arc<Ensemble>, full_duration: f64, counters_as_rates: bool) -> Self {
        Self {
            ensemble,
            full_duration,
            counters_as_rates,
            scratch: Scratch::default(),
            rates: Series::default(),
            judged_rates: false,
            brief: HashMap::new(),
        }
    }

    /// The tests it judges by.
    pub(super) fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    /// Judges by these tests from here on; whether they are others than before.
    pub(super) fn judge_by(&mut self, ensemble: Arc<Ensemble>) -> bool {
        let are_others = !Arc::ptr_eq(&self.ensemble, &ensemble);
        if are_others {
            self.ensemble = ensemble;
            self.brief.clear();
        }
        are_others
    }

    /// Decides whether a window is judged by its rates, and makes them.
    fn prepare(&mut self, window: Window<'_>, class: &mut CounterClass, now: f64) {
        if self.counters_as_rates {
            class.refresh(window, now, self.full_duration);
        }
        self.judged_rates = self.counters_as_rates && class.is_counter(now);
        if self.judged_rates {
            counter::rates(window, &mut self.rates);
        }
    }

    /// Judges one canonical window at `now` (Unix seconds).
    ///
    /// # Errors
    /// The message of a panic among the detectors.
    pub(super) fn evaluate(
        &mut self,
        window: Window<'_>,
        class: &mut CounterClass,
        now: f64,
    ) -> Result<Evaluation, String> {
        self.prepare(window, class, now);
        let judged = judged(self.judged_rates, &self.rates, window);
        let ensemble = &self.ensemble;
        let verdict = guarded(&mut self.scratch, |scratch| ensemble.judge(judged, now, scratch))?;
        Ok(Evaluation {
            verdict,
            at: self.newest(window).0,
            scored: None,
        })
    }

    /// Time and value of the newest point judged: `window` is the one that was evaluated last.
    pub(super) fn newest(&self, window: Window<'_>) -> (f64, f64) {
        let judged = judged(self.judged_rates, &self.rates, window);
        judged.last().unwrap_or((f64::NEG_INFINITY, f64::NAN))
    }

    /// How many detectors do not call the window normal as of `now`: all are asked, so that it is comparable from window
    /// to window. It reaches the consensus if and only if the verdict is anomalous; 0 for a window that is excluded.
    ///
    /// # Errors
    /// The message of a panic among the detectors.
    pub fn votes(&mut self, window: Window<'_>, class: &mut CounterClass, now: f64) -> Result<usize, String> {
        self.prepare(window, class, now);
        let judged = judged(self.judged_rates, &self.rates, window);
        let ensemble = &self.ensemble;
        if ensemble.exclude(judged, now).is_some() {
            return Ok(0);
        }
        let ballot = guarded(&mut self.scratch, |scratch| ensemble.ballot(judged, now, scratch))?;
        let votes = ballot.detectors() - ballot.normal();
        let fails = votes >= ensemble.rules().consensus && !ensemble.is_consensus(&ballot);
        Ok(if fails { 0 } else { votes })
    }

    /// Describes the anomaly just judged: `window` is the one given to [`ClassicJudge::evaluate`] before, `ballot` its outcome.
    ///
    /// `in_full` adds the window and both sides of every comparison; without it only who voted is told.
    pub fn describe(
        &mut self,
        metric: &str,
        window: Window<'_>,
        ballot: Ballot,
        now: f64,
        in_full: bool,
    ) -> Result<Anomaly, String> {
        let judged = judged(self.judged_rates, &self.rates, window);
        let (at, observed) = judged.last().unwrap_or((now, f64::NAN));
        let votes = if in_full {
            let ensemble = &self.ensemble;
            let explained = guarded(&mut self.scratch, |scratch| {
                ensemble.explain(judged, now, scratch)
            })?;
            explained
                .into_iter()
                .map(|vote| DetectorVote {
                    detector: vote.detector,
                    answer: answer(&vote.vote),
                    measured: vote.comparison.measured,
                    limit: vote.comparison.limit,
                })
                .collect()
        } else {
            let brief = self.brief.entry(ballot);
            brief.or_insert_with(|| in_brief(&self.ensemble, ballot)).clone()
        };
        let evidence = if in_full {
            JudgedWindow {
                times: judged.times().to_vec(),
                values: judged.values().to_vec(),
                rate: self.judged_rates,
            }
        } else {
            JudgedWindow {
                rate: self.judged_rates,
                ..JudgedWindow::default()
            }
        };
        let mut anomaly = Anomaly::new(Subject::Metric(metric.to_owned()), Severity::Warning, at)
            .with_value(observed, expected(judged))
            .with_votes(votes)
            .with_window(evidence);
        if anomaly.score() >= CRITICAL_SHARE {
            anomaly.severity = Severity::Critical;
        }
        Ok(anomaly)
    }

    /// Times each detector on the window judged last, one at a time: seconds, in detector order. One that panics has
    /// no time; what it costs the metric is decided where it is asked for its vote.
    pub fn time_detectors(&mut self, window: Window<'_>, now: f64, seconds: &mut [Vec<f64>]) {
        let judged = judged(self.judged_rates, &self.rates, window);
        for (detector, seconds) in self.ensemble.detectors().iter().zip(seconds) {
            let begun = Instant::now();
            let full_duration = self.full_duration;
            let vote = guarded(&mut self.scratch, |scratch| {
                detector.vote(&mut WindowStats::new(judged, now, full_duration, scratch))
            });
            if std::hint::black_box(vote).is_ok() {
                seconds.push(begun.elapsed().as_secs_f64());
            }
        }
    }
}

/// Runs what asks detectors.
fn guarded<T>(scratch: &mut Scratch, ask: impl FnOnce(&mut Scratch) -> T) -> Result<T, String> {
    panics::caught(|| ask(scratch)).map_err(|message| {
        // The panic may have left the buffers half filled.
        *scratch = Scratch::default();
        format!("a detector panicked: {message}")
    })
}

/// Who voted how, without what was measured.
fn in_brief(ensemble: &Ensemble, ballot: Ballot) -> Votes {
    let marks = ensemble.names().zip(ballot.marks());
    marks
        .map(|(name, mark)| DetectorVote {
            detector: name.to_owned(),
            answer: match mark {
                BallotMark::Anomalous => Some(true),
                BallotMark::Normal => Some(false),
                BallotMark::Failed | BallotMark::NotCast => None,
            },
            measured: f64::NAN,
            limit: f64::NAN,
        })
        .collect()
}

fn answer(vote: &Vote) -> Option<bool> {
    match vote {
        Vote::Anomalous => Some(true),
        Vote::Normal => Some(false),
        Vote::Failed(_) => None,
    }
}

/// Mean ± [`BAND`] sample standard deviations of the window without its last three points: the band the
/// original drew in its mails, freed of the anomaly itself. Where nothing was ever negative, neither is the band.
fn expected(window: Window<'_>) -> Option<Expected> {
    let before = &window.values()[..window.len().saturating_sub(TAIL)];
    if before.len() < 2 {
        return None;
    }
    let n = before.len() as f64;
    let mean = side_by_side(before, |value| value) / n;
    let deviation = (side_by_side(before, |value| (value - mean).powi(2)) / (n - 1.0)).sqrt();
    let floor = if before.iter().all(|v| *v >= 0.0) {
        0.0
    } else {
        f64::NEG_INFINITY
    };
    deviation.is_finite().then_some(Expected {
        low: (mean - BAND * deviation).max(floor),
        centre: mean,
        high: mean + BAND * deviation,
    })
}

/// A sum in eight parts, which the processor adds at once: one after the other this took as long as decoding the series.
fn side_by_side(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut parts = [0.0; 8];
    for block in blocks {
        for (part, &value) in parts.iter_mut().zip(block) {
            *part += term(value);
        }
    }
    parts.iter().sum::<f64>() + rest.iter().map(|&value| term(value)).sum::<f64>()
}

/// What is judged of a window: itself, or the rates made of it. It borrows them alone, since the scratch is written meanwhile.
fn judged<'w>(by_rates: bool, rates: &'w Series, window: Window<'w>) -> Window<'w> {
    if by_rates { rates.window() } else { window }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skywatch_algorithms::{Comparison, Detector, Rules};

    struct Panics;

    impl Detector for Panics {
        fn name(&self) -> &str {
            "panics"
        }

        fn vote(&self, look: &mut WindowStats<'_>) -> Vote {
            assert!(look.window().values()[0] >= 0.0, "negative start");
            Vote::Normal
        }

        fn comparison(&self, _: &mut WindowStats<'_>) -> Comparison {
            panic!("no comparison")
        }
    }

    fn wave(n: u32, first: f64) -> Series {
        let mut series = Series::default();
        for i in 0..n {
            series.push(
                1.7e9 + 60.0 * f64::from(i),
                if i == 0 { first } else { f64::from(i * 7919 % 101) },
            );
        }
        series
    }

    #[test]
    fn the_band_is_three_deviations_about_the_mean() {
        let mut series = Series::default();
        for i in 0..103 {
            // 50 of 9 and 50 of 11; the last three do not count.
            let value = if i >= 100 {
                1e9
            } else {
                9.0 + f64::from(2 * (i % 2))
            };
            series.push(60.0 * f64::from(i), value);
        }
        let band = expected(series.window()).expect("long enough");
        let deviation = (100.0_f64 / 99.0).sqrt();
        assert!((band.centre - 10.0).abs() < 1e-12);
        assert!((band.low - (10.0 - 3.0 * deviation)).abs() < 1e-12);
        assert!((band.high - (10.0 + 3.0 * deviation)).abs() < 1e-12);
    }

    #[test]
    fn a_panicking_detector_costs_one_metric() {
        let ensemble =
            Ensemble::with_detectors(Rules::earthgecko(), vec![Box::new(Panics)]).expect("one detector");
        let mut judge = ClassicJudge::new(Arc::new(ensemble), 86_400.0, true);
        let (bad, good) = (wave(200, -1.0), wave(200, 1.0));
        let now = 1.7e9 + 200.0 * 60.0;
        let mut class = CounterClass::default();
        let panic = judge.evaluate(bad.window(), &mut class, now).err();
        assert!(panic.expect("it panicked").contains("negative start"));
        assert!(judge.evaluate(good.window(), &mut class, now).is_ok());
        let described = judge.describe("m", good.window(), Ballot::default(), now, true);
        assert!(described.is_err_and(|panic| panic.contains("no comparison")));
        let mut seconds = [Vec::new()];
        judge.time_detectors(bad.window(), now, &mut seconds);
        assert!(seconds[0].is_empty());
    }

    #[test]
    fn a_counter_keeps_its_class_through_a_reset() {
        let mut judge = ClassicJudge::new(Arc::new(Ensemble::classic(Rules::earthgecko())), 86_400.0, true);
        let mut class = CounterClass::default();
        let mut series = Series::default();
        for i in 0..200 {
            series.push(
                1.7e9 + 60.0 * f64::from(i),
                1e6 + 100.0 * f64::from(i) + f64::from(i * 7919 % 13),
            );
        }
        let mut now = 1.7e9 + 199.0 * 60.0;
        assert!(judge.evaluate(series.window(), &mut class, now).is_ok());
        assert!(judge.judged_rates && class.seen == now);
        for i in 0..5 {
            now += 60.0;
            series.push(now, 100.0 * f64::from(i));
            let verdict = judge
                .evaluate(series.window(), &mut class, now)
                .map(|found| found.verdict);
            assert!(
                class.seen != now && judge.judged_rates,
                "the reset does not flip it"
            );
            assert_ne!(verdict.map(|verdict| verdict.is_anomalous()), Ok(true));
        }
        class.until = now - 1.0;
        let _ = judge.evaluate(series.window(), &mut class, now);
        assert!(!judge.judged_rates, "a class that has run out is judged afresh");
    }
}
