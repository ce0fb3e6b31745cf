//! A service in PagerDuty, by its Events API v2.

use std::path::PathBuf;
use std::time::Duration;

use super::transport::{TIMEOUT, in_the_clear, missing};
use crate::check::Check;
use crate::http_url::BaseUrl;
use crate::secret::Secret;
use crate::section::{MILLISECOND, Section};

options! {
    /// A service in PagerDuty.
    pub PagerDutyReceiver {
        /// The integration key, which must be set. Filled from `routing_key_file` when that is set.
        routing_key: Option<Secret> = None,
        /// A file with the key.
        routing_key_file: Option<PathBuf> = None,
        /// What `/v2/enqueue` is added to; accounts in Europe have `https://events.eu.pagerduty.com`.
        api_url: BaseUrl = BaseUrl::known("https://events.pagerduty.com"),
        /// Certificates (PEM) trusted beside the public ones.
        ca_file: Option<PathBuf> = None,
        /// Says a second time that the key may travel in the clear.
        insecure: bool = false,
        /// How long one notice may take.
        timeout: Duration = TIMEOUT => MILLISECOND..,
    }
}

impl Section for PagerDutyReceiver {
    fn check(&self, check: &mut Check<'_>) {
        if self.routing_key.is_none() {
            let hint = "it is the integration key of a service, which PagerDuty shows under Events API V2";
            return missing(&["routing_key"], check, hint);
        }
        in_the_clear("routing_key", "api_url", self.api_url.url(), self.insecure, check);
    }
}
