//! The verdict on a trace: all detectors, calibrated together.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::baseline::{BASELINE_DETECTORS, TraceBaseline};
use super::calibration::Calibration;
use super::call_tree::{CallTree, SiblingOrder};
use super::explanation::{Explainer, TraceReason};
use super::structure::{CallPlace, END, Worst};
use super::{MalformedSpans, Misfit, NO_NODE, SpanPredictor, SpanSequence, TemplateId, TraceSpan};
use crate::random::Random;

/// Traces that are needed at least to tell what is normal.
pub const FEWEST_TRACES: usize = 40;
/// A detector whose surprise is below this (1 in 100 normal traces) is not named as a reason of an alarm, unless none is above.
const NAMED_FROM: f64 = 4.6;

/// The learned detector's name.
const PREDICTOR: &str = "masked_span";
/// Traces of a kind of request from which on a network is fitted to them; fewer are left to counting.
const FEWEST_OF_REQUEST: u64 = 200;
/// Shapes of traces whose worst place is remembered: most traces have one of a few hundred shapes, and a network
/// is asked about each once.
const REMEMBERED: usize = 16_384;

/// How the detectors are fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceOptions {
    /// Share of the normal traces that is held back for calibration and threshold.
    pub held_back: f64,
    /// Share of normal traces that may be called anomalous.
    pub false_alarms: f64,
    /// How siblings are ordered.
    pub order: SiblingOrder,
    /// What the split follows from.
    pub seed: u64,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            held_back: 0.25,
            false_alarms: 0.015,
            order: SiblingOrder::Canonical,
            seed: 42,
        }
    }
}

/// Why detectors could not be fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Too few traces.
    #[error("{given} traces, at least {FEWEST_TRACES} are needed to tell what is normal")]
    TooFew {
        /// How many there were.
        given: usize,
    },
    /// The learned predictor could not be fitted.
    #[error("{0}")]
    Predictor(String),
}

/// What one detector makes of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TraceScore {
    /// Its name.
    pub detector: &'static str,
    /// −ln of the share of normal traces that are at least as bad to it.
    pub surprise: f64,
}

/// What all detectors make of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceVerdict {
    /// −ln of the share of normal traces that are at least as bad.
    pub score: f64,
    /// Whether that share is below what may be called anomalous.
    pub alarm: bool,
    /// Each detector's part.
    pub detectors: Vec<TraceScore>,
    /// What is wrong, worst first; empty unless there is an alarm.
    pub reasons: Vec<TraceReason>,
    /// What was wrong with its form.
    pub malformed: MalformedSpans,
}

/// Fitted detectors with what makes their scores comparable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TraceDetector {
    baseline: TraceBaseline,
    calibration: Calibration,
    options: TraceOptions,
    /// Kinds of requests that the predictor was fitted to.
    taught: BTreeSet<TemplateId>,
    #[serde(skip)]
    predictor: Option<Predictor>,
}

/// A predictor with its latest answers by the shape of traces.
#[derive(Debug, Clone)]
struct Predictor {
    model: Arc<dyn SpanPredictor>,
    /// Held for the moment of a look or a note, never while the model works.
    answers: Arc<Mutex<HashMap<u64, Arc<Misfit>>>>,
}

impl Predictor {
    fn new(model: Arc<dyn SpanPredictor>) -> Self {
        Self {
            model,
            answers: Arc::default(),
        }
    }

    fn worst(&self, tree: &CallTree) -> Option<Arc<Misfit>> {
        let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers().get(&tree.shape) {
            return Some(Arc::clone(known));
        }
        let found = Arc::new(self.model.worst(&SpanSequence::from(tree))?);
        let mut answers = answers();
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(tree.shape, Arc::clone(&found));
        Some(found)
    }
}

/// Fits a predictor: given how many templates there are and the sequences of normal traces.
pub type FitPredictor<'f> =
    dyn FnMut(usize, &[SpanSequence]) -> Result<Arc<dyn SpanPredictor>, TraceError> + 'f;

/// A trace with what every detector makes of it.
struct Judged {
    tree: CallTree,
    worst: [Worst; 6],
    misfit: Option<Arc<Misfit>>,
}

impl Judged {
    /// Scores in the order of the names; NaN where the predictor did not judge.
    fn scores(&self, predicts: bool) -> Vec<f64> {
        let mut scores: Vec<f64> = self.worst.iter().map(|worst| worst.score).collect();
        if predicts {
            scores.push(self.misfit.as_ref().map_or(f64::NAN, |misfit| misfit.surprise));
        }
        scores
    }
}

impl TraceDetector {
    /// Fits the counting detectors to normal traces, and with `fit` a predictor too, if there is a kind of request with enough
    /// traces; the seed decides which are held back.
    ///
    /// # Errors
    /// [`TraceError::TooFew`], or what `fit` says.
    pub fn fit<T: AsRef<[TraceSpan]>>(
        traces: &[T],
        options: TraceOptions,
        fit: Option<&mut FitPredictor<'_>>,
    ) -> Result<Self, TraceError> {
        if traces.len() < FEWEST_TRACES {
            return Err(TraceError::TooFew { given: traces.len() });
        }
        let mut order: Vec<usize> = (0..traces.len()).collect();
        Random::new(options.seed).shuffle(&mut order);
        let back = (traces.len() as f64 * options.held_back.clamp(0.05, 0.5)) as usize;
        let (held, learnt) = order.split_at(back);
        let mut baseline = TraceBaseline::new(options.order);
        baseline.fit(learnt.iter().map(|trace| traces[*trace].as_ref()));
        let mut detector = Self {
            baseline,
            calibration: Calibration::fit(&[]),
            options,
            taught: BTreeSet::new(),
            predictor: None,
        };
        if let Some(fit) = fit {
            detector.teach(learnt.iter().map(|trace| traces[*trace].as_ref()), fit)?;
        }
        let predicts = detector.predictor.is_some();
        let scores = |trace: &usize| detector.look(traces[*trace].as_ref()).scores(predicts);
        let rows: Vec<_> = held.iter().map(scores).collect();
        detector.calibration = Calibration::fit(&rows);
        Ok(detector)
    }

    /// Fits a predictor to the kinds of requests that have traces enough.
    fn teach<'t>(
        &mut self,
        traces: impl Iterator<Item = &'t [TraceSpan]>,
        fit: &mut FitPredictor<'_>,
    ) -> Result<(), TraceError> {
        let trees = traces.map(|spans| self.baseline.tree(spans));
        let enough = |tree: &CallTree| self.baseline.traces_of(tree.request()) >= FEWEST_OF_REQUEST;
        let trees: Vec<CallTree> = trees.filter(enough).collect();
        if !trees.is_empty() {
            self.taught = trees.iter().map(CallTree::request).collect();
            let sequences: Vec<_> = trees.iter().map(SpanSequence::from).collect();
            let model = fit(self.baseline.templates().len(), &sequences)?;
            self.predictor = Some(Predictor::new(model));
        }
        Ok(())
    }

    /// The same with the predictor it was fitted with, after it was kept without.
    #[must_use]
    pub fn with_predictor(self, model: Arc<dyn SpanPredictor>) -> Self {
        Self {
            predictor: Some(Predictor::new(model)),
            ..self
        }
    }

    /// Whether it was fitted with a predictor.
    #[must_use]
    pub fn needs_predictor(&self) -> bool {
        !self.taught.is_empty()
    }

    /// The names of the detectors, in the order of a verdict's.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let predictor = self.needs_predictor().then_some(PREDICTOR);
        BASELINE_DETECTORS.into_iter().chain(predictor).collect()
    }

    /// What counting knows.
    #[must_use]
    pub fn baseline(&self) -> &TraceBaseline {
        &self.baseline
    }

    /// The score above which there is an alarm.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.calibration.threshold(self.options.false_alarms)
    }

    /// The surprise above which one detector alone would give alarm as often.
    #[must_use]
    pub fn detector_threshold(&self) -> f64 {
        -self.options.false_alarms.ln()
    }

    /// Learns a trace that was judged, whatever was made of it: what is new becomes usual in bounded time.
    pub fn learn(&mut self, spans: &[TraceSpan]) {
        self.baseline.learn(spans);
    }

    /// Counts the templates of a trace that is not to be learnt, so that what is new in it is said to be that, with how often.
    pub fn count_templates(&mut self, spans: &[TraceSpan]) {
        self.baseline.learn_templates(spans);
    }

    /// Templates of a trace that are new, with how often they were seen.
    #[must_use]
    pub fn new_templates(&self, spans: &[TraceSpan]) -> Vec<(String, u64)> {
        self.baseline.new_templates(&self.baseline.tree(spans), spans)
    }

    /// Judges a trace. Changes nothing; any number of threads may ask.
    #[must_use]
    pub fn judge(&self, spans: &[TraceSpan]) -> TraceVerdict {
        let judged = self.look(spans);
        let scores = judged.scores(self.needs_predictor());
        let surprises = self.calibration.surprises(&scores);
        let score = self.calibration.joint(&surprises);
        let alarm = score > self.threshold();
        let parts = self.names().into_iter().zip(&surprises);
        TraceVerdict {
            score,
            alarm,
            detectors: parts
                .map(|(detector, &surprise)| TraceScore { detector, surprise })
                .collect(),
            reasons: if alarm {
                self.reasons(spans, &judged, &surprises)
            } else {
                Vec::new()
            },
            malformed: judged.tree.malformed,
        }
    }

    fn look(&self, spans: &[TraceSpan]) -> Judged {
        let tree = self.baseline.tree(spans);
        let predictor = self.predictor.as_ref();
        let predictor = predictor.filter(|_| self.taught.contains(&tree.request()));
        Judged {
            worst: self.baseline.judge(&tree),
            misfit: predictor.and_then(|predictor| predictor.worst(&tree)),
            tree,
        }
    }

    fn reasons(&self, spans: &[TraceSpan], judged: &Judged, surprises: &[f64]) -> Vec<TraceReason> {
        let tree = &judged.tree;
        let explainer = Explainer {
            baseline: &self.baseline,
            tree,
            spans,
        };
        let most = surprises.iter().copied().fold(0.0, f64::max);
        let misfit = judged.misfit.as_ref();
        let places = judged.worst.iter().map(|worst| worst.place);
        let places = places.chain(misfit.map(|misfit| place_of(misfit, tree)));
        let parts = self.names().into_iter().zip(places).zip(surprises);
        let mut reasons: Vec<TraceReason> = parts
            .filter(|(_, surprise)| **surprise >= NAMED_FROM.min(most))
            .map(|((detector, place), &surprise)| TraceReason {
                detector,
                surprise,
                span: explainer.span(place),
                text: match detector {
                    "repeats" => explainer.repeats(place),
                    "span_latency" => explainer.latency(place, false),
                    "service_latency" => explainer.latency(place, true),
                    "trace_latency" => explainer.whole(),
                    PREDICTOR => explainer.structure(place, misfit.map(|misfit| expected(misfit))),
                    _ => explainer.structure(place, None),
                },
            })
            .collect();
        // That the trace as a whole took long says least: what can be pinned to a span goes before it.
        let is_whole = |reason: &TraceReason| reason.detector == "trace_latency";
        reasons.sort_by(|one, other| {
            is_whole(one)
                .cmp(&is_whole(other))
                .then_with(|| other.surprise.total_cmp(&one.surprise))
        });
        reasons
    }
}

/// Where in the tree a place of the sequence is: what stands before it is its elder sibling, before the end the last span.
fn place_of(misfit: &Misfit, tree: &CallTree) -> CallPlace {
    let last = (tree.nodes.len() as u32).checked_sub(1).unwrap_or(NO_NODE);
    let Some((number, node)) = misfit
        .span
        .and_then(|number| Some((number, tree.nodes.get(number as usize)?)))
    else {
        return CallPlace::Call {
            parent: NO_NODE,
            before: last,
            node: NO_NODE,
        };
    };
    let siblings = tree.calls_of(node.parent).map(|(sibling, _)| sibling);
    let elder = siblings.take_while(|sibling| *sibling != number).last();
    CallPlace::Call {
        parent: node.parent,
        before: elder.unwrap_or(NO_NODE),
        node: number,
    }
}

fn expected(misfit: &Misfit) -> Vec<(TemplateId, f64)> {
    let named = misfit.expected.iter();
    named
        .map(|(template, share)| (template.unwrap_or(END), *share))
        .collect()
}
