//! How a line of text looks.
//!
//! As an operator of the original knows them: `2026-11-21 13:42:00 :: pid :: message`, with the level added where it is not
//! plain information.

use std::fmt;

use jiff::tz::TimeZone;
use skywatch_alerters::text::one_line;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Lines of text.
pub(super) struct Lines;

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
        // Names of others may be in it: they are not to steer the terminal of whoever reads.
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                out.write_char('\n')?;
            }
            out.write_str(&one_line(line))?;
        }
        writeln!(out)
    }
}
