//! How the learned detectors are fitted.

use crate::choice::choice;
use crate::cron::Cron;
use crate::section::Section;

/// How the largest ordinary error follows from the errors of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LimitRule {
    /// Their middle and so many spreads.
    #[default]
    KSigma,
    /// Their tail, read off at a risk.
    Peaks,
}
choice!(LimitRule { "k_sigma" => KSigma, "peaks" => Peaks });

options! {
    /// How the learned detectors are fitted.
    pub Training {
        /// Whether `skywatch run` starts the trainer child.
        enabled: bool = false,
        /// When all families are fitted anew, in UTC; `None` only when asked.
        schedule: Option<Cron> = None,
        /// Metrics that are learnt from, at most.
        max_metrics: usize = 20_000 => 1..=1_000_000,
        /// Families that are told apart, at most.
        max_families: usize = 8 => 1..=64,
        /// Rounds over all that is learnt from, at most.
        epochs: usize = 20 => 1..=10_000,
        /// Windows that networks of several columns learn from in a step.
        batch: usize = 32 => 1..=4_096,
        /// The newest part of the history is held back to judge the fit by; its share of it.
        holdout: f64 = 0.2 => 0.05..=0.5,
        /// What all randomness follows from.
        seed: usize = 42,
        /// How the limits of models of several columns follow from their errors.
        rule: LimitRule = LimitRule::KSigma,
        /// With the rule `k_sigma`, a limit is so many spreads of the errors.
        k_sigma: f64 = 5.0 => 0.1..=1_000.0,
        /// With the rule `k_sigma`, whether centre and spread are median and MAD.
        robust: bool = false,
        /// With the rule `peaks`, the share of ordinary points that may lie beyond a limit.
        risk: f64 = 1e-6 => 1e-12..=0.1,
        /// How much the trainer gives way to others, 0 to 19.
        nice: usize = 10 => ..=19,
    }
}

impl Section for Training {}
