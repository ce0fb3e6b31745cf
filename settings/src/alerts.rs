//! What becomes of an anomaly.

use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::direction::AlertDirection;
use crate::http_url::{BaseUrl, SecretUrl};
use crate::section::Section;
use crate::week::{TimeOfDay, Zone};

/// Judged points are remembered in the bits of one word.
const MOST_SEEN: usize = 64;

options! {
    /// What becomes of an anomaly, whatever route it takes. From `cooldown` to `group_interval` it is what routes have that
    /// say nothing else.
    pub Alerts {
        /// Whether each anomaly is a line in the log.
        log: bool = true,
        /// The address under which people reach the pages, for links in messages; `None` writes no links.
        base_url: Option<BaseUrl> = None,
        /// So many judged points must be anomalous …
        seen: usize = 1 => 1..=MOST_SEEN,
        /// … of so many last ones, for an incident to open.
        of: usize = 1 => 1..=MOST_SEEN,
        /// How long all judged points must be normal for an incident to be over.
        resolve_after: Duration = Duration::from_secs(600),
        /// An incident that comes back so soon is the same one.
        return_within: Duration = Duration::from_secs(1_800),
        /// After a notice about a subject, how long there is no further one about it to the same receiver.
        cooldown: Duration = Duration::from_secs(1_800),
        /// How often an incident that lasts is told again; zero is never.
        repeat: Duration = Duration::from_secs(14_400),
        /// Which way a value must have gone to be spoken of.
        direction: AlertDirection = AlertDirection::Both,
        /// The least value that is spoken of.
        min_value: Option<f64> = None,
        /// The least distance from what was expected, in the metric's own unit.
        min_change: Option<f64> = None => 0.0..,
        /// The same as a share of what was expected.
        min_relative_change: Option<f64> = None => 0.0..,
        /// Incidents whose names share so many leading elements go into one notice.
        group_depth: usize = 2,
        /// How long the first incident of a group waits for others.
        group_wait: Duration = Duration::ZERO,
        /// The least time between two notices about one group.
        group_interval: Duration = Duration::from_secs(60),
        /// More notices than this due to one receiver at once become one digest.
        digest_from: usize = 5 => 1..,
        /// The folder with templates that replace the built-in ones; `None` has none.
        templates: Option<PathBuf> = None,
        /// Whether metrics that fell silent are told of, in one notice.
        stale_digest: bool = true,
        /// The time of day, in `zone`, of a summary of the last day; `None` sends none.
        daily_digest: Option<TimeOfDay> = None,
        /// The time zone of `daily_digest`, and of routes that name no other.
        zone: Zone = Zone::utc(),
        /// The address that is called after each pass, for somebody outside who notices when it is not. Filled from
        /// `heartbeat_url_file` when that is set. Plain HTTP is taken: all that who reads it on the way can do is say that
        /// we are alive.
        heartbeat_url: Option<SecretUrl> = None,
        /// A file with that address.
        heartbeat_url_file: Option<PathBuf> = None,
        /// How long incidents and notices are kept after their end.
        keep_history: Duration = Duration::from_secs(400 * 86_400) => Duration::from_secs(86_400)..,
    }
}

impl Section for Alerts {
    fn check(&self, check: &mut Check<'_>) {
        // A number beyond its own limits was refused already.
        if self.seen > self.of && self.seen <= MOST_SEEN {
            check.conflict(
                &["seen", "of"],
                format!(
                    "`alerts.seen` is `{}`, more than `alerts.of` with `{}`,",
                    self.seen, self.of
                ),
                "`seen` of the last `of` judged points must be anomalous",
            );
        }
    }
}
