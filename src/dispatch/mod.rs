//! From anomalies to notices that arrive.
//!
//! The dispatcher, one thread, owns the state of all incidents and the history. It takes what passes find, what people ask,
//! and what became of notices; lets the core work out what follows (`skywatch_alerters::state`); commits that in one
//! transaction; and only then hands notices to the queues, a thread for each receiver. A slow receiver keeps nobody
//! waiting but those behind it.

mod buffer;
mod cause_search;
mod causes;
mod commands;
pub mod control;
mod dead_mans_switch;
mod destination;
mod dispatcher;
mod event_sinks;
mod finders;
mod inbox;
mod node_scopes;
mod nodes;
mod options;
mod queue;
mod reading;
mod request;
pub mod running;
mod self_monitor;
mod shared;

use crossbeam_channel::{Receiver, never};

#[cfg(test)]
pub(crate) use cause_search::every_counter;
pub use causes::{CauseQuestion, FindCauses};
#[cfg(feature = "learned")]
pub(crate) use commands::MODELS_LISTED;
pub use commands::{Answer, Call, CommandService, Examine, ReloadSettings, SharedSenders, Tested, senders};
#[cfg(feature = "learned")]
pub use commands::{AnswerStudy, Study};
pub use dead_mans_switch::DeadMansSwitch;
pub use destination::{Destination, DispatchChange, WindowOf};
pub use dispatcher::Dispatcher;
pub use inbox::{DispatchMessage, Inbox};
pub use options::DispatchOptions;
pub(crate) use reading::SHOWN;
pub use request::{NoticeLine, Reply, Request, Which};
pub(crate) use self_monitor::OWN_COMPONENTS;
pub use self_monitor::SelfMonitorOptions;
pub use shared::SharedDispatchOptions;

use crate::inlet::FromFinder;
use crate::stop::Stop;

/// Runs a dispatcher until stop is said; with other nodes, if `shared` says how.
///
/// # Errors
/// The system refuses a thread that other nodes need.
pub fn run(
    options: DispatchOptions,
    shared: Option<SharedDispatchOptions>,
    finders: &Receiver<FromFinder>,
    inbox: &Inbox,
    messages: &Receiver<DispatchMessage>,
    stop: &Stop,
) -> std::io::Result<()> {
    if let Some(shared) = shared {
        return nodes::run(options, shared, finders, inbox, messages, stop);
    }
    let mut dispatcher = Dispatcher::open(options);
    dispatcher.open_queues(inbox);
    dispatcher.run([finders, &never()], messages, stop);
    Ok(())
}
