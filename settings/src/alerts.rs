//! What becomes of an anomaly.

use crate::check::Check;

section! {
    /// What becomes of an anomaly, whatever route it takes.
    Alerts in "alerts" {
        /// Whether each anomaly is a line in the log.
        log: bool = true,
        /// The address under which people reach the pages, for links in messages; `None` writes no links.
        base_url: Option<String> = None,
    }
}

impl Alerts {
    pub(crate) fn check(&self, check: &mut Check<'_>) {
        let Some(url) = &self.base_url else { return };
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        check.require(
            !host.is_empty() && !host.contains('@') && !rest.contains(|c: char| c.is_whitespace() || "?#<>\"'".contains(c)),
            "alerts.base_url",
            &self.base_url,
            "expected an address of the web without user, `?` and `#`, such as `\"https://skywatch.example.org\"`",
        );
    }
}
