//! `skywatch send FILE`: replays a file of points through any protocol that is taken in.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;

use super::context::CommandFailure;
use crate::clock::unix_now;
use crate::ingest::client::{Client, Protocol};
use crate::sources::row::{NoPoint, Rows};

/// Points sent at a time when no rate is asked for: a remote write of some ten kilobytes, a few packets of lines.
const CHUNK: usize = 1_000;
/// Chunks a second when one is: even enough for a chart, and far above a timer's own error.
const CHUNKS_A_SECOND: f64 = 20.0;
/// How long a listener that is away is waited for: as long as a restart may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct SendArguments {
    /// CSV with lines `name,time,value`, or `time,value` with --metric; other columns by their heading. Times are
    /// Unix seconds, milliseconds and finer, or `2024-01-31 23:59:59` (UTC)
    file: PathBuf,
    /// The listener
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:2023")]
    to: SocketAddr,
    /// What the listener speaks
    #[arg(long, value_enum, default_value = "carbon")]
    protocol: Protocol,
    /// The name of the metric in a file without names
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Points a second, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Move all times so that the newest is now
    #[arg(long)]
    restamp: bool,
}

/// A line of the file.
struct FilePoint {
    name: String,
    time: f64,
    value: f64,
}

pub(super) fn run(arguments: &SendArguments) -> Result<(), CommandFailure> {
    let mut rows = read(&arguments.file, arguments.metric.as_deref())?;
    if arguments.restamp {
        let newest = rows.iter().map(|row| row.time).fold(f64::NEG_INFINITY, f64::max);
        let by = unix_now().floor() - newest;
        rows.iter_mut().for_each(|row| row.time += by);
    }
    let begun = Instant::now();
    let mut client = Client::new(arguments.protocol, arguments.to, PATIENCE);
    let chunk = arguments
        .rate
        .map_or(CHUNK, |rate| (f64::from(rate) / CHUNKS_A_SECOND).ceil() as usize);
    let to = arguments.to;
    let mut sent = 0;
    for rows in rows.chunks(chunk) {
        if let Some(rate) = arguments.rate {
            let due = Duration::from_secs_f64(sent as f64 / f64::from(rate));
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        let points: Vec<_> = rows
            .iter()
            .map(|row| (row.name.as_str(), row.time, row.value))
            .collect();
        client
            .send(&points)
            .with_context(|| format!("cannot send to `{to}` after {sent} points"))?;
        sent += points.len();
    }
    client
        .finish()
        .with_context(|| format!("cannot send the last points to `{to}`"))?;
    crate::log::last_words(&format!(
        "{sent} points sent to {to} in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn read(path: &Path, metric: Option<&str>) -> anyhow::Result<Vec<FilePoint>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read `{shown}`"))?;
    let mut reader = Rows::new(metric.is_none());
    let mut rows = Vec::new();
    let mut without_value = 0;
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.with_context(|| format!("cannot read `{shown}`"))?;
        let Some(row) = reader.read(line.as_bytes()) else {
            continue;
        };
        match row.point(metric) {
            Ok((name, time, value)) => rows.push(FilePoint {
                name: name.to_owned(),
                time,
                value,
            }),
            // Nothing that could be sent.
            Err(NoPoint::Null | NoPoint::NotFinite) => without_value += 1,
            Err(_) => {
                let form = if metric.is_some() {
                    "time,value"
                } else {
                    "name,time,value"
                };
                anyhow::bail!("`{shown}` line {} is not `{form}`: `{line}`", index + 1)
            }
        }
    }
    if without_value > 0 {
        crate::log::last_words(&format!("{without_value} rows without a number left out"));
    }
    Ok(rows)
}
