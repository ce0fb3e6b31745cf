//! One way to say stop, understood by every thread.
//!
//! A [`Stop`] is cloned into each long-lived thread. Saying stop closes a channel, so a thread that
//! sleeps on it wakes at once; nobody polls. A stop cannot be taken back.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

/// A shared wish to end, and the means to sleep until it is uttered.
#[derive(Clone)]
pub struct Stop {
    /// Dropped to say stop. A mutex because dropping needs ownership; held for that moment only.
    speaker: Arc<Mutex<Option<Sender<()>>>>,
    /// Disconnected once stop was said.
    listener: Receiver<()>,
}

/// Says stop when it is dropped, also by a panic: for a part without which the rest must not go on.
pub struct StopOnDrop(pub Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.say();
    }
}

/// A thread that works until it is told to stop. Dropping this tells it so, and waits for its end.
#[must_use]
pub struct StoppableThread {
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl StoppableThread {
    /// Starts a thread of that name.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn spawn(name: &str, work: impl FnOnce(&Stop) + Send + 'static) -> std::io::Result<Self> {
        let stop = Stop::new();
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&told))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for StoppableThread {
    fn drop(&mut self) {
        self.stop.say();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// A stop nobody has said yet.
    pub fn new() -> Self {
        let (sender, listener) = bounded(0);
        Self {
            speaker: Arc::new(Mutex::new(Some(sender))),
            listener,
        }
    }

    /// Says stop to every clone. Saying it twice is harmless.
    pub fn say(&self) {
        drop(self.speaker.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether stop has been said.
    pub fn is_said(&self) -> bool {
        matches!(
            self.listener.try_recv(),
            Err(crossbeam_channel::TryRecvError::Disconnected)
        )
    }

    /// Sleeps for `time`, or until stop is said. Answers whether stop was said.
    pub fn sleep(&self, time: Duration) -> bool {
        matches!(
            self.listener.recv_timeout(time),
            Err(RecvTimeoutError::Disconnected)
        )
    }

    /// Blocks until stop is said.
    pub fn wait(&self) {
        // Nothing is ever sent: the only outcome is the disconnection that means stop.
        let _ = self.listener.recv();
    }

    /// For `select!`: a channel that becomes ready when stop is said.
    pub fn channel(&self) -> &Receiver<()> {
        &self.listener
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_sleeper_wakes_when_stop_is_said() {
        let stop = Stop::new();
        assert!(!stop.is_said());
        assert!(!stop.sleep(Duration::from_millis(1)));
        let sleeper = stop.clone();
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            assert!(sleeper.sleep(Duration::from_secs(60)));
            begun.elapsed()
        });
        stop.say();
        stop.say();
        assert!(thread.join().expect("the sleeper ends") < Duration::from_secs(30));
        assert!(stop.is_said());
    }
}
