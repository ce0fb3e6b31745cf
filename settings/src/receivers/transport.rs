//! What the types that speak HTTP ask of their options.

use std::time::Duration;

use crate::check::Check;
use crate::http_url::HttpUrl;

/// How long one notice may take unless the receiver says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// Reports that a receiver lacks an option without which it cannot work.
pub(super) fn missing(options: &[&str], check: &mut Check<'_>, hint: &str) {
    let listed: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
    conflict(&format!("no {}", listed.join(" and no ")), options, check, hint);
}

/// Reports what a receiver has that does not go together.
pub(super) fn conflict(has: &str, options: &[&str], check: &mut Check<'_>, hint: &str) {
    let table = check.key("");
    let name = table.trim_start_matches("receivers.").trim_end_matches('.');
    check.conflict(options, format!("receiver `{name}` has {has}"), hint);
}

/// Refuses to send secrets where others can read them, unless that is said twice.
pub(super) fn in_the_clear(
    secret: &str,
    url_option: &str,
    url: &HttpUrl,
    insecure: bool,
    check: &mut Check<'_>,
) {
    if !url.is_open() || insecure {
        return;
    }
    let [secret_key, url_key, insecure_key] =
        [secret, url_option, "insecure"].map(|option| check.key(option));
    let what = if secret == url_option {
        format!("`{secret_key}` is a secret that would travel in the clear, for it begins with `http://`")
    } else {
        format!(
            "`{secret_key}` would go to `{}` in the clear, for `{url_key}` begins with `http://`",
            url.host()
        )
    };
    let hint = format!("use `https://`, or say it twice with `{insecure_key} = true`");
    check.conflict(&[url_option, secret, "insecure"], what, &hint);
}
