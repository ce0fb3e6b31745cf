//! From points to hours, for many metrics at once.
//!
//! An hour is given away when a point of a later one has come, so that it is whole; what comes after that is not added to
//! it. Points of one metric have to come in order of time, but not all in one go.

use std::collections::HashMap;

use skywatch_algorithms::streaming::Hour;

/// The hour a metric is in.
#[derive(Debug, Clone, Copy)]
struct OpenHour {
    number: u32,
    min: f64,
    max: f64,
    sum: f64,
    points: u32,
}

impl OpenHour {
    fn new(number: u32, value: f64) -> Self {
        Self {
            number,
            min: value,
            max: value,
            sum: value,
            points: 1,
        }
    }

    fn add(&mut self, value: f64) {
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
        self.points += 1;
    }

    fn close(&self) -> Hour {
        Hour {
            number: self.number,
            min: self.min as f32,
            mean: (self.sum / f64::from(self.points)) as f32,
            max: self.max as f32,
        }
    }
}

/// Hours under way.
#[derive(Debug, Default)]
pub struct HourlyAggregator {
    open: HashMap<String, OpenHour>,
}

impl HourlyAggregator {
    /// Takes points of a metric, finite and in order of time, and adds the hours that are over to `whole`.
    pub fn take(&mut self, metric: &str, points: impl Iterator<Item = (f64, f64)>, whole: &mut Vec<Hour>) {
        let mut open = self.open.get(metric).copied();
        for (time, value) in points {
            let number = (time / 3_600.0) as u32;
            match &mut open {
                Some(hour) if hour.number == number => hour.add(value),
                Some(hour) if hour.number > number => {}
                other => {
                    whole.extend(other.map(|hour| hour.close()));
                    *other = Some(OpenHour::new(number, value));
                }
            }
        }
        match (open, self.open.get_mut(metric)) {
            (Some(open), Some(known)) => *known = open,
            (Some(open), None) => {
                self.open.insert(metric.to_owned(), open);
            }
            (None, _) => {}
        }
    }

    /// The last hour of each metric, if it was over by `until` (Unix seconds).
    pub fn finish(self, until: f64) -> impl Iterator<Item = (String, Hour)> {
        let running = (until / 3_600.0) as u32;
        let over = self
            .open
            .into_iter()
            .filter(move |(_, hour)| hour.number < running);
        over.map(|(metric, hour)| (metric, hour.close()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_given_once_it_is_over() {
        let mut hourly = HourlyAggregator::default();
        let mut whole = Vec::new();
        hourly.take("a", [(0.0, 2.0), (1_800.0, 4.0)].into_iter(), &mut whole);
        assert!(whole.is_empty());
        hourly.take("b", [(7_200.0, 1.0)].into_iter(), &mut whole);
        hourly.take(
            "a",
            [(3_599.0, 9.0), (3_600.0, 1.0), (10.0, 99.0), (7_201.0, 7.0)].into_iter(),
            &mut whole,
        );
        let hour = |number, min, mean, max| Hour {
            number,
            min,
            mean,
            max,
        };
        assert_eq!(whole, [hour(0, 2.0, 5.0, 9.0), hour(1, 1.0, 1.0, 1.0)]);
        assert_eq!(hourly.finish(10_799.0).count(), 0);
        let mut hourly = HourlyAggregator::default();
        hourly.take("a", [(7_200.0, 1.0)].into_iter(), &mut whole);
        let last: Vec<_> = hourly.finish(10_800.0).collect();
        assert_eq!(last, [("a".to_owned(), hour(2, 1.0, 1.0, 1.0))]);
    }
}
