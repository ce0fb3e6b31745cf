//! From which error on a point is anomalous.
//!
//! One number for all metrics, raised only by repeated, specific evidence, and lowered where tails are light to what the
//! metric's own peaks say. Errors are in scales: mean errors of a day.

use super::pack::{Pack, packed};
use super::peaks::Peaks;

/// The limit of one error, in mean errors. On 99 real service metrics the best limits of nine designs lay between 13.9
/// and 17.7.
pub(super) const LIMIT: f32 = 17.5;
/// The usual peak of a time of day, in scales, from which on it raises the limit, and by which power: what recurs does not
/// recur at the same size.
pub(super) const SLOT: f32 = 8.0;
const SLOT_POWER: f32 = 1.15;
/// The same for light tails, as a multiple of the metric's usual peak.
const LIGHT_SLOT: f32 = 1.25;
/// The least limits of an error and of a sum where tails are light, in mean errors: 7.3 and 6.2 sigma of normal noise.
const LEAST_ERROR: f32 = 9.25;
const LEAST_SUM: f32 = 7.75;
/// Where large errors recur at a time of day, their sums recur too, and are larger still: errors count in sums as at most
/// `1 / (1 + EDGE)` of themselves, once the slot raises the light limit by this share.
const EDGE: f32 = 2.0;
const EDGE_FULL: f32 = 0.6;
/// A limit is a number of false alarms a day. Fewer points a day can afford lower limits, by this power of the step.
const SLOW_POWER: f64 = 0.25;
/// Seconds between two points from which on a metric is slow.
const SLOW: f64 = 60.0;
/// What nearly an alarm ranks as, by the minute, and by which power of the step less: the limits are lower there, and more
/// comes near them.
const NEARLY: f32 = 0.2;
const NEARLY_POWER: f64 = 0.75;
/// On a metric's first day everything happens for the first time: limits are higher by so many of themselves …
const FIRST_DAY: f64 = 3.5;
/// … falling to none between these two, seconds: the day is nearly known.
const NEARLY_A_DAY: [f64; 2] = [0.85 * 86_400.0, 0.95 * 86_400.0];
/// … and after it by as many, falling by e in so many seconds: weekends and clean-ups are still to come.
const FIRST_WEEK: f64 = 1.0;
const FIRST_WEEK_FADES: f64 = 3.0 * 86_400.0;
/// Seconds.
pub(super) const WEEK: f64 = 7.0 * 86_400.0;

/// What limits hold at the moment: worked out when the time of day, the step or the peaks change.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct AlarmLimits {
    /// Of one error by its isolated spikes and its time of day.
    pub(super) error: f32,
    /// Of one error and of a sum by the metric's own peaks.
    pub(super) light: f32,
    pub(super) sum: f32,
    /// What errors are divided by in a sum.
    pub(super) edge: f32,
    /// What ratios are multiplied by for a slow metric; what is nearly an alarm ranks as.
    pub(super) slow: f32,
    pub(super) nearly: f32,
}

packed!(AlarmLimits {
    error,
    light,
    sum,
    edge,
    slow,
    nearly
});

impl AlarmLimits {
    /// The limits of a metric. `isolated`: by how much isolated spikes raise them; `errors`, `sums`: how large either
    /// usually gets; `usual`: the error that is usual at this time of day, in scales; `step`: seconds between two points.
    pub(super) fn of(isolated: f32, errors: &Peaks, sums: &Peaks, usual: f32, step: f64) -> Self {
        let slow = step.max(SLOW) / SLOW;
        let by_slot = |unit: f32| (usual / unit).max(1.0).powf(SLOT_POWER);
        let light = by_slot(LIGHT_SLOT * errors.median());
        let edge = 1.0 + EDGE * ((light - 1.0) / EDGE_FULL).min(1.0);
        Self {
            error: LIMIT * isolated.max((usual / SLOT).powf(SLOT_POWER)),
            light: errors.limit(LEAST_ERROR) * light,
            sum: sums.limit(LEAST_SUM),
            edge: edge.max(light),
            slow: slow.powf(SLOW_POWER) as f32,
            nearly: NEARLY * slow.powf(-NEARLY_POWER) as f32,
        }
    }
}

/// By how many times limits are higher because so little is known: `known` seconds.
pub(super) fn caution(known: f64) -> f32 {
    if known > WEEK {
        return 1.0;
    }
    let [begins, ends] = NEARLY_A_DAY;
    let day = FIRST_DAY * ((ends - known) / (ends - begins)).clamp(0.0, 1.0);
    (1.0 + day + FIRST_WEEK * (-known / FIRST_WEEK_FADES).exp()) as f32
}
