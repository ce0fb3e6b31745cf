//! All detectors of traces together, the network among them, as they are fitted and kept.

use std::sync::Arc;

use super::encoder::EncoderShape;
use super::fitting::{MaskedSpanOptions, MaskedSpanPredictor};
use super::scoring::FittedMaskedSpan;
use crate::learned::{FitReport, LearnedError, Progress, Weights};
use crate::traces::{SpanPredictor, SpanSequence, TraceDetector, TraceError, TraceOptions, TraceSpan};

/// How detectors of traces are to be fitted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnfittedTraces {
    /// Split, threshold and order.
    pub options: TraceOptions,
    /// The network.
    pub network: MaskedSpanOptions,
}

/// Detectors of traces that can judge.
#[derive(Debug)]
pub struct FittedTraces {
    detector: TraceDetector,
    /// None where no kind of request had traces enough.
    network: Option<Arc<FittedMaskedSpan>>,
    /// Of traces that came live: when they were chosen, Unix seconds.
    chosen: Option<f64>,
}

impl UnfittedTraces {
    /// Fits all to normal traces, on the caller's thread. The report is that of the network, if there is one.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] traces, `Diverged`, or `Stopped` when `progress` says so.
    pub fn fit<T: AsRef<[TraceSpan]>>(
        self,
        traces: &[T],
        progress: &mut Progress<'_>,
    ) -> Result<(FittedTraces, Option<FitReport>), LearnedError> {
        let mut network = None;
        let mut failure = None;
        let mut teach = |templates: usize, sequences: &[SpanSequence]| {
            let unfitted = MaskedSpanPredictor::new(templates, self.network.clone());
            match unfitted.fit(sequences, progress) {
                Ok((fitted, report)) => {
                    let fitted = Arc::new(fitted);
                    network = Some((Arc::clone(&fitted), report));
                    Ok(fitted as Arc<dyn SpanPredictor>)
                }
                Err(error) => {
                    let text = error.to_string();
                    failure = Some(error);
                    Err(TraceError::Predictor(text))
                }
            }
        };
        match TraceDetector::fit(traces, self.options, Some(&mut teach)) {
            Ok(detector) => {
                let (network, report) = network.unzip();
                let fitted = FittedTraces {
                    detector,
                    network,
                    chosen: None,
                };
                Ok((fitted, report))
            }
            Err(TraceError::TooFew { given }) => Err(LearnedError::TooFew {
                what: "traces",
                given,
                needed: crate::traces::FEWEST_TRACES,
            }),
            Err(error) => Err(failure.unwrap_or(LearnedError::Compute(error.to_string()))),
        }
    }
}

impl FittedTraces {
    /// What judges.
    #[must_use]
    pub fn detector(&self) -> &TraceDetector {
        &self.detector
    }

    /// What judges, to be taught further.
    #[must_use]
    pub fn into_detector(self) -> TraceDetector {
        self.detector
    }

    /// The network alone, for detectors that it was fitted with and that have learnt since.
    #[must_use]
    pub fn predictor(&self) -> Option<Arc<dyn SpanPredictor>> {
        let network = self.network.as_ref()?;
        Some(Arc::clone(network) as Arc<dyn SpanPredictor>)
    }

    /// When the traces it was fitted to were chosen from those that came, Unix seconds; none for files.
    #[must_use]
    pub fn chosen(&self) -> Option<f64> {
        self.chosen
    }

    /// The same, fitted to traces that were chosen then.
    #[must_use]
    pub fn with_chosen(self, chosen: Option<f64>) -> Self {
        Self { chosen, ..self }
    }

    /// Sizes of the network and how many templates it knows, and its weights; none if there is none.
    ///
    /// # Errors
    /// [`LearnedError::Compute`].
    pub fn network(&self) -> Result<Option<(EncoderShape, usize, Weights)>, LearnedError> {
        let parts =
            |network: &Arc<FittedMaskedSpan>| Ok((network.shape(), network.templates(), network.weights()?));
        self.network.as_ref().map(parts).transpose()
    }

    /// What was kept, put together again; `network` are its sizes and how many templates it knows.
    ///
    /// # Errors
    /// [`LearnedError::Weights`] for those that do not fit, or a network that is missing.
    pub fn from_parts(
        detector: TraceDetector,
        network: Option<(EncoderShape, usize)>,
        weights: &Weights,
    ) -> Result<Self, LearnedError> {
        let Some((shape, templates)) = network else {
            return if detector.needs_predictor() {
                Err(LearnedError::Weights {
                    name: "network".to_owned(),
                    why: "is missing".to_owned(),
                })
            } else {
                Ok(Self {
                    detector,
                    network: None,
                    chosen: None,
                })
            };
        };
        let network = Arc::new(FittedMaskedSpan::from_weights(shape, templates, weights)?);
        let detector = detector.with_predictor(Arc::clone(&network) as Arc<dyn SpanPredictor>);
        Ok(Self {
            detector,
            network: Some(network),
            chosen: None,
        })
    }
}
