//! How series are judged.

use std::time::Duration;

use crate::check::Check;
use crate::choice::choice;
use crate::section::{MILLISECOND, SECOND, Section};

/// Which detectors judge a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Skyline's nine tests, vote by vote.
    Skyline,
    /// Detectors that learn each metric; the nine tests serve until they have.
    #[default]
    Adaptive,
}
choice!(Profile { "skyline" => Skyline, "adaptive" => Adaptive });

/// Whose variants of the nine tests are used where the two Skylines differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Flavour {
    /// earthgecko/skyline, maintained to this day.
    #[default]
    Earthgecko,
    /// etsy/skyline, the first one.
    Etsy,
}
choice!(Flavour { "earthgecko" => Earthgecko, "etsy" => Etsy });

options! {
    /// How series are judged, and how often.
    pub Analyzer {
        /// Whether `skywatch run` starts the analyzer child.
        enabled: bool = true,
        /// Which detectors judge a series.
        profile: Profile = Profile::Adaptive,
        /// Whose variants of the nine tests are used.
        flavour: Flavour = Flavour::Earthgecko,
        /// Worker threads; 0 is one a core.
        workers: usize = 0 => ..=1_024,
        /// From the start of one pass to the start of the next.
        optimum_run_duration: Duration = Duration::from_secs(60) => MILLISECOND..,
        /// A pass that takes longer is ended; what it did not reach is counted and named.
        pass_deadline: Duration = Duration::from_secs(180) => MILLISECOND..,
        /// A metric whose last point is older is Stale.
        stale_period: Duration = Duration::from_secs(500) => SECOND..,
        /// A metric with fewer points is TooShort; 0 is the flavour's own, see [`Analyzer::min_length`].
        min_tolerable_length: usize = 0,
        /// How many of the last points are looked at for Boring.
        max_tolerable_boredom: usize = 100 => 1..,
        /// A metric with exactly so many distinct values among them is Boring.
        boredom_set_size: usize = 1 => 1..,
        /// How many of the nine tests must agree.
        consensus: usize = 6 => 1..=9,
        /// The metric whose history is reported as `duration`; `None` takes the longest window of the pass.
        canary_metric: Option<String> = None,
        /// The key in the store that says the analyzer is alive.
        up_key: String = "skywatch.analyzer".to_owned(),
        /// Whether counters that never fall are judged by their rate (flavour earthgecko only).
        counters_as_rates: bool = true,
        /// Whether windows, or what the adaptive profile needs of them, stay in memory between passes, so that only new points
        /// are fetched.
        cache: bool = true,
        /// Most bytes of windows kept in memory; 0 is no limit. What has no room is read whole on every pass.
        cache_bytes: usize = 0,
    }
}

impl Analyzer {
    /// The shortest series that is judged, in points: `min_tolerable_length`, or what the flavour's original asks for.
    pub fn min_length(&self) -> usize {
        match (self.min_tolerable_length, self.flavour) {
            (0, Flavour::Earthgecko) => 100,
            (0, Flavour::Etsy) => 1,
            (length, _) => length,
        }
    }
}

impl Section for Analyzer {
    fn check(&self, check: &mut Check<'_>) {
        check.require(
            !self.up_key.is_empty() && !self.up_key.contains(char::is_whitespace),
            "up_key",
            &self.up_key,
            "expected text without spaces, such as `\"skywatch.analyzer\"`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_length_is_the_flavours_own() {
        let mut analyzer = Analyzer::default();
        assert_eq!(analyzer.min_length(), 100);
        analyzer.flavour = Flavour::Etsy;
        assert_eq!(analyzer.min_length(), 1);
        analyzer.min_tolerable_length = 7;
        assert_eq!(analyzer.min_length(), 7);
    }
}
