use super::*;
use skywatch_settings::Pattern;

fn filled() -> (Place, History) {
    let place = Place::new();
    let mut history = place.open();
    let batch = HistoryBatch {
        incidents: vec![
            incident(1, "web1.cpu", Phase::Resolved),
            incident(2, "web2.cpu", Phase::Gone),
            incident(3, "web1.cpu", Phase::Resolved),
            incident(4, "db[1].io", Phase::Open),
            incident(5, "web1.cpu", Phase::Acknowledged),
            incident(6, "web3.cpu", Phase::Pending),
        ],
        transitions: (1..=6).map(|id| transition(id, None, Phase::Pending)).collect(),
        notices: vec![
            posting("n.1", "ops", &[1, 2]),
            posting("n.2", "ops", &[3, 5]),
            posting("n.3", "ops", &[]),
        ],
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    (place, history)
}

#[test]
fn incidents_are_found_by_all_that_is_given() {
    let (_place, history) = filled();
    let found = |filter: Filter| ids(&history.incidents(&filter, 9).unwrap());
    let all = Filter::default;
    assert_eq!(found(all()), [6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(&history.incidents(&all(), 2).unwrap()), [6, 5]);
    let phases = vec![Phase::Open, Phase::Acknowledged];
    assert_eq!(found(Filter { phases, ..all() }), [5, 4]);
    let phases = vec![Phase::Open, Phase::Gone];
    assert_eq!(found(Filter { phases, ..all() }), [4, 2]);
    let subject = Some(Subject::Metric("web1.cpu".into()));
    assert_eq!(found(Filter { subject, ..all() }), [5, 3, 1]);
    let subject = Some(Subject::Trace("web1.cpu".into()));
    assert_eq!(found(Filter { subject, ..all() }), [0_u64; 0]);
    let name = |name: &str| Filter {
        name: Some(Pattern::parse(name).unwrap()),
        ..all()
    };
    assert_eq!(found(name("web?.cpu")), [6, 5, 3, 2, 1]);
    assert_eq!(found(name("=db[1].io")), [4]);
    assert_eq!(found(name("web1")), [5, 3, 1]);
    assert_eq!(found(name("=web1")), [0_u64; 0]);
    let since = Some(AT + 600.0 + 120.0 + 1.0);
    assert_eq!(found(Filter { since, ..all() }), [6, 5, 4, 3]);
    let before = Some(5);
    assert_eq!(
        found(Filter {
            before,
            since,
            ..all()
        }),
        [4, 3]
    );
}

#[test]
fn how_often_before_counts_smaller_numbers_of_the_same_subject_only() {
    let (_place, history) = filled();
    let web1 = Subject::Metric("web1.cpu".into());
    let entity = Subject::Entity("web1.cpu".into());
    let asked = [(&web1, 5), (&entity, 5), (&web1, 1), (&web1, 9)];
    let answers = history.before(&asked, AT).unwrap();
    let counts: Vec<u64> = answers.iter().map(|before| before.count).collect();
    assert_eq!(counts, [2, 0, 0, 3]);
    assert_eq!(answers[0].last, Some(AT + 180.0));
    assert_eq!(answers[1].last, None);
    assert_eq!(history.before(&[(&web1, 5)], AT + 61.0).unwrap()[0].count, 1);
}

#[test]
fn silences_that_were_ended_are_only_on_record() {
    let (_place, mut history) = filled();
    let mut ended = silence(1);
    ended.ended_at = Some(AT);
    let batch = HistoryBatch {
        silences: vec![ended, silence(2), silence(3)],
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    let found = |ended_too| -> Vec<u64> {
        let silences = history.silences(ended_too).unwrap();
        silences.iter().map(|silence| silence.id).collect()
    };
    assert_eq!(found(false), [3, 2]);
    assert_eq!(found(true), [3, 2, 1]);
}

#[test]
fn a_day_has_its_figures() {
    let (_place, mut history) = filled();
    history.sent("n.1", AT + 100.0, None).unwrap();
    history.sent("n.2", AT + 9_999.0, None).unwrap();
    history.dead("n.3", "no", AT + 100.0).unwrap();
    let batch = HistoryBatch {
        passes: (0..3)
            .map(|i| PassRecord::one(AT + 60.0 * f64::from(i), 10 + i as u64, 9, 1, 0.5))
            .collect(),
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    // Opened at 60, 120, … 300 s; three ended at 660, 720, 780 s.
    let day = history.day(AT + 60.0, AT + 720.0).unwrap();
    assert_eq!((day.opened, day.resolved, day.open), (5, 1, 4));
    assert_eq!((day.passes, day.metrics, day.notices, day.dead), (2, 12, 1, 1));
    let busiest = [("web1.cpu", 3), ("db[1].io", 1), ("web2.cpu", 1)];
    assert_eq!(day.busiest, busiest.map(|(name, often)| (name.to_owned(), often)));
    let empty = history.day(AT + 1e6, AT + 2e6).unwrap();
    assert_eq!((empty.passes, empty.opened, empty.open), (0, 0, 2));
}

#[test]
fn what_is_old_goes_in_slices_and_what_lasts_stays() {
    let (_place, mut history) = filled();
    for id in ["n.1", "n.2", "n.3"] {
        history.sent(id, AT + 100.0, Some("ts")).unwrap();
    }
    let mut ended = silence(1);
    ended.ended_at = Some(AT);
    let batch = HistoryBatch {
        notices: vec![posting("n.4", "ops", &[1])],
        silences: vec![ended, silence(2)],
        cooldowns: [AT, AT + 2e6]
            .map(|at| Cooldown {
                receiver: "ops".into(),
                subject: Subject::Metric(format!("told at {at}")),
                told: Some((at, Severity::Warning)),
            })
            .to_vec(),
        passes: vec![PassRecord::one(AT, 1, 1, 1, 1.0)],
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    let mut total = Pruned::default();
    let mut slices = 0;
    loop {
        let pruned = history.prune(AT + 1e6, 2).unwrap();
        assert!(pruned.incidents <= 2 && pruned.notices <= 2);
        total.incidents += pruned.incidents;
        total.notices += pruned.notices;
        total.silences += pruned.silences;
        total.cooldowns += pruned.cooldowns;
        total.passes += pruned.passes;
        slices += 1;
        if !pruned.more {
            break;
        }
    }
    assert!(slices > 1);
    // n.2 told of an incident that lasts, and n.4 waits.
    let gone = (total.incidents, total.notices, total.silences, total.passes);
    assert_eq!((gone, total.cooldowns), ((3, 2, 1, 1), 1));
    assert_eq!(
        history.load(AT).unwrap().cooldowns[0].told,
        Some((AT + 2e6, Severity::Warning))
    );
    assert_eq!(ids(&history.incidents(&Filter::default(), 9).unwrap()), [6, 5, 4]);
    assert_eq!(notice_ids(&history.waiting("ops", 9, AT).unwrap()), ["n.4"]);
    assert_eq!(
        notice_ids(&history.incident(5).unwrap().unwrap().notices),
        ["n.2"]
    );
    assert_eq!(history.reference("ops", "n.2").unwrap().as_deref(), Some("ts"));
    assert_eq!(history.reference("ops", "n.1").unwrap(), None);
    let steps: Vec<u64> = history
        .rows("SELECT incident FROM transitions", [], |row| {
            row.get(0).map(columns::number)
        })
        .unwrap();
    assert_eq!(steps, [4, 5, 6]);
    assert_sound(&history);
}

#[test]
fn old_passes_become_hours_and_their_sums_stay() {
    let (_place, mut history) = filled();
    let hour = (AT / 3_600.0).floor() * 3_600.0;
    let passes: Vec<PassRecord> = (0..150)
        .map(|i| PassRecord::one(hour + 60.0 * f64::from(i), 100 + i as u64, 90, 2, f64::from(i)))
        .collect();
    let batch = HistoryBatch {
        passes,
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    assert_eq!(history.thin_passes(hour + 7_300.0, 1).unwrap(), 1);
    assert_eq!(history.thin_passes(hour + 7_300.0, 9).unwrap(), 1);
    assert_eq!(history.thin_passes(hour + 7_300.0, 9).unwrap(), 0);
    let left = history.passes(hour, hour + 1e6).unwrap();
    assert_eq!(left.len(), 2 + 30);
    let first = PassRecord {
        at: hour,
        passes: 60,
        metrics: 159,
        analyzed: 5_400,
        anomalies: 120,
        seconds: 1_770.0,
        longest: 59.0,
    };
    assert_eq!(left[0], first);
    assert_eq!(history.day(hour, hour + 1e6).unwrap().passes, 150);
}
