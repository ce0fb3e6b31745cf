//! The program's own log, on standard error.
//!
//! Nobody who logs waits for whoever reads the log, and nobody ends by it: a line that cannot be written (a full disk, a
//! closed pipe, a reader that has stopped) is dropped and counted, and the count is said once lines get through again.
//! The same warning over and over becomes a few lines and a count. Other rooms log by `tracing` and know none of this.

mod format;
mod lines;
mod repeats;

use std::io::Write;

use skywatch_settings::{Log, LogFormat};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use format::Lines;
use lines::LineWriter;
use repeats::Repeats;

/// Begins logging as `settings` say. A second call, as in tests, changes nothing.
pub(crate) fn start(settings: &Log) {
    lines::start();
    let level = settings.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let written = tracing_subscriber::fmt()
        .with_max_level(level)
        // They would be said on standard error, and end the thread if that cannot be written.
        .log_internal_errors(false)
        .with_writer(|| LineWriter);
    // Failure means that a subscriber is there already.
    // The client of Kafka logs every connection, and every error that we are given and log in our own words.
    let ours = filter_fn(move |from| level >= LevelFilter::DEBUG || !from.target().starts_with("rskafka"));
    let _ = match settings.format {
        LogFormat::Text => {
            let subscriber = written.event_format(Lines).finish().with(Repeats).with(ours);
            tracing::subscriber::set_global_default(subscriber)
        }
        LogFormat::Json => {
            let subscriber = written.json().finish().with(Repeats).with(ours);
            tracing::subscriber::set_global_default(subscriber)
        }
    };
}

/// Writes what still waits, as far as that goes within a second: to be called before the process ends.
pub(crate) fn finish() {
    repeats::tell(true);
    lines::flush();
}

/// A command's last words on standard error, behind the log.
pub(crate) fn last_words(text: &str) {
    finish();
    let _ = writeln!(Stderr, "{text}");
}

/// Standard error, for what people read beside the log. Writing to it never fails: there is nobody left to be told.
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = std::io::stderr().lock().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether the log shows what happened `more` times after it had happened `before` times: the first of its kind, then the
/// tenth, hundredth, thousandth, which is enough to see what goes on.
pub(crate) fn is_shown(before: u64, more: u64) -> bool {
    more > 0 && (before == 0 || (before + more).ilog10() != before.ilog10())
}

#[cfg(test)]
mod tests {
    use super::is_shown;

    #[test]
    fn the_log_shows_the_first_and_then_each_tenfold() {
        let shown: Vec<u64> = (0..2_000).filter(|&before| is_shown(before, 1)).collect();
        assert_eq!(shown, [0, 9, 99, 999]);
        assert!(is_shown(5, 5) && is_shown(0, 70) && !is_shown(11, 88) && !is_shown(0, 0));
    }
}
