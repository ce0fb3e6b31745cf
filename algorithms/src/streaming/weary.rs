//! A limit that is passed again and again was set too low: each episode raises it by a share, which is forgotten within
//! some days.

use super::pack::{Pack, packed};

/// Share by which an episode raises the limit.
const SHARE: f32 = 0.1;
/// Episodes that change nothing yet.
const ENOUGH: f32 = 10.0;
/// Points under the limit that end an episode.
const PAUSE: u8 = 30;
/// Share forgotten in a day.
const FORGET: f32 = 0.1;

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Weary {
    /// Episodes, those of a day forgotten by a tenth each day.
    episodes: f32,
    /// Points until the next one over the limit is a new episode.
    pause: u8,
}

packed!(Weary { episodes, pause });

impl Weary {
    /// By how much the limit is raised, at least 1.
    pub(super) fn factor(&self) -> f32 {
        1.0 + SHARE * (self.episodes - ENOUGH).max(0.0)
    }

    /// Learns whether a point was over the limit. `day`: points a day.
    pub(super) fn learn(&mut self, is_over: bool, day: f32) {
        self.episodes *= 1.0 - FORGET / day;
        if is_over {
            if self.pause == 0 {
                self.episodes += 1.0;
            }
            self.pause = PAUSE;
        } else {
            self.pause = self.pause.saturating_sub(1);
        }
    }
}
