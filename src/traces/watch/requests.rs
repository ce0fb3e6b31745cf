//! Kinds of requests as subjects: whether more of their traces are anomalous than chance explains.
//!
//! One in a hundred normal traces is called anomalous, so a single one is no incident: of a busy service there is one each
//! second. Each interval the anomalous traces of a kind are held against the share that is usual for it, at least what the
//! detectors allow themselves: what a binomial law gives less than one in a million for is reported. Looked at are
//! the last interval, for what happens at once, and the last ten, for kinds that are seldom asked for. What is usual follows
//! slowly, by half in a day, so that a judge who errs on one kind does not open its incident again each day.

use std::collections::{BTreeMap, VecDeque};

use skywatch_algorithms::statistics::binomial;

use crate::traces::ids::TraceId;
use crate::traces::judgement::{TraceJudgement, WatchedTrace};
use crate::traces::trace::AssembledTrace;

/// Kinds that are followed; of more, none is a subject.
const KINDS: usize = 2_000;
/// Intervals that are looked at together.
const TOGETHER: usize = 10;
/// The probability below which so many anomalous traces are no chance.
const CHANCE: f64 = 1e-6;
/// Normal traces that the usual share begins with, so that the first anomalous one does not make it 1.
const PRIOR: f64 = 500.0;
/// Seconds in which what was usual counts half.
const HALF_LIFE: f64 = 86_400.0;
/// How much less traces of an incident count for what is usual.
const UNUSUAL_WEIGHT: f64 = 0.1;
/// Seconds after which a kind without traces is forgotten.
const FORGOTTEN_AFTER: f64 = 7.0 * 86_400.0;

/// What is counted of each kind of request.
#[derive(Debug, Default)]
pub(in crate::traces) struct RequestKinds(BTreeMap<String, RequestTally>);

#[derive(Debug, Default)]
struct RequestTally {
    judged: u64,
    anomalous: u64,
    /// The most unusual trace of this interval.
    worst: Option<UnusualTrace>,
    /// Anomalous traces by the service that is to blame.
    services: BTreeMap<String, u64>,
    /// Judged and anomalous of the intervals before, the last first.
    past: VecDeque<(u64, u64)>,
    /// The same of all, what is long ago counting little.
    usual: (f64, f64),
    /// Unix seconds of the last interval with a trace.
    seen: f64,
}

/// A trace that stands for others.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::traces) struct UnusualTrace {
    pub(in crate::traces) id: TraceId,
    /// 1 is the limit.
    pub(in crate::traces) score: f64,
    /// What was found, the worst first.
    pub(in crate::traces) sentence: String,
    /// The trace, as far as it is to be shown.
    pub(in crate::traces) trace: AssembledTrace,
    /// Places of the spans that are to blame.
    pub(in crate::traces) guilty: Vec<usize>,
}

/// How one kind of request did.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::traces) struct RequestFinding {
    /// The service and the operation of its root.
    pub(in crate::traces) kind: String,
    /// Judged, and anomalous ones among them.
    pub(in crate::traces) judged: u64,
    pub(in crate::traces) anomalous: u64,
    /// The share that is usual for it.
    pub(in crate::traces) usual: f64,
    /// The largest share that would have been chance.
    pub(in crate::traces) limit: f64,
    /// How much less likely than the limit, on a scale of logarithms: from 1 on it is no chance.
    pub(in crate::traces) strength: f64,
    /// The trace that shows it; there whenever `anomalous` is above 0.
    pub(in crate::traces) worst: Option<UnusualTrace>,
    /// Anomalous traces by the service that is to blame, the most first.
    pub(in crate::traces) services: Vec<(String, u64)>,
}

impl RequestFinding {
    /// The share of anomalous traces.
    pub(in crate::traces) fn share(&self) -> f64 {
        self.anomalous as f64 / self.judged.max(1) as f64
    }
}

/// The largest share of anomalous traces among so many that is chance, where the share `usual` is.
fn limit(judged: u64, usual: f64) -> f64 {
    let (mut low, mut high) = (0, judged);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if 2.0 * binomial::upper_tail(judged, middle, usual) < CHANCE {
            high = middle - 1;
        } else {
            low = middle;
        }
    }
    low as f64 / judged.max(1) as f64
}

impl RequestKinds {
    /// Counts a judged trace of a kind. Whether it is worth keeping: one of the first `kept` anomalous ones of its kind in this
    /// interval, or worse than all before it.
    pub(in crate::traces) fn add(
        &mut self,
        kind: &str,
        trace: &AssembledTrace,
        watched: &WatchedTrace,
        kept: u64,
    ) -> bool {
        if self.0.len() >= KINDS && !self.0.contains_key(kind) {
            return watched.judgement.is_anomalous();
        }
        let tally = self.0.entry(kind.to_owned()).or_default();
        tally.judged += 1;
        let TraceJudgement::Anomalous { score, sentences } = &watched.judgement else {
            return false;
        };
        tally.anomalous += 1;
        let guilty: Vec<usize> = watched.findings.iter().map(|(place, _)| *place).collect();
        if let Some(blamed) = guilty.first().and_then(|place| trace.spans.get(*place)) {
            *tally.services.entry(blamed.span.service.to_string()).or_default() += 1;
        }
        let is_worst = tally.worst.as_ref().is_none_or(|worst| worst.score < *score);
        if is_worst {
            tally.worst = Some(UnusualTrace {
                id: trace.id,
                score: *score,
                sentence: sentences.first().cloned().unwrap_or_default(),
                trace: trace.clone(),
                guilty,
            });
        }
        // The worst stands for the others, and whoever is told of it wants to look at it.
        is_worst || tally.anomalous <= kept
    }

    /// How each kind of which traces were judged did in the interval of `seconds` that ends at `now`, Unix seconds, where the
    /// share `allowed` of normal traces is called anomalous.
    pub(in crate::traces) fn take(&mut self, now: f64, seconds: f64, allowed: f64) -> Vec<RequestFinding> {
        let mut findings = Vec::new();
        for (kind, tally) in &mut self.0 {
            if tally.judged > 0 {
                tally.seen = now;
                findings.push(tally.finding(kind, allowed));
            }
            tally.turn(seconds, findings.last().filter(|finding| finding.kind == *kind));
        }
        self.0.retain(|_, tally| now - tally.seen < FORGOTTEN_AFTER);
        findings
    }
}

impl RequestTally {
    fn usual_share(&self, allowed: f64) -> f64 {
        let (judged, anomalous) = self.usual;
        ((anomalous + allowed * PRIOR) / (judged + PRIOR)).max(allowed)
    }

    fn finding(&self, kind: &str, allowed: f64) -> RequestFinding {
        let usual = self.usual_share(allowed);
        let together = self.past.iter().fold((self.judged, self.anomalous), |sum, past| {
            (sum.0 + past.0, sum.1 + past.1)
        });
        let chance = |(judged, anomalous): (u64, u64)| binomial::upper_tail(judged, anomalous, usual);
        // Two looks, so each has half of what one would have.
        let chance = 2.0 * chance((self.judged, self.anomalous)).min(chance(together));
        // What was anomalous before and is not now is over.
        let strength = match self.anomalous {
            0 => 0.0,
            _ => chance.max(f64::MIN_POSITIVE).ln().min(0.0) / CHANCE.ln(),
        };
        let mut services: Vec<_> = self
            .services
            .iter()
            .map(|(service, n)| (service.clone(), *n))
            .collect();
        services.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        RequestFinding {
            kind: kind.to_owned(),
            judged: self.judged,
            anomalous: self.anomalous,
            usual,
            limit: limit(self.judged, usual),
            strength,
            worst: self.worst.clone(),
            services,
        }
    }

    /// Goes on to the next interval.
    fn turn(&mut self, seconds: f64, finding: Option<&RequestFinding>) {
        let fades = 0.5f64.powf(seconds / HALF_LIFE);
        let is_unusual = finding.is_some_and(|finding| finding.strength >= 1.0);
        let weight = if is_unusual { UNUSUAL_WEIGHT } else { 1.0 };
        let (judged, anomalous) = (self.judged as f64 * weight, self.anomalous as f64 * weight);
        self.usual = (self.usual.0 * fades + judged, self.usual.1 * fades + anomalous);
        self.past.push_front((self.judged, self.anomalous));
        self.past.truncate(TOGETHER - 1);
        (self.judged, self.anomalous) = (0, 0);
        self.worst = None;
        self.services.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::assembler::ClosedTrace;
    use crate::traces::testing::span;

    fn trace() -> AssembledTrace {
        AssembledTrace::assemble(ClosedTrace {
            id: span(1, 1, 0).trace,
            spans: vec![span(1, 1, 0), span(1, 2, 1)],
            partial: false,
        })
    }

    /// So many traces, so many of them anomalous.
    fn interval(kinds: &mut RequestKinds, judged: u64, anomalous: u64) -> Option<RequestFinding> {
        for number in 0..judged {
            // Each third is milder than those before it.
            let is_mild = number % 3 == 2;
            let judgement = match number < anomalous {
                true => TraceJudgement::Anomalous {
                    score: if is_mild { 1.0 } else { 1.0 + number as f64 },
                    sentences: vec!["it is slow".to_owned()],
                },
                false => TraceJudgement::Normal { score: 0.2 },
            };
            let watched = WatchedTrace {
                judgement,
                kind: None,
                findings: vec![(1, "it is slow".to_owned())],
            };
            assert_eq!(
                kinds.add("shop GET /", &trace(), &watched, 2),
                number < anomalous && !is_mild
            );
        }
        kinds.take(1_700_000_000.0, 60.0, 0.01).pop()
    }

    #[test]
    fn more_than_chance_explains_is_found_and_a_single_one_is_not() {
        let mut kinds = RequestKinds::default();
        assert_eq!(
            interval(&mut kinds, 0, 0),
            None,
            "nothing is known of what did not happen"
        );
        for (judged, anomalous, is_found) in [
            (1, 1, false),
            (1_000, 20, false),
            (1_000, 40, true),
            (10, 6, true),
        ] {
            let mut kinds = RequestKinds::default();
            let finding = interval(&mut kinds, judged, anomalous).unwrap();
            assert_eq!(
                finding.strength >= 1.0,
                is_found,
                "{judged} {anomalous}: {}",
                finding.strength
            );
        }
        // A kind that is asked for once a minute, and fails each time.
        let found: Vec<bool> = (0..6)
            .map(|_| interval(&mut kinds, 1, 1).is_some_and(|finding| finding.strength >= 1.0))
            .collect();
        assert_eq!(found, [false, false, false, true, true, true]);
        let finding = interval(&mut kinds, 5, 0).unwrap();
        assert_eq!((finding.strength, finding.worst), (0.0, None), "it is over");
    }

    #[test]
    fn the_worst_trace_stands_for_the_others() {
        let finding = interval(&mut RequestKinds::default(), 50, 20).unwrap();
        let worst = finding.worst.unwrap();
        assert_eq!(
            (worst.score, worst.guilty, &*worst.sentence),
            (20.0, vec![1], "it is slow")
        );
        assert_eq!(finding.services, [("shop".to_owned(), 20)]);
        assert!(
            finding.limit < 0.4
                && 2.0 * binomial::upper_tail(50, (finding.limit * 50.0).round() as u64, 0.01) >= CHANCE
        );
    }

    #[test]
    fn what_goes_on_for_ever_becomes_usual() {
        let mut kinds = RequestKinds::default();
        let found =
            |kinds: &mut RequestKinds| interval(kinds, 100, 4).is_some_and(|finding| finding.strength >= 1.0);
        (0..300).for_each(|_| {
            found(&mut kinds);
        });
        assert!(!found(&mut kinds), "four of a hundred are usual by now");
        assert!(interval(&mut kinds, 100, 40).unwrap().strength >= 1.0);
    }
}
