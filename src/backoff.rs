//! Pauses between tries of what does not answer: each twice as long as the one before, up to a longest one.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The pauses of one thing that is tried again and again.
#[derive(Debug)]
pub(crate) struct Backoff {
    all: ExponentialBuilder,
    left: ExponentialBackoff,
}

impl Backoff {
    /// Pauses of `first`, twice `first` and so on, `longest` at most. `first` is not above `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let all = ExponentialBuilder::new()
            .with_factor(2.0)
            .with_min_delay(first)
            .with_max_delay(longest)
            .without_max_times();
        Self {
            left: all.build(),
            all,
        }
    }

    /// Makes each pause longer by a random share of itself, so that many who wait for one server do not come back together.
    pub(crate) fn with_jitter(mut self) -> Self {
        self.all = self.all.with_jitter();
        self.reset();
        self
    }

    /// The pause before the next try.
    pub(crate) fn pause(&mut self) -> Duration {
        self.left
            .next()
            .expect("without a most number of times there is always another pause")
    }

    /// Begins again with the first pause: the last try went well.
    pub(crate) fn reset(&mut self) {
        self.left = self.all.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(10), seconds(35));
        let pauses: Vec<Duration> = (0..4).map(|_| backoff.pause()).collect();
        assert_eq!(pauses, [10, 20, 35, 35].map(seconds));
        backoff.reset();
        assert_eq!(backoff.pause(), seconds(10));
        let pause = Backoff::new(seconds(10), seconds(35)).with_jitter().pause();
        assert!((seconds(10)..=seconds(20)).contains(&pause), "{pause:?}");
    }
}
