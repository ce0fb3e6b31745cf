//! The votes cast about one window, in a few words of memory, and what they amount to.

use super::Exception;
use crate::detector::Vote;

/// The most detectors a ballot has room for.
pub const MOST_DETECTORS: usize = 64;

/// What a ballot says of one detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BallotMark {
    /// It was not asked: the verdict was certain without it.
    NotCast,
    /// It voted anomalous.
    Anomalous,
    /// It voted normal.
    Normal,
    /// It had no answer.
    Failed,
}

/// The votes about one window, a bit each, in the order of the ensemble's detectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ballot {
    detectors: u8,
    cast: u64,
    anomalous: u64,
    failed: u64,
    errors: u64,
}

impl Ballot {
    /// No vote cast yet, by at most [`MOST_DETECTORS`] detectors.
    pub(super) fn blank(detectors: usize) -> Self {
        Self {
            detectors: detectors.min(MOST_DETECTORS) as u8,
            ..Self::default()
        }
    }

    /// Enters the vote of detector `index`.
    pub(super) fn enter(&mut self, index: usize, vote: Vote) {
        let bit = 1 << index;
        self.cast |= bit;
        match vote {
            Vote::Normal => {}
            Vote::Anomalous => self.anomalous |= bit,
            Vote::Failed(failure) => {
                self.failed |= bit;
                if failure.is_error() {
                    self.errors |= bit;
                }
            }
        }
    }

    /// How many detectors the ensemble has.
    #[must_use]
    pub fn detectors(&self) -> usize {
        usize::from(self.detectors)
    }

    /// What detector `index` said.
    #[must_use]
    pub fn mark(&self, index: usize) -> BallotMark {
        let bit = 1u64
            .checked_shl(index.try_into().unwrap_or(u32::MAX))
            .unwrap_or(0);
        if self.cast & bit == 0 {
            BallotMark::NotCast
        } else if self.anomalous & bit != 0 {
            BallotMark::Anomalous
        } else if self.failed & bit != 0 {
            BallotMark::Failed
        } else {
            BallotMark::Normal
        }
    }

    /// What every detector said, in their order.
    pub fn marks(&self) -> impl Iterator<Item = BallotMark> + use<> {
        let ballot = *self;
        (0..self.detectors()).map(move |index| ballot.mark(index))
    }

    /// How many were asked.
    #[must_use]
    pub fn cast(&self) -> usize {
        self.cast.count_ones() as usize
    }

    /// How many voted anomalous.
    #[must_use]
    pub fn anomalous(&self) -> usize {
        self.anomalous.count_ones() as usize
    }

    /// How many had no answer.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed.count_ones() as usize
    }

    /// How many voted normal.
    #[must_use]
    pub fn normal(&self) -> usize {
        (self.cast & !self.anomalous & !self.failed).count_ones() as usize
    }

    /// How many failed with an error, rather than just having no answer.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors.count_ones() as usize
    }

    /// Whether every detector was asked.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.cast() == self.detectors()
    }
}

/// The ensemble's answer about one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The window was not judged, and why.
    Excluded(Exception),
    /// The detectors were asked, until the answer was certain.
    Judged {
        /// Whether enough of them agreed.
        anomalous: bool,
        /// What they said. Full if anomalous.
        ballot: Ballot,
    },
}

impl Verdict {
    /// Whether the window was judged anomalous.
    #[must_use]
    pub fn is_anomalous(&self) -> bool {
        matches!(self, Self::Judged { anomalous: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::VoteFailure;

    #[test]
    fn marks_come_back_as_entered() {
        let mut ballot = Ballot::blank(5);
        ballot.enter(0, Vote::Normal);
        ballot.enter(1, Vote::Anomalous);
        ballot.enter(2, Vote::Failed(VoteFailure::NoAnswer));
        ballot.enter(4, Vote::Failed(VoteFailure::Empty));
        let marks: Vec<BallotMark> = ballot.marks().collect();
        assert_eq!(
            marks,
            [
                BallotMark::Normal,
                BallotMark::Anomalous,
                BallotMark::Failed,
                BallotMark::NotCast,
                BallotMark::Failed
            ]
        );
        assert_eq!((ballot.cast(), ballot.anomalous(), ballot.normal()), (4, 1, 1));
        assert_eq!(
            (ballot.failed(), ballot.errors(), ballot.is_full()),
            (2, 1, false)
        );
        assert_eq!(ballot.mark(usize::MAX), BallotMark::NotCast);
    }
}
