//! What holds for every history: nothing lost, nothing said twice, a way out of every state, and no weight on the order
//! of what happens at once.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{policy, state, well, wrong};
use super::*;
use crate::incident::Phase;
use crate::notice::NewsKind;
use crate::route::Routes;

const METRICS: usize = 5;

/// What happens in one minute.
#[derive(Debug, Clone)]
struct Minute {
    /// For each metric: wrong, well, nothing known, deleted.
    observations: [u8; METRICS],
    /// Besides: nothing, an acknowledgement of the oldest open incident, a silence over all for some minutes, a restart.
    besides: u8,
    silent_for: u8,
}

fn minute() -> impl Strategy<Value = Minute> {
    let observation = prop_oneof![4 => Just(0u8), 5 => Just(1u8), 1 => Just(2u8), 1 => (0u8..20).prop_map(|n| if n == 0 { 3 } else { 1 })];
    let besides = prop_oneof![20 => Just(0u8), 1 => Just(1u8), 1 => Just(2u8), 1 => Just(3u8)];
    (proptest::array::uniform5(observation), besides, 1u8..30).prop_map(
        |(observations, besides, silent_for)| Minute {
            observations,
            besides,
            silent_for,
        },
    )
}

/// Policies that differ in what matters to order and loss.
fn some_policy() -> impl Strategy<Value = AlertPolicy> {
    (
        1u32..4,
        prop_oneof![Just(0.0), Just(600.0)],
        prop_oneof![Just(0.0), Just(180.0)],
        prop_oneof![Just(None), Just(Some(900.0))],
        prop_oneof![Just(1usize), Just(20)],
        0usize..3,
        prop_oneof![
            Just(Audience::People),
            Just(Audience::Machine { refresh: None }),
            Just(Audience::Machine { refresh: Some(700.0) })
        ],
    )
        .prop_map(|(seen, cooldown, wait, repeat, cap, depth, audience)| {
            let mut policy = policy();
            policy.hysteresis.seen = seen;
            policy.hysteresis.of = seen + 1;
            let route = &mut policy.routes.top[0];
            route.pace.cooldown = cooldown;
            route.pace.repeat = repeat;
            route.grouping.wait = wait;
            route.grouping.depth = depth;
            route.receivers.push("night".into());
            policy.receivers[0].cap.notices = cap;
            policy.receivers[1].audience = audience;
            policy
        })
}

fn name(metric: usize) -> String {
    format!("app.{}.m{metric}", metric % 2)
}

fn observations(minute: &Minute, at: f64) -> Vec<Observation> {
    let of = |(metric, observation): (usize, &u8)| match observation {
        0 => Some(wrong(&name(metric), at)),
        1 => Some(well(&name(metric), at)),
        2 => None,
        _ => Some(Observation {
            subject: Subject::Metric(name(metric)),
            outcome: ObservedOutcome::Deleted,
        }),
    };
    minute.observations.iter().enumerate().filter_map(of).collect()
}

/// What each receiver was told of each incident, in order; and every transition.
#[derive(Default)]
struct Record {
    told: BTreeMap<(String, u64), Vec<NewsKind>>,
    opened: BTreeMap<u64, f64>,
    ids: Vec<String>,
    acked_or_silenced: bool,
}

impl Record {
    fn note(&mut self, step: &Step) {
        for transition in &step.transitions {
            if transition.to == Phase::Open {
                self.opened.insert(transition.incident, transition.at);
            }
        }
        for (notice, told) in step.notices.iter().zip(&step.told) {
            self.ids.push(notice.id.clone());
            let news = notice.news().expect("these are all about incidents");
            let lasts = news
                .items
                .iter()
                .filter(|item| item.what == NewsKind::Lasts)
                .count();
            assert_eq!(news.counts.total(), (told.len() + lasts) as u64);
            for item in news.items.iter().filter(|item| item.what != NewsKind::Lasts) {
                let key = (notice.receiver.clone(), item.incident);
                self.told.entry(key).or_default().push(item.what);
            }
        }
    }

    /// Every conversation makes sense: it begins with a beginning, ends at most once before it begins again.
    fn check(&self) {
        for ((receiver, incident), said) in &self.told {
            let mut firing = None;
            for what in said {
                let fits = match firing {
                    None => matches!(
                        what,
                        NewsKind::Opened | NewsKind::Returned | NewsKind::SilenceEnded | NewsKind::Passed
                    ),
                    Some(true) => !matches!(what, NewsKind::Opened | NewsKind::Returned | NewsKind::Passed),
                    Some(false) => matches!(what, NewsKind::Returned | NewsKind::SilenceEnded),
                };
                assert!(fits, "{receiver} was told of {incident}: {said:?}");
                firing = Some(!what.is_over());
            }
        }
        let mut ids = self.ids.clone();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), self.ids.len(), "an id was given twice");
    }
}

/// The state after these minutes, and when they end.
fn live_on(policy: &AlertPolicy, minutes: &[Minute]) -> (IncidentState, f64) {
    let mut state = state(PersistedState::default());
    let mut now = 1_000_000.0;
    for minute in minutes {
        now += 60.0;
        let pass = IncidentEvent::ObservedAll("metric".into(), observations(minute, now));
        state.step(policy, pass, now).unwrap();
        let open = state.incidents().find(|incident| incident.phase == Phase::Open);
        if let (1, Some(incident)) = (minute.besides, open.map(|incident| incident.id)) {
            let ack = IncidentEvent::Acknowledge {
                incident,
                by: "ann".into(),
                until_resolved: false,
            };
            state.step(policy, ack, now).unwrap();
        }
    }
    (state, now)
}

/// Lives through the minutes, then through quiet ones until nothing is left to be said.
fn live(
    policy: &AlertPolicy,
    minutes: &[Minute],
    order: impl Fn(&mut Vec<Observation>),
) -> (IncidentState, Record) {
    let mut state = state(PersistedState::default());
    let mut record = Record::default();
    let mut now = 1_000_000.0;
    let mut cooldowns = BTreeMap::new();
    let mut step = |state: &mut IncidentState, record: &mut Record, event, now| {
        if let Ok(step) = state.step(policy, event, now) {
            record.note(&step);
            for cooldown in step.cooldowns {
                cooldowns.insert((cooldown.receiver.clone(), cooldown.subject.clone()), cooldown);
            }
        }
        cooldowns.clone()
    };
    for minute in minutes {
        now += 60.0;
        let mut observations = observations(minute, now);
        order(&mut observations);
        let cooldowns = step(
            &mut state,
            &mut record,
            IncidentEvent::ObservedAll("metric".into(), observations),
            now,
        );
        record.acked_or_silenced |= matches!(minute.besides, 1 | 2);
        match minute.besides {
            1 => {
                let open = state.incidents().find(|incident| incident.phase == Phase::Open);
                if let Some(incident) = open.map(|incident| incident.id) {
                    let ack = IncidentEvent::Acknowledge {
                        incident,
                        by: "ann".into(),
                        until_resolved: minute.silent_for % 2 == 0,
                    };
                    step(&mut state, &mut record, ack, now);
                }
            }
            2 => {
                let silence = Silence {
                    id: 0,
                    selection: crate::matcher::Selection::default(),
                    from: now,
                    until: Some(now + 60.0 * f64::from(minute.silent_for)),
                    until_resolved: false,
                    until_change: None,
                    hours: None,
                    author: "ann".into(),
                    reason: String::new(),
                    ended_at: None,
                };
                step(
                    &mut state,
                    &mut record,
                    IncidentEvent::Silence(Box::new(silence)),
                    now,
                );
            }
            3 => {
                // Pending ones are not kept: with hysteresis a restart may cost them a sighting.
                let persisted = PersistedState {
                    incidents: state
                        .incidents()
                        .filter(|incident| incident.phase != Phase::Pending)
                        .cloned()
                        .collect(),
                    silences: state.silences().cloned().collect(),
                    cooldowns: cooldowns.into_values().collect(),
                    pace: policy
                        .receivers
                        .iter()
                        .filter_map(|receiver| {
                            Some((receiver.name.clone(), state.recent_sends(&receiver.name)?.clone()))
                        })
                        .collect(),
                    next: state.next(),
                };
                state = self::state(persisted);
            }
            _ => {}
        }
    }
    for _ in 0..240 {
        now += 60.0;
        let observations = (0..METRICS).map(|metric| well(&name(metric), now)).collect();
        step(
            &mut state,
            &mut record,
            IncidentEvent::ObservedAll("metric".into(), observations),
            now,
        );
    }
    (state, record)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_conversation_makes_sense_and_has_its_end(
        policy in some_policy(),
        minutes in proptest::collection::vec(minute(), 1..120),
    ) {
        let (state, record) = live(&policy, &minutes, |_| ());
        record.check();
        prop_assert_eq!(state.incidents().count(), 0, "no way out: {:?}", state.incidents().next());
        for ((receiver, incident), said) in &record.told {
            let ended = said.last().is_some_and(|what| what.is_over());
            prop_assert!(ended, "{} never heard the end of {}: {:?}", receiver, incident, said);
        }
    }

    #[test]
    fn whatever_opens_is_told_of(
        mut policy in some_policy(),
        minutes in proptest::collection::vec(minute(), 1..120),
    ) {
        policy.routes.top[0].pace.cooldown = 0.0;
        let (_, record) = live(&policy, &minutes, |_| ());
        if !record.acked_or_silenced {
            for incident in record.opened.keys() {
                for receiver in ["ops", "night"] {
                    prop_assert!(record.told.contains_key(&(receiver.to_owned(), *incident)), "{receiver} never heard of {incident}");
                }
            }
        }
    }

    #[test]
    fn the_order_of_what_happens_at_once_does_not_show(
        policy in some_policy(),
        minutes in proptest::collection::vec(minute(), 1..60),
        turns in 0usize..METRICS,
    ) {
        let (state, record) = live(&policy, &minutes, |_| ());
        let (other_state, other_record) = live(&policy, &minutes, |observations| {
            observations.reverse();
            let turns = turns.min(observations.len());
            observations.rotate_left(turns);
        });
        prop_assert_eq!(record.told, other_record.told);
        prop_assert_eq!(record.ids, other_record.ids);
        prop_assert_eq!(state.next(), other_state.next());
    }

    #[test]
    fn silence_is_silent(minutes in proptest::collection::vec(minute(), 1..60)) {
        let mut policy = policy();
        policy.routes = Routes::default();
        let (_, record) = live(&policy, &minutes, |_| ());
        prop_assert!(record.told.is_empty(), "no route leads anywhere");
    }
}

proptest! {
    // Three hours by the second hand take their time.
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_is_foretold_is_what_is_done(
        policy in some_policy(),
        minutes in proptest::collection::vec(minute(), 1..60),
        wait in 0u8..60,
    ) {
        const STEP: f64 = 10.0;
        const FAR: f64 = 3.0 * 3_600.0;
        let (mut state, mut now) = live_on(&policy, &minutes);
        now += f64::from(wait);
        let mut foretold: BTreeMap<(u64, String), Option<f64>> = BTreeMap::new();
        for metric in 0..METRICS {
            let outlook = state.outlook(&policy, &Subject::Metric(name(metric)), now);
            let Some(incident) = outlook.incident else { continue };
            for prospect in outlook.prospects {
                foretold.insert((incident.id, prospect.receiver), prospect.next_at);
            }
        }
        let mut done: BTreeMap<(u64, String), f64> = BTreeMap::new();
        let end = now + FAR;
        while now < end {
            let step = state.step(&policy, IncidentEvent::Tick, now).unwrap();
            for notice in &step.notices {
                for item in &notice.news().unwrap().items {
                    done.entry((item.incident, notice.receiver.clone())).or_insert(now);
                }
            }
            now += STEP;
        }
        for (about, foretold) in foretold {
            let done = done.get(&about).copied();
            match foretold.filter(|at| *at < end - 60.0) {
                // A moment between two ticks is that of the later one, and what it moves moves with it.
                Some(at) => prop_assert!(
                    done.is_some_and(|done| (at..at + 6.0 * STEP).contains(&done)),
                    "{:?}: foretold {} from the end, done {:?}", about, end - at, done.map(|done| end - done)
                ),
                None => prop_assert!(
                    done.is_none_or(|done| done > end - 60.0), "{:?}: not foretold, but done {:?}", about, done
                ),
            }
        }
    }
}
