//! Scenes from the lives of incidents.

use super::*;
use crate::anomaly::{Anomaly, Severity, Strength};
use crate::incident::Outcome;
use crate::matcher::{Matcher, Selection};
use crate::notice::{News, What};
use crate::route::{Grouping, Limits, Pace, Route};
use crate::sample;

const START: f64 = 1_000_000.0;

pub(super) fn anomaly(name: &str, at: f64) -> Anomaly {
    Anomaly {
        at,
        ..sample::anomaly(name).without_window()
    }
}

pub(super) fn wrong(name: &str, at: f64) -> Look {
    Look {
        subject: Subject::Metric(name.into()),
        outcome: Outcome::Anomalous(Box::new(anomaly(name, at))),
    }
}

pub(super) fn well(name: &str, at: f64) -> Look {
    Look {
        subject: Subject::Metric(name.into()),
        outcome: Outcome::Normal { at },
    }
}

fn deleted(name: &str) -> Look {
    Look {
        subject: Subject::Metric(name.into()),
        outcome: Outcome::Deleted,
    }
}

pub(super) fn route(name: &str, receivers: &[&str]) -> Route {
    Route {
        name: name.into(),
        matcher: Matcher::default(),
        hours: None,
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
        go_on: false,
        limits: Limits::default(),
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

pub(super) fn policy() -> Policy {
    let receiver = |name: &str| Receiver {
        name: name.into(),
        resolved: true,
        cap: RateCap {
            notices: 20,
            per: 600.0,
        },
    };
    Policy {
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
        receivers: vec![receiver("ops"), receiver("night")],
        digest_from: 5,
        partial_after: 1_800.0,
        base_url: String::new(),
    }
}

/// A state with its policy and its clock.
struct Scene {
    policy: Policy,
    state: State,
    now: f64,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        Self {
            policy,
            state: State::new("t", Kept::default()),
            now: START,
        }
    }

    fn pass(&mut self, looks: Vec<Look>) -> Vec<Notice> {
        self.now += 60.0;
        self.event(Event::Pass(looks))
    }

    fn event(&mut self, event: Event) -> Vec<Notice> {
        self.state.step(&self.policy, event, self.now).unwrap().notices
    }

    /// What one pass with this metric alone says.
    fn say(&mut self, look: impl Fn(&str, f64) -> Look) -> Vec<What> {
        let at = self.now + 60.0;
        kinds(&self.pass(vec![look("web.1.cpu", at)]))
    }

    fn silence(&mut self, silence: Silence) -> Result<Step, Refused> {
        self.state
            .step(&self.policy, Event::Silence(Box::new(silence)), self.now)
    }
}

fn news(notice: &Notice) -> &News {
    notice.news().unwrap()
}

fn kinds(notices: &[Notice]) -> Vec<What> {
    let items = notices.iter().flat_map(|notice| &news(notice).items);
    items.map(|item| item.what).collect()
}

fn silence(metrics: &str, until: Option<f64>) -> Silence {
    Silence {
        id: 0,
        selection: Selection {
            metrics: vec![metrics.into()],
            ..Selection::default()
        },
        from: START,
        until,
        until_resolved: false,
        hours: None,
        author: "ann".into(),
        reason: "deploy".into(),
        ended_at: None,
    }
}

#[test]
fn it_is_told_once_and_once_again_when_it_is_over() {
    let mut scene = Scene::new(policy());
    assert_eq!(scene.say(wrong), [What::Opened]);
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
    assert_eq!(kinds(&over), [What::Resolved]);
    assert!(over[0].is_all_over() && !over[0].is_first());
    assert_eq!(over[0].thread, "t.1");
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
    assert_eq!(scene.say(well), [What::Resolved]);
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
    assert_eq!(scene.say(wrong), [What::Returned]);
    let incident = scene.state.incidents().next().unwrap();
    assert_eq!((incident.id, incident.returns), (1, 1));
    (0..5).for_each(|_| drop(scene.say(well)));
    (0..31).for_each(|_| drop(scene.say(well)));
    assert_eq!(scene.state.incidents().count(), 0);
    assert_eq!(scene.say(wrong), [What::Opened]);
    assert_eq!(scene.state.incidents().next().unwrap().id, 2);
}

#[test]
fn flapping_within_the_cooldown_is_told_when_the_cooldown_is_over() {
    let mut scene = Scene::new(policy());
    let mut said = scene.say(wrong);
    (0..5).for_each(|_| said.extend(scene.say(well)));
    assert_eq!(said, [What::Opened, What::Resolved]);
    for minute in 6..30 {
        assert_eq!(scene.say(wrong), [], "minute {minute}");
    }
    assert_eq!(scene.say(wrong), [What::Returned]);
}

#[test]
fn a_deleted_metric_is_gone_and_nobody_is_told_it_is_well() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    assert!(scene.pass(vec![deleted("web.1.cpu")]).is_empty());
    assert_eq!(scene.state.incidents().count(), 0);
}

#[test]
fn whatever_ends_is_handed_out_whole_to_be_written() {
    let ends = |step: &Step| {
        let kept: Vec<(u64, Phase)> = step.incidents.iter().map(|kept| (kept.id, kept.phase)).collect();
        let turns: Vec<(u64, Phase)> = step.transitions.iter().map(|turn| (turn.incident, turn.to)).collect();
        (kept, turns)
    };
    // Deleted, and in the same step no longer in the state.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let looks = Event::Pass(vec![deleted("web.1.cpu")]);
    let step = scene.state.step(&scene.policy, looks, scene.now + 60.0).unwrap();
    assert_eq!(scene.state.about(&Subject::Metric("web.1.cpu".into())), None);
    assert_eq!(ends(&step), (vec![(1, Phase::Gone)], vec![(1, Phase::Gone)]));
    // One of two about the same subject, which only the next step writes; a refused event in between takes nothing along.
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let first = scene.state.incidents().next().unwrap().clone();
    let second = Incident { id: 2, ..first.clone() };
    let kept = Kept {
        incidents: vec![first, second],
        ..Kept::default()
    };
    scene.state = State::new("t", kept);
    scene
        .state
        .step(&scene.policy, Event::EndSilence { silence: 9 }, scene.now)
        .unwrap_err();
    let step = scene.state.step(&scene.policy, Event::Tick, scene.now).unwrap();
    assert_eq!(ends(&step), (vec![(1, Phase::Gone)], vec![(1, Phase::Gone)]));
    // A silence that ends with the step.
    scene.silence(silence("db.**", Some(scene.now + 30.0))).unwrap();
    let step = scene.state.step(&scene.policy, Event::Tick, scene.now + 60.0).unwrap();
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
    assert_eq!(scene.say(wrong), [What::Opened]);
    let mut scene = Scene::new(scene.policy);
    scene.say(wrong);
    (0..5).for_each(|_| drop(scene.say(well)));
    assert_eq!(scene.state.incidents().count(), 0, "seen once and forgotten");
}

/// An anomaly by score, within or outside of the rest after an alert.
fn strong(opens: bool) -> impl Fn(&str, f64) -> Look {
    move |name, at| {
        let strength = Some(Strength { score: 1.5, opens });
        let anomaly = Anomaly {
            strength,
            ..anomaly(name, at)
        };
        Look {
            subject: Subject::Metric(name.into()),
            outcome: Outcome::Anomalous(Box::new(anomaly)),
        }
    }
}

#[test]
fn in_its_rest_nothing_begins_or_comes_back_but_what_lasts_goes_on() {
    let mut scene = Scene::new(policy());
    assert_eq!(scene.say(strong(false)), []);
    assert_eq!(scene.state.incidents().count(), 0);
    assert_eq!(scene.say(strong(true)), [What::Opened]);
    // While the score stays up the incident is not over, however long.
    (0..60).for_each(|_| assert_eq!(scene.say(strong(false)), []));
    assert_eq!(scene.state.incidents().next().unwrap().phase, Phase::Open);
    let said: Vec<What> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [What::Resolved]);
    assert_eq!(scene.say(strong(false)), []);
    assert_eq!(scene.state.incidents().next().unwrap().phase, Phase::Resolved);
    assert_eq!(scene.say(strong(true)), [What::Returned]);
}

#[test]
fn a_strength_says_how_sure_and_how_bad() {
    let of = |score| Anomaly {
        strength: Some(Strength { score, opens: true }),
        ..anomaly("m", 0.0)
    };
    assert_eq!((of(1.0).score(), of(1.0).severity()), (0.5, Severity::Warning));
    assert_eq!(of(2.0).severity(), Severity::Critical);
    assert!(of(3.0).score() > of(2.0).score());
    assert_eq!(of(f64::INFINITY).score(), 1.0);
}

#[test]
fn somebody_has_it_and_it_is_not_said_again() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let ack = |incident| Event::Acknowledge {
        incident,
        by: "ann".into(),
        until_resolved: false,
    };
    let told = scene.event(ack(1));
    assert_eq!(kinds(&told), [What::Acknowledged]);
    for _ in 0..600 {
        assert_eq!(scene.say(wrong), []);
    }
    assert_eq!(
        scene.state.step(&scene.policy, ack(7), scene.now).unwrap_err(),
        Refused::NoIncident(7)
    );
    let said: Vec<What> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [What::Resolved]);
    assert_eq!(scene.say(wrong), [What::Returned], "it has come back to nobody");
}

#[test]
fn a_silence_is_quiet_and_its_end_is_not() {
    let mut scene = Scene::new(policy());
    scene.silence(silence("web.**", Some(START + 600.0))).unwrap();
    let mut said = Vec::new();
    (0..9).for_each(|_| said.extend(scene.say(wrong)));
    assert_eq!(said, []);
    assert_eq!(scene.state.incidents().next().unwrap().silenced_by, Some(1));
    assert_eq!(scene.say(wrong), [What::SilenceEnded]);
    assert_eq!(scene.say(wrong), []);
}

#[test]
fn told_before_the_silence_is_told_again_after_it() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    scene.silence(silence("web.**", None)).unwrap();
    (0..300).for_each(|_| assert_eq!(scene.say(wrong), []));
    scene.event(Event::EndSilence { silence: 1 });
    assert_eq!(scene.say(wrong), []);
    let other = scene
        .state
        .step(&scene.policy, Event::EndSilence { silence: 1 }, scene.now);
    assert_eq!(other.unwrap_err(), Refused::NoSilence(1));
}

#[test]
fn recovery_under_a_silence_is_told_to_those_who_were_told_of_the_beginning() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    scene.silence(silence("web.**", None)).unwrap();
    let said: Vec<What> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [What::Resolved]);
}

#[test]
fn muted_until_resolved_ends_by_itself() {
    let mut scene = Scene::new(policy());
    let mute = Silence {
        until_resolved: true,
        ..silence("web.**", None)
    };
    assert_eq!(
        scene.silence(mute.clone()).unwrap_err(),
        Refused::NothingToResolve
    );
    scene.say(wrong);
    scene.silence(mute).unwrap();
    (0..5).for_each(|_| drop(scene.say(well)));
    assert_eq!(
        scene
            .state
            .silences()
            .filter(|silence| silence.ended_at.is_none())
            .count(),
        0
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
        let looks = (0..1_000).map(|metric| {
            let name = format!("app.{metric}.cpu");
            if metric < i * 25 {
                well(&name, at)
            } else {
                wrong(&name, at)
            }
        });
        ends += scene.pass(looks.collect()).len();
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
    assert_eq!(said, [What::Passed]);
    (0..100).for_each(|_| assert_eq!(scene.say(well), []));
}

#[test]
fn what_is_wrong_with_a_receiver_is_told_to_another() {
    let mut scene = Scene::new(policy());
    let mut failing = anomaly("skywatch.receiver.ops", START);
    failing.subject = Subject::Component("skywatch.receiver.ops".into());
    let look = |outcome| Look {
        subject: failing.subject.clone(),
        outcome,
    };
    let told = scene.event(Event::Looks(vec![look(Outcome::Anomalous(Box::new(
        failing.clone(),
    )))]));
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].receiver.as_str(), told[0].severity()),
        ("night", Some(Severity::Critical))
    );
    scene.now += 120.0;
    let over = scene.event(Event::Looks(vec![look(Outcome::Normal { at: scene.now })]));
    assert_eq!(kinds(&over), [What::Resolved]);
}

#[test]
fn worse_is_news_and_lasting_is_said_again_now_and_then() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let at = scene.now + 60.0;
    let mut worse = anomaly("web.1.cpu", at);
    worse.votes.retain(|vote| vote.answer == Some(true));
    let look = Look {
        subject: worse.subject.clone(),
        outcome: Outcome::Anomalous(Box::new(worse)),
    };
    assert_eq!(kinds(&scene.pass(vec![look])), [What::Worse]);
    let said: Vec<What> = (0..480).flat_map(|_| scene.say(wrong)).collect();
    assert_eq!(said, [What::Reminder, What::Reminder]);
}

#[test]
fn a_restart_knows_what_was_told() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    let kept = Kept {
        incidents: scene.state.incidents().cloned().collect(),
        pace: vec![("ops".into(), scene.state.spoken("ops").unwrap().clone())],
        cooldowns: vec![("ops".into(), Subject::Metric("web.1.cpu".into()), START + 60.0)],
        next: scene.state.next(),
        ..Kept::default()
    };
    scene.state = State::new("t", kept);
    assert_eq!(scene.say(wrong), []);
    let said: Vec<What> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [What::Resolved]);
}
