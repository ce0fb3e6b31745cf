//! When to speak again about the same metric.
//!
//! The caller keeps, for each sender and metric, the Unix time of the last notice that went out,
//! under [`key`], and writes it only **after** the send succeeded: a mail server that was down must
//! not start the quiet time. Nothing here reads the clock or a store.

use std::time::Duration;

/// Where the time of the last notice is kept: `skywatch.last_alert.<sender>.<metric>`.
///
/// The metric's name is not changed, so a key may hold any character a metric name may.
pub fn key(sender: &str, metric: &str) -> String {
    format!("skywatch.last_alert.{sender}.{metric}")
}

/// Whether a notice may go out at `now`, the last having gone out at `last_sent` (Unix seconds).
///
/// A `last_sent` in the future is another machine's clock or our own set back. Within the cooldown
/// it counts as just sent; farther ahead it is not believed, or one wrong clock would mean silence
/// for as long as it was wrong by.
pub fn due(last_sent: Option<f64>, now: f64, cooldown: Duration) -> bool {
    match last_sent {
        Some(last_sent) if last_sent.is_finite() => (now - last_sent).abs() >= cooldown.as_secs_f64(),
        _ => true,
    }
}

/// The earliest time of the next notice when one goes out at `sent`.
pub fn not_before(sent: f64, cooldown: Duration) -> f64 {
    sent + cooldown.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_HOUR: Duration = Duration::from_secs(1_800);

    #[test]
    fn the_first_notice_is_due() {
        assert!(due(None, 5_000.0, HALF_HOUR));
        assert!(due(Some(f64::NAN), 5_000.0, HALF_HOUR));
    }

    #[test]
    fn quiet_until_the_cooldown_has_passed() {
        assert!(!due(Some(5_000.0), 5_000.0, HALF_HOUR));
        assert!(!due(Some(5_000.0), 6_799.9, HALF_HOUR));
        assert!(due(Some(5_000.0), 6_800.0, HALF_HOUR));
        assert_eq!(not_before(5_000.0, HALF_HOUR), 6_800.0);
        assert!(due(Some(5_000.0), 5_000.0, Duration::ZERO));
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_silence_for_long() {
        assert!(!due(Some(5_010.0), 5_000.0, HALF_HOUR));
        assert!(due(Some(1e9), 5_000.0, HALF_HOUR));
    }

    #[test]
    fn the_key_names_sender_and_metric() {
        assert_eq!(key("email", "web1.cpu"), "skywatch.last_alert.email.web1.cpu");
    }
}
