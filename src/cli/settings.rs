//! `skywatch settings`: every option, its value and who set it; then what is allowed but hardly meant.

use std::io::Write as _;

use clap::Args;

use super::{Context, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print a commented settings file with every option and its default instead
    #[arg(long)]
    example: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if arguments.example {
        out.write_all(skywatch_settings::EXAMPLE.as_bytes())?;
        return Ok(());
    }
    let rows: Vec<_> = context.loaded.table().collect();
    let longest =
        |column: fn(&(&str, &str, &skywatch_settings::Origin)) -> usize| rows.iter().map(column).max();
    let keys = longest(|row| row.0.len()).unwrap_or(0);
    let values = longest(|row| row.1.len()).unwrap_or(0).min(40);
    for (key, value, origin) in rows {
        writeln!(out, "{key:keys$}  {value:values$}  {origin}")?;
    }
    // What is read by a program stays a table; what is for people goes beside it.
    let mut err = std::io::stderr().lock();
    for note in context.loaded.notes() {
        writeln!(err, "note: {note}")?;
    }
    Ok(())
}
