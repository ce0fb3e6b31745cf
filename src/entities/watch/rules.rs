//! How entities are judged, in steps.

use skywatch_settings::Entities;

/// Seconds after which metrics that have come or gone are worth another fit, and in which a metric must have had a value to be
/// learnt.
const CHANGED_AFTER: f64 = 3_600.0;

/// What follows from the settings, in steps where it is a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct EntityRules {
    /// Seconds of a step.
    pub(super) step: f64,
    /// Seconds after a step at which its row is judged.
    pub(super) delay: f64,
    /// Steps that are held and learnt from.
    pub(super) history: i64,
    /// Steps after which it is learnt anew.
    pub(super) refit: i64,
    /// Steps that decide whether an entity is anomalous, and the share of them.
    pub(super) window: i64,
    pub(super) share: f64,
    /// Steps after which metrics that have come or gone are worth another fit.
    pub(super) changed: i64,
}

impl EntityRules {
    pub(super) fn of(settings: &Entities) -> Self {
        let step = settings.step.as_secs_f64();
        let steps = |seconds: f64| ((seconds / step).round() as i64).max(1);
        Self {
            step,
            delay: settings.delay.as_secs_f64(),
            history: steps(settings.history.as_secs_f64()),
            refit: steps(settings.refit_each.as_secs_f64()),
            window: steps(settings.alarm_window.as_secs_f64()),
            share: settings.alarm_share,
            changed: steps(CHANGED_AFTER),
        }
    }

    /// Unix seconds of a step.
    pub(super) fn time(&self, step: i64) -> f64 {
        step as f64 * self.step
    }

    /// The newest step that has begun at `now`, Unix seconds.
    pub(super) fn step_at(&self, now: f64) -> i64 {
        (now / self.step).floor() as i64
    }
}
