//! The engine behind all handles, opened again where it has failed.
//!
//! A write that fails, on a full disk say, leaves the engine refusing all that follow, whatever becomes of the disk. What was under way
//! was not confirmed, and its writer sends it again; so the engine is closed and opened anew at the next call, and goes on once there
//! is room. Cursors of before are lost then, as after any opening.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::{EmbeddedOptions, StoreError};

/// How long calls under way are waited for before a failed engine can be closed: each is a batch.
const CALLS_END_WITHIN: Duration = Duration::from_secs(2);
/// How often it is looked whether they have ended.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// One engine for all handles of a process.
pub(super) struct SharedEngine {
    options: EmbeddedOptions,
    /// `None` after it has failed and could not be opened again.
    engine: RwLock<Option<Arc<Engine>>>,
}

impl SharedEngine {
    pub(super) fn open(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        let engine = Engine::open(options)?;
        Ok(Self {
            options: options.clone(),
            engine: RwLock::new(Some(Arc::new(engine))),
        })
    }

    /// Where it lies.
    pub(super) fn place(&self) -> String {
        self.options.folder.display().to_string()
    }

    /// The engine, for one call.
    ///
    /// # Errors
    /// It has failed and cannot be opened again yet.
    pub(super) fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        let open = usable(&self.read());
        open.map_or_else(|| self.reopen(), Ok)
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Arc<Engine>>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn reopen(&self) -> Result<Arc<Engine>, StoreError> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        // Another caller may have been first.
        if let Some(open) = usable(&engine) {
            return Ok(open);
        }
        if let Some(failed) = engine.take()
            && let Err(in_use) = close(failed)
        {
            *engine = Some(in_use);
            return Err(StoreError::Reopening { place: self.place() });
        }
        let opened = Arc::new(Engine::open(&self.options)?);
        tracing::warn!(
            "store `{}` was opened again after a write had failed",
            self.place()
        );
        *engine = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

fn usable(engine: &Option<Arc<Engine>>) -> Option<Arc<Engine>> {
    engine.as_ref().filter(|engine| !engine.has_failed()).cloned()
}

/// Closes an engine once no call uses it any more; gives it back if one does for too long.
fn close(mut engine: Arc<Engine>) -> Result<(), Arc<Engine>> {
    let begun = Instant::now();
    loop {
        engine = match Arc::try_unwrap(engine) {
            Ok(last) => {
                drop(last);
                return Ok(());
            }
            Err(engine) => engine,
        };
        if begun.elapsed() >= CALLS_END_WITHIN {
            return Err(engine);
        }
        thread::sleep(LOOK_EACH);
    }
}
