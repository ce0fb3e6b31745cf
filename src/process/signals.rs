//! Signals, received on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Handle;

use super::ProcessError;
use crate::log;
use crate::stop::Stop;

/// The signal thread. Dropping it ends the thread.
pub struct Signals {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    /// Receives a message when a child has ended; one message may stand for several.
    pub child_ended: Receiver<()>,
    /// Receives a message when settings are to be read anew (SIGHUP); one message may stand for several.
    pub reload: Receiver<()>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ends the process by force if it has not ended `time` after stop was said: a thread may be waiting for an answer that
/// never comes, and the end has been promised.
///
/// # Errors
/// [`ProcessError::Start`] if the system refuses the thread.
pub fn end_by_force(stop: &Stop, time: Duration) -> Result<(), ProcessError> {
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("last-resort".to_owned())
        .spawn(move || {
            stop.wait();
            std::thread::sleep(time);
            tracing::error!("something did not end in {time:?} :: the process ends by force");
            log::finish();
            std::process::exit(1);
        })
        .map(drop)
        .map_err(|source| ProcessError::Start {
            what: "the last resort",
            source,
        })
}

/// What a hangup (SIGHUP) means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// Settings are to be read anew, as service managers ask for it; a service has no terminal that could go.
    Reloads,
    /// Nothing: somebody else is asked.
    GoesOn,
    /// The terminal is gone and with it whoever waited for the command, unless it was started to outlive that (`nohup`).
    Ends,
}

/// Says `stop` when the process gets SIGTERM or SIGINT, or SIGHUP if that means the end.
///
/// # Errors
/// [`ProcessError::Start`] if the system refuses the handlers or the thread.
pub fn stop_on_signal(stop: &Stop, hangup: Hangup) -> Result<Signals, ProcessError> {
    let start = |source| ProcessError::Start {
        what: "the signal handlers",
        source,
    };
    // A file that may not grow is an error of the write that would make it, not the end of the process.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(start)?;
    let mut heard = vec![SIGTERM, SIGINT, SIGCHLD];
    // A handler of ours would undo what `nohup` has done.
    if hangup != Hangup::Ends || !is_ignored(SIGHUP) {
        heard.push(SIGHUP);
    }
    let mut signals = signal_hook::iterator::Signals::new(heard).map_err(start)?;
    let handle = signals.handle();
    let (tell, child_ended) = bounded(1);
    let (tell_reload, reload) = bounded(1);
    let stop = stop.clone();
    let thread = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                match signal {
                    // Full means: the message is already there.
                    SIGCHLD => drop(tell.try_send(())),
                    SIGHUP if hangup == Hangup::Reloads => drop(tell_reload.try_send(())),
                    SIGHUP if hangup == Hangup::GoesOn => {}
                    _ => {
                        if stop.is_said() {
                            // Asked twice: there is to be no waiting.
                            tracing::warn!("ending at once on a second signal {signal}");
                            log::finish();
                            let _ = signal_hook::low_level::emulate_default_handler(signal);
                        }
                        tracing::info!("stopping on signal {signal}");
                        stop.say();
                    }
                }
            }
        })
        .map_err(start)?;
    Ok(Signals {
        handle,
        thread: Some(thread),
        child_ended,
        reload,
    })
}

/// Whether this signal was ignored when the process was started. Where the system does not say, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
