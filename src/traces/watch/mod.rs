//! Watching traces: each that is whole is judged by what others of its kind were like, and then learnt.
//!
//! Until enough traces have come there is nothing to judge by; then detectors are fitted, on a thread of their own, again each
//! time there are twice as many, and later once a day, on traces chosen evenly from all that came since. In between each trace
//! is learnt as it comes, and a change that lasts is taken for usual after an hour. What is learnt outlives the process.
//!
//! Where there is a trainer, it gets the same traces once there are enough for a network, and its detectors, which have one,
//! take the place of ours. From then on ours are fitted only after a change that lasted, until the trainer's come again.

mod fitting;
mod kept_model;
mod missed;
mod requests;
mod sample;
mod settling;
mod teacher;

use std::path::PathBuf;

use skywatch_algorithms::traces::{TraceDetector, TraceOptions, TraceSpan, UNKNOWN_TEMPLATE};

use super::ids::TraceId;
use super::judgement::{TraceJudgement, WatchedTrace};
use super::trace::AssembledTrace;
use fitting::FitUnderWay;
use kept_model::{KeptModel, ModelToKeep};
pub(super) use requests::{RequestFinding, RequestKinds, UnusualTrace};
use sample::TraceSample;
use settling::ChangeTracker;
pub(super) use teacher::Teacher;
#[cfg(feature = "learned")]
pub(super) use teacher::{ChosenTraces, TaughtDetector, TeacherEnd};

/// Traces from which on detectors are fitted: with fewer there is no telling how rare one in a hundred is.
const ENOUGH: u64 = 200;
/// Traces of a kind of request before its traces are judged: of a new kind everything is unusual.
const ENOUGH_OF_A_KIND: u64 = 40;
/// Traces from which on the trainer gets them: a network needs some hundreds of a kind.
const ENOUGH_TO_TEACH: usize = 800;
/// Seconds between two fits once there are many traces: a day, so that all its hours have their part.
const FIT_EACH: f64 = 86_400.0;
/// Traces that detectors are fitted on, and spans of all of them: some 50 MB.
const SAMPLE: [usize; 2] = [4_000, 250_000];
/// Seconds between two times that what is learnt is written down.
const SAVE_EACH: f64 = 600.0;

/// What is learnt of traces, and the judge.
pub(super) struct TraceWatch {
    path: PathBuf,
    detector: Option<TraceDetector>,
    /// Whole traces learnt.
    learnt: u64,
    /// At how many traces detectors are fitted next, while it is by number.
    fit_at: u64,
    /// When they were last fitted, and when that was last written down, Unix seconds.
    fitted: f64,
    saved: f64,
    sample: TraceSample,
    changes: ChangeTracker,
    fit: Option<FitUnderWay>,
    /// Traces on which the detectors were fitted.
    fitted_on: usize,
    /// Kinds whose change the fit under way takes for usual, and those of which that is done and not told yet.
    settling: Vec<String>,
    settled: Vec<String>,
    /// Where there is a trainer.
    teacher: Option<Teacher>,
    /// The version of its model that the detectors come from.
    taught: Option<String>,
}

impl TraceWatch {
    /// With what an earlier run has learnt and left at `path`; `now` in Unix seconds.
    pub(super) fn open(path: PathBuf, teacher: Option<Teacher>, now: f64) -> Self {
        let mut watch = Self {
            path,
            detector: None,
            learnt: 0,
            fit_at: ENOUGH,
            fitted: now,
            saved: now,
            sample: TraceSample::of(SAMPLE[0], SAMPLE[1]),
            changes: ChangeTracker::default(),
            fit: None,
            fitted_on: 0,
            settling: Vec::new(),
            settled: Vec::new(),
            teacher,
            taught: None,
        };
        if let Some(kept) = KeptModel::read(&watch.path) {
            watch.detector = Some(kept.detector);
            watch.learnt = kept.learnt;
            watch.fit_at = kept.learnt.max(ENOUGH) * 2;
            watch.fitted = kept.fitted;
            watch.fitted_on = kept.fitted_on;
            watch.taught = kept.taught;
        }
        watch
    }

    /// The share of normal traces that may be called unusual: what the detectors allow themselves, and what they may be wrong by
    /// as it was measured on a few held-back traces only (three over their number, the 95 % limit where none was seen).
    pub(super) fn allowed_share(&self) -> f64 {
        let options = TraceOptions::default();
        options.false_alarms + 3.0 / (self.fitted_on as f64 * options.held_back).max(3.0)
    }

    /// Judges a trace that was completed at `now`, Unix seconds, and learns it if it is whole.
    pub(super) fn judge(&mut self, trace: &AssembledTrace, now: f64) -> WatchedTrace {
        if !trace.defects.is_whole() {
            return unjudged("spans of it are missing".to_owned());
        }
        let spans = spans_of(trace);
        let watched = match &self.detector {
            Some(detector) => verdict(detector, &spans),
            None => unjudged(format!("{} of {ENOUGH} traces have been seen", self.learnt + 1)),
        };
        let is_unusual = watched.judgement.is_anomalous();
        let allowed = self.allowed_share();
        let kind = watched.kind.as_deref();
        let has_changed = kind.is_some_and(|kind| self.changes.note(kind, is_unusual, allowed, now));
        if let Some(kind) = kind.filter(|_| is_unusual && has_changed) {
            // What it does is not to become usual; that it was seen is said in the next sentence about it.
            if let Some(detector) = &mut self.detector {
                detector.count_templates(&spans);
            }
            self.changes.keep(kind, trace.id, spans);
        } else {
            self.learn(trace.id, spans);
        }
        watched
    }

    fn learn(&mut self, id: TraceId, spans: Vec<TraceSpan>) {
        self.learnt += 1;
        if let Some(detector) = &mut self.detector {
            detector.learn(&spans);
        }
        if let Some(fit) = &mut self.fit {
            fit.missed(&spans);
        }
        if let Some(teacher) = &mut self.teacher {
            teacher.missed(&spans);
        }
        self.sample.offer(id, spans);
    }

    /// Takes over detectors that have been fitted, begins to fit others, writes down what is learnt, when it is time.
    pub(super) fn tick(&mut self, now: f64) {
        if let Some(outcome) = self.fit.as_mut().and_then(FitUnderWay::finished) {
            self.fit = None;
            match outcome {
                Ok(detector) => {
                    tracing::info!("traces :: detectors fitted, {} traces learnt", self.learnt);
                    self.detector = Some(detector);
                    self.taught = None;
                    self.settled.append(&mut self.settling);
                    self.save(now);
                }
                Err(why) => tracing::error!("traces :: detectors not fitted :: {why}"),
            }
        }
        self.take_taught(now);
        // After a restart there may be none but those of a change that lasts.
        if self.fit.is_none() && self.sample.len() + self.changes.kept() >= ENOUGH as usize {
            self.fit_if_due(now);
        }
        if now - self.saved >= SAVE_EACH {
            self.save(now);
        }
    }

    /// Begins to fit detectors when there are many more traces than the last time, a day has passed, or a change has lasted.
    fn fit_if_due(&mut self, now: f64) {
        let lasting = self.changes.take_lasting(now);
        let is_time = self.learnt >= self.fit_at || now - self.fitted >= FIT_EACH;
        if lasting.is_none() && !(is_time && self.sample.len() >= ENOUGH as usize) {
            return;
        }
        let lasting = lasting.unwrap_or_default();
        self.settling = lasting.kinds;
        let mut traces = self.sample.traces();
        traces.extend(lasting.traces);
        self.fitted = now;
        if let Some(teacher) = self.teacher.as_mut().filter(|_| traces.len() >= ENOUGH_TO_TEACH) {
            teacher.hand_over(traces.clone(), now);
        }
        // What the trainer has fitted learns on; that something lasts cannot wait for the next.
        if self.taught.is_none() || !self.settling.is_empty() {
            self.fitted_on = traces.len();
            self.fit = FitUnderWay::begin(traces);
        }
        self.fit_at = match self.sample.is_full() {
            // From here on once a day, on traces of that day.
            true => u64::MAX,
            false => self.learnt * 2,
        };
        if self.sample.is_full() {
            self.sample.begin_anew();
        }
    }

    /// Takes over what the trainer has fitted, unless detectors have been fitted to newer traces here.
    fn take_taught(&mut self, now: f64) {
        let Some((taught, missed)) = self.teacher.as_ref().and_then(Teacher::taught) else {
            return;
        };
        if self.taught.as_ref() == Some(&taught.version) {
            // Ours are these, and have learnt since; what is kept of them is kept without the network.
            if let (Some(detector), Some(predictor)) = (self.detector.take(), taught.predictor) {
                self.detector = Some(detector.with_predictor(predictor));
            }
            return;
        }
        if taught.at < self.fitted {
            return;
        }
        let mut detector = taught.detector;
        let options = TraceOptions::default();
        self.fitted_on = (detector.baseline().traces() as f64 / (1.0 - options.held_back)) as usize;
        missed.teach(&mut detector);
        tracing::info!(
            "traces :: version {} of the trainer's detectors serves",
            taught.version
        );
        self.detector = Some(detector);
        self.taught = Some(taught.version);
        self.save(now);
    }

    /// Kinds of requests whose change has lasted and is usual now; each once.
    pub(super) fn take_settled(&mut self) -> Vec<String> {
        std::mem::take(&mut self.settled)
    }

    /// Writes down what is learnt.
    pub(super) fn save(&mut self, now: f64) {
        self.saved = now;
        let Some(detector) = &self.detector else { return };
        let kept = ModelToKeep {
            detector,
            learnt: self.learnt,
            fitted: self.fitted,
            fitted_on: self.fitted_on,
            taught: self.taught.as_deref(),
        };
        if let Err(error) = kept.write(&self.path) {
            tracing::error!(
                "what is learnt of traces not written to `{}` :: {error}",
                self.path.display()
            );
        }
    }
}

fn unjudged(why: String) -> WatchedTrace {
    WatchedTrace {
        judgement: TraceJudgement::Unjudged { why },
        kind: None,
        findings: Vec::new(),
    }
}

fn verdict(detector: &TraceDetector, spans: &[TraceSpan]) -> WatchedTrace {
    let (kind, known) = kind_of(detector, spans);
    let Some(kind) = kind.filter(|_| known >= ENOUGH_OF_A_KIND) else {
        return unjudged(format!("a new kind of request, seen {} times", known + 1));
    };
    let verdict = detector.judge(spans);
    let score = verdict.score / detector.threshold();
    let findings = verdict.reasons.iter();
    let findings = findings.filter_map(|reason| Some((reason.span? as usize, reason.text.clone())));
    let findings = findings.collect();
    let judgement = match verdict.alarm {
        false => TraceJudgement::Normal { score },
        true => TraceJudgement::Anomalous {
            score,
            sentences: verdict.reasons.into_iter().map(|reason| reason.text).collect(),
        },
    };
    WatchedTrace {
        judgement,
        kind: Some(kind),
        findings,
    }
}

/// The kind of request a trace is, by the template of its root, and how many of that kind have been learnt. One that failed is
/// of the kind of those that did not.
fn kind_of(detector: &TraceDetector, spans: &[TraceSpan]) -> (Option<String>, u64) {
    let baseline = detector.baseline();
    let tree = baseline.tree(spans);
    let Some(root) = tree.nodes.first().and_then(|node| spans.get(node.span as usize)) else {
        return (None, 0);
    };
    let mut root = root.clone();
    let ways = [false, true].map(|failed| {
        root.failed = failed;
        baseline.templates().find(&root)
    });
    let known = ways.iter().filter(|way| **way != UNKNOWN_TEMPLATE);
    let known_of = known.clone().map(|way| baseline.traces_of(*way)).sum();
    let text = known.clone().next().map(|way| baseline.templates().text(*way));
    (
        text.map(|text| text.trim_end_matches(" (error)").to_owned()),
        known_of,
    )
}

/// A trace as detectors see it: its spans by their places, from 1.
fn spans_of(trace: &AssembledTrace) -> Vec<TraceSpan> {
    let micros = |nanoseconds: u64| i64::try_from(nanoseconds / 1_000).unwrap_or(i64::MAX);
    let spans = trace.spans.iter().zip(1u64..).map(|(linked, id)| TraceSpan {
        id,
        parent: linked.above.map(|above| above as u64 + 1),
        service: linked.span.service.to_string(),
        operation: linked.span.operation.to_string(),
        start_us: micros(linked.span.start),
        duration_us: micros(linked.span.duration),
        failed: linked.span.failed,
    });
    spans.collect()
}

#[cfg(test)]
mod tests;
