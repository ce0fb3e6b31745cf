//! Consensus: several detectors look, and enough of them must agree.
//!
//! The originals count what is *not* said: a point is anomalous if at most n − consensus of the n detectors vote
//! normal. A detector that failed therefore counts towards the anomaly. In earthgecko all failing is not anomalous;
//! in etsy a single error is not, but its median_absolute_deviation, which returns None for no, never counts against.
//! That is parity, and one reason why the ensemble has a successor in the adaptive profile.
//!
//! Detectors are asked cheapest first, and no more of them once too many have voted normal. That cannot change the
//! verdict, only leave the ballot incomplete; the ballot of an anomaly is always complete.

mod ballot;
mod exception;
mod rules;

pub use ballot::{Ballot, BallotMark, MOST_DETECTORS, Verdict};
pub use exception::Exception;
pub use rules::Rules;

use crate::detector::{Comparison, Detector, Vote};
use crate::error::EnsembleError;
use crate::flavour::ClassicFlavour;
use crate::registry;
use crate::window::Window;
use crate::window_stats::{Scratch, WindowStats};

/// Detectors and the rules by which their votes count. Shared between threads; each brings its own [`Scratch`].
pub struct Ensemble {
    rules: Rules,
    detectors: Vec<Box<dyn Detector>>,
    /// Indices of `detectors`, cheapest first.
    by_cost: Vec<usize>,
}

/// One detector's part in a report.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Its name.
    pub detector: String,
    /// Its vote.
    pub vote: Vote,
    /// The two sides of the comparison behind the vote.
    pub comparison: Comparison,
}

impl Ensemble {
    /// The nine tests of Skyline, in the flavour of `rules` and its order.
    #[must_use]
    pub fn classic(rules: Rules) -> Self {
        Self::assemble(rules, registry::nine(rules.flavour))
    }

    /// Any detectors; their order is that of ballots and reports.
    ///
    /// # Errors
    /// [`EnsembleError::TooManyDetectors`] for more than [`MOST_DETECTORS`].
    pub fn with_detectors(rules: Rules, detectors: Vec<Box<dyn Detector>>) -> Result<Self, EnsembleError> {
        if detectors.len() > MOST_DETECTORS {
            return Err(EnsembleError::TooManyDetectors {
                given: detectors.len(),
                most: MOST_DETECTORS,
            });
        }
        Ok(Self::assemble(rules, detectors))
    }

    fn assemble(rules: Rules, detectors: Vec<Box<dyn Detector>>) -> Self {
        let mut by_cost: Vec<usize> = (0..detectors.len()).collect();
        by_cost.sort_by_key(|&index| detectors[index].cost());
        Self {
            rules,
            detectors,
            by_cost,
        }
    }

    /// What it goes by.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The detectors themselves, in the order of ballots and reports.
    #[must_use]
    pub fn detectors(&self) -> &[Box<dyn Detector>] {
        &self.detectors
    }

    /// The detectors' names, in the order of ballots and reports.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.detectors.iter().map(|detector| detector.name())
    }

    /// Whether any detector's vote depends on `now`. If not, a window without new points keeps its verdict (until it
    /// is stale).
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        self.detectors.iter().any(|detector| detector.reads_clock())
    }

    /// Why the window is not worth a look as of `now` (Unix seconds), if so: too short, stale or boring, checked in
    /// this order. O(1) for nearly every window that is not constant.
    #[must_use]
    pub fn exclude(&self, window: Window<'_>, now: f64) -> Option<Exception> {
        let Some((last, _)) = window.last() else {
            return Some(Exception::TooShort);
        };
        if window.len() < self.rules.min_length {
            return Some(Exception::TooShort);
        }
        if now - last > self.rules.stale_period {
            return Some(Exception::Stale);
        }
        let newest = window.newest(self.rules.boredom_window);
        has_distinct(newest, self.rules.boredom_set_size).then_some(Exception::Boring)
    }

    /// The verdict on the window as of `now` (Unix seconds).
    pub fn judge(&self, window: Window<'_>, now: f64, scratch: &mut Scratch) -> Verdict {
        if let Some(exception) = self.exclude(window, now) {
            return Verdict::Excluded(exception);
        }
        let mut stats = WindowStats::new(window, now, self.rules.full_duration, scratch);
        let mut ballot = Ballot::blank(self.detectors.len());
        for &index in &self.by_cost {
            ballot.enter(index, self.detectors[index].vote(&mut stats));
            if self.is_lost(&ballot) {
                return Verdict::Judged {
                    anomalous: false,
                    ballot,
                };
            }
        }
        Verdict::Judged {
            anomalous: self.is_consensus(&ballot),
            ballot,
        }
    }

    /// The votes of all detectors, none skipped and no window excluded.
    pub fn ballot(&self, window: Window<'_>, now: f64, scratch: &mut Scratch) -> Ballot {
        let mut stats = WindowStats::new(window, now, self.rules.full_duration, scratch);
        let mut ballot = Ballot::blank(self.detectors.len());
        for &index in &self.by_cost {
            ballot.enter(index, self.detectors[index].vote(&mut stats));
        }
        ballot
    }

    /// What the votes of a full ballot amount to.
    #[must_use]
    pub fn is_consensus(&self, ballot: &Ballot) -> bool {
        !self.is_lost(ballot) && ballot.failed() < ballot.cast()
    }

    /// Every detector's vote and the comparison behind it, for a report. Allocates, and computes things twice.
    pub fn explain(&self, window: Window<'_>, now: f64, scratch: &mut Scratch) -> Vec<Explained> {
        let mut stats = WindowStats::new(window, now, self.rules.full_duration, scratch);
        let explained = self.detectors.iter().map(|detector| Explained {
            detector: detector.name().to_owned(),
            vote: detector.vote(&mut stats),
            comparison: detector.comparison(&mut stats),
        });
        explained.collect()
    }

    /// Whether no vote still to come can make it an anomaly.
    fn is_lost(&self, ballot: &Ballot) -> bool {
        let error = self.rules.flavour == ClassicFlavour::Etsy && ballot.errors() > 0;
        error || ballot.normal() + self.rules.consensus > self.detectors.len()
    }
}

impl std::fmt::Debug for Ensemble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.names().collect();
        f.debug_struct("Ensemble")
            .field("rules", &self.rules)
            .field("detectors", &names)
            .finish()
    }
}

/// Whether there are exactly `wanted` distinct values. Ends at the first one too many.
fn has_distinct(values: &[f64], wanted: usize) -> bool {
    let mut distinct = 0;
    for (i, value) in values.iter().enumerate() {
        if !values[..i].contains(value) {
            distinct += 1;
            if distinct > wanted {
                return false;
            }
        }
    }
    distinct == wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::VoteFailure;

    struct Fixed(Vote);

    impl Detector for Fixed {
        fn name(&self) -> &str {
            "fixed"
        }
        fn vote(&self, _: &mut WindowStats<'_>) -> Vote {
            self.0
        }
        fn comparison(&self, _: &mut WindowStats<'_>) -> Comparison {
            Comparison {
                measured: 0.0,
                limit: 0.0,
            }
        }
    }

    const NO: Vote = Vote::Normal;
    const YES: Vote = Vote::Anomalous;
    const NONE: Vote = Vote::Failed(VoteFailure::NoAnswer);
    const ERROR: Vote = Vote::Failed(VoteFailure::TooFew);

    fn anomalous(rules: Rules, votes: &[Vote]) -> bool {
        let times: Vec<f64> = (0..200).map(f64::from).collect();
        let detectors = votes
            .iter()
            .map(|&vote| Box::new(Fixed(vote)) as Box<dyn Detector>)
            .collect();
        let ensemble = Ensemble::with_detectors(rules, detectors).expect("few detectors");
        let (window, mut scratch) = (Window::new(&times, &times), Scratch::new());
        let full = ensemble.ballot(window, 200.0, &mut scratch);
        let verdict = ensemble.judge(window, 200.0, &mut scratch);
        assert_eq!(verdict.is_anomalous(), ensemble.is_consensus(&full));
        if let Verdict::Judged {
            anomalous: true,
            ballot,
        } = verdict
        {
            assert_eq!(ballot, full);
        }
        verdict.is_anomalous()
    }

    #[test]
    fn consensus_counts_what_is_not_normal() {
        let (eg, etsy) = (Rules::earthgecko(), Rules::etsy());
        let three_normal = [YES, YES, YES, YES, YES, YES, NO, NO, NO];
        let four_normal = [YES, YES, YES, YES, YES, NO, NO, NO, NO];
        assert!(anomalous(eg, &three_normal) && anomalous(etsy, &three_normal));
        assert!(!anomalous(eg, &four_normal) && !anomalous(etsy, &four_normal));
        let five_and_none = [YES, YES, YES, YES, YES, NONE, NO, NO, NO];
        assert!(anomalous(eg, &five_and_none) && anomalous(etsy, &five_and_none));
        let five_and_error = [YES, YES, YES, YES, YES, ERROR, NO, NO, NO];
        assert!(anomalous(eg, &five_and_error) && !anomalous(etsy, &five_and_error));
        assert!(!anomalous(eg, &[ERROR; 9]) && !anomalous(etsy, &[ERROR; 9]));
        assert!(!anomalous(eg, &[YES; 5]) && anomalous(eg, &[YES; 6]));
    }

    #[test]
    fn exceptions_in_their_order() {
        let ensemble = Ensemble::classic(Rules::earthgecko());
        let times: Vec<f64> = (0..200).map(f64::from).collect();
        let window = |n: usize, values: &'static [f64]| (times[..n].to_vec(), values[..n].to_vec());
        static CONSTANT: [f64; 200] = [4.0; 200];
        let exclude =
            |(times, values): (Vec<f64>, Vec<f64>), now| ensemble.exclude(Window::new(&times, &values), now);
        assert_eq!(exclude(window(0, &CONSTANT), 0.0), Some(Exception::TooShort));
        assert_eq!(exclude(window(99, &CONSTANT), 1e9), Some(Exception::TooShort));
        assert_eq!(
            exclude(window(200, &CONSTANT), 199.0 + 500.5),
            Some(Exception::Stale)
        );
        assert_eq!(
            exclude(window(200, &CONSTANT), 199.0 + 500.0),
            Some(Exception::Boring)
        );
        let mut varied = vec![4.0; 200];
        varied[99] = 5.0;
        assert_eq!(
            exclude((times.clone(), varied.clone()), 200.0),
            Some(Exception::Boring)
        );
        varied[100] = 5.0;
        assert_eq!(exclude((times.clone(), varied), 200.0), None);
    }

    #[test]
    fn boredom_is_equality() {
        assert!(has_distinct(&[1.0, 2.0, 1.0], 2));
        assert!(!has_distinct(&[1.0, 1.0], 2));
        assert!(!has_distinct(&[1.0, 2.0, 3.0], 2));
        assert!(has_distinct(&[0.0, -0.0], 1));
    }

    #[test]
    fn more_detectors_than_bits_are_refused() {
        let detectors = (0..65)
            .map(|_| Box::new(Fixed(NO)) as Box<dyn Detector>)
            .collect();
        assert!(Ensemble::with_detectors(Rules::etsy(), detectors).is_err());
    }
}
