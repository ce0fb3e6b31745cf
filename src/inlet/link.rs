//! An open way to the dispatch, whichever it is.

use std::io;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::FromFinder;

/// Messages of the dispatch that may wait for a client.
pub(crate) const ANSWERS: usize = 64;
/// How long either side may take to take something.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A way that is open.
pub(super) trait InletLink: Send {
    /// Hands something over. Blocks for seconds at most.
    fn send(&mut self, message: FromFinder) -> io::Result<()>;
}

impl InletLink for Sender<FromFinder> {
    fn send(&mut self, message: FromFinder) -> io::Result<()> {
        // Whoever takes reports works on one for a second or two.
        let sent = self.send_timeout(message, PATIENCE);
        sent.map_err(|_| io::ErrorKind::ConnectionReset.into())
    }
}
