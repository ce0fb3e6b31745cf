//! Where Skywatch's own metrics go.

use std::time::Duration;

use crate::address::HostPort;
use crate::check::Check;
use crate::section::{MILLISECOND, Section};

options! {
    /// Where Skywatch's own metrics go.
    pub Graphite {
        /// Carbon's plaintext port; `None` sends nothing.
        address: Option<HostPort> = None,
        /// What every metric's name begins with; `{host}` is replaced by this machine's name.
        prefix: String = "skywatch".to_owned(),
        /// How long connecting and each write may take.
        timeout: Duration = Duration::from_secs(5) => MILLISECOND..,
    }
}

impl Section for Graphite {
    fn check(&self, check: &mut Check<'_>) {
        let without_host = self.prefix.replace("{host}", "host");
        let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '%' | '+');
        check.require(
            !without_host.is_empty() && without_host.chars().all(right),
            "prefix",
            &self.prefix,
            "expected a metric name without spaces, such as `\"skywatch\"` or `\"skywatch.{host}\"`",
        );
    }
}
