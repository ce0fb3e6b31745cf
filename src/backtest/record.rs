//! What a replay keeps of one metric: how long it was, when it alarmed, how often somebody would have been told.
//!
//! Alarms less than half an hour apart are one incident, however long it lasts. Somebody is told when the score after the
//! rest reaches the limit; that is what "alerts" counts.

use super::player::RowScore;

/// Alarms this far apart, seconds, are two incidents: half an hour, as benchmarks of alarms count.
pub(super) const INCIDENT_GAP: f64 = 1_800.0;

/// One metric's replay.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MetricRecord {
    /// Its name, or the file below the folder it was read from.
    pub(super) name: String,
    /// Rows, whatever they held.
    pub(super) rows: u64,
    /// Rows that were a later point than all before.
    pub(super) points: u64,
    /// Unix seconds of the first and the last of them.
    pub(super) first: f64,
    pub(super) last: f64,
    /// Rows with an alarm.
    pub(super) alarms: u64,
    /// First and last alarm of each incident, Unix seconds.
    pub(super) incidents: Vec<(f64, f64)>,
    /// Times at which the score after the rest reached the limit.
    pub(super) alerts: Vec<f64>,
    /// Times of all points with an alarm, where labels are to be held against them.
    pub(super) alarm_times: Option<Vec<f64>>,
}

impl MetricRecord {
    pub(super) fn new(name: String, is_labelled: bool) -> Self {
        Self {
            name,
            rows: 0,
            points: 0,
            first: 0.0,
            last: 0.0,
            alarms: 0,
            incidents: Vec::new(),
            alerts: Vec::new(),
            alarm_times: is_labelled.then(Vec::new),
        }
    }

    /// Takes the answer to a row.
    pub(super) fn row(&mut self, time: f64, answer: RowScore) {
        self.rows += 1;
        self.alarms += u64::from(answer.is_alarm);
        if !answer.is_taken {
            return;
        }
        if self.points == 0 {
            self.first = time;
        }
        // Another value of the same point is judged, but is no other point.
        self.points += u64::from(self.points == 0 || time > self.last);
        self.last = time;
        if answer.is_alarm {
            self.alarm(time, answer.heard);
        }
    }

    fn alarm(&mut self, time: f64, heard: f32) {
        match self.incidents.last_mut() {
            Some((_, last)) if time - *last < INCIDENT_GAP => *last = time,
            _ => self.incidents.push((time, time)),
        }
        let is_new = |times: &[f64]| times.last() != Some(&time);
        if heard >= 1.0 && is_new(&self.alerts) {
            self.alerts.push(time);
        }
        if let Some(times) = &mut self.alarm_times
            && is_new(times)
        {
            times.push(time);
        }
    }

    /// Days from the first to the last point.
    pub(super) fn days(&self) -> f64 {
        (self.last - self.first) / 86_400.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_close_together_are_one_incident() {
        let mut record = MetricRecord::new("m".to_owned(), true);
        for (time, heard, is_alarm) in [
            (0.0, 0.0, false),
            (100.0, 2.0, true),
            (1_800.0, 0.0, true),
            (3_599.0, 0.0, true),
            (4_000.0, 0.0, false),
            (5_399.0, 1.0, true),
            (5_399.0, 1.5, true),
            (86_400.0, 0.9, false),
        ] {
            let answer = RowScore {
                heard,
                is_alarm,
                is_taken: true,
            };
            record.row(time, answer);
        }
        record.row(
            90_000.0,
            RowScore {
                heard: 0.0,
                is_alarm: true,
                is_taken: false,
            },
        );
        assert_eq!(record.incidents, [(100.0, 3_599.0), (5_399.0, 5_399.0)]);
        assert_eq!(record.alerts, [100.0, 5_399.0]);
        assert_eq!(
            (record.rows, record.points, record.alarms, record.days()),
            (9, 7, 6, 1.0)
        );
        assert_eq!(record.alarm_times.map(|times| times.len()), Some(4));
    }
}
