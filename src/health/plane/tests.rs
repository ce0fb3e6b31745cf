use skywatch_algorithms::verdicts::{HealthState, SECOND, Status};

use super::upkeep::{MANY_VIEWS, SOON};
use super::*;
use crate::health::limits::HealthLimits;

const H: Status = Status::Healthy;
const U: Status = Status::Unhealthy;

fn report<'m>(
    observer: &'m str,
    subject: &'m str,
    metrics: &[(&'m str, Status, f32)],
    second: i64,
) -> Incoming<'m> {
    Incoming {
        observer,
        subject,
        at: second * SECOND,
        metrics: metrics.to_vec(),
    }
}

fn filtering() -> Plane {
    Plane::new(Options {
        filter: true,
        ..Options::default()
    })
}

#[test]
fn what_nobody_watches_is_ignored_until_somebody_does() {
    let mut plane = filtering();
    let seen = report("peer@2", "peer@1", &[("snapshot", U, 30.0)], 100);
    assert_eq!(plane.learn("b", 1, &seen, 100 * SECOND), Ok(Taken::Ignored));
    assert_eq!(plane.views("peer@1"), None);
    assert_eq!(plane.observe("peer@1", 100 * SECOND), Ok(true));
    assert_eq!(plane.observe("peer@1", 101 * SECOND), Ok(false));
    let taken = plane.learn("b", 2, &seen, 100 * SECOND).expect("there is room");
    assert!(matches!(taken, Taken::Accepted(_)));
    assert_eq!(plane.learn("b", 2, &seen, 100 * SECOND), Ok(Taken::Repeat));
    assert_eq!(plane.learn("b", 1, &seen, 100 * SECOND), Ok(Taken::Repeat));
    assert_eq!(plane.view("peer@1", "peer@2").map(|view| view.len()), Some(1));
}

#[test]
fn a_report_of_our_own_brings_back_what_was_held() {
    let mut plane = filtering();
    let now = 100 * SECOND;
    let handle = plane.register("m", "here", now).expect("room");
    for number in 0..70 {
        let seen = report("there", "s", &[("cpu", H, number as f32)], 100);
        assert_eq!(plane.learn("b", number + 1, &seen, now), Ok(Taken::Ignored));
    }
    assert_eq!((plane.counts().held, plane.counts().unheld), (60, 10));
    let own = plane
        .submit(handle, &report("here", "s", &[("cpu", U, 20.0)], 100), now)
        .expect("room");
    assert!(own.is_new);
    let views = plane.views("s").expect("views");
    let names: Vec<_> = views
        .iter()
        .map(|(observer, view)| (&**observer, view.len()))
        .collect();
    assert_eq!(names, [("here", 1), ("there", 10)]);
    assert_eq!(plane.counts().held, 0);
    let verdict = plane.inference("s").expect("a verdict");
    assert_eq!(
        (verdict.metrics[0].status, verdict.metrics[0].score),
        (U, (68.5 + 20.0) / 2.0)
    );
    // What it held from there was not ours: nobody is told again.
    assert_eq!(plane.own_observations("s").len(), 1);
}

#[test]
fn handles_are_for_their_observers_and_never_given_twice() {
    let mut plane = Plane::new(Options::default());
    let handle = plane.register("m", "a", 0).expect("room");
    assert_eq!(handle, 10_000);
    assert_eq!(plane.register("m", "a", 0), Ok(10_000));
    assert_eq!(plane.register("n", "a", 0), Ok(10_001));
    assert_eq!(plane.register("m", "b", 0), Ok(10_002));
    let by = |plane: &mut Plane, handle, observer| {
        plane
            .submit(handle, &report(observer, "s", &[], 0), 0)
            .map(|taken| taken.observation.metrics().len())
    };
    assert_eq!(by(&mut plane, 10_001, "a"), Ok(0));
    assert_eq!(
        by(&mut plane, 10_001, "b"),
        Err(HealthRefusal::ForeignHandle { handle: 10_001 })
    );
    for nobody in [0, 9_999, 10_003, u64::MAX] {
        assert_eq!(by(&mut plane, nobody, "a"), Err(HealthRefusal::UnknownHandle));
    }
    let mut later = Plane::new(Options::default());
    later.restore_handle(10_005, "m", "a");
    assert_eq!(later.register("m", "a", 0), Ok(10_005));
    assert_eq!(later.register("m", "b", 0), Ok(10_006));
}

#[test]
fn who_stops_observing_forgets_all_and_the_estimate_is_back_at_nothing() {
    let mut plane = Plane::new(Options::default());
    let handle = plane.register("m", "a", 0).expect("room");
    let before = plane.counts();
    for second in 0..25 {
        let metrics: &[_] = if second % 2 == 0 {
            &[("cpu", H, 1.0)]
        } else {
            &[("cpu", H, 1.0), ("mem", U, 1.0)]
        };
        plane
            .submit(handle, &report("a", "s", metrics, second), 0)
            .expect("room");
    }
    assert_eq!(plane.counts().observations, 10);
    plane.ignore("peer", "s").expect("room");
    assert!(plane.stop_observing("s"));
    assert!(!plane.stop_observing("s"));
    assert_eq!(
        (plane.views("s"), plane.inference("s"), plane.verdict("s", 0)),
        (None, None, None)
    );
    plane.attend("peer", "s");
    assert_eq!(plane.counts(), before);
    // Learned and expired leaves nothing but the subject.
    plane
        .learn("b", 0, &report("o", "t", &[("cpu", H, 1.0)], 0), 0)
        .expect("room");
    assert_eq!(plane.expire(Expiry::MadeBefore(0), 0), 1);
    assert_eq!(plane.views("t"), None);
    plane.stop_observing("t");
    assert_eq!(plane.counts(), before);
}

#[test]
fn there_is_an_end_to_everything() {
    let limits = HealthLimits {
        subjects: 3,
        observers: 2,
        views: 2,
        ..HealthLimits::default()
    };
    let mut plane = Plane::new(Options {
        limits,
        ..Options::default()
    });
    plane.register("m", "a", 0).expect("room");
    plane.register("m", "b", 0).expect("room");
    let full = |what, limit| HealthRefusal::Full { what, limit };
    assert_eq!(plane.register("m", "c", 0), Err(full("observers", 2)));
    plane.submit(10_000, &report("a", "s", &[], 0), 0).expect("room");
    let refused = plane.submit(10_000, &report("a", "t", &[], 0), 0);
    assert_eq!(refused.err(), Some(full("subjects", 3)));
    plane.submit(10_001, &report("b", "s", &[], 0), 0).expect("room");
    assert_eq!(
        plane.learn("p", 0, &report("c", "s", &[], 0), 0),
        Err(full("observers of a subject", 2))
    );
    // What is kept can still be added to.
    plane.submit(10_000, &report("a", "s", &[], 1), 0).expect("room");
    assert_eq!(plane.counts().observations, 3);
    let mut small = Plane::new(Options {
        limits: HealthLimits {
            memory: 2_000,
            ..HealthLimits::default()
        },
        ..Options::default()
    });
    let handle = small.register("m", "a", 0).expect("room");
    let taken =
        (0..100).take_while(|second| small.submit(handle, &report("a", "a", &[], *second), 0).is_ok());
    assert!(taken.count() < 15);
}

#[test]
fn a_state_changes_with_reports_and_with_time() {
    let mut plane = Plane::new(Options::default());
    let handle = plane.register("m", "app", 0).expect("room");
    let submit = |plane: &mut Plane, metric, status, second| {
        plane
            .submit(
                handle,
                &report("app", "redis:main", &[(metric, status, 50.0)], second),
                second * SECOND,
            )
            .expect("room");
    };
    submit(&mut plane, "ping", H, 100);
    submit(&mut plane, "write", H, 100);
    submit(&mut plane, "write", Status::Pending, 101);
    let state = |plane: &Plane, second: i64| {
        plane
            .verdict("redis:main", second * SECOND)
            .map(|verdict| verdict.state)
    };
    assert_eq!(state(&plane, 101), Some(HealthState::Healthy));
    let next = plane.tick(104 * SECOND).expect("a deadline");
    assert_eq!(next, 104 * SECOND + 1);
    plane.tick(next);
    assert_eq!(state(&plane, 105), Some(HealthState::Gray));
    let change = plane.transitions(Some("redis:main")).next().expect("a change");
    assert_eq!(
        (change.transition.from, change.transition.to),
        (HealthState::Healthy, HealthState::Gray)
    );
    assert_eq!(&*change.evidence[0].metric, "write");
    submit(&mut plane, "write", H, 106);
    assert_eq!(state(&plane, 106), Some(HealthState::Healthy));
    assert_eq!(plane.transitions(None).count(), 2);
    // Silence: the last vote expires.
    let mut turns = 0;
    while let Some(next) = plane.tick(10_000 * SECOND) {
        plane.tick(next);
        turns += 1;
        assert!(turns < 10);
    }
    assert_eq!(state(&plane, 10_000), Some(HealthState::Unknown));
}

#[test]
fn a_subject_of_many_observers_is_looked_at_soon() {
    let mut plane = Plane::new(Options::default());
    for number in 0..=MANY_VIEWS {
        let name = format!("o{number}");
        plane
            .learn("p", 0, &report(&name, "s", &[("m", H, 1.0)], 100), 100 * SECOND)
            .expect("room");
    }
    for number in 0..=MANY_VIEWS {
        let name = format!("o{number}");
        plane
            .learn("p", 0, &report(&name, "s", &[("m", U, 1.0)], 101), 101 * SECOND)
            .expect("room");
    }
    assert_eq!(
        plane.verdict("s", 101 * SECOND).map(|verdict| verdict.state),
        Some(HealthState::Healthy)
    );
    plane.tick(101 * SECOND + SOON);
    assert_eq!(
        plane.verdict("s", 102 * SECOND).map(|verdict| verdict.state),
        Some(HealthState::Unhealthy)
    );
}

#[test]
fn age_is_counted_from_now_from_the_newest_or_from_arrival() {
    let filled = || {
        let mut plane = Plane::new(Options::default());
        let handle = plane.register("m", "o", 0).expect("room");
        for age in [700, 400, 300, 299, 100] {
            let made = 1_000 - age;
            plane
                .submit(
                    handle,
                    &report("o", "s", &[("cpu", H, made as f32)], made),
                    (2_000 - age) * SECOND,
                )
                .expect("room");
        }
        plane
    };
    let left = |plane: &Plane| -> Vec<_> {
        let view = plane.view("s", "o").unwrap_or_default();
        view.iter().map(|seen| seen.at() / SECOND).collect()
    };
    let after = |expiry| {
        let mut plane = filled();
        let count = plane.expire(expiry, 1_000 * SECOND);
        (count, left(&plane))
    };
    assert_eq!(after(Expiry::MadeBefore(700 * SECOND)), (3, vec![701, 900]));
    assert_eq!(after(Expiry::BehindNewest(200 * SECOND)), (3, vec![701, 900]));
    assert_eq!(after(Expiry::BehindNewest(0)), (4, vec![900]));
    assert_eq!(
        after(Expiry::CameBefore(1_700 * SECOND)),
        (2, vec![700, 701, 900])
    );
    assert_eq!(after(Expiry::CameBefore(5_000 * SECOND)), (5, Vec::new()));
}
