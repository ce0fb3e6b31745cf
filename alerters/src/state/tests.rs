//! Scenes from the lives of incidents.

use super::*;
use crate::anomaly::{Anomaly, Severity, Strength};
use crate::group::RateCap;
use crate::incident::{Ending, Hysteresis, Phase};
use crate::inhibition::{InhibitRule, Inhibition};
use crate::matcher::{Matcher, Selection};
use crate::notice::{News, NewsKind, Notice};
use crate::route::{Grouping, Pace, Route, RouteLimits, Routes};
use crate::sample;

pub(super) const START: f64 = 1_000_000.0;

pub(super) fn anomaly(name: &str, at: f64) -> Anomaly {
    Anomaly {
        at,
        ..sample::anomaly(name).without_window()
    }
}

pub(super) fn wrong(name: &str, at: f64) -> Observation {
    Observation {
        subject: Subject::Metric(name.into()),
        outcome: ObservedOutcome::Anomalous(Box::new(anomaly(name, at))),
    }
}

pub(super) fn well(name: &str, at: f64) -> Observation {
    Observation {
        subject: Subject::Metric(name.into()),
        outcome: ObservedOutcome::Normal { at, value: 31.0 },
    }
}

fn deleted(name: &str) -> Observation {
    Observation {
        subject: Subject::Metric(name.into()),
        outcome: ObservedOutcome::Deleted,
    }
}

pub(super) fn route(name: &str, receivers: &[&str]) -> Route {
    Route {
        name: name.into(),
        matcher: Matcher::default(),
        hours: None,
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
        go_on: false,
        limits: RouteLimits::default(),
        pace: Pace {
            cooldown: 1_800.0,
            repeat: Some(14_400.0),
        },
        grouping: Grouping {
            depth: 2,
            wait: 0.0,
            interval: 60.0,
        },
        routes: Vec::new(),
    }
}

pub(super) fn policy() -> AlertPolicy {
    let receiver = |name: &str| ReceiverPolicy {
        name: name.into(),
        resolved: true,
        cap: RateCap {
            notices: 20,
            per: 600.0,
        },
        fallback: None,
        audience: Audience::People,
    };
    AlertPolicy {
        hysteresis: Hysteresis {
            seen: 1,
            of: 1,
            resolve_after: 300.0,
            return_within: 1_800.0,
            longest_step: 500.0,
        },
        routes: Routes {
            top: vec![route("default", &["ops"])],
        },
        inhibition: Inhibition::default(),
        receivers: vec![receiver("ops"), receiver("night")],
        digest_from: 5,
        partial_after: 1_800.0,
        base_url: String::new(),
        command: crate::notice::usual_command(),
    }
}

/// A state that may give any number.
pub(super) fn state(persisted: PersistedState) -> IncidentState {
    let mut state = IncidentState::new("t", "1", persisted, NumberClaim::nothing(0));
    state.claimed(APART, APART);
    state
}

/// A state with its policy and its clock.
pub(super) struct Scene {
    policy: AlertPolicy,
    pub(super) state: IncidentState,
    pub(super) now: f64,
}

impl Scene {
    pub(super) fn new(policy: AlertPolicy) -> Self {
        Self {
            policy,
            state: state(PersistedState::default()),
            now: START,
        }
    }

    pub(super) fn pass(&mut self, observations: Vec<Observation>) -> Vec<Notice> {
        self.now += 60.0;
        self.event(IncidentEvent::ObservedAll("metric".into(), observations))
    }

    pub(super) fn step(&mut self, event: IncidentEvent) -> Result<Step, EventRefused> {
        self.state.step(&self.policy, event, self.now)
    }

    pub(super) fn event(&mut self, event: IncidentEvent) -> Vec<Notice> {
        self.step(event).unwrap().notices
    }

    /// What one pass with this metric alone says.
    pub(super) fn say(&mut self, observation: impl Fn(&str, f64) -> Observation) -> Vec<NewsKind> {
        let at = self.now + 60.0;
        kinds(&self.pass(vec![observation("web.1.cpu", at)]))
    }

    pub(super) fn silence(&mut self, silence: Silence) -> Result<Step, EventRefused> {
        self.step(IncidentEvent::Silence(Box::new(silence)))
    }
}

pub(super) fn news(notice: &Notice) -> &News {
    notice.news().unwrap()
}

pub(super) fn kinds(notices: &[Notice]) -> Vec<NewsKind> {
    let items = notices.iter().flat_map(|notice| &news(notice).items);
    items.map(|item| item.what).collect()
}

pub(super) fn silence(metrics: &str, until: Option<f64>) -> Silence {
    Silence {
        id: 0,
        selection: Selection {
            metrics: vec![metrics.into()],
            ..Selection::default()
        },
        from: START,
        until,
        until_resolved: false,
        until_change: None,
        hours: None,
        author: "ann".into(),
        reason: "deploy".into(),
        ended_at: None,
    }
}

#[test]
fn it_is_told_once_and_once_again_when_it_is_over() {
    let mut scene = Scene::new(policy());
    assert_eq!(scene.say(wrong), [NewsKind::Opened]);
    for _ in 0..20 {
        assert_eq!(scene.say(wrong), []);
    }
    for _ in 0..4 {
        assert_eq!(scene.say(well), []);
    }
    let over = {
        let at = scene.now + 60.0;
        scene.pass(vec![well("web.1.cpu", at)])
    };
    assert_eq!(kinds(&over), [NewsKind::Resolved]);
    assert!(over[0].is_all_over() && !over[0].is_first());
    assert_eq!(over[0].thread, "t.1.1");
    assert_eq!(scene.say(well), []);
}

#[test]
fn no_verdict_is_no_recovery() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    for _ in 0..100 {
        assert!(scene.pass(vec![]).is_empty());
    }
    let incident = scene.state.incidents().next().unwrap();
    assert_eq!(
        (incident.phase, incident.unknown_since),
        (Phase::Open, Some(START + 120.0))
    );
    // The hundred minutes count for one longest step, not for what they are.
    assert_eq!(scene.say(well), [NewsKind::Resolved]);
    let mut short_steps = policy();
    short_steps.hysteresis.longest_step = 120.0;
    let mut scene = Scene::new(short_steps);
    scene.say(wrong);
    scene.now += 6_000.0;
    assert_eq!(scene.say(well), []);
    assert_eq!(scene.state.incidents().next().unwrap().unknown_since, None);
}

#[test]
fn the_same_point_seen_again_is_no_news_and_no_time() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    for _ in 0..100 {
        scene.pass(vec![well("web.1.cpu", START + 120.0)]);
    }
    assert_eq!(scene.state.incidents().next().unwrap().quiet, 60.0);
}

#[test]
fn back_within_half_an_hour_is_the_same_incident() {
    let mut policy = policy();
    policy.routes.top[0].pace.cooldown = 0.0;
    let mut scene = Scene::new(policy);
    scene.say(wrong);
    (0..5).for_each(|_| drop(scene.say(well)));
    (0..20).for_each(|_| drop(scene.say(well)));
    assert_eq!(scene.say(wrong), [NewsKind::Returned]);
    let incident = scene.state.incidents().next().unwrap();
    assert_eq!((incident.id, incident.returns), (1, 1));
    (0..5).for_each(|_| drop(scene.say(well)));
    (0..31).for_each(|_| drop(scene.say(well)));
    assert_eq!(scene.state.incidents().count(), 0);
    assert_eq!(scene.say(wrong), [NewsKind::Opened]);
    assert_eq!(scene.state.incidents().next().unwrap().id, 2);
}

#[test]
fn a_return_is_told_at_once_and_what_flaps_is_said_to_flap_and_damped() {
    let mut scene = Scene::new(policy());
    let mut said = scene.say(wrong);
    (0..5).for_each(|_| said.extend(scene.say(well)));
    assert_eq!(said, [NewsKind::Opened, NewsKind::Resolved]);
    // The cooldown of the first notice would run for another 25 minutes.
    assert_eq!(scene.say(wrong), [NewsKind::Returned]);
    (0..5).for_each(|_| drop(scene.say(well)));
    let at = scene.now + 60.0;
    let third = scene.pass(vec![wrong("web.1.cpu", at)]);
    assert_eq!(kinds(&third), [NewsKind::Returned]);
    assert_eq!(news(&third[0]).items[0].flapping, Some(3));
    // From now on five minutes are not long enough.
    (0..9).for_each(|_| assert_eq!(scene.say(well), []));
    assert_eq!(scene.say(well), [NewsKind::Resolved]);
    // An hour later it has forgotten that.
    (0..60).for_each(|_| drop(scene.say(well)));
    scene.say(wrong);
    let said: Vec<NewsKind> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [NewsKind::Resolved]);
}

/// A critical anomaly.
fn critical(name: &str, at: f64) -> Observation {
    let mut worse = anomaly(name, at);
    worse.severity = Severity::Critical;
    Observation {
        subject: worse.subject.clone(),
        outcome: ObservedOutcome::Anomalous(Box::new(worse)),
    }
}

#[test]
fn worse_breaks_every_cooldown() {
    // Nobody is told that it is over here, so that the cooldown runs on.
    let mut policy = policy();
    policy.receivers[0].resolved = false;
    policy.hysteresis.return_within = 0.0;
    let mut scene = Scene::new(policy);
    assert_eq!(scene.say(wrong), [NewsKind::Opened]);
    (0..6).for_each(|_| assert_eq!(scene.say(well), []));
    assert_eq!(scene.say(wrong), [], "the same, and no worse");
    (0..6).for_each(|_| assert_eq!(scene.say(well), []));
    let outlook = |scene: &Scene| {
        let subject = Subject::Metric("web.1.cpu".into());
        scene.state.outlook(&scene.policy, &subject, scene.now).prospects[0].clone()
    };
    assert!(outlook(&scene).cooling_until.is_some());
    assert_eq!(scene.say(critical), [NewsKind::Opened]);
    // The story: a warning, its end, and soon after something far worse.
    let mut scene = Scene::new(self::policy());
    scene.say(wrong);
    (0..5).for_each(|_| drop(scene.say(well)));
    assert_eq!(outlook(&scene).cooling_until, None);
    assert_eq!(scene.say(critical), [NewsKind::Returned]);
}

/// The one incident's end, as it is told.
fn the_end(scene: &mut Scene, observation: impl Fn(&str, f64) -> Observation) -> Option<(NewsKind, Ending)> {
    let at = scene.now + 60.0;
    let notices = scene.pass(vec![observation("web.1.cpu", at)]);
    let item = &news(notices.first()?).items[0];
    Some((item.what, item.ending.clone().expect("it has ended")))
}

#[test]
fn no_longer_new_is_not_good_again() {
    let at_level = |level: f64| {
        move |name: &str, at: f64| Observation {
            subject: Subject::Metric(name.into()),
            outcome: ObservedOutcome::Normal { at, value: level },
        }
    };
    let settled = |name: &str, at: f64| Observation {
        subject: Subject::Metric(name.into()),
        outcome: ObservedOutcome::Settled {
            at,
            value: 60.0,
            before: 10.0,
        },
    };
    let end = |outcome, value: f64, before: Option<f64>| Ending {
        outcome,
        value: Some(value),
        before,
        by: String::new(),
    };
    // Said by whoever judges it.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    (0..4).for_each(|_| assert_eq!(the_end(&mut scene, settled), None));
    assert_eq!(
        the_end(&mut scene, settled),
        Some((NewsKind::Settled, end(Phase::Settled, 60.0, Some(10.0))))
    );
    let incident = scene.state.incidents().next().unwrap();
    assert_eq!(incident.phase, Phase::Settled);
    assert_eq!(scene.say(wrong), [NewsKind::Returned]);
    // Said by nobody, but the value is where it was anomalous: the classic tests get used to everything.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    (0..4).for_each(|_| assert_eq!(the_end(&mut scene, at_level(95.0)), None));
    assert_eq!(
        the_end(&mut scene, at_level(95.0)),
        Some((NewsKind::Settled, end(Phase::Settled, 95.0, Some(30.2))))
    );
    // Back: whatever was said in between.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    (0..4).for_each(|_| assert_eq!(the_end(&mut scene, settled), None));
    assert_eq!(
        the_end(&mut scene, at_level(31.0)),
        Some((NewsKind::Resolved, end(Phase::Resolved, 31.0, None)))
    );
    // A little outside of what was expected, and far from where it was: good again.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    (0..4).for_each(|_| assert_eq!(the_end(&mut scene, at_level(41.0)), None));
    assert_eq!(the_end(&mut scene, at_level(41.0)).unwrap().0, NewsKind::Resolved);
}

#[test]
fn a_deleted_metric_is_gone_and_nobody_is_told_it_is_well() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let notices = scene.pass(vec![deleted("web.1.cpu")]);
    assert_eq!(kinds(&notices), [NewsKind::Gone]);
    let item = &news(&notices[0]).items[0];
    assert_eq!(item.ending.as_ref().unwrap().value, Some(97.2));
    assert!(notices[0].is_all_over());
    assert_eq!(scene.state.incidents().count(), 0);
    // One whose group still waits is told of all the same.
    let mut policy = policy();
    policy.routes.top[0].grouping.wait = 600.0;
    let mut scene = Scene::new(policy);
    scene.say(wrong);
    assert!(scene.pass(vec![deleted("web.1.cpu")]).is_empty());
    let said: Vec<NewsKind> = (0..10).flat_map(|_| kinds(&scene.pass(vec![]))).collect();
    assert_eq!(said, [NewsKind::Passed]);
    assert_eq!(scene.state.incidents().count(), 0);
}

#[test]
fn what_somebody_closed_begins_anew_only_when_it_is_worse_or_was_well() {
    let close = |scene: &mut Scene| {
        let notices = scene.event(IncidentEvent::Close {
            incident: scene.state.next().incident - 1,
            by: "ann".into(),
        });
        let item = &news(&notices[0]).items[0];
        assert_eq!(
            (item.what, item.ending.as_ref().unwrap().by.as_str()),
            (NewsKind::Closed, "ann")
        );
    };
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    scene.now += 60.0;
    close(&mut scene);
    assert_eq!(
        scene
            .state
            .step(
                &scene.policy,
                IncidentEvent::Close {
                    incident: 1,
                    by: "bob".into()
                },
                scene.now
            )
            .unwrap_err(),
        EventRefused::NoIncident(1)
    );
    (0..100).for_each(|_| assert_eq!(scene.say(wrong), []));
    assert_eq!(
        scene.say(critical),
        [NewsKind::Returned],
        "worse than what was closed"
    );
    scene.now += 60.0;
    close(&mut scene);
    assert_eq!(scene.say(well), []);
    assert_eq!(scene.say(wrong), [NewsKind::Opened], "it was well in between");
    assert_eq!(
        scene
            .state
            .about(&Subject::Metric("web.1.cpu".into()))
            .unwrap()
            .id,
        2
    );
}

/// A policy in which the first receiver is a machine.
fn policy_of_machine(refresh: Option<f64>) -> AlertPolicy {
    let mut policy = policy();
    policy.receivers[0].audience = Audience::Machine { refresh };
    policy.receivers[0].cap.notices = 1;
    policy.routes.top[0].grouping.wait = 600.0;
    policy
}

#[test]
fn a_machine_gets_every_incident_at_once_in_batches() {
    let mut scene = Scene::new(policy_of_machine(None));
    let at = scene.now + 60.0;
    let many = |observation: fn(&str, f64) -> Observation, at| {
        (0..1_037)
            .map(|i| observation(&format!("app.{i}.cpu"), at))
            .collect()
    };
    let mut alive = std::collections::BTreeSet::new();
    let notices = scene.pass(many(wrong, at));
    assert_eq!(notices.len(), 6);
    for notice in &notices {
        let news = news(notice);
        assert_eq!(news.counts.total(), news.items.len() as u64);
        assert!(notice.is_first());
        alive.extend(news.items.iter().map(|item| item.incident));
    }
    assert_eq!(alive.len(), 1_037);
    for _ in 0..5 {
        let at = scene.now + 60.0;
        for notice in scene.pass(many(well, at)) {
            assert!(!notice.is_first() && notice.is_all_over());
            for item in &news(&notice).items {
                assert!(item.what == NewsKind::Resolved && alive.remove(&item.incident));
            }
        }
    }
    assert!(alive.is_empty());
}

#[test]
fn a_machine_hears_that_it_lasts_whoever_has_it_and_whatever_is_silent() {
    let mut scene = Scene::new(policy_of_machine(Some(300.0)));
    let lasts = |scene: &mut Scene, minutes: usize| -> Vec<NewsKind> {
        (0..minutes)
            .flat_map(|_| {
                scene.now += 60.0;
                // No pass at all: not even the store need answer.
                kinds(&scene.event(IncidentEvent::Tick))
            })
            .collect()
    };
    assert_eq!(scene.say(wrong), [NewsKind::Opened]);
    assert_eq!(lasts(&mut scene, 4), []);
    assert_eq!(lasts(&mut scene, 1), [NewsKind::Lasts]);
    scene.event(IncidentEvent::Acknowledge {
        incident: 1,
        by: "ann".into(),
        until_resolved: true,
    });
    assert_eq!(lasts(&mut scene, 10), [NewsKind::Lasts, NewsKind::Lasts]);
    scene.silence(silence("web.**", None)).unwrap();
    assert_eq!(lasts(&mut scene, 10), [NewsKind::Lasts, NewsKind::Lasts]);
    let before = scene.now;
    scene.now += 60.0;
    let gone = scene.event(IncidentEvent::Observed(vec![deleted("web.1.cpu")]));
    assert_eq!(kinds(&gone), [NewsKind::Gone], "{before}");
    assert_eq!(lasts(&mut scene, 60), []);
}

#[test]
fn numbers_nobody_could_claim_are_of_a_range_where_runs_cannot_meet() {
    let policy = policy();
    let run = |run: &str, apart: u64| {
        let mut state = IncidentState::new("t", run, PersistedState::default(), NumberClaim::nothing(apart));
        state.claimed(2, 1);
        let observations = (0..3).map(|i| wrong(&format!("app.{i}.cpu"), START)).collect();
        let step = state
            .step(
                &policy,
                IncidentEvent::ObservedAll("metric".into(), observations),
                START,
            )
            .unwrap();
        let incidents: Vec<u64> = step.incidents.iter().map(|incident| incident.id).collect();
        let ids: Vec<String> = step.notices.iter().map(|notice| notice.id.clone()).collect();
        (incidents, ids, state)
    };
    let apart = 1_795_268_520_000_000;
    let (incidents, ids, mut state) = run("a", apart);
    assert_eq!(incidents, [1, apart, apart + 1]);
    let (other, other_ids, _) = run("b", apart + 1_000_000);
    assert!(other[1..].iter().all(|id| !incidents.contains(id)));
    assert!(ids.iter().all(|id| !other_ids.contains(id)));
    // What was given apart leaves those in turn alone.
    state.claimed(9, 9);
    let persisted = PersistedState {
        incidents: state.incidents().cloned().collect(),
        next: state.next(),
        ..PersistedState::default()
    };
    let mut state = IncidentState::new("t", "c", persisted, NumberClaim::nothing(apart + 2_000_000));
    state.claimed(9, 9);
    let step = state
        .step(
            &policy,
            IncidentEvent::ObservedAll("metric".into(), vec![wrong("db.cpu", START)]),
            START,
        )
        .unwrap();
    assert!(
        step.incidents.iter().any(|incident| incident.id == 2),
        "{:?}",
        step.incidents
    );
}

#[test]
fn whatever_ends_is_handed_out_whole_to_be_written() {
    let ends = |step: &Step| {
        let persisted: Vec<(u64, Phase)> = step
            .incidents
            .iter()
            .map(|persisted| (persisted.id, persisted.phase))
            .collect();
        let turns: Vec<(u64, Phase)> = step
            .transitions
            .iter()
            .map(|turn| (turn.incident, turn.to))
            .collect();
        (persisted, turns)
    };
    // Deleted, and in the same step no longer in the state.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let observations = IncidentEvent::ObservedAll("metric".into(), vec![deleted("web.1.cpu")]);
    let step = scene
        .state
        .step(&scene.policy, observations, scene.now + 60.0)
        .unwrap();
    assert_eq!(scene.state.about(&Subject::Metric("web.1.cpu".into())), None);
    assert_eq!(ends(&step), (vec![(1, Phase::Gone)], vec![(1, Phase::Gone)]));
    // One of two about the same subject, which only the next step writes; a refused event in between takes nothing along.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let first = scene.state.incidents().next().unwrap().clone();
    let second = Incident {
        id: 2,
        ..first.clone()
    };
    let persisted = PersistedState {
        incidents: vec![first, second],
        ..PersistedState::default()
    };
    scene.state = state(persisted);
    scene
        .state
        .step(&scene.policy, IncidentEvent::EndSilence { silence: 9 }, scene.now)
        .unwrap_err();
    let step = scene
        .state
        .step(&scene.policy, IncidentEvent::Tick, scene.now)
        .unwrap();
    assert_eq!(ends(&step), (vec![(1, Phase::Closed)], vec![(1, Phase::Closed)]));
    // A silence that ends with the step.
    scene.silence(silence("db.**", Some(scene.now + 30.0))).unwrap();
    let step = scene
        .state
        .step(&scene.policy, IncidentEvent::Tick, scene.now + 60.0)
        .unwrap();
    assert_eq!(step.silences.len(), 1);
    assert_eq!(scene.state.silences().count(), 0);
}

#[test]
fn seen_often_enough_of_the_last_points() {
    let mut policy = policy();
    policy.hysteresis.seen = 3;
    policy.hysteresis.of = 5;
    let mut scene = Scene::new(policy);
    assert_eq!(scene.say(wrong), []);
    assert_eq!(scene.say(well), []);
    assert_eq!(scene.say(wrong), []);
    assert_eq!(scene.say(well), []);
    assert_eq!(scene.say(wrong), [NewsKind::Opened]);
    let mut scene = Scene::new(scene.policy);
    scene.say(wrong);
    (0..5).for_each(|_| drop(scene.say(well)));
    assert_eq!(scene.state.incidents().count(), 0, "seen once and forgotten");
}

/// An anomaly by score, within or outside of the rest after an alert.
fn strong(opens: bool) -> impl Fn(&str, f64) -> Observation {
    move |name, at| {
        let strength = Some(Strength { score: 1.5, opens });
        let anomaly = Anomaly {
            strength,
            ..anomaly(name, at)
        };
        Observation {
            subject: Subject::Metric(name.into()),
            outcome: ObservedOutcome::Anomalous(Box::new(anomaly)),
        }
    }
}

#[test]
fn in_its_rest_nothing_begins_or_comes_back_but_what_lasts_goes_on() {
    let mut scene = Scene::new(policy());
    assert_eq!(scene.say(strong(false)), []);
    assert_eq!(scene.state.incidents().count(), 0);
    assert_eq!(scene.say(strong(true)), [NewsKind::Opened]);
    // While the score stays up the incident is not over, however long.
    (0..60).for_each(|_| assert_eq!(scene.say(strong(false)), []));
    assert_eq!(scene.state.incidents().next().unwrap().phase, Phase::Open);
    let said: Vec<NewsKind> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [NewsKind::Resolved]);
    assert_eq!(scene.say(strong(false)), []);
    assert_eq!(scene.state.incidents().next().unwrap().phase, Phase::Resolved);
    assert_eq!(scene.say(strong(true)), [NewsKind::Returned]);
}

#[test]
fn a_strength_says_how_sure() {
    let of = |score| Anomaly {
        strength: Some(Strength { score, opens: true }),
        ..anomaly("m", 0.0)
    };
    assert_eq!(of(1.0).score(), 0.5);
    assert!(of(3.0).score() > of(2.0).score());
    assert_eq!(of(f64::INFINITY).score(), 1.0);
}

#[test]
fn somebody_has_it_and_it_is_not_said_again() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let ack = |incident| IncidentEvent::Acknowledge {
        incident,
        by: "ann".into(),
        until_resolved: false,
    };
    let told = scene.event(ack(1));
    assert_eq!(kinds(&told), [NewsKind::Acknowledged]);
    for _ in 0..600 {
        assert_eq!(scene.say(wrong), []);
    }
    assert_eq!(scene.step(ack(7)).unwrap_err(), EventRefused::NoIncident(7));
    let said: Vec<NewsKind> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [NewsKind::Resolved]);
    assert_eq!(
        scene.say(wrong),
        [NewsKind::Returned],
        "it has come back to nobody"
    );
}

#[test]
fn neighbours_are_told_of_together_and_many_in_one_digest() {
    let mut scene = Scene::new(policy());
    let at = scene.now + 60.0;
    let notices = scene.pass(vec![
        wrong("web.1.cpu", at),
        wrong("web.1.mem", at),
        wrong("db.1.cpu", at),
    ]);
    let groups: Vec<_> = notices.iter().map(|notice| news(notice).group.as_str()).collect();
    assert_eq!(groups, ["", "web.1"]);
    let at = scene.now + 60.0;
    let many = (0..1_000).map(|i| wrong(&format!("app.{i}.cpu"), at)).collect();
    let notices = scene.pass(many);
    assert_eq!(notices.len(), 1);
    assert_eq!(news(&notices[0]).counts.firing, 1_000);
    assert_eq!(news(&notices[0]).items.len(), crate::notice::LISTED);
    // They end in ones and twos: the first waits for the others or for half an hour.
    let mut ends = 0;
    for i in 0..50 {
        let at = scene.now + 60.0;
        let observations = (0..1_000).map(|metric| {
            let name = format!("app.{metric}.cpu");
            if metric < i * 25 {
                well(&name, at)
            } else {
                wrong(&name, at)
            }
        });
        ends += scene.pass(observations.collect()).len();
    }
    assert!((2..=4).contains(&ends), "{ends}");
}

#[test]
fn the_rate_cap_holds_back_and_says_how_many() {
    let mut policy = policy();
    policy.receivers[0].cap = RateCap {
        notices: 2,
        per: 600.0,
    };
    let mut scene = Scene::new(policy);
    let mut sent = Vec::new();
    for i in 0..10 {
        let at = scene.now + 60.0;
        sent.extend(scene.pass((0..=i).map(|i| wrong(&format!("app.{i}.cpu"), at)).collect()));
    }
    assert_eq!(sent.len(), 2);
    let at = scene.now + 60.0;
    let next = scene.pass((0..10).map(|i| wrong(&format!("app.{i}.cpu"), at)).collect());
    assert_eq!(next.len(), 1);
    assert_eq!((news(&next[0]).held_back, news(&next[0]).counts.firing), (8, 8));
}

#[test]
fn a_group_waits_and_says_what_came_and_went() {
    let mut policy = policy();
    policy.routes.top[0].grouping.wait = 600.0;
    let mut scene = Scene::new(policy);
    let mut said = scene.say(wrong);
    (0..10).for_each(|_| said.extend(scene.say(well)));
    assert_eq!(said, [NewsKind::Passed]);
    (0..100).for_each(|_| assert_eq!(scene.say(well), []));
}

#[test]
fn what_is_wrong_with_a_receiver_is_told_to_another() {
    let mut scene = Scene::new(policy());
    let mut failing = anomaly("skywatch.receiver.ops", START);
    failing.subject = Subject::Component("skywatch.receiver.ops".into());
    failing.severity = Severity::Critical;
    let observation = |outcome| Observation {
        subject: failing.subject.clone(),
        outcome,
    };
    let told = scene.event(IncidentEvent::Observed(vec![observation(
        ObservedOutcome::Anomalous(Box::new(failing.clone())),
    )]));
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].receiver.as_str(), told[0].severity()),
        ("night", Some(Severity::Critical))
    );
    scene.now += 120.0;
    let over = scene.event(IncidentEvent::Observed(vec![observation(
        ObservedOutcome::Normal {
            at: scene.now,
            value: f64::NAN,
        },
    )]));
    assert_eq!(kinds(&over), [NewsKind::Resolved]);
}

#[test]
fn worse_is_news_and_lasting_is_said_again_now_and_then() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let at = scene.now + 60.0;
    let mut worse = anomaly("web.1.cpu", at);
    worse.severity = Severity::Critical;
    let observation = Observation {
        subject: worse.subject.clone(),
        outcome: ObservedOutcome::Anomalous(Box::new(worse)),
    };
    assert_eq!(kinds(&scene.pass(vec![observation])), [NewsKind::Worse]);
    let said: Vec<NewsKind> = (0..480).flat_map(|_| scene.say(wrong)).collect();
    assert_eq!(said, [NewsKind::Reminder, NewsKind::Reminder]);
}

#[test]
fn a_restart_knows_what_was_told() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let persisted = PersistedState {
        incidents: scene.state.incidents().cloned().collect(),
        pace: vec![("ops".into(), scene.state.recent_sends("ops").unwrap().clone())],
        cooldowns: vec![Cooldown {
            receiver: "ops".into(),
            subject: Subject::Metric("web.1.cpu".into()),
            told: Some((START + 60.0, Severity::Warning)),
        }],
        next: scene.state.next(),
        ..PersistedState::default()
    };
    scene.state = state(persisted);
    assert_eq!(scene.say(wrong), []);
    let said: Vec<NewsKind> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [NewsKind::Resolved]);
}

/// A policy by which data depend on `redis:main`.
fn policy_of_dependence() -> AlertPolicy {
    let targets = Selection {
        metrics: vec!["=skywatch.data".into(), "web.*.*".into()],
        ..Selection::default()
    };
    let rule = InhibitRule {
        source: "redis:main".into(),
        targets: Matcher::new(&targets).unwrap(),
    };
    AlertPolicy {
        inhibition: Inhibition {
            rules: vec![rule],
            fresh: 30.0,
            settle: 120.0,
        },
        ..policy()
    }
}

impl Scene {
    /// What is said when these components are seen so (`true` is broken), so many seconds later.
    fn components(&mut self, later: f64, seen: &[(&str, bool)]) -> Vec<String> {
        self.now += later;
        let now = self.now;
        let observations = seen.iter().map(|(name, broken)| {
            let subject = Subject::Component((*name).to_owned());
            let outcome = if *broken {
                ObservedOutcome::Anomalous(Box::new(Anomaly::new(subject.clone(), Severity::Critical, now)))
            } else {
                ObservedOutcome::Normal {
                    at: now,
                    value: f64::NAN,
                }
            };
            Observation { subject, outcome }
        });
        let notices = self.event(IncidentEvent::Observed(observations.collect()));
        let items = notices.iter().flat_map(|notice| &news(notice).items);
        items
            .map(|item| format!("{} {:?}", item.anomaly.name(), item.what))
            .collect()
    }
}

#[test]
fn what_follows_from_a_cause_is_held_back_and_never_told_if_it_ends_with_it() {
    let mut scene = Scene::new(policy_of_dependence());
    assert_eq!(
        scene.components(0.0, &[("redis:main", true)]),
        ["redis:main Opened"]
    );
    assert_eq!(scene.components(10.0, &[("skywatch.data", true)]), [""; 0]);
    let metric = vec![wrong("web.1.cpu", scene.now)];
    assert_eq!(
        kinds(&scene.event(IncidentEvent::Observed(metric))),
        [],
        "of any kind"
    );
    assert_eq!(
        scene.components(1.0, &[("redis:main", true), ("graphite:a", true)]),
        ["graphite:a Opened"]
    );
    assert_eq!(scene.state.inhibited(), 2);
    let outlook = scene.state.outlook(
        &scene.policy,
        &Subject::Component("skywatch.data".into()),
        scene.now,
    );
    assert_eq!(
        outlook.prospects[0].why,
        "it follows from incident 1, and is told if it lasts beyond that"
    );
    assert_eq!(
        scene.components(10.0, &[("redis:main", false)]),
        ["redis:main Resolved"]
    );
    assert_eq!(
        scene.components(60.0, &[("skywatch.data", false)]),
        [""; 0],
        "it was never told"
    );
    assert_eq!(scene.state.inhibited(), 1, "the metric still lasts");
}

#[test]
fn what_outlasts_its_cause_is_told() {
    let mut scene = Scene::new(policy_of_dependence());
    scene.components(0.0, &[("redis:main", true)]);
    scene.components(10.0, &[("skywatch.data", true)]);
    scene.components(10.0, &[("redis:main", false)]);
    scene.now += 119.0;
    assert_eq!(kinds(&scene.event(IncidentEvent::Tick)), []);
    scene.now += 1.0;
    assert_eq!(kinds(&scene.event(IncidentEvent::Tick)), [NewsKind::Opened]);
}

#[test]
fn a_cause_of_which_nothing_is_known_holds_nothing_back() {
    let mut scene = Scene::new(policy_of_dependence());
    scene.components(0.0, &[("redis:main", true)]);
    scene.components(10.0, &[("skywatch.data", true)]);
    // Its finder has died; the cause counts from its last word.
    scene.now += 19.0;
    assert_eq!(kinds(&scene.event(IncidentEvent::Tick)), []);
    scene.now += 1.0;
    assert_eq!(kinds(&scene.event(IncidentEvent::Tick)), [NewsKind::Opened]);
}

#[test]
fn what_began_before_or_was_told_is_not_held_back() {
    let mut scene = Scene::new(policy_of_dependence());
    assert_eq!(
        scene.components(0.0, &[("skywatch.data", true)]),
        ["skywatch.data Opened"]
    );
    scene.components(10.0, &[("redis:main", true)]);
    assert_eq!(scene.state.inhibited(), 0);
    assert_eq!(
        scene.components(10.0, &[("skywatch.data", false)]),
        ["skywatch.data Resolved"]
    );
}

#[test]
fn while_a_receiver_cannot_be_reached_another_one_is_told_in_its_place() {
    let mut policy = policy();
    policy.receivers[0].fallback = Some("night".into());
    let mut scene = Scene::new(policy);
    let to = |notices: &[Notice]| -> Vec<String> {
        let named = |notice: &Notice| format!("{} {}", notice.receiver, news(notice).items[0].anomaly.name());
        notices.iter().map(named).collect()
    };
    let metric = |scene: &mut Scene, name: &str, observation: fn(&str, f64) -> Observation| {
        scene.now += 400.0;
        let seen = vec![observation(name, scene.now)];
        to(&scene.event(IncidentEvent::Observed(seen)))
    };
    assert_eq!(metric(&mut scene, "old.1.cpu", wrong), ["ops old.1.cpu"]);
    scene.now += 400.0;
    let told = scene.components(0.0, &[("skywatch.receiver.ops", true)]);
    assert_eq!(
        told,
        ["skywatch.receiver.ops Opened"],
        "what ops was told before is not told again"
    );
    assert_eq!(
        metric(&mut scene, "new.1.cpu", wrong),
        ["ops new.1.cpu", "night new.1.cpu"]
    );
    let outlook = scene
        .state
        .outlook(&scene.policy, &Subject::Metric("new.1.cpu".into()), scene.now);
    assert_eq!(outlook.prospects.len(), 2);
    scene.components(10.0, &[("skywatch.receiver.ops", false)]);
    assert_eq!(metric(&mut scene, "later.1.cpu", wrong), ["ops later.1.cpu"]);
    // Whoever was told that it began is told that it is over.
    assert_eq!(
        metric(&mut scene, "new.1.cpu", well),
        ["ops new.1.cpu", "night new.1.cpu"]
    );
}
