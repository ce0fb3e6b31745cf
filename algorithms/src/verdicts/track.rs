//! The state of a subject over time: which assessments are taken over, and when.
//!
//! What is worse counts at once, and so does what is better, until a subject goes back and forth: after
//! [`Damping::changes`] changes within [`Damping::window`] something better must last for [`Damping::calm`] before it counts.
//! So a recovery is seen at once, and a subject that flaps stays in its worse state instead of telling everybody each time.

use super::{HealthState, SECOND};

/// When a subject is taken to be flapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damping {
    /// So many changes, at most [`REMEMBERED`], …
    pub changes: usize,
    /// … within so many nanoseconds make it flap.
    pub window: i64,
    /// What is better must then last for so many nanoseconds.
    pub calm: i64,
}

impl Default for Damping {
    /// Two outages in five minutes are told as they come; from the third on it is flapping.
    fn default() -> Self {
        Self {
            changes: 4,
            window: 300 * SECOND,
            calm: 60 * SECOND,
        }
    }
}

/// Times of changes that are remembered.
pub const REMEMBERED: usize = 8;

/// A change of a subject's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What it was.
    pub from: HealthState,
    /// What it is.
    pub to: HealthState,
    /// When, in Unix nanoseconds.
    pub at: i64,
    /// Whether the subject flaps.
    pub flapping: bool,
}

/// The state of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    state: HealthState,
    since: i64,
    /// When the last changes were, oldest first; `i64::MIN` for none.
    changed: [i64; REMEMBERED],
    /// Since when assessments are better than the state.
    better_since: Option<i64>,
}

impl Track {
    /// Of a subject first assessed at `now`.
    #[must_use]
    pub fn new(state: HealthState, now: i64) -> Self {
        Self {
            state,
            since: now,
            changed: [i64::MIN; REMEMBERED],
            better_since: None,
        }
    }

    /// The same after changes that were noted before a restart, which are handed over in their order.
    #[must_use]
    pub fn after(mut self, noted: &Transition) -> Self {
        self.turn(noted.to, noted.at);
        self
    }

    /// What it is.
    #[must_use]
    pub fn state(&self) -> HealthState {
        self.state
    }

    /// Since when, in Unix nanoseconds.
    #[must_use]
    pub fn since(&self) -> i64 {
        self.since
    }

    /// When a better state that is being waited for will count, if it lasts. Unix nanoseconds.
    #[must_use]
    pub fn due(&self, damping: &Damping) -> Option<i64> {
        self.better_since.map(|since| since.saturating_add(damping.calm))
    }

    /// Whether the subject goes back and forth at `now`.
    #[must_use]
    pub fn is_flapping(&self, damping: &Damping, now: i64) -> bool {
        let oldest = REMEMBERED.saturating_sub(damping.changes.clamp(1, REMEMBERED));
        self.changed[oldest] > now.saturating_sub(damping.window)
    }

    /// Takes what was assessed at `now`, and says whether that changes the state.
    pub fn step(&mut self, assessed: HealthState, damping: &Damping, now: i64) -> Option<Transition> {
        if assessed == self.state {
            self.better_since = None;
            return None;
        }
        let flapping = self.is_flapping(damping, now);
        if assessed < self.state && flapping {
            let since = *self.better_since.get_or_insert(now);
            if now.saturating_sub(since) < damping.calm {
                return None;
            }
        }
        let transition = Transition {
            from: self.state,
            to: assessed,
            at: now,
            flapping,
        };
        self.turn(assessed, now);
        Some(transition)
    }

    fn turn(&mut self, state: HealthState, now: i64) {
        self.state = state;
        self.since = now;
        self.better_since = None;
        self.changed.rotate_left(1);
        self.changed[REMEMBERED - 1] = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAMPING: Damping = Damping {
        changes: 4,
        window: 300 * SECOND,
        calm: 60 * SECOND,
    };

    #[test]
    fn a_recovery_counts_at_once_until_it_flaps() {
        let mut track = Track::new(HealthState::Healthy, 0);
        let mut told = Vec::new();
        // Failing and well again, by turns, each 10 seconds.
        for turn in 1..=12 {
            let state = [HealthState::Healthy, HealthState::Gray][turn % 2];
            if let Some(change) = track.step(state, &DAMPING, turn as i64 * 10 * SECOND) {
                told.push((turn, change.to, change.flapping));
            }
        }
        let (healthy, gray) = (HealthState::Healthy, HealthState::Gray);
        assert_eq!(
            told,
            [
                (1, gray, false),
                (2, healthy, false),
                (3, gray, false),
                (4, healthy, false),
                (5, gray, true)
            ]
        );
        assert_eq!(track.due(&DAMPING), Some(180 * SECOND));
        // Well for good: it counts once it has lasted.
        assert_eq!(track.step(healthy, &DAMPING, 179 * SECOND), None);
        let over = track.step(healthy, &DAMPING, 180 * SECOND).expect("a change");
        assert_eq!((over.from, over.to, over.flapping), (gray, healthy, true));
        assert_eq!((track.state(), track.since()), (healthy, 180 * SECOND));
        assert!(!track.is_flapping(&DAMPING, 1_000 * SECOND));
    }

    #[test]
    fn worse_counts_at_once_even_when_it_flaps() {
        let mut track = Track::new(HealthState::Unknown, 0);
        for (second, state) in [
            HealthState::Healthy,
            HealthState::Gray,
            HealthState::Healthy,
            HealthState::Gray,
        ]
        .iter()
        .enumerate()
        {
            track.step(*state, &DAMPING, second as i64 * SECOND);
        }
        assert!(track.is_flapping(&DAMPING, 4 * SECOND));
        let change = track
            .step(HealthState::Unhealthy, &DAMPING, 4 * SECOND)
            .expect("a change");
        assert_eq!((change.to, change.flapping), (HealthState::Unhealthy, true));
    }
}
