//! Whatever is committed in whatever order, what comes back is what a list in memory says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One thing that happens. Numbers choose among few, so that things meet.
#[derive(Debug, Clone)]
enum Event {
    Commit {
        incidents: Vec<(u64, Phase)>,
        notices: Vec<(u8, bool)>,
        forgotten: Option<u64>,
        silence: Option<(u64, bool)>,
        cooldown: Option<(u8, bool)>,
        meta: Option<(u8, Option<i64>)>,
    },
    Sent(u8),
    Failed(u8),
    Dead(u8),
    Retry,
    Dismiss(u8),
    Reopen,
}

/// What should be there.
#[derive(Debug, Default)]
struct Model {
    incidents: BTreeMap<u64, Incident>,
    next_incident: u64,
    silences: BTreeMap<u64, Silence>,
    cooldowns: BTreeSet<String>,
    meta: BTreeMap<String, i64>,
    /// Id, receiver, state and tries, in order.
    notices: Vec<(String, &'static str, NoticeState, u64)>,
    /// Which notices told of which incident.
    told: BTreeSet<(u64, String)>,
}

const RECEIVERS: [&str; 2] = ["ops", "dev"];

fn receiver(id: u8) -> &'static str {
    RECEIVERS[usize::from(id % 2)]
}

fn phases() -> impl Strategy<Value = Phase> {
    prop::sample::select(Phase::ALL.to_vec())
}

fn events() -> impl Strategy<Value = Event> {
    let id = || 0_u8..8;
    prop_oneof![
        6 => (
            prop::collection::vec((1_u64..9, phases()), 0..4),
            prop::collection::vec((id(), any::<bool>()), 0..4),
            prop::option::of(1_u64..9),
            prop::option::of((1_u64..4, any::<bool>())),
            prop::option::of((0_u8..3, any::<bool>())),
            prop::option::of((0_u8..3, any::<Option<i64>>())),
        ).prop_map(|(incidents, notices, forgotten, silence, cooldown, meta)| {
            Event::Commit { incidents, notices, forgotten, silence, cooldown, meta }
        }),
        1 => id().prop_map(Event::Sent),
        1 => id().prop_map(Event::Failed),
        1 => id().prop_map(Event::Dead),
        1 => Just(Event::Retry),
        1 => id().prop_map(Event::Dismiss),
        1 => Just(Event::Reopen),
    ]
}

impl Model {
    /// Notes what a commit does, and gives it.
    fn commit(&mut self, event: &Event) -> HistoryBatch {
        let Event::Commit {
            incidents,
            notices,
            forgotten,
            silence: ended,
            cooldown,
            meta,
        } = event
        else {
            unreachable!("only commits come here");
        };
        let mut batch = HistoryBatch::new(AT);
        for (id, phase) in incidents {
            let incident = incident(*id, &format!("web{id}"), *phase);
            self.incidents.insert(*id, incident.clone());
            self.next_incident = self.next_incident.max(id + 1);
            batch.incidents.push(incident);
        }
        for (id, sent) in notices {
            let name = format!("n.{id}");
            let about = u64::from(id % 3) + 1;
            let state = if *sent {
                NoticeState::Sent
            } else {
                NoticeState::Waiting
            };
            match self.notices.iter_mut().find(|notice| notice.0 == name) {
                Some(known) if known.2 == NoticeState::Waiting => known.2 = state,
                Some(_) => {}
                None => self.notices.push((name.clone(), receiver(*id), state, 0)),
            }
            self.told.insert((about, name.clone()));
            batch.notices.push(Posting {
                settled: sent.then_some(Settled::Sent {
                    at: AT,
                    reference: None,
                }),
                ..posting(&name, receiver(*id), &[about])
            });
        }
        if let Some(id) = forgotten {
            self.incidents.remove(id);
            self.told.retain(|(incident, _)| incident != id);
            batch.forgotten.push(*id);
        }
        if let Some((id, ended)) = ended {
            let mut silence = silence(*id);
            silence.ended_at = ended.then_some(AT);
            self.silences.insert(*id, silence.clone());
            batch.silences.push(silence);
        }
        if let Some((id, keep)) = cooldown {
            let name = format!("web{id}");
            if *keep {
                self.cooldowns.insert(name.clone());
            } else {
                self.cooldowns.remove(&name);
            }
            batch.cooldowns.push(Cooldown {
                receiver: "ops".into(),
                subject: Subject::Metric(name),
                told: keep.then_some((AT, Severity::Critical)),
            });
        }
        if let Some((key, value)) = meta {
            let key = format!("key {key}");
            match value {
                Some(value) => drop(self.meta.insert(key.clone(), *value)),
                None => drop(self.meta.remove(&key)),
            }
            batch.meta.push((key, value.map(Into::into)));
        }
        batch
    }

    /// The notice, if it is in that state.
    fn notice(
        &mut self,
        id: u8,
        state: NoticeState,
    ) -> Option<&mut (String, &'static str, NoticeState, u64)> {
        let name = format!("n.{id}");
        self.notices
            .iter_mut()
            .find(|notice| notice.0 == name && notice.2 == state)
    }

    fn assert_is(&self, history: &mut History) {
        let saved = history.load(0.0).unwrap();
        assert_eq!(
            saved.incidents,
            self.incidents.values().cloned().collect::<Vec<_>>()
        );
        assert_eq!(saved.next_incident, self.next_incident.max(1));
        let silences = self
            .silences
            .values()
            .filter(|silence| silence.ended_at.is_none());
        assert_eq!(saved.silences, silences.cloned().collect::<Vec<_>>());
        let cooldowns: BTreeSet<String> = saved
            .cooldowns
            .iter()
            .map(|cooldown| cooldown.subject.name().to_owned())
            .collect();
        assert_eq!(cooldowns, self.cooldowns);
        let meta = self
            .meta
            .iter()
            .map(|(key, value)| (key.clone(), (*value).into()));
        assert_eq!(saved.meta, meta.collect());
        assert_eq!(saved.unreadable, 0);
        let live = Filter {
            phases: vec![Phase::Pending, Phase::Open, Phase::Acknowledged],
            ..Filter::default()
        };
        let mut found = ids(&history.incidents(&live, 99).unwrap());
        found.reverse();
        let lasting = self
            .incidents
            .values()
            .filter(|incident| live.phases.contains(&incident.phase));
        assert_eq!(found, lasting.map(|incident| incident.id).collect::<Vec<_>>());

        for receiver in RECEIVERS {
            let records = history.waiting(receiver, 99, AT).unwrap();
            let found: Vec<(&str, u64)> = records
                .iter()
                .map(|record| (record.notice.id.as_str(), record.tries))
                .collect();
            let waiting = self
                .notices
                .iter()
                .filter(|notice| notice.1 == receiver && notice.2 == NoticeState::Waiting);
            assert_eq!(
                found,
                waiting
                    .map(|notice| (notice.0.as_str(), notice.3))
                    .collect::<Vec<_>>()
            );
        }
        let dead = history.dead_letters(99).unwrap();
        let expected = self
            .notices
            .iter()
            .rev()
            .filter(|notice| notice.2 == NoticeState::Dead);
        assert_eq!(
            notice_ids(&dead),
            expected.map(|notice| notice.0.as_str()).collect::<Vec<_>>()
        );
        for id in self.incidents.keys() {
            let told: BTreeSet<(u64, String)> = history
                .incident(*id)
                .unwrap()
                .unwrap()
                .notices
                .into_iter()
                .map(|record| (*id, record.notice.id))
                .collect();
            assert_eq!(
                told,
                self.told.iter().filter(|told| told.0 == *id).cloned().collect()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_back_is_what_went_in(events in prop::collection::vec(events(), 1..25)) {
        let place = Place::new();
        let open = || {
            let history = place.open();
            // The law is about contents; the disk has tests of its own.
            history.connection.pragma_update(None, "synchronous", "off").unwrap();
            history
        };
        let mut history = open();
        let mut model = Model::default();
        for event in &events {
            match event {
                Event::Commit { .. } => history.commit(&model.commit(event)).unwrap(),
                Event::Sent(id) => {
                    let known = model.notice(*id, NoticeState::Waiting).map(|notice| notice.2 = NoticeState::Sent);
                    prop_assert_eq!(history.sent(&format!("n.{id}"), AT, None).unwrap(), known.is_some());
                }
                Event::Failed(id) => {
                    let known = model.notice(*id, NoticeState::Waiting).map(|notice| notice.3 += 1);
                    prop_assert_eq!(history.failed(&format!("n.{id}"), "no", AT).unwrap(), known.is_some());
                }
                Event::Dead(id) => {
                    let known = model.notice(*id, NoticeState::Waiting).map(|notice| notice.2 = NoticeState::Dead);
                    prop_assert_eq!(history.dead(&format!("n.{id}"), "no", AT).unwrap(), known.is_some());
                }
                Event::Retry => {
                    let mut count = 0;
                    for notice in model.notices.iter_mut().filter(|notice| notice.2 == NoticeState::Dead) {
                        (notice.2, notice.3, count) = (NoticeState::Waiting, 0, count + 1);
                    }
                    prop_assert_eq!(history.retry(DeadLetters::All).unwrap(), count);
                }
                Event::Dismiss(id) => {
                    let known = model.notice(*id, NoticeState::Dead).map(|notice| notice.2 = NoticeState::Dropped);
                    let name = format!("n.{id}");
                    let dismissed = history.dismiss(DeadLetters::One(&name), AT).unwrap();
                    prop_assert_eq!(dismissed, u64::from(known.is_some()));
                }
                Event::Reopen => {
                    drop(history);
                    history = open();
                }
            }
            model.assert_is(&mut history);
        }
        drop(history);
        model.assert_is(&mut open());
    }
}
