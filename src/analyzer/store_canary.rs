//! Reads and writes one small key every few seconds, so that it is known within seconds that the store takes no writes, or answers
//! no reads, though it answers a ping and nobody happens to write.
//!
//! Beside the [probe](super::store_probe) and not part of it: a write that hangs must not keep the sign of life waiting.

use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::unix_now;
use crate::observer::Observer;
use crate::stop::Stop;
use crate::store::{Connect, Keys as _, StoreError};

/// The key; its value is the time of the last write, Unix seconds.
const KEY: &str = "skywatch.canary";
/// How long it is kept: nothing is left of it where Skywatch runs no more.
const EXPIRES_IN: Duration = Duration::from_secs(120);
/// Time between two tries.
const EACH: Duration = Duration::from_secs(2);
/// How long an answer may take before the try has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The thread that tries. Dropping it ends the thread, which is not waited for.
pub struct StoreCanary {
    stop: Stop,
    _thread: JoinHandle<()>,
}

impl StoreCanary {
    /// Begins to try; nothing where nobody hears of it.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(connect: &impl Connect, observer: &Observer) -> std::io::Result<Option<Self>> {
        if !observer.is_on() {
            return Ok(None);
        }
        let connect = connect.within(PATIENCE);
        let observer = observer.clone();
        let stop = Stop::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("store-canary".to_owned())
            .spawn(move || run(&connect, &observer, &stopped))?;
        Ok(Some(Self {
            stop,
            _thread: thread,
        }))
    }
}

impl Drop for StoreCanary {
    fn drop(&mut self) {
        self.stop.say();
    }
}

fn run(connect: &impl Connect, observer: &Observer, stop: &Stop) {
    let place = connect.describe();
    let [reads, writes] = ["read", "write"].map(|metric| observer.metric(&place, metric));
    let mut store = None;
    loop {
        let mut attempt = || -> Result<(), StoreError> {
            // That nobody is there is for the probe to see.
            let reached = match &mut store {
                Some(reached) => reached,
                None => store.insert(connect.connect()?),
            };
            reads.watch(|| reached.get(&[KEY]))?;
            let now = unix_now().to_string();
            writes.watch(|| reached.set(&[(KEY, now.as_bytes())], Some(EXPIRES_IN)))
        };
        if attempt().is_err() {
            store = None;
        }
        if stop.sleep(EACH) {
            return;
        }
    }
}
