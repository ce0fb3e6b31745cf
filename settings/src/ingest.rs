//! How points come in.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::check::Check;

section! {
    /// How points come in, and how many may wait.
    Ingest in "ingest" {
        /// Whether `skywatch run` starts the ingest child.
        enabled: bool = true,
        /// Where carbon plaintext lines are taken over TCP; `None` is off.
        carbon_listen: Option<SocketAddr> = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 2023))),
        /// Points written to the store at once, at most.
        batch_points: usize = 10_000,
        /// How long a point waits for its batch to fill, at most one second.
        flush_interval: Duration = Duration::from_millis(500),
        /// Points that may wait for the store; beyond that readers stop reading.
        queue_points: usize = 500_000,
        /// A connection that sends nothing for so long is closed.
        idle_timeout: Duration = Duration::from_secs(300),
        /// Connections open at once, over all listeners.
        max_connections: usize = 2_000,
        /// The longest metric name taken, in bytes.
        max_name_bytes: usize = 1_024,
    }
}

impl Ingest {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        let (millisecond, second) = (Duration::from_millis(1), Duration::from_secs(1));
        check.within("ingest.batch_points", &self.batch_points, Some(1), None);
        check.within(
            "ingest.flush_interval",
            &self.flush_interval,
            Some(millisecond),
            Some(second),
        );
        check.within("ingest.idle_timeout", &self.idle_timeout, Some(second), None);
        check.within("ingest.max_connections", &self.max_connections, Some(1), None);
        check.within(
            "ingest.max_name_bytes",
            &self.max_name_bytes,
            Some(1),
            Some(65_535),
        );
        if self.queue_points < self.batch_points {
            check.conflict(
                &["ingest.queue_points", "ingest.batch_points"],
                format!(
                    "`ingest.queue_points` is `{}`, less than `ingest.batch_points` with `{}`,",
                    self.queue_points, self.batch_points
                ),
                "a queue must hold at least one batch",
            );
        }
    }
}
