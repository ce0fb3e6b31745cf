//! The child's side of the bond to its parent.
//!
//! Two pipes are enough. The parent holds the child's standard input: its end means "stop", whether the parent asked for it or
//! died, and a line on it that settings are to be read anew. On its standard output the child says once a second
//! what it is at; a child that falls silent is hung.

use std::io::Write as _;
use std::time::Duration;

use super::ProcessError;
use crate::status::Liveness;
use crate::stop::{Stop, StoppableThread};

/// Time between two lines to the parent, which waits for twenty times as long.
const EACH: Duration = Duration::from_secs(1);

/// The line by which a parent has its children read their settings anew.
pub(super) const RELOAD: &str = "reload";

/// Says `stop` when standard input ends, and calls `reload` when the parent asks for that. The thread ends with the process.
///
/// # Errors
/// [`ProcessError::Start`] if the system refuses the thread.
pub fn die_with_parent(stop: &Stop, mut reload: impl FnMut() + Send + 'static) -> Result<(), ProcessError> {
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if line == RELOAD {
                    reload();
                }
            }
            stop.say();
        })
        .map(drop)
        .map_err(|source| ProcessError::Start {
            what: "the thread that watches the parent",
            source,
        })
}

/// Speaks to the parent while all is well. Dropping it ends the thread.
pub struct LivenessReporter {
    _thread: StoppableThread,
}

impl LivenessReporter {
    /// Starts speaking: a line a second, the metrics under judgement separated by tabs.
    ///
    /// # Errors
    /// [`ProcessError::Start`] if the system refuses the thread.
    pub fn start(liveness: Liveness) -> Result<Self, ProcessError> {
        let speak = move |stop: &Stop| {
            loop {
                if liveness.is_well() {
                    let mut out = std::io::stdout().lock();
                    if writeln!(out, "{}", liveness.at().join("\t"))
                        .and_then(|()| out.flush())
                        .is_err()
                    {
                        return;
                    }
                }
                if stop.sleep(EACH) {
                    return;
                }
            }
        };
        let thread = StoppableThread::spawn("pulse", speak).map_err(|source| ProcessError::Start {
            what: "the pulse",
            source,
        })?;
        Ok(Self { _thread: thread })
    }
}
