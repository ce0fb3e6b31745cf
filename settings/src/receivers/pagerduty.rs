//! A service in PagerDuty, by its Events API v2.

use std::path::PathBuf;
use std::time::Duration;

use super::{TIMEOUT, Table, check_timeout};
use crate::check::Check;
use crate::secret::Secret;
use crate::settings::SecretOption;

/// A service in PagerDuty.
#[derive(Debug, Clone, PartialEq)]
pub struct PagerDutyReceiver {
    /// The integration key.
    pub routing_key: Secret,
    /// What `/v2/enqueue` is added to.
    pub api_url: String,
}

options! {
    /// `type = "pagerduty"`
    pub(crate) PagerDutyOptions {
        /// The integration key. Filled from `routing_key_file` when that is set.
        routing_key: Option<Secret> = None,
        /// A file with the key.
        routing_key_file: Option<PathBuf> = None,
        /// Where events are sent; accounts in Europe have `https://events.eu.pagerduty.com`.
        api_url: String = "https://events.pagerduty.com".to_owned(),
        /// Says a second time that the key may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT,
    }
}

impl PagerDutyOptions {
    pub(super) fn secrets(&mut self, table: &Table<'_>) -> Vec<SecretOption<'_>> {
        vec![SecretOption::new(
            table.key("routing_key"),
            &mut self.routing_key,
            &self.routing_key_file,
        )]
    }

    pub(super) fn check(&self, table: &Table<'_>, check: &mut Check<'_>) {
        check_timeout(table, &self.timeout, check);
        let example = "https://events.pagerduty.com";
        let url = table.url(["api_url", example], &self.api_url, &self.api_url, true, check);
        match (&self.routing_key, url) {
            (None, _) => table.missing(
                &["routing_key"],
                check,
                "it is the integration key of a service, which PagerDuty shows under Events API V2",
            ),
            (Some(_), Some(url)) => table.in_the_clear("routing_key", "api_url", url, self.insecure, check),
            (Some(_), None) => {}
        }
    }

    pub(super) fn resolve(&self) -> Option<PagerDutyReceiver> {
        Some(PagerDutyReceiver {
            routing_key: self.routing_key.clone()?,
            api_url: self.api_url.trim_end_matches('/').to_owned(),
        })
    }
}
