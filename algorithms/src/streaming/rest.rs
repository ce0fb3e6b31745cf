//! The rest after an alarm: a score speaks only if it beats everything within the rest before it.
//!
//! Not part of any detector: a detector's score stays up while the deviation lasts, and the stage that opens incidents
//! decides how often one may speak. O(1) amortised; holds only scores that a later one can still be measured against.

use std::collections::VecDeque;

/// One metric's rest.
#[derive(Debug, Clone)]
pub struct Rest {
    /// Seconds; 0 lets everything through.
    length: f64,
    /// Scores within the rest, falling, with their times.
    falling: VecDeque<(f64, f32)>,
}

impl Rest {
    /// A rest of `length` seconds. 0: every score passes as it is.
    #[must_use]
    pub fn new(length: f64) -> Self {
        Self {
            length,
            falling: VecDeque::new(),
        }
    }

    /// The score as the stage that opens incidents hears it: itself, or 0 if one within the rest before was as high.
    /// `time`: Unix seconds, not before the last.
    pub fn hear(&mut self, time: f64, score: f32) -> f32 {
        if self.length <= 0.0 {
            return score;
        }
        while self
            .falling
            .front()
            .is_some_and(|&(at, _)| at <= time - self.length)
        {
            self.falling.pop_front();
        }
        let highest = self.falling.front().map_or(0.0, |&(_, score)| score);
        while self.falling.back().is_some_and(|&(_, earlier)| earlier <= score) {
            self.falling.pop_back();
        }
        self.falling.push_back((time, score));
        if score > highest { score } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_beats_the_rest_before_it_speaks() {
        let mut rest = Rest::new(10.0);
        let heard: Vec<f32> = [
            (0.0, 1.0),
            (1.0, 3.0),
            (2.0, 2.0),
            (3.0, 3.0),
            (4.0, 4.0),
            (13.0, 1.0),
            (14.0, 1.0),
            (15.0, 1.5),
        ]
        .into_iter()
        .map(|(time, score)| rest.hear(time, score))
        .collect();
        assert_eq!(heard, [1.0, 3.0, 0.0, 0.0, 4.0, 0.0, 0.0, 1.5]);
    }
}
