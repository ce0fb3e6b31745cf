//! A made-up fleet: a few hundred metrics that behave as real ones do, six of them broken on purpose.
//!
//! Every value follows from the metric's number and the minute, so each run shows the same fleet on the
//! day it is run.

use std::f64::consts::TAU;
use std::sync::{Mutex, PoisonError};

use skywatch_algorithms::random::Random;

/// How long the planted anomalies have lasted when the demo begins: found by the first pass, and not yet a new level.
pub(super) const PLANTED_MINUTES: u32 = 4;

/// How a metric behaves.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A gauge with a daily wave: `base`, height of the wave and noise as shares of it.
    Wave { base: f64, height: f64, noise: f64 },
    /// A gauge without a wave, skewed upwards, as latencies are.
    Skewed { base: f64, spread: f64 },
    /// An ever-growing count whose rate has a daily wave.
    Counter { rate: f64 },
    /// Reports one minute in four.
    Sparse { base: f64 },
    /// Always the same.
    Constant { value: f64 },
}

/// What is wrong with a planted metric, while it lasts.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The value is multiplied.
    Times(f64),
    /// The value stands still.
    Stuck(f64),
}

#[derive(Debug, Clone)]
struct MadeMetric {
    name: String,
    shape: Shape,
    fault: Option<Fault>,
}

/// All metrics of the demo.
pub(super) struct Fleet {
    metrics: Vec<MadeMetric>,
    /// Between the history and the live points: what counters have counted.
    counted: Mutex<Option<Vec<f64>>>,
}

impl Fleet {
    pub(super) fn new() -> Self {
        let mut metrics = Vec::new();
        let mut add = |name: String, shape: Shape| {
            metrics.push(MadeMetric {
                name,
                shape,
                fault: None,
            })
        };
        for site in ["fra", "ams"] {
            for host in 1..=12 {
                let base = f64::from(host);
                let at = |what: &str| format!("{site}.web{host:02}.{what}");
                add(
                    at("cpu.user"),
                    Shape::Wave {
                        base: 22.0 + base,
                        height: 0.2,
                        noise: 0.05,
                    },
                );
                add(
                    at("cpu.system"),
                    Shape::Wave {
                        base: 6.0 + base / 3.0,
                        height: 0.25,
                        noise: 0.08,
                    },
                );
                add(
                    at("memory.used"),
                    Shape::Wave {
                        base: 11.2e9 + base * 1e8,
                        height: 0.04,
                        noise: 0.01,
                    },
                );
                add(
                    at("load.1m"),
                    Shape::Wave {
                        base: 2.0 + base / 5.0,
                        height: 0.4,
                        noise: 0.12,
                    },
                );
                add(
                    at("eth0.rx_bytes"),
                    Shape::Counter {
                        rate: 4e6 + base * 2e5,
                    },
                );
                add(
                    at("eth0.tx_bytes"),
                    Shape::Counter {
                        rate: 9e6 + base * 4e5,
                    },
                );
                add(
                    at("nginx.requests"),
                    Shape::Counter {
                        rate: 900.0 + base * 35.0,
                    },
                );
                add(
                    at("nginx.latency_ms"),
                    Shape::Skewed {
                        base: 18.0 + base,
                        spread: 0.25,
                    },
                );
                add(
                    at("disk.sda.await_ms"),
                    Shape::Skewed {
                        base: 1.2 + base / 10.0,
                        spread: 0.3,
                    },
                );
                add(at("kernel.file_max"), Shape::Constant { value: 9_223_372.0 });
            }
        }
        for queue in ["mail", "thumbnails", "billing", "search", "export"] {
            add(
                format!("queue.{queue}.depth"),
                Shape::Wave {
                    base: 140.0,
                    height: 0.3,
                    noise: 0.08,
                },
            );
            add(format!("queue.{queue}.failed"), Shape::Sparse { base: 3.0 });
            add(format!("queue.{queue}.done"), Shape::Counter { rate: 60.0 });
        }
        for service in ["checkout", "login", "search", "profile", "basket", "payments"] {
            add(
                format!("app.{service}.orders_per_minute"),
                Shape::Wave {
                    base: 310.0,
                    height: 0.15,
                    noise: 0.05,
                },
            );
            add(
                format!("app.{service}.p95_ms"),
                Shape::Skewed {
                    base: 85.0,
                    spread: 0.2,
                },
            );
            add(format!("app.{service}.errors"), Shape::Sparse { base: 2.0 });
        }
        for metric in &mut metrics {
            metric.fault = fault(&metric.name);
        }
        Self {
            metrics,
            counted: Mutex::new(None),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Names of the metrics with a planted anomaly.
    pub(super) fn planted(&self) -> Vec<String> {
        self.metrics
            .iter()
            .filter(|metric| metric.fault.is_some())
            .map(|metric| metric.name.clone())
            .collect()
    }

    /// Counters begin to count at `time`.
    pub(super) fn begin(&self, time: u32) -> Tick<'_> {
        let counted = (0..self.metrics.len())
            .map(|metric| 1e9 * unit(metric, time))
            .collect();
        Tick {
            metrics: &self.metrics,
            counted,
        }
    }

    /// Keeps what counters have counted for [`Fleet::resume`].
    pub(super) fn keep(&self, tick: Tick<'_>) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(tick.counted);
    }

    /// Goes on where [`Fleet::keep`] left off.
    pub(super) fn resume(&self) -> Option<Tick<'_>> {
        let counted = self
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        Some(Tick {
            metrics: &self.metrics,
            counted,
        })
    }
}

/// The six faults.
fn fault(name: &str) -> Option<Fault> {
    Some(match name {
        "fra.web03.nginx.latency_ms" => Fault::Times(14.0),
        "ams.web07.cpu.user" => Fault::Times(2.8),
        "fra.web09.eth0.tx_bytes" => Fault::Times(6.0),
        "app.checkout.orders_per_minute" => Fault::Stuck(0.0),
        "queue.billing.depth" => Fault::Times(12.0),
        "app.payments.p95_ms" => Fault::Times(9.0),
        _ => return None,
    })
}

/// The fleet from minute to minute.
pub(super) struct Tick<'f> {
    metrics: &'f [MadeMetric],
    counted: Vec<f64>,
}

impl<'f> Tick<'f> {
    /// Gives `each` the metrics that report at `time` (Unix seconds) with their values.
    pub(super) fn points(&mut self, time: u32, faulty: bool, each: &mut dyn FnMut(&'f str, f64)) {
        for (index, metric) in self.metrics.iter().enumerate() {
            let fault = metric.fault.filter(|_| faulty);
            let faulted = |value: f64| match fault {
                Some(Fault::Times(factor)) => value * factor,
                Some(Fault::Stuck(at)) => at,
                None => value,
            };
            let value = match metric.shape {
                Shape::Wave { base, height, noise } => {
                    faulted(base * (1.0 + height * wave(index, time) + noise * normal(index, time)))
                }
                Shape::Skewed { base, spread } => faulted(base * (spread * normal(index, time)).exp()),
                Shape::Counter { rate } => {
                    let minute = 60.0 * rate * (1.0 + 0.35 * wave(index, time) + 0.05 * normal(index, time));
                    self.counted[index] += faulted(minute).max(0.0).round();
                    self.counted[index]
                }
                Shape::Sparse { .. } if !(time / 60).is_multiple_of(4) => continue,
                Shape::Sparse { base } => {
                    faulted((base * (1.0 + 0.5 * normal(index, time))).max(0.0).round())
                }
                Shape::Constant { value } => value,
            };
            each(&metric.name, value);
        }
    }
}

/// −1 to 1 over the day, highest in the evening, a little earlier or later for each metric.
fn wave(metric: usize, time: u32) -> f64 {
    let shift = (metric % 7) as f64 * 600.0;
    (TAU * (f64::from(time) + shift - 50_400.0) / 86_400.0).sin()
}

/// Standard normal, cut at three: the sum of twelve uniform numbers less six.
fn normal(metric: usize, time: u32) -> f64 {
    let sum: f64 = (0..12).map(|n| unit(metric * 12 + n, time)).sum();
    (sum - 6.0).clamp(-3.0, 3.0)
}

/// A number in `0..1` that depends on nothing else.
fn unit(metric: usize, time: u32) -> f64 {
    Random::new((metric as u64) << 32 | u64::from(time)).unit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use skywatch_algorithms::streaming::{Adaptive, InMemoryHours, MetricStanding};
    use std::collections::HashMap;

    #[test]
    fn every_fault_has_its_metric() {
        let fleet = Fleet::new();
        assert_eq!(fleet.planted().len(), 6);
        assert!((200..600).contains(&fleet.len()), "{}", fleet.len());
    }

    /// How long the demo is watched in the test below.
    const LIVE_MINUTES: u32 = 4;

    /// Whatever the hour: every planted metric is found and hardly another.
    #[test]
    fn the_demo_works_at_any_time_of_day() {
        const MINUTES: u32 = 4 * 1_440;
        let fleet = Fleet::new();
        let planted = fleet.planted();
        for hour in (0..24).step_by(5) {
            let last = 1_795_000_020 / 60 * 60 + hour * (3_600 + 11 * 60);
            let mut states: HashMap<&str, (Adaptive, InMemoryHours)> = HashMap::new();
            let mut tick = fleet.begin(last - (MINUTES - 1) * 60);
            // The first pass may come before or after the first live points, and the demo may go on for a while.
            for minute in 0..MINUTES + LIVE_MINUTES {
                let time = last - (MINUTES - 1) * 60 + minute * 60;
                tick.points(time, minute + PLANTED_MINUTES >= MINUTES, &mut |metric, value| {
                    let (state, hours) = states.entry(metric).or_default();
                    state.observe(f64::from(time), value, hours);
                });
                if minute + 1 < MINUTES {
                    continue;
                }
                let live = minute + 1 - MINUTES;
                let mut found: Vec<&str> = states
                    .iter()
                    .filter(|(_, (state, _))| state.standing(1.0) == MetricStanding::Out)
                    .map(|(&metric, _)| metric)
                    .collect();
                found.sort_unstable();
                let missed: Vec<_> = planted.iter().filter(|p| !found.contains(&p.as_str())).collect();
                let others = found.len() - (planted.len() - missed.len());
                assert!(
                    missed.is_empty(),
                    "hour {hour}, live minute {live}: missed {missed:?}"
                );
                assert!(
                    others * 100 <= fleet.len() - planted.len(),
                    "hour {hour}: {others} others of {found:?}"
                );
            }
        }
    }

    #[test]
    fn noise_is_standard_normal() {
        let draws: Vec<f64> = (0..20_000)
            .map(|n| normal(n as usize % 300, n / 300 * 60))
            .collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }
}
