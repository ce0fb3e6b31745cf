//! How many connections may be open, and who goes when there is one too many.
//!
//! A file descriptor is needed for everything: without a limit, clients that only connect take those with which we reach
//! the store. So the limit of the system is raised as far as it goes, a part of it is kept free of connections, and of the rest
//! every listener has its share. When all slots of a listener are taken, a new client gets that of the idlest one, first of
//! all of one that has never sent a byte; if all are at work, the new one is turned away. Both are counted by the caller.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::oneshot;

/// Descriptors that are never a connection's, as the store, files and pipes need some: a quarter of all, but at least so
/// many, of a small limit half.
const RESERVE: usize = 64;
/// One that has sent nothing for so long since it came may go: a client that has something to send does it at once.
const NEVER_ACTIVE: Duration = Duration::from_secs(1);
/// One that has said something may go when that is so long ago: longer than most senders pause.
const IDLE: Duration = Duration::from_secs(10);

/// Lets this process and its children open as many files as the system allows. Where it refuses, the limit stays.
pub(crate) fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!("the limit of open files stays at {:?} :: {error}", limit.current);
        }
    }
}

/// How many of `wanted` connections there are descriptors for, if the caller may have `share` of those that are not
/// reserved. Says so where it is fewer.
pub(crate) fn affordable(wanted: usize, share: f64, setting: &str) -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let there = affordable_of(limit, share);
    if there < wanted {
        tracing::warn!(
            "only {there} connections, not {wanted} :: this process may open {limit} files, and some are kept for other \
             things\nhint: raise the limit (`LimitNOFILE=` of systemd, `ulimit -n`), or lower `{setting}`"
        );
    }
    there.min(wanted)
}

fn affordable_of(limit: usize, share: f64) -> usize {
    let reserve = (limit / 4).max(RESERVE).min(limit / 2);
    (((limit - reserve) as f64 * share) as usize).max(1)
}

/// The slots of one or more listeners.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    most: usize,
    begun: Instant,
    /// Held for the moment of a coming, a going, or a look at all of them when there is no slot left.
    taken: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    next: u64,
    open: HashMap<u64, OpenConnection>,
}

#[derive(Debug)]
struct OpenConnection {
    /// Milliseconds since the slots began.
    came: u64,
    /// The same of the last bytes; 0 for none yet.
    last_active: Arc<AtomicU64>,
    /// Dropped to close the connection.
    _close: oneshot::Sender<()>,
}

/// What one more connection meant.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// There was room.
    Free(Slot),
    /// Another one was closed for it.
    Instead(Slot),
    /// There is none, and all the others are at work.
    No,
}

/// One open connection's slot; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<ConnectionSlots>,
    number: u64,
    last_active: Arc<AtomicU64>,
    /// `None` once it has been closed.
    closed: Option<oneshot::Receiver<()>>,
}

impl ConnectionSlots {
    /// So many slots at most.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            begun: Instant::now(),
            taken: Mutex::default(),
        })
    }

    /// A slot for a connection that has come.
    pub(crate) fn admit(self: &Arc<Self>) -> Admitted {
        let now = self.now();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = taken.open.len() >= self.most;
        if full {
            let Some(number) = taken.idlest(now) else {
                return Admitted::No;
            };
            taken.open.remove(&number);
        }
        let number = taken.next;
        taken.next += 1;
        let last_active = Arc::<AtomicU64>::default();
        let (close, closed) = oneshot::channel();
        taken.open.insert(
            number,
            OpenConnection {
                came: now,
                last_active: Arc::clone(&last_active),
                _close: close,
            },
        );
        drop(taken);
        let slot = Slot {
            slots: Arc::clone(self),
            number,
            last_active,
            closed: Some(closed),
        };
        if full {
            Admitted::Instead(slot)
        } else {
            Admitted::Free(slot)
        }
    }

    fn now(&self) -> u64 {
        // From 1, as 0 means never.
        u64::try_from(self.begun.elapsed().as_millis()).map_or(u64::MAX, |now| now + 1)
    }
}

impl OpenConnections {
    /// The connection that has been idle for longest, if any is idle.
    fn idlest(&self, now: u64) -> Option<u64> {
        let millis = |time: Duration| time.as_millis() as u64;
        let spared = self.open.iter().filter_map(|(number, connection)| {
            let (spoken, since, limit) = match connection.last_active.load(Ordering::Relaxed) {
                0 => (false, connection.came, millis(NEVER_ACTIVE)),
                last_active => (true, last_active, millis(IDLE)),
            };
            (now.saturating_sub(since) >= limit).then_some((spoken, since, *number))
        });
        spared.min().map(|(_, _, number)| number)
    }
}

impl Slot {
    /// The other side has sent something.
    pub(crate) fn mark_active(&self) {
        self.last_active.store(self.slots.now(), Ordering::Relaxed);
    }

    /// Ready once another connection needs the slot more.
    pub(crate) fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(closed) = &mut self.closed {
            let _ = ready!(Pin::new(closed).poll(context));
            self.closed = None;
        }
        Poll::Ready(())
    }

    /// Completes once another connection needs the slot more.
    pub(crate) async fn closed(&mut self) {
        std::future::poll_fn(|context| self.poll_closed(context)).await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if so many seconds had gone by.
    fn age(slots: &ConnectionSlots, seconds: u64) {
        let taken = slots.taken.lock().expect("nobody panics");
        for connection in taken.open.values() {
            // Times are moved instead of the clock; none of them is older than the slots.
            let last_active = connection.last_active.load(Ordering::Relaxed);
            assert!(last_active == 0 || last_active > seconds * 1_000);
            connection
                .last_active
                .store(last_active.saturating_sub(seconds * 1_000), Ordering::Relaxed);
        }
    }

    fn slots(most: usize) -> Arc<ConnectionSlots> {
        Arc::new(ConnectionSlots {
            most,
            // Long ago.
            begun: Instant::now()
                .checked_sub(Duration::from_secs(100))
                .expect("the system runs for longer"),
            taken: Mutex::default(),
        })
    }

    fn slot(admitted: Admitted) -> Slot {
        match admitted {
            Admitted::Free(slot) | Admitted::Instead(slot) => slot,
            Admitted::No => panic!("no slot"),
        }
    }

    #[test]
    fn the_speechless_go_first_then_the_idlest_and_nobody_at_work() {
        let slots = slots(3);
        let first = slot(slots.admit());
        let second = slot(slots.admit());
        let mut third = slot(slots.admit());
        first.mark_active();
        second.mark_active();
        assert!(
            matches!(slots.admit(), Admitted::No),
            "the third has only just come"
        );
        slots
            .taken
            .lock()
            .expect("nobody panics")
            .open
            .get_mut(&third.number)
            .expect("it is there")
            .came -= 1_000;
        let Admitted::Instead(fourth) = slots.admit() else {
            panic!("the third has never said a word")
        };
        let closed = third.closed.as_mut().expect("nobody has asked yet").try_recv();
        assert_eq!(closed, Err(oneshot::error::TryRecvError::Closed));
        drop(third);
        fourth.mark_active();
        assert!(matches!(slots.admit(), Admitted::No), "all are at work");
        age(&slots, 11);
        first.mark_active();
        fourth.mark_active();
        assert!(
            matches!(slots.admit(), Admitted::Instead(_)),
            "the second is idle"
        );
        drop(first);
        assert!(matches!(slots.admit(), Admitted::Free(_)));
    }

    #[test]
    fn some_descriptors_are_nobodys() {
        assert_eq!(affordable_of(1_024, 1.0), 768);
        assert_eq!(affordable_of(1_024, 0.25), 192);
        assert_eq!(affordable_of(100, 1.0), 50);
        assert_eq!(affordable_of(1, 1.0), 1);
    }
}
