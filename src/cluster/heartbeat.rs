//! What both holders of a lease have: a thread that keeps a heartbeat going, and whether exchanges with the table fail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::stop::Stop;

/// Whether exchanges fail: said once, and then not waited for at the end.
#[derive(Default)]
pub(super) struct ExchangeFailure(AtomicBool);

impl ExchangeFailure {
    /// Notes that one has failed; whether it is the first.
    pub(super) fn begins(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    /// Notes that one was answered; whether they failed before.
    pub(super) fn ends(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    fn lasts(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes what is locked over an exchange for a last one, unless they fail: that would only be waited for. Where one is under way its
    /// end is waited for, and may say the same.
    pub(super) fn lock_unless_failing<'m, T>(
        &self,
        lock: impl FnOnce() -> MutexGuard<'m, T>,
    ) -> Option<MutexGuard<'m, T>> {
        let locked = (!self.lasts()).then(lock)?;
        (!self.lasts()).then_some(locked)
    }
}

/// The thread. Dropping it ends it; it ends within an exchange, which is not waited for where it will fail.
pub(super) struct Heartbeat {
    failure: Arc<ExchangeFailure>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts a thread of that name, which does `beat` each time `pause` is over.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn start(
        name: &str,
        failure: &Arc<ExchangeFailure>,
        pause: impl Fn() -> Duration + Send + 'static,
        beat: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Stop::new();
        let told = stop.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while !told.sleep(pause()) {
                beat();
            }
        })?;
        Ok(Self {
            failure: Arc::clone(failure),
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.say();
        if let Some(thread) = self.thread.take().filter(|_| !self.failure.lasts()) {
            let _ = thread.join();
        }
    }
}
