//! `skywatch check`: whether settings are right and what they lead to can be had, before anything depends on it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use skywatch_settings::{Loaded, Origin};

use super::ask::print_json;
use super::context::{CommandFailure, Context, say};
use crate::probe::{Probe, ProbeFailure};
use crate::process::{self, probes};

/// Who may read a file beside its owner and group.
const OTHERS_MAY_READ: u32 = 0o004;

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What was found of one thing.
#[derive(Debug, Serialize)]
struct CheckRow {
    name: String,
    ok: bool,
    /// What was found, or what is wrong.
    found: String,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

impl CheckRow {
    fn of(name: String, outcome: Result<String, ProbeFailure>) -> Self {
        match outcome {
            Ok(found) => Self {
                name,
                ok: true,
                found,
                mend: None,
            },
            Err(failure) => Self {
                name,
                ok: false,
                found: failure.cause,
                mend: Some(failure.mend),
            },
        }
    }
}

/// Exit code 0 if all is well, 1 if something is not, 2 if settings are refused.
pub(super) fn run(context: &Context, arguments: &CheckArguments) -> Result<(), CommandFailure> {
    let settings = &context.loaded.settings;
    let mut rows = vec![CheckRow::of("settings".to_owned(), settings_row(context))];
    rows.extend(open_files(&context.loaded));
    let is_running = process::is_claimed(&settings.state_dir);
    rows.extend(run_probes(probes::probes(settings, is_running)));
    let failed = rows.iter().filter(|row| !row.ok).count();
    if arguments.json {
        print_json(&rows)?;
    } else {
        show(&rows)?;
        for note in context.loaded.notes() {
            say(&format!("note    {}", note.replace('\n', "\n        ")))?;
        }
    }
    match failed {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one of {} checks failed", rows.len()).into()),
        _ => Err(anyhow::anyhow!("{failed} of {} checks failed", rows.len()).into()),
    }
}

fn show(rows: &[CheckRow]) -> anyhow::Result<()> {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    for row in rows {
        let word = if row.ok { "ok" } else { "FAILED" };
        say(&format!("{word:<6}  {:<width$}  {}", row.name, row.found))?;
        if let Some(mend) = &row.mend {
            say(&format!("{:<6}  {:<width$}  hint: {mend}", "", ""))?;
        }
    }
    Ok(())
}

/// Settings that are wrong never come so far.
fn settings_row(context: &Context) -> Result<String, ProbeFailure> {
    let loaded = &context.loaded;
    let set = loaded.table().filter(|(.., origin)| **origin != Origin::Default);
    let files: Vec<_> = loaded
        .table()
        .filter_map(|(.., origin)| file_of(origin))
        .collect();
    let file = match (files.first(), context.global.settings_file()) {
        (Some(file), _) => format!("`{}`", file.display()),
        (None, Some(file)) => format!("`{}`, which sets nothing", file.display()),
        (None, None) => "no settings file".to_owned(),
    };
    Ok(format!("{file}, {} options set", set.count()))
}

fn file_of(origin: &Origin) -> Option<&Path> {
    match origin {
        Origin::File { path, .. } => Some(path),
        _ => None,
    }
}

/// Files with secrets that everybody on this machine can read.
fn open_files(loaded: &Loaded) -> Vec<CheckRow> {
    let mut rows: Vec<CheckRow> = Vec::new();
    let mut look = |path: &Path, key: &str| {
        let mode = std::fs::metadata(path).map(|found| found.permissions().mode());
        let shown = path.display().to_string();
        if mode.is_ok_and(|mode| mode & OTHERS_MAY_READ != 0)
            && !rows.iter().any(|row| row.found.contains(&shown))
        {
            let failure = ProbeFailure::new(
                format_args!("`{shown}` holds a secret (`{key}`), and everybody on this machine can read it"),
                format!("`chmod o-rwx {shown}`; the user Skywatch runs as must own it, or be of its group"),
            );
            rows.push(CheckRow::of("secrets".to_owned(), Err(failure)));
        }
    };
    for (key, value, origin) in loaded.table() {
        let sibling = format!("{key}_file");
        let by_file = loaded.table().find(|(other, ..)| *other == sibling);
        let named = by_file
            .map(|(_, path, _)| path.trim_matches('"'))
            .filter(|path| !path.is_empty());
        match (named, file_of(origin)) {
            (Some(path), _) => look(Path::new(path), key),
            // Secrets are shown with their words left out.
            (None, Some(file)) if value.contains("***") => look(file, key),
            _ => {}
        }
    }
    rows
}

/// All at once, as each mostly waits; in the order of the table.
fn run_probes(probes: Vec<Probe>) -> Vec<CheckRow> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = probes
            .into_iter()
            .map(|probe| (probe.name, scope.spawn(probe.run)))
            .collect();
        let outcome = |(name, thread): (String, std::thread::ScopedJoinHandle<'_, _>)| {
            let broken = |_| {
                Err(ProbeFailure::new(
                    "the check itself broke off",
                    "please report this",
                ))
            };
            CheckRow::of(name, thread.join().unwrap_or_else(broken))
        };
        threads.into_iter().map(outcome).collect()
    })
}
