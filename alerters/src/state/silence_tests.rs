//! Scenes of silences.

use super::tests::{START, Scene, anomaly, kinds, policy, silence, well, wrong};
use super::{EventRefused, IncidentEvent};
use crate::anomaly::{Anomaly, Severity, Subject};
use crate::incident::IncidentChange;
use crate::incident::{Observation, ObservedOutcome};
use crate::notice::{NewsKind, Notice};
use crate::silence::{Silence, UntilChange};

#[test]
fn a_silence_is_quiet_and_its_end_is_not() {
    let mut scene = Scene::new(policy());
    scene.silence(silence("web.**", Some(START + 600.0))).unwrap();
    let mut said = Vec::new();
    (0..9).for_each(|_| said.extend(scene.say(wrong)));
    assert_eq!(said, []);
    assert_eq!(scene.state.incidents().next().unwrap().silenced_by, Some(1));
    assert_eq!(scene.say(wrong), [NewsKind::SilenceEnded]);
    assert_eq!(scene.say(wrong), []);
}

#[test]
fn told_before_the_silence_is_told_again_after_it() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    scene.silence(silence("web.**", None)).unwrap();
    (0..300).for_each(|_| assert_eq!(scene.say(wrong), []));
    scene.event(IncidentEvent::EndSilence { silence: 1 });
    assert_eq!(scene.say(wrong), []);
    let other = scene.step(IncidentEvent::EndSilence { silence: 1 });
    assert_eq!(other.unwrap_err(), EventRefused::NoSilence(1));
}

#[test]
fn recovery_under_a_silence_is_told_to_those_who_were_told_of_the_beginning() {
    let mut scene = Scene::new(policy());
    scene.say(wrong);
    scene.silence(silence("web.**", None)).unwrap();
    let said: Vec<NewsKind> = (0..5).flat_map(|_| scene.say(well)).collect();
    assert_eq!(said, [NewsKind::Resolved]);
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
        EventRefused::NothingToResolve
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

/// The notices of a pass in which the anomaly is like this.
fn told_of(scene: &mut Scene, change: impl Fn(&mut Anomaly)) -> Vec<Notice> {
    let mut anomaly = anomaly("web.1.cpu", scene.now + 60.0);
    change(&mut anomaly);
    scene.pass(vec![Observation {
        subject: Subject::Metric("web.1.cpu".into()),
        outcome: ObservedOutcome::Anomalous(Box::new(anomaly)),
    }])
}

/// What they say.
fn say(scene: &mut Scene, change: impl Fn(&mut Anomaly)) -> Vec<NewsKind> {
    kinds(&told_of(scene, change))
}

/// A scene with an incident that was told, and a silence until it changes.
fn quiet_until_change() -> Scene {
    let mut scene = Scene::new(policy());
    assert_eq!(scene.say(wrong), [NewsKind::Opened]);
    let until_change = Silence {
        until_change: Some(UntilChange::of(1)),
        ..silence("nothing.like.this", None)
    };
    let step = scene.silence(until_change).unwrap();
    let was = step.silences[0].until_change.as_ref().unwrap().was.unwrap();
    assert_eq!(was.severity, Severity::Warning);
    assert_eq!(step.silences[0].selection.metrics, ["=web.1.cpu"]);
    scene
}

#[test]
fn quiet_until_it_changes_is_quiet_while_values_move() {
    let mut scene = quiet_until_change();
    for minute in 0..600 {
        let moved = |anomaly: &mut Anomaly| anomaly.observed = 97.0 + f64::from(minute);
        assert_eq!(say(&mut scene, moved), []);
    }
    // What nothing is known of has not changed.
    assert_eq!(say(&mut scene, |anomaly| anomaly.expected = None), []);
    assert_eq!(
        kinds(&scene.event(IncidentEvent::ObservedAll("metric".into(), Vec::new()))),
        []
    );
    assert!(scene.state.silence(1).is_some());
}

#[test]
fn a_change_ends_the_silence_and_is_told() {
    let worse = |anomaly: &mut Anomaly| anomaly.severity = Severity::Critical;
    let below = |anomaly: &mut Anomaly| anomaly.observed = -50.0;
    let level = |anomaly: &mut Anomaly| {
        if let Some(expected) = &mut anomaly.expected {
            (expected.low, expected.centre, expected.high) = (50.0, 60.0, 70.0);
        }
    };
    let changes = [
        (&worse as &dyn Fn(&mut Anomaly), IncidentChange::Severity),
        (&below, IncidentChange::Direction),
        (&level, IncidentChange::ExpectedLevel),
    ];
    for (change, word) in changes {
        let mut scene = quiet_until_change();
        let told = told_of(&mut scene, change);
        assert_eq!(kinds(&told), [NewsKind::SilenceEnded], "{word:?}");
        let remark = format!("the silence has ended, as {word}");
        assert_eq!(told[0].news().unwrap().items[0].remark, remark);
        assert_eq!(say(&mut scene, change), [], "{word:?}");
        assert!(scene.state.silence(1).is_none(), "{word:?}");
    }
}

#[test]
fn the_end_of_its_incident_ends_the_silence_with_its_reason() {
    let mut scene = quiet_until_change();
    let close = IncidentEvent::Close {
        incident: 1,
        by: "ann".into(),
    };
    let step = scene.step(close).unwrap();
    let until = step.silences[0].until_change.as_ref().unwrap();
    assert_eq!(until.ended_by, Some(IncidentChange::Over));
    assert_eq!(step.silences[0].ended_at, Some(scene.now));
    // One about the same metric later is another matter; and there is none to be quiet about now.
    let again = Silence {
        until_change: Some(UntilChange::of(1)),
        ..silence("web.1.cpu", None)
    };
    assert_eq!(scene.silence(again).unwrap_err(), EventRefused::NoIncident(1));
}
