//! How roles become processes: one in a child, or all of them as threads of one process.

use std::time::Duration;

use skywatch_settings::{Settings, StoreUrl};

use super::observing::RoleObserver;
use super::roles::{self, Role, RoleContext, RunOptions};
use super::{ProcessError, alerting, wiring};
use crate::analyzer::open_summary;
use crate::clock::unix_now;
use crate::entities;
use crate::events::{OutboxOptions, SinkOptions};
use crate::inlet::InletAddress;
use crate::status::Liveness;
use crate::stop::{Stop, StopOnDrop};
use crate::store::embedded::EmbeddedConnect;
use crate::store::{AnyConnect, Connect};
use crate::web;

/// Longest wait for a store that is only asked whether it would let us in: a person looks on.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between two looks for days to drop: a day ends once in a while, and looking costs next to nothing.
const DROP_EACH: Duration = Duration::from_secs(600);

/// Tries once what only a person can mend, so that it is an error of the start and not one of a child each second: a wrong
/// password, a folder or file that cannot be written, a mail route that cannot be. A store that merely does not answer is
/// waited for by those that need it.
///
/// # Errors
/// The first of these.
pub fn check(settings: &Settings, run: &RunOptions) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    alerting::destinations(settings)?;
    if settings.web.enabled {
        web::access(settings)?;
    }
    if settings.ingest.enabled {
        wiring::remote_write_access(settings)?;
    }
    if settings.health.enabled {
        wiring::health_access(settings)?;
    }
    if settings.traces.enabled {
        wiring::traces_access(settings)?;
    }
    #[cfg(feature = "learned")]
    if settings.outliers.enabled {
        wiring::outliers_access(settings)?;
    }
    if settings.events.is_wanted() {
        OutboxOptions::of_settings(&settings.events)?;
        SinkOptions::of_settings(&settings.events, false).check()?;
    }
    if settings.entities.enabled {
        entities::check_jobs(&settings.entities)?;
    }
    run.summary.as_deref().map(open_summary).transpose()?;
    #[cfg(feature = "learned")]
    wiring::registry(settings)?;
    let StoreUrl::Redis(url) = &settings.store.url else {
        return Ok(());
    };
    if !roles::wanted(settings).any(|role| role.needs(run).store) {
        return Ok(());
    }
    let mut hasty = settings.clone();
    hasty.store.response_timeout = hasty.store.response_timeout.min(CHECK_TIMEOUT);
    hasty.store.connect_timeout = hasty.store.connect_timeout.min(CHECK_TIMEOUT);
    match wiring::redis(url, &hasty)?.connect() {
        Err(error) if !error.is_retryable() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Does one role's work until `stop` is said.
///
/// # Errors
/// Whatever keeps the role from working; the parent starts the process again.
pub fn run_role(
    role: &dyn Role,
    settings: &Settings,
    run: &RunOptions,
    liveness: Liveness,
    stop: &Stop,
) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    let needs = role.needs(run);
    let store = needs.store.then(|| wiring::store(settings)).transpose()?;
    let observer = RoleObserver::start(settings, role, store.as_ref())?;
    role.run(&RoleContext {
        settings,
        run,
        liveness,
        stop,
        single_process: false,
        inlet: InletAddress::Socket(settings.state_dir.clone()),
        finders: None,
        observer: observer.observer().clone(),
        store,
    })
}

/// Does the work of all wanted roles in this one process until `stop` is said or the asked passes are done.
///
/// # Errors
/// The first role's that fails; the others are stopped.
pub fn run_all(settings: &Settings, run: &RunOptions, stop: &Stop) -> Result<(), ProcessError> {
    wiring::prepare_state_dir(&settings.state_dir)?;
    let roles: Vec<_> = roles::wanted(settings).collect();
    let needed = roles.iter().any(|role| role.needs(run).store);
    let store = needed.then(|| wiring::store(settings)).transpose()?;
    let (inlet, finders) = roles::in_this_process();
    let parts = roles.into_iter().map(|role| {
        let (store, inlet, finders) = (store.clone(), inlet.clone(), finders.clone());
        let work = move |stop: &Stop| {
            let observer = RoleObserver::start(settings, role, store.as_ref())?;
            role.run(&RoleContext {
                settings,
                run,
                liveness: Liveness::default(),
                stop,
                single_process: true,
                inlet,
                finders: Some(finders),
                observer: observer.observer().clone(),
                store,
            })
        };
        ProcessPart {
            name: role.name(),
            stops_last: role.stops_last(),
            work: Box::new(work),
        }
    });
    let parts = parts.collect();
    std::thread::scope(|scope| {
        if let Some(AnyConnect::Embedded(connect)) = &store {
            scope.spawn(|| drop_old_days(connect, settings, stop));
        }
        let outcome = together(parts, stop);
        stop.say();
        outcome
    })
}

/// The longest that all roles of one process take to end: those that stop last have as long again.
pub fn time_to_end(settings: &Settings) -> Duration {
    let late = roles::wanted(settings).any(|role| role.stops_last());
    settings.process.stop_timeout * if late { 2 } else { 1 }
}

/// What a part does until the stop it is given is said.
pub(crate) type PartWork<'a> = Box<dyn FnOnce(&Stop) -> Result<(), ProcessError> + Send + 'a>;

/// A part of a process that does everything.
pub(crate) struct ProcessPart<'a> {
    /// Of its thread.
    pub(crate) name: &'static str,
    /// Whether it is asked to stop only when the others have ended.
    pub(crate) stops_last: bool,
    /// Its work.
    pub(crate) work: PartWork<'a>,
}

/// Does all parts' work on a thread each, until `stop` is said or one of them ends, well or not; then the others end, too.
///
/// # Errors
/// That of the first part, in their order, that has failed; or the system refuses a thread.
pub(crate) fn together(parts: Vec<ProcessPart<'_>>, stop: &Stop) -> Result<(), ProcessError> {
    let stop_last = Stop::new();
    std::thread::scope(|scope| {
        let mut outcomes = Vec::new();
        let mut threads = Vec::new();
        for ProcessPart {
            name,
            stops_last,
            work,
        } in parts
        {
            let own = if stops_last { &stop_last } else { stop };
            let thread = std::thread::Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, move || {
                    // By a panic, too.
                    let _stop = StopOnDrop(stop.clone());
                    work(own)
                });
            match thread {
                Ok(thread) => threads.push((name, stops_last, thread)),
                Err(source) => {
                    stop.say();
                    outcomes.push(Err(ProcessError::Start {
                        what: "a thread",
                        source,
                    }));
                    break;
                }
            }
        }
        let (last, first): (Vec<_>, Vec<_>) = threads.into_iter().partition(|(_, last, _)| *last);
        for (name, _, thread) in first {
            outcomes.push(thread.join().unwrap_or(Err(ProcessError::Panicked(name))));
        }
        stop_last.say();
        for (name, _, thread) in last {
            outcomes.push(thread.join().unwrap_or(Err(ProcessError::Panicked(name))));
        }
        outcomes.into_iter().collect()
    })
}

/// Trims the embedded store until stop is said: whole days, once nothing of them can be in a window any more.
fn drop_old_days(connect: &EmbeddedConnect, settings: &Settings, stop: &Stop) {
    let keep = (settings.store.full_duration + settings.store.grace).as_secs_f64();
    loop {
        match connect.drop_before(unix_now() - keep) {
            Ok(dropped) if dropped.days > 0 => {
                tracing::info!(
                    "dropped {} old days and {} dead metrics",
                    dropped.days,
                    dropped.names
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!("old days not dropped :: {error}"),
        }
        if stop.sleep(DROP_EACH) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn parts_that_stop_last_end_after_the_others() {
        let ended = Mutex::new(Vec::new());
        let ended = &ended;
        let part = |name, stops_last| ProcessPart {
            name,
            stops_last,
            work: Box::new(move |stop| {
                stop.wait();
                ended.lock().expect("nobody panics").push(name);
                Ok(())
            }),
        };
        let parts = vec![part("takes", true), part("gives", false)];
        let stop = Stop::new();
        let stopper = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            stopper.say();
        });
        together(parts, &stop).expect("all end well");
        assert_eq!(*ended.lock().expect("nobody panics"), ["gives", "takes"]);
    }

    #[test]
    fn one_that_fails_ends_all() {
        let parts = vec![
            ProcessPart {
                name: "waits",
                stops_last: false,
                work: Box::new(|stop| {
                    stop.wait();
                    Ok(())
                }),
            },
            ProcessPart {
                name: "fails",
                stops_last: true,
                work: Box::new(|_| Err(ProcessError::NoStore)),
            },
        ];
        let outcome = together(parts, &Stop::new());
        assert!(matches!(outcome, Err(ProcessError::NoStore)), "{outcome:?}");
    }
}
