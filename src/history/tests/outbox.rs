use skywatch_alerters::notice::Content;

use super::*;

fn with(notices: Vec<Posting>) -> (Place, History) {
    let place = Place::new();
    let mut history = place.open();
    let batch = HistoryBatch {
        notices,
        ..HistoryBatch::new(AT)
    };
    history.commit(&batch).unwrap();
    (place, history)
}

#[test]
fn a_receiver_gets_its_own_in_the_order_of_committing() {
    let (_place, mut history) = with(vec![
        posting("z", "ops", &[]),
        posting("b", "dev", &[]),
        posting("a", "ops", &[]),
    ]);
    let later = HistoryBatch {
        notices: vec![posting("z", "ops", &[]), posting("c", "ops", &[])],
        ..HistoryBatch::new(AT)
    };
    history.commit(&later).unwrap();
    let waiting = history.waiting("ops", 9, AT).unwrap();
    assert_eq!(notice_ids(&waiting), ["z", "a", "c"]);
    assert_eq!(waiting[0].notice, notice("z", "ops"));
    assert_eq!(waiting[0].state, NoticeState::Waiting);
    assert_eq!(notice_ids(&history.waiting("ops", 2, AT).unwrap()), ["z", "a"]);
    let depth = |receiver: &str, waiting| Depth {
        receiver: receiver.into(),
        waiting,
        oldest: AT + 5.0,
    };
    assert_eq!(history.depths().unwrap(), [depth("dev", 1), depth("ops", 3)]);
}

#[test]
fn what_is_sent_waits_no_more_and_lets_its_windows_go() {
    let (_place, mut history) = with(vec![posting("a", "ops", &[5])]);
    assert!(history.sent("a", AT + 9.0, Some("ts.9")).unwrap());
    assert!(!history.sent("a", AT + 10.0, None).unwrap());
    assert!(!history.sent("nobody", AT, None).unwrap());
    assert!(history.waiting("ops", 9, AT).unwrap().is_empty());
    assert_eq!(history.reference("ops", "a").unwrap().as_deref(), Some("ts.9"));
    assert_eq!(history.reference("dev", "a").unwrap(), None);
    let again = HistoryBatch {
        incidents: vec![incident(5, "web1.cpu", Phase::Open)],
        notices: vec![posting("a", "ops", &[5])],
        ..HistoryBatch::new(AT)
    };
    history.commit(&again).unwrap();
    assert!(history.waiting("ops", 9, AT).unwrap().is_empty());
    let record = history.incident(5).unwrap().unwrap().notices.remove(0);
    assert_eq!(
        (record.state, record.settled_at),
        (NoticeState::Sent, Some(AT + 9.0))
    );
    let Content::Incidents(news) = &record.notice.content else {
        panic!("{record:?}")
    };
    assert!(news.items[0].anomaly.window().times.is_empty());
    assert_eq!(news.items[0].anomaly.votes().len(), 3);
}

#[test]
fn failures_are_counted_until_the_notice_is_given_up_or_tried_anew() {
    let (_place, mut history) = with(vec![
        posting("a", "ops", &[]),
        posting("b", "ops", &[]),
        posting("c", "dev", &[]),
    ]);
    assert!(history.failed("a", "451 later", AT + 30.0).unwrap());
    assert!(history.failed("a", "452 later", AT + 60.0).unwrap());
    let record = history.waiting("ops", 1, AT).unwrap().remove(0);
    assert_eq!((record.tries, record.next_try), (2, Some(AT + 60.0)));
    assert_eq!(record.last_error.as_deref(), Some("452 later"));

    for id in ["a", "b", "c"] {
        assert!(history.dead(id, "550 never", AT + 90.0).unwrap());
        assert!(!history.failed(id, "late answer", AT).unwrap());
    }
    let dead = history.dead_letters(9).unwrap();
    assert_eq!(notice_ids(&dead), ["c", "b", "a"]);
    assert_eq!((dead[2].tries, dead[2].settled_at), (3, Some(AT + 90.0)));
    assert_eq!(dead[2].last_error.as_deref(), Some("550 never"));

    assert_eq!(history.retry(DeadLetters::One("b")).unwrap(), 1);
    assert_eq!(history.retry(DeadLetters::Of("ops")).unwrap(), 1);
    let waiting = history.waiting("ops", 9, AT).unwrap();
    assert_eq!(notice_ids(&waiting), ["a", "b"]);
    assert_eq!((waiting[0].tries, waiting[0].settled_at), (0, None));
    assert_eq!(history.dismiss(DeadLetters::One("a"), AT).unwrap(), 0);
    assert_eq!(history.dismiss(DeadLetters::All, AT).unwrap(), 1);
    assert!(history.dead_letters(9).unwrap().is_empty());
}

#[test]
fn one_that_cannot_be_read_does_not_hold_up_the_rest() {
    let (_place, mut history) = with(vec![posting("a", "ops", &[]), posting("b", "ops", &[])]);
    let spoil = "UPDATE notices SET body = '{' WHERE id = 'a'";
    history.reader.connection.execute(spoil, []).unwrap();
    assert_eq!(notice_ids(&history.waiting("ops", 1, AT).unwrap()), ["b"]);
    let dead: u64 = history
        .rows(
            "SELECT count(*) FROM notices WHERE state = 'dead' AND id = 'a'",
            [],
            |row| row.get(0).map(columns::number),
        )
        .unwrap()
        .remove(0);
    assert_eq!(dead, 1);
}

#[test]
fn one_that_was_sent_from_memory_is_not_sent_again() {
    let sent = Posting {
        settled: Some(Settled::Sent {
            at: AT + 1.0,
            reference: Some("ts.1".into()),
        }),
        ..posting("a", "ops", &[1])
    };
    let dead = Posting {
        settled: Some(Settled::Dead {
            at: AT + 2.0,
            error: "gone".into(),
        }),
        ..posting("b", "ops", &[1])
    };
    // Once when the outbox has never heard of them, once when a commit was taken although it failed.
    for known in [false, true] {
        let (_place, mut history) = with(Vec::new());
        let batch = HistoryBatch {
            notices: vec![sent.clone(), dead.clone()],
            ..HistoryBatch::new(AT)
        };
        if known {
            let mut waiting = batch.clone();
            waiting
                .notices
                .iter_mut()
                .for_each(|posting| posting.settled = None);
            history.commit(&waiting).unwrap();
        }
        history.commit(&batch).unwrap();
        assert!(history.waiting("ops", 9, AT).unwrap().is_empty());
        assert_eq!(notice_ids(&history.dead_letters(9).unwrap()), ["b"]);
        assert_eq!(history.reference("ops", "a").unwrap().as_deref(), Some("ts.1"));
    }
}

#[test]
fn how_it_went_can_be_handed_in_later_with_a_batch() {
    let (_place, mut history) = with(vec![
        posting("a", "ops", &[]),
        posting("b", "ops", &[]),
        posting("c", "ops", &[]),
    ]);
    let sent = |reference: &str| Settled::Sent {
        at: AT,
        reference: Some(reference.into()),
    };
    let dead = Settled::Dead {
        at: AT,
        error: "550 never".into(),
    };
    let mut first = HistoryBatch {
        settled: vec![("a".into(), sent("ts.a"))],
        ..HistoryBatch::new(AT)
    };
    assert!(!first.is_empty());
    first.absorb(HistoryBatch {
        // What is settled stays so, and what nobody knows is no matter.
        settled: vec![
            ("b".into(), dead),
            ("b".into(), sent("ts.b")),
            ("x".into(), sent("ts.x")),
        ],
        ..HistoryBatch::new(AT)
    });
    history.commit(&first).unwrap();
    assert_eq!(notice_ids(&history.waiting("ops", 9, AT).unwrap()), ["c"]);
    assert_eq!(notice_ids(&history.dead_letters(9).unwrap()), ["b"]);
    assert_eq!(history.reference("ops", "a").unwrap().as_deref(), Some("ts.a"));
    assert_eq!(history.reference("ops", "b").unwrap(), None);
}
