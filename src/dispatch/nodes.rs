//! The dispatch of a node among others: it follows until it leads, and leads until another one does.

use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};

use super::dispatcher::{DispatchEnd, Dispatcher};
use super::inbox::{DispatchMessage, Inbox};
use super::options::DispatchOptions;
use super::shared::{
    DispatchMember, FollowEnd, FollowingNode, LeaderMessages, LogWriter, SharedDispatchOptions, SharedLead,
};
use crate::inlet::FromFinder;
use crate::stop::Stop;

/// Messages of other nodes' finders that may wait for the dispatcher.
const WAITING: usize = 16;

/// Runs the dispatch of a node among others until stop is said.
///
/// # Errors
/// The system refuses a thread.
pub(super) fn run(
    mut options: DispatchOptions,
    shared: SharedDispatchOptions,
    finders: &Receiver<FromFinder>,
    inbox: &Inbox,
    messages: &Receiver<DispatchMessage>,
    stop: &Stop,
) -> std::io::Result<()> {
    let member = Arc::new(DispatchMember::start(shared)?);
    loop {
        let taken = match FollowingNode::new(&member, &mut options).run(finders, messages, stop) {
            FollowEnd::Stopped => break,
            FollowEnd::Leads(taken) => taken,
        };
        member.announce(true, 0.0);
        let log = LogWriter::new(&member, taken.since, taken.position.clone());
        let lead = SharedLead::new(&member, &taken);
        let mut dispatcher = Dispatcher::open_shared(options, log, lead);
        dispatcher.open_queues(inbox);
        let (send, remote) = bounded(WAITING);
        let from_others = LeaderMessages::start(&member, inbox.clone(), send)?;
        let end = dispatcher.run([finders, &remote], messages, stop);
        // Without anybody who takes what it hands on it ends at once.
        drop(remote);
        drop(from_others);
        match end {
            DispatchEnd::Stopped => break,
            DispatchEnd::Displaced(given_back) => options = *given_back,
        }
        tracing::warn!("another node leads the dispatch now :: this one follows");
    }
    member.leadership.leave();
    Ok(())
}
