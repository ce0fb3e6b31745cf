//! Questions about keys that lie together, one group after the other: all on one server, or those of one hash tag at a time in a cluster.

use std::time::{Duration, Instant};

use ::redis::{Cmd, Connection, RedisError, ServerErrorKind, Value, cmd};
use skywatch_settings::HostPort;

use super::StoreError;
use super::connect::{ASKED_LATELY, RedisConnect};
use super::hash_slot::hash_slot;
use super::redirect::Redirect;

/// Tries after which a slot that changes hands is given up, and the pause between them.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// A connection to whichever server has the keys: made when it is first needed and after each failure, and to another server where a
/// cluster says that they have moved.
pub(crate) struct KeyConnection {
    connect: RedisConnect,
    slot: u16,
    /// `None` before the first call and after an error.
    open: Option<Open>,
    /// Connections to other nodes of a cluster, one each at most, for when their keys are asked about again.
    resting: Vec<Open>,
}

struct Open {
    /// The way to the server that has the keys.
    way: RedisConnect,
    /// Which node that is, in a cluster.
    node: Option<HostPort>,
    connection: Connection,
    /// When it was used last.
    used: Instant,
    /// How often sentinels had named another primary before.
    changes: u64,
}

impl KeyConnection {
    /// For keys in the slot of this one.
    pub(crate) fn new(connect: RedisConnect, key: &str) -> Self {
        Self {
            connect,
            slot: hash_slot("", key),
            open: None,
            resting: Vec::new(),
        }
    }

    /// Asks about keys in the slot of this one from now on.
    pub(crate) fn turn_to(&mut self, key: &str) {
        self.slot = hash_slot("", key);
        let Some(slots) = self.connect.slots() else { return };
        let map = slots.map();
        let node = map.primary(self.slot);
        if self.open.as_ref().is_some_and(|open| open.node.as_ref() == node) {
            return;
        }
        if let Some(open) = self.open.take() {
            self.resting.retain(|resting| resting.node != open.node);
            self.resting.push(open);
        }
        // Of a node that has nothing any more nothing will be asked.
        let has_slots = |open: &Open| {
            open.node
                .as_ref()
                .is_some_and(|node| map.primaries().contains(node))
        };
        self.resting.retain(has_slots);
        let there = self
            .resting
            .iter()
            .position(|resting| resting.node.as_ref() == node);
        self.open = there.map(|place| self.resting.swap_remove(place));
    }

    /// The way there.
    pub(crate) fn connect(&self) -> &RedisConnect {
        &self.connect
    }

    /// Whether there is a connection that had no error yet.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Lets go of the connection.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Asks one question. Nothing is asked twice that may have been done: only what a server has refused to look at.
    pub(crate) fn ask(&mut self, question: &Cmd) -> Result<Value, StoreError> {
        for _ in 0..TRIES {
            // Before it is asked whether the connection is open still: that may take as long as a server stands still.
            let begun = Instant::now();
            let mut open = self.opened()?;
            let error = match question.query(&mut open.connection) {
                Ok(reply) => {
                    self.connect.counts(open.changes, begun)?;
                    open.used = Instant::now();
                    self.open = Some(open);
                    return Ok(reply);
                }
                Err(error) => error,
            };
            match redirect(&error, open.node.as_ref()) {
                Some(Redirect::Moved(node)) => {
                    self.connect.refresh_slots(Some(&node))?;
                    self.open = Some(self.open_node(node)?);
                }
                Some(Redirect::Ask(node)) => {
                    self.open = Some(open);
                    let mut other = self.open_node(node)?;
                    let asked = cmd("ASKING").exec(&mut other.connection);
                    match asked.and_then(|()| question.query(&mut other.connection)) {
                        Err(error) if is_split(&error) => std::thread::sleep(PAUSE),
                        reply => return reply.map_err(|error| other.way.failure(&error)),
                    }
                }
                None if is_split(&error) => {
                    self.open = Some(open);
                    std::thread::sleep(PAUSE);
                }
                None => {
                    // Another node may have the keys by the next question.
                    let _ = self.connect.refresh_slots(None);
                    return Err(open.way.failure(&error));
                }
            }
        }
        let reason = format!("slot {} is on its way from node to node", self.slot);
        Err(self.connect.unavailable(reason))
    }

    fn opened(&mut self) -> Result<Open, StoreError> {
        if let Some(open) = self.open.take()
            && self.connect.stands(open.changes, ASKED_LATELY)
            && let Some(connection) = open.way.rested(open.connection, open.used)?
        {
            return Ok(Open { connection, ..open });
        }
        if !self.connect.is_cluster() {
            return Ok(Open {
                changes: self.connect.primary_changes(),
                way: self.connect.clone(),
                node: None,
                connection: self.connect.open()?,
                used: Instant::now(),
            });
        }
        let node = self.connect.slot_map()?.primary(self.slot).cloned();
        let no_node = || format!("no node of the cluster has slot {}", self.slot);
        let node = node.ok_or_else(|| self.connect.unavailable(no_node()))?;
        self.open_node(node).inspect_err(|_| {
            let _ = self.connect.refresh_slots(None);
        })
    }

    fn open_node(&self, node: HostPort) -> Result<Open, StoreError> {
        let way = self.connect.member(&node)?;
        Ok(Open {
            connection: way.open()?,
            way,
            node: Some(node),
            used: Instant::now(),
            changes: 0,
        })
    }
}

/// Whether some of the keys have gone ahead to another node, so that neither has all.
fn is_split(error: &RedisError) -> bool {
    error.kind() == ServerErrorKind::TryAgain.into()
}

fn redirect(error: &RedisError, node: Option<&HostPort>) -> Option<Redirect> {
    let text = format!("{} {}", error.code()?, error.detail()?);
    Redirect::read(&text, &node?.host)
}
