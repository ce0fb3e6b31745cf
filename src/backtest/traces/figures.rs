//! How well scores tell abnormal from normal, when labels are known.

use serde::Serialize;

/// Figures of one score. Abnormal is positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TraceFigures {
    /// Probability that an abnormal trace has a larger score than a normal one; ties count half.
    pub auc: f64,
    /// Average precision: the mean of the precision at each abnormal trace, tied scores as one.
    pub average_precision: f64,
    /// Of the alarms, the share that is abnormal; 0 without any.
    pub precision: f64,
    /// Of the abnormal traces, the share with an alarm.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Of the normal traces, the share with an alarm.
    pub false_alarm_rate: f64,
}

/// The figures of scores with their labels and alarms; none where one of both kinds is missing.
pub(super) fn figures(scored: &[(f64, bool, bool)]) -> Option<TraceFigures> {
    let abnormal = scored.iter().filter(|(_, label, _)| *label).count();
    let normal = scored.len() - abnormal;
    if abnormal == 0 || normal == 0 {
        return None;
    }
    let (abnormal, normal) = (abnormal as f64, normal as f64);
    let mut sorted: Vec<_> = scored.to_vec();
    sorted.sort_by(|one, other| other.0.total_cmp(&one.0));
    let (mut above_abnormal, mut above_normal, mut area, mut precision_sum) = (0.0, 0.0, 0.0, 0.0);
    for tied in sorted.chunk_by(|one, next| one.0 == next.0) {
        let positives = tied.iter().filter(|(_, label, _)| *label).count() as f64;
        let negatives = tied.len() as f64 - positives;
        area += negatives * (above_abnormal + positives / 2.0);
        above_abnormal += positives;
        above_normal += negatives;
        precision_sum += positives * above_abnormal / (above_abnormal + above_normal);
    }
    let alarms = |wanted: bool| {
        let count = scored
            .iter()
            .filter(|(_, label, alarm)| *alarm && *label == wanted);
        count.count() as f64
    };
    let (hits, false_alarms) = (alarms(true), alarms(false));
    let precision = hits / (hits + false_alarms).max(1.0);
    let recall = hits / abnormal;
    Some(TraceFigures {
        auc: area / (abnormal * normal),
        average_precision: precision_sum / abnormal,
        precision,
        recall,
        f1: 2.0 * hits / (abnormal + hits + false_alarms),
        false_alarm_rate: false_alarms / normal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_definitions() {
        // Checked by hand: 6 pairs, of which 4 right and 1 tied; two alarms, one right.
        let scored = [
            (0.9, true, true),
            (0.8, false, true),
            (0.5, true, false),
            (0.5, false, false),
            (0.1, false, false),
        ];
        let found = figures(&scored).unwrap();
        assert!((found.auc - 4.5 / 6.0).abs() < 1e-12, "{found:?}");
        assert!((found.average_precision - (1.0 + 2.0 / 4.0) / 2.0).abs() < 1e-12);
        assert_eq!((found.precision, found.recall, found.f1), (0.5, 0.5, 0.5));
        assert!((found.false_alarm_rate - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(figures(&scored[..1]), None);
    }
}
