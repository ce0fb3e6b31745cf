//! The program's own log, on standard error.
//!
//! As text the lines look as an operator of the original knows them: `2026-11-21 13:42:00 :: pid :: message`,
//! with the level added where it is not plain information.

use std::fmt;

use jiff::tz::TimeZone;
use skywatch_settings::{Log, LogFormat};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Begins logging as `settings` say. A second call, as in tests, changes nothing.
pub(super) fn start(settings: &Log) {
    let level = settings.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr);
    // Failure means that a subscriber is there already.
    let _ = match settings.format {
        LogFormat::Text => tracing::subscriber::set_global_default(lines.event_format(Lines).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(lines.json().finish()),
    };
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = jiff::Timestamp::now().to_zoned(TimeZone::UTC);
        write!(
            out,
            "{} :: {} :: ",
            now.strftime("%Y-%m-%d %H:%M:%S"),
            std::process::id()
        )?;
        match *event.metadata().level() {
            Level::ERROR => out.write_str("ERROR :: ")?,
            Level::WARN => out.write_str("WARNING :: ")?,
            _ => {}
        }
        context.format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}
