//! Whether each host that sends points still does, by its own habit: the ingest is the one who sees it first.
//!
//! A host is late when it has been silent for twice its longest pause of late, and some seconds more. That is told as a pending
//! request: the plane says after its own deadline that it is overdue, and the next point ends it at once. Hosts are told apart
//! by their addresses, so those behind one relay are one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use skywatch_algorithms::verdicts::Status;

use crate::observer::{ObservedMetric, Observer};

/// Hosts that are watched; the habits of more are not known.
const MOST: usize = 5_000;
/// Pauses that make a habit.
const PAUSES: usize = 10;
/// Seconds between two moments at which a host sends; what comes sooner is the same moment.
const MOMENT: f64 = 1.0;
/// A pause that is so many times the longest one of late, …
const TIMES: f64 = 2.0;
/// … and so many seconds longer, is no habit.
const GRACE: f64 = 10.0;
/// Seconds after which a silent host is not waited for any more.
const FORGOTTEN: f64 = 86_400.0;

/// The hosts that send. Without anybody who hears of them none is watched.
#[derive(Debug)]
pub(super) struct Arrivals {
    observer: Observer,
    begun: Instant,
    hosts: Mutex<HashMap<IpAddr, SendingHost>>,
}

#[derive(Debug)]
struct SendingHost {
    arrival: ObservedMetric,
    /// Seconds since the beginning.
    last: f64,
    /// The last pauses, seconds; so many of them are known.
    pauses: [f32; PAUSES],
    known: usize,
    is_late: bool,
}

impl Arrivals {
    /// Tells `observer`; nobody, if that is off.
    pub(super) fn new(observer: Observer) -> Self {
        Self {
            observer,
            begun: Instant::now(),
            hosts: Mutex::default(),
        }
    }

    /// Points have come from a host.
    pub(super) fn note(&self, from: IpAddr) {
        if self.observer.is_on() {
            self.note_at(from, self.begun.elapsed().as_secs_f64());
        }
    }

    fn note_at(&self, from: IpAddr, now: f64) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get_mut(&from) {
            host.sends(now);
        } else if hosts.len() < MOST {
            let name = format!("source:{}", from.to_canonical());
            let arrival = self.observer.metric(&name, "arrival");
            arrival.healthy();
            hosts.insert(from, SendingHost::new(arrival, now));
        } else {
            tracing::debug!("{from} is not watched :: {MOST} hosts are");
        }
    }

    /// Looks who is late. To be called each second.
    pub(super) fn look(&self) {
        if self.observer.is_on() {
            self.look_at(self.begun.elapsed().as_secs_f64());
        }
    }

    fn look_at(&self, now: f64) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, host| {
            host.look(now);
            now - host.last < FORGOTTEN
        });
    }
}

impl SendingHost {
    fn new(arrival: ObservedMetric, now: f64) -> Self {
        Self {
            arrival,
            last: now,
            pauses: [0.0; PAUSES],
            known: 0,
            is_late: false,
        }
    }

    fn sends(&mut self, now: f64) {
        let pause = now - self.last;
        if pause < MOMENT && !self.is_late {
            return;
        }
        // An outage is no habit.
        if !self.is_late {
            self.pauses[self.known % PAUSES] = pause as f32;
            self.known += 1;
        }
        (self.last, self.is_late) = (now, false);
        self.arrival.healthy();
    }

    fn look(&mut self, now: f64) {
        let longest = self.pauses.iter().copied().fold(0.0, f32::max);
        let patience = TIMES * f64::from(longest) + GRACE;
        if !self.is_late && self.known >= PAUSES && now - self.last > patience {
            self.is_late = true;
            self.arrival.inform(Status::Pending, 50.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::ObserverReports;

    /// What was told of each host since the last time.
    fn told(reports: &ObserverReports) -> Vec<(String, Status)> {
        let told = reports.take().into_iter();
        told.map(|report| (report.subject.to_string(), report.metrics[0].1))
            .collect()
    }

    #[test]
    fn who_is_silent_for_longer_than_ever_is_late_until_he_sends() {
        let (observer, reports) = Observer::new();
        let arrivals = Arrivals::new(observer);
        let from = IpAddr::from([10, 0, 0, 5]);
        let name = || "source:10.0.0.5".to_owned();
        for number in 0..=10 {
            arrivals.note_at(from, f64::from(number) * 60.0);
            arrivals.note_at(from, f64::from(number) * 60.0 + 0.2);
            arrivals.look_at(f64::from(number) * 60.0 + 59.0);
        }
        assert_eq!(told(&reports), [(name(), Status::Healthy)]);
        arrivals.look_at(600.0 + 130.0);
        assert_eq!(told(&reports), []);
        arrivals.look_at(600.0 + 131.0);
        arrivals.look_at(600.0 + 140.0);
        assert_eq!(told(&reports), [(name(), Status::Pending)]);
        arrivals.note_at(from, 900.0);
        assert_eq!(told(&reports), [(name(), Status::Healthy)]);
        // The outage has taught it nothing.
        arrivals.look_at(900.0 + 131.0);
        assert_eq!(told(&reports), [(name(), Status::Pending)]);
    }

    #[test]
    fn who_has_no_habit_yet_is_not_late() {
        let (observer, reports) = Observer::new();
        let arrivals = Arrivals::new(observer);
        for number in 0..10 {
            arrivals.note_at(IpAddr::from([10, 0, 0, 5]), f64::from(number) * 60.0);
        }
        arrivals.look_at(80_000.0);
        assert_eq!(told(&reports).len(), 1);
    }
}
