//! The program's own log, on standard error.
//!
//! Nobody who logs waits for whoever reads the log, and nobody ends by it: a line that cannot be written (a full disk, a
//! closed pipe, a reader that has stopped) is dropped and counted, and the count is said once lines get through again.
//! The same warning over and over becomes a few lines and a count. Other rooms log by `tracing` and know none of this.

mod format;
mod lines;
mod repeats;

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use skywatch_settings::{Log, LogFormat, LogLevel};
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;

use format::Lines;
use lines::LineWriter;
use repeats::Repeats;

/// Sets another level; there once logging has begun.
type ChangeLevel = Box<dyn Fn(LevelFilter) + Send + Sync>;
static CHANGE_LEVEL: OnceLock<ChangeLevel> = OnceLock::new();
/// Whether the client of Kafka may speak: it logs every connection, and every error that we are given and log in our own words.
static IS_DETAILED: AtomicBool = AtomicBool::new(false);

fn filter(level: LogLevel) -> LevelFilter {
    level.as_str().parse().unwrap_or(LevelFilter::INFO)
}

/// Begins logging as `settings` say. A second call, as in tests, changes nothing.
pub(crate) fn start(settings: &Log) {
    lines::start();
    let level = filter(settings.level);
    IS_DETAILED.store(level >= LevelFilter::DEBUG, Ordering::Relaxed);
    let written = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        // They would be said on standard error, and end the thread if that cannot be written.
        .log_internal_errors(false)
        .with_writer(|| LineWriter);
    // Failure means that a subscriber is there already.
    match settings.format {
        LogFormat::Text => {
            let (level, handle) = reload::Layer::new(level);
            let subscriber = written
                .event_format(Lines)
                .finish()
                .with(Repeats)
                .with(dynamic_filter_fn(|from, _| is_ours(from)))
                .with(level);
            if tracing::subscriber::set_global_default(subscriber).is_ok() {
                keep(handle);
            }
        }
        LogFormat::Json => {
            let (level, handle) = reload::Layer::new(level);
            let subscriber = written
                .json()
                .finish()
                .with(Repeats)
                .with(dynamic_filter_fn(|from, _| is_ours(from)))
                .with(level);
            if tracing::subscriber::set_global_default(subscriber).is_ok() {
                keep(handle);
            }
        }
    }
}

fn is_ours(from: &tracing::Metadata<'_>) -> bool {
    IS_DETAILED.load(Ordering::Relaxed) || !from.target().starts_with("rskafka")
}

fn keep<S: 'static>(handle: reload::Handle<LevelFilter, S>) {
    let change = move |level| {
        // It fails only when the subscriber is gone, which lives as long as the process.
        let _ = handle.reload(level);
    };
    let _ = CHANGE_LEVEL.set(Box::new(change));
}

/// Logs at another level from here on.
pub(crate) fn change_level(level: LogLevel) {
    let level = filter(level);
    IS_DETAILED.store(level >= LevelFilter::DEBUG, Ordering::Relaxed);
    if let Some(change) = CHANGE_LEVEL.get() {
        change(level);
    }
}

/// Writes what still waits, as far as that goes within a second: to be called before the process ends.
pub(crate) fn finish() {
    repeats::tell(true);
    lines::flush();
}

/// What was counted, as a line has it: all that is not 0; `None` if nothing is.
pub(crate) fn counted(counts: &[(String, u64)]) -> Option<String> {
    let some = counts.iter().filter(|(_, n)| *n > 0);
    let told: Vec<String> = some.map(|(name, n)| format!("{name} {n}")).collect();
    (!told.is_empty()).then(|| told.join(", "))
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
