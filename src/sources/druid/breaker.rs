//! Leaves a server alone that has not answered several times in a row (the circuit breaker of Nygard, Release It!, 2007):
//! closed, then open for a pause, then half open, when one question tries whether it is back and the others are still refused.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sources::SourceError;

/// The memory of one server.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    most: usize,
    pause: Duration,
    /// Held for the moment of a look or a change, never while a question is asked.
    state: Mutex<BreakerState>,
}

#[derive(Debug, Default)]
struct BreakerState {
    /// In a row.
    failures: usize,
    /// Until when nothing is asked.
    open_until: Option<Instant>,
}

impl CircuitBreaker {
    /// Opens after `most` failures in a row, for `pause`.
    pub(super) fn new(most: usize, pause: Duration) -> Self {
        Self {
            most,
            pause,
            state: Mutex::default(),
        }
    }

    /// Whether a question may be asked now. `place` is the server's name for people.
    pub(super) fn admit(&self, place: &str) -> Result<(), SourceError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match state.open_until {
            Some(until) if now < until => Err(SourceError::LeftAlone {
                place: place.to_owned(),
                failures: state.failures,
                seconds: (until - now).as_secs_f64(),
            }),
            Some(_) => {
                // This one tries; the others wait for what comes of it, as long again at most.
                state.open_until = Some(now + self.pause);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A question was answered, whatever the answer.
    pub(super) fn answered(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = BreakerState::default();
    }

    /// A question was not answered.
    pub(super) fn failed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures += 1;
        if state.failures >= self.most {
            state.open_until = Some(Instant::now() + self.pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_lets_one_try_and_closes() {
        let breaker = CircuitBreaker::new(2, Duration::from_millis(30));
        breaker.failed();
        assert!(breaker.admit("d").is_ok(), "one failure is none");
        breaker.failed();
        let refused = breaker.admit("d");
        assert!(
            matches!(refused, Err(SourceError::LeftAlone { failures: 2, .. })),
            "{refused:?}"
        );
        std::thread::sleep(Duration::from_millis(40));
        assert!(breaker.admit("d").is_ok(), "one may try");
        assert!(breaker.admit("d").is_err(), "while it does, no other");
        breaker.answered();
        assert!(breaker.admit("d").is_ok() && breaker.admit("d").is_ok());
        breaker.failed();
        assert!(breaker.admit("d").is_ok(), "it counts anew");
    }
}
