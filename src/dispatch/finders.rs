//! The finders that are connected, what of them was taken, and the questions to them.

use std::collections::{BTreeMap, HashSet};

use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};

use crate::inlet::{ConnectionId, Finder, FinderAnswer, ToFinder};

/// The kind of finder that is asked about metrics.
const ANALYZER: &str = "analyzer";
/// Finders that are remembered though they are not connected.
const REMEMBERED: usize = 64;
/// Questions without an answer that are remembered: callers have given up on older ones.
const QUESTIONS: usize = 64;

/// The last report that was taken of a finder. Committed with what follows from the report, so that a repeat is recognised
/// whoever was killed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TakenReport {
    run: String,
    number: u64,
}

/// The kind of a finder, and the node it is on; that is empty where there can be only one.
pub(super) fn kind_and_node(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

/// A finder that is connected.
struct Connection {
    finder: Finder,
    id: ConnectionId,
    answers: Sender<ToFinder>,
    /// What it was told last to follow.
    followed: Option<HashSet<String>>,
    /// Up to which number it was told that its reports are committed.
    confirmed: u64,
}

/// All finders, by name.
#[derive(Default)]
pub(super) struct Finders {
    connections: BTreeMap<String, Connection>,
    taken: BTreeMap<String, TakenReport>,
    /// Who waits for an answer, by the question's number.
    questions: BTreeMap<u64, (Sender<FinderAnswer>, String)>,
    next_question: u64,
}

impl Finders {
    /// With what an earlier run has committed of them.
    pub(super) fn new(taken: Option<serde_json::Value>) -> Self {
        let taken = taken.and_then(|taken| serde_json::from_value(taken).ok());
        Self {
            taken: taken.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// A finder is there.
    pub(super) fn connected(&mut self, finder: Finder, id: ConnectionId, answers: Sender<ToFinder>) {
        let connection = Connection {
            finder,
            id,
            answers,
            followed: None,
            confirmed: 0,
        };
        self.connections
            .insert(connection.finder.name.clone(), connection);
    }

    /// A connection has ended: nobody who asked that finder is answered any more. False if the finder has
    /// another one by now.
    pub(super) fn gone(&mut self, finder: &Finder, id: ConnectionId) -> bool {
        let known = self.connections.get(&finder.name);
        let is_its = known.is_some_and(|known| known.id == id);
        if is_its {
            self.connections.remove(&finder.name);
            self.questions.retain(|_, (_, asked)| *asked != finder.name);
        }
        is_its
    }

    /// Whether any finder of that node is connected.
    pub(super) fn has_any_of(&self, node: &str) -> bool {
        self.connections.keys().any(|name| kind_and_node(name).1 == node)
    }

    /// Whether the report is new; then it counts as taken from now on.
    pub(super) fn takes(&mut self, finder: &Finder, number: u64) -> bool {
        let known = self.taken.get(&finder.name);
        if known.is_some_and(|taken| taken.run == finder.run && taken.number >= number) {
            return false;
        }
        let taken = TakenReport {
            run: finder.run.clone(),
            number,
        };
        self.taken.insert(finder.name.clone(), taken);
        // Nodes come and go under ever new names.
        if self.taken.len() > REMEMBERED {
            let connections = &self.connections;
            self.taken
                .retain(|name, _| *name == finder.name || connections.contains_key(name));
        }
        true
    }

    /// What was taken, to be committed.
    pub(super) fn taken(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&self.taken).ok()
    }

    /// Tells each finder which of its reports are committed: all that were taken.
    pub(super) fn confirm(&mut self) {
        let taken = &self.taken;
        self.connections.retain(|name, connection| {
            let Some(taken) = taken.get(name).filter(|taken| taken.run == connection.finder.run) else {
                return true;
            };
            if connection.confirmed == taken.number {
                return true;
            }
            connection.confirmed = taken.number;
            let up_to = taken.number;
            connection.answers.try_send(ToFinder::Taken { up_to }).is_ok()
        });
    }

    /// Lets a report that was repeated be confirmed again: its sender does not know that it was.
    pub(super) fn repeated(&mut self, finder: &str) {
        if let Some(connection) = self.connections.get_mut(finder) {
            connection.confirmed = 0;
        }
    }

    /// Tells each finder what it is to follow, if that has changed. `names` gives those of a kind of subject.
    pub(super) fn follow(&mut self, names: impl Fn(&str) -> HashSet<String>) {
        self.connections.retain(|_, connection| {
            let followed = connection
                .finder
                .follows
                .as_deref()
                .map(&names)
                .unwrap_or_default();
            if connection.followed.as_ref() == Some(&followed) {
                return true;
            }
            let names = followed.iter().cloned().collect();
            connection.followed = Some(followed);
            connection.answers.try_send(ToFinder::Followed { names }).is_ok()
        });
    }

    /// Asks an analyzer what it makes of a metric: the one that has looked `by` is the first choice. The answer goes to `reply`.
    pub(super) fn examine(&mut self, by: Option<&str>, metric: String, at: f64, reply: Sender<FinderAnswer>) {
        let question = self.next_question;
        let first = by.and_then(|by| self.connections.get_key_value(by));
        let mut analyzers = self.connections.iter();
        let asked = first.or_else(|| analyzers.find(|(name, _)| kind_and_node(name).0 == ANALYZER));
        let asked = asked.and_then(|(name, connection)| {
            let message = ToFinder::Examine { question, metric, at };
            connection.answers.try_send(message).ok().map(|()| name.clone())
        });
        let Some(asked) = asked else {
            // Whoever asked may have gone.
            let _ = reply.try_send(Err(format!("the {ANALYZER} does not run at present")));
            return;
        };
        self.next_question += 1;
        self.questions.insert(question, (reply, asked));
        while self.questions.len() > QUESTIONS {
            self.questions.pop_first();
        }
    }

    /// Hands an answer to who asked.
    pub(super) fn answered(&mut self, question: u64, answer: FinderAnswer) {
        if let Some((reply, _)) = self.questions.remove(&question) {
            let _ = reply.try_send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    fn finder(run: &str) -> Finder {
        Finder {
            name: "analyzer".into(),
            run: run.into(),
            follows: Some("metric".into()),
        }
    }

    #[test]
    fn a_repeat_is_recognised_also_after_a_restart_and_confirmed_again() {
        let mut finders = Finders::new(None);
        assert!(finders.takes(&finder("a"), 1));
        assert!(!finders.takes(&finder("a"), 1));
        assert!(
            finders.takes(&finder("a"), 3),
            "what was superseded may be missing"
        );
        let mut finders = Finders::new(finders.taken());
        let (answers, heard) = unbounded();
        finders.connected(finder("a"), ConnectionId::next(), answers);
        assert!(!finders.takes(&finder("a"), 2));
        finders.confirm();
        assert!(matches!(heard.try_recv(), Ok(ToFinder::Taken { up_to: 3 })));
        finders.confirm();
        assert!(heard.try_recv().is_err(), "said once");
        finders.repeated("analyzer");
        finders.confirm();
        assert!(matches!(heard.try_recv(), Ok(ToFinder::Taken { up_to: 3 })));
        assert!(finders.takes(&finder("b"), 1), "another run begins anew");
    }

    #[test]
    fn what_is_followed_is_said_when_it_changes() {
        let mut finders = Finders::new(None);
        let (answers, heard) = unbounded();
        finders.connected(finder("a"), ConnectionId::next(), answers);
        let names = |kind: &str| HashSet::from([format!("{kind} 1")]);
        finders.follow(names);
        finders.follow(names);
        let ToFinder::Followed { names } = heard.try_recv().unwrap() else {
            panic!("it says something else");
        };
        assert_eq!(names, ["metric 1"]);
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn who_is_not_there_is_said_not_to_run() {
        let (reply, answer) = unbounded();
        Finders::new(None).examine(None, "m".into(), 0.0, reply);
        let why = answer.try_recv().unwrap().unwrap_err();
        assert_eq!(why, "the analyzer does not run at present");
    }
}
