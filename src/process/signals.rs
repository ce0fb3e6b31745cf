//! Signals, received on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Handle;

use super::ProcessError;
use crate::stop::Stop;

/// The signal thread. Dropping it ends the thread.
pub struct Signals {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    /// Gets a word whenever a child has ended; one word may stand for several.
    pub child_ended: Receiver<()>,
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
/// never comes, and whoever stops us has been promised an end.
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
            std::process::exit(1);
        })
        .map(drop)
        .map_err(|source| ProcessError::Start {
            what: "the last resort",
            source,
        })
}

/// Says `stop` when the process gets SIGTERM, SIGINT or SIGHUP.
///
/// # Errors
/// [`ProcessError::Start`] if the system refuses the handlers or the thread.
pub fn stop_on_signal(stop: &Stop) -> Result<Signals, ProcessError> {
    let start = |source| ProcessError::Start {
        what: "the signal handlers",
        source,
    };
    // A file that may not grow is an error of the write that would make it, not the end of the process.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(start)?;
    let mut signals =
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD]).map_err(start)?;
    let handle = signals.handle();
    let (tell, child_ended) = bounded(1);
    let stop = stop.clone();
    let thread = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if signal == SIGCHLD {
                    // Full means: the word is already there.
                    let _ = tell.try_send(());
                } else {
                    if stop.is_said() {
                        // Asked twice: whoever asks does not want to wait.
                        tracing::warn!("ending at once on a second signal {signal}");
                        let _ = signal_hook::low_level::emulate_default_handler(signal);
                    }
                    tracing::info!("stopping on signal {signal}");
                    stop.say();
                }
            }
        })
        .map_err(start)?;
    Ok(Signals {
        handle,
        thread: Some(thread),
        child_ended,
    })
}
