//! From anomalies to notices that arrive.
//!
//! One thread takes what a pass found. The log gets a line for each anomaly that is new; e-mail gets a
//! notice a metric, then silence for the cooldown, which is written to the store only after the mail
//! server has taken the notice. A notice that a server could not take at the moment waits here and is tried
//! again, whether or not the anomaly lasts.

mod outgoing;

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use skywatch_alerters::Anomaly;
use skywatch_alerters::senders::Sender;

use crate::status::Findings;
use crate::store::Connect;
use outgoing::Outgoing;

/// Anomalies of one pass that get a line in the log; the rest are counted there and shown on the pages.
const LOGGED_A_PASS: usize = 100;
/// How often waiting notices are looked at when no pass ends.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// Where notices go and how often.
pub struct DispatchOptions {
    /// Whether new anomalies get a line in the log.
    pub log: bool,
    /// The mail route, if there is one.
    pub email: Option<Box<dyn Sender>>,
    /// Silence about a metric after a mail about it.
    pub cooldown: Duration,
    /// Public address of the pages, without a slash at the end; empty for none.
    pub base_url: String,
}

/// The dispatch thread's state.
pub struct Dispatch<K: Connect> {
    log: bool,
    email: Option<Outgoing<K>>,
}

impl<K: Connect> Dispatch<K> {
    /// A dispatch that reads and writes cooldowns through `connect`.
    pub fn new(connect: K, options: DispatchOptions) -> Self {
        let DispatchOptions {
            log,
            email,
            cooldown,
            base_url,
        } = options;
        Self {
            log,
            email: email.map(|sender| Outgoing::new(connect, sender, cooldown, base_url)),
        }
    }

    /// Works until the channel closes, then gives what waits one last try. Between two notices it looks whether a pass
    /// has come: a mail server that takes its time keeps no line out of the log.
    pub fn run(mut self, passes: &Receiver<Findings>) {
        let mut busy = false;
        loop {
            match passes.recv_timeout(if busy { Duration::ZERO } else { LOOK_EACH }) {
                Ok(findings) => {
                    self.log(&findings);
                    if let Some(email) = &mut self.email {
                        email.take(&findings);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            busy = self.email.as_mut().is_some_and(Outgoing::send_one);
        }
        if let Some(email) = self.email {
            email.end();
        }
    }

    fn log(&self, findings: &Findings) {
        if !self.log {
            return;
        }
        let mut new = findings.findings.iter().filter(|finding| finding.is_new);
        for finding in new.by_ref().take(LOGGED_A_PASS) {
            let line = skywatch_alerters::render::log_line(&finding.anomaly);
            tracing::warn!(target: "skywatch::anomaly", "{line}");
        }
        let rest = new.count();
        if rest > 0 {
            tracing::warn!(target: "skywatch::anomaly", "and {rest} more new anomalies in this pass");
        }
    }
}

/// Names the notice about this anomaly and no other; the same again after a crash.
fn notice_id(anomaly: &Anomaly) -> String {
    format!("{:016x}.{}", crate::hash::hash(anomaly.name()), anomaly.at)
}
