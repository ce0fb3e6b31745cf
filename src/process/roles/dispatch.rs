//! Takes what all others find, keeps it, and tells people and machines.

use std::sync::PoisonError;

use crossbeam_channel::{Receiver, bounded};
use skywatch_settings::Settings;

use super::role::{Needs, Role, RoleContext, RunOptions};
use crate::dispatch::control::Control;
use crate::dispatch::{self, CommandService, DispatchOptions, Inbox};
use crate::inlet::{FromFinder, InletAddress, socket};
use crate::observer::Observer;
use crate::process::reload::request_reload;
#[cfg(feature = "learned")]
use crate::process::study;
use crate::process::{LiveSettings, ProcessError, alerting, wiring};
use crate::stop::Stop;
use crate::store::AnyConnect;

/// Messages of finders that may wait: their senders keep reports until they are taken.
const WAITING: usize = 16;

/// The role of that name.
#[derive(Debug)]
pub(super) struct DispatchRole;

impl Role for DispatchRole {
    fn name(&self) -> &'static str {
        "dispatch"
    }

    /// By no setting of its own.
    fn is_wanted(&self, _: &Settings) -> bool {
        false
    }

    fn observes(&self) -> bool {
        true
    }

    fn serves_finders(&self) -> bool {
        true
    }

    /// For the windows of charts only: without an answer of the store notices go without.
    fn needs(&self, _: &RunOptions) -> Needs {
        Needs { store: true }
    }

    /// What others found last is still told.
    fn stops_last(&self) -> bool {
        true
    }

    fn run(&self, context: &RoleContext<'_>) -> Result<(), ProcessError> {
        let (store, settings, stop) = (context.store()?, context.settings, context.stop);
        if let Some(finders) = &context.finders {
            return dispatch(
                store,
                finders,
                &context.observer,
                settings,
                &context.run.live,
                stop,
            );
        }
        let (send, finders) = bounded(WAITING);
        let _listener = socket::listen(&settings.state_dir, send).map_err(|source| ProcessError::Start {
            what: "the socket of the dispatch",
            source,
        })?;
        dispatch(
            store,
            &finders,
            &context.observer,
            settings,
            &context.run.live,
            stop,
        )
    }
}

/// The way to a dispatch that is a thread of this process, and its end.
pub(crate) fn in_this_process() -> (InletAddress, Receiver<FromFinder>) {
    let (send, receive) = bounded(WAITING);
    (InletAddress::Thread(send), receive)
}

/// Takes what all others find, keeps it, and tells people and machines, until stop is said.
pub(crate) fn dispatch(
    store: &AnyConnect,
    finders: &Receiver<FromFinder>,
    observer: &Observer,
    settings: &Settings,
    live: &LiveSettings,
    stop: &Stop,
) -> Result<(), ProcessError> {
    let options = alerting::dispatch(store.clone(), observer, settings)?;
    let shared = wiring::shared_dispatch(settings, store)?;
    let (inbox, messages) = Inbox::new();
    let _control = control(store, settings, &options, inbox.clone(), live);
    dispatch::run(options, shared, finders, &inbox, &messages, stop).map_err(|source| ProcessError::Start {
        what: "what the nodes need to speak to each other",
        source,
    })
}

/// Lets commands on this machine speak to us. Without it all else goes on.
fn control(
    store: &AnyConnect,
    settings: &Settings,
    options: &DispatchOptions,
    inbox: Inbox,
    live: &LiveSettings,
) -> Option<Control> {
    let changing = inbox.clone();
    let examine = inbox.clone();
    let causes = options.causes.clone();
    let causes = causes.unwrap_or_else(|| alerting::causes(store, settings));
    let service = CommandService::new(
        Box::new(move |request| inbox.ask(request)),
        Box::new(move |metric, now| examine.examine(metric, now)),
        &options.destinations,
        wiring::base_url(settings),
        wiring::command(settings),
    )
    .with_causes(Some(causes))
    .with_reload({
        let state_dir = settings.state_dir.clone();
        Box::new(move || request_reload(&state_dir))
    });
    let senders = service.senders();
    live.on_change("dispatch", move |settings| {
        let change = alerting::dispatch_change(settings)?;
        *senders.write().unwrap_or_else(PoisonError::into_inner) = dispatch::senders(&change.destinations);
        changing.change(change).map_err(ProcessError::Busy)
    });
    #[cfg(feature = "learned")]
    let service = {
        let settings = settings.clone();
        service.with_study(Box::new(move |asked| {
            study::answer(&settings, asked)
                .unwrap_or_else(|error| dispatch::Answer::refused(error.to_string()))
        }))
    };
    match Control::start(&settings.state_dir, service) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::error!(
                "no control socket in `{}` :: {error} :: `skywatch ack` and the like will not reach this process",
                settings.state_dir.display()
            );
            None
        }
    }
}
