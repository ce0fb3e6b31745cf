//! What becomes of an anomaly.

use std::path::PathBuf;
use std::time::Duration;

use crate::check::Check;
use crate::routes::AlertDirection;
use crate::secret::Secret;
use crate::settings::SecretOption;
use crate::web_url::WebUrl;
use crate::when;

section! {
    /// What becomes of an anomaly, whatever route it takes. From `cooldown` to `group_interval` it is what routes have that
    /// say nothing else.
    Alerts in "alerts" {
        /// Whether each anomaly is a line in the log.
        log: bool = true,
        /// The address under which people reach the pages, for links in messages; `None` writes no links.
        base_url: Option<String> = None,
        /// So many judged points must be anomalous …
        seen: usize = 1,
        /// … of so many last ones, for an incident to open.
        of: usize = 1,
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
        min_change: Option<f64> = None,
        /// The same as a share of what was expected.
        min_relative_change: Option<f64> = None,
        /// Incidents whose names share so many leading elements go into one notice.
        group_depth: usize = 2,
        /// How long the first incident of a group waits for others.
        group_wait: Duration = Duration::ZERO,
        /// The least time between two notices about one group.
        group_interval: Duration = Duration::from_secs(60),
        /// More notices than this due to one receiver at once become one digest.
        digest_from: usize = 5,
        /// The folder with templates that replace the built-in ones; `None` has none.
        templates: Option<PathBuf> = None,
        /// Whether metrics that fell silent are told of, in one notice.
        stale_digest: bool = true,
        /// The time of day, in `zone`, of a summary of the last day; `None` sends none.
        daily_digest: Option<String> = None,
        /// The time zone of `daily_digest`, and of routes that name no other.
        zone: String = "UTC".to_owned(),
        /// The address that is called after each pass, for somebody outside who notices when it is not. Filled from
        /// `heartbeat_url_file` when that is set.
        heartbeat_url: Option<Secret> = None,
        /// A file with that address.
        heartbeat_url_file: Option<PathBuf> = None,
        /// How long incidents and notices are kept after their end.
        keep_history: Duration = Duration::from_secs(400 * 86_400),
    }
}

impl Alerts {
    pub(crate) fn secret(&mut self) -> SecretOption<'_> {
        SecretOption::new(
            "alerts.heartbeat_url".to_owned(),
            &mut self.heartbeat_url,
            &self.heartbeat_url_file,
        )
    }

    pub(crate) fn check(&self, check: &mut Check<'_>) {
        if let Some(url) = &self.base_url {
            check.require(
                WebUrl::parse(url).is_some_and(|url| !url.has_query),
                "alerts.base_url",
                &self.base_url,
                "expected an address of the web without user, `?` and `#`, such as `\"https://skywatch.example.org\"`",
            );
        }
        check.within("alerts.seen", &self.seen, Some(1), Some(64));
        check.within("alerts.of", &self.of, Some(1), Some(64));
        if self.seen > self.of && self.seen <= 64 {
            check.conflict(
                &["alerts.seen", "alerts.of"],
                format!(
                    "`alerts.seen` is `{}`, more than `alerts.of` with `{}`,",
                    self.seen, self.of
                ),
                "`seen` of the last `of` judged points must be anomalous",
            );
        }
        for (key, value) in [
            ("alerts.min_change", self.min_change),
            ("alerts.min_relative_change", self.min_relative_change),
        ] {
            if let Some(value) = value {
                check.within(key, &value, Some(0.0), None);
            }
        }
        check.within("alerts.digest_from", &self.digest_from, Some(1), None);
        check.require(
            self.daily_digest.as_deref().is_none_or(when::is_time),
            "alerts.daily_digest",
            &self.daily_digest,
            "expected a time of day, such as `\"08:00\"`",
        );
        if let Err(expected) = when::check_zone(&self.zone) {
            check.require(false, "alerts.zone", &self.zone, &expected);
        }
        // Plain HTTP is taken: all that who reads it on the way can do is say that we are alive.
        if let Some(url) = &self.heartbeat_url {
            check.require(
                WebUrl::parse(url.expose()).is_some(),
                "alerts.heartbeat_url",
                &self.heartbeat_url,
                "expected an address with `http://` or `https://` and without a user and `#`, such as `\"https://hc-ping.com/…\"`",
            );
        }
        let day = Some(Duration::from_secs(86_400));
        check.within("alerts.keep_history", &self.keep_history, day, None);
    }
}
