//! A whole file of messages: the template of each line as after the last one.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::path::Path;

use skywatch_algorithms::templates::{ClusterId, MinerOptions, MinerUpdate, TemplateMiner};

use super::lines::read_line;
use super::{LogsError, csv};
use crate::unpack;

/// The lines of a file, each with its cluster, and the clusters with their templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedLines {
    /// The cluster of each line; to be looked up with [`Self::rows`], since clusters have become one since.
    lines: Vec<ClusterId>,
    absorbed_by: HashMap<ClusterId, ClusterId>,
    templates: HashMap<ClusterId, String>,
    /// Lines that were too long and of which only the beginning was looked at.
    pub cut: u64,
}

/// Finds the template of each line of a file, plain or compressed with gzip. Bytes that are no UTF-8 are read as `U+FFFD`.
///
/// A file with more templates than `options` allow loses the least recently used; their lines keep what was known of them.
///
/// # Errors
/// A file that cannot be read, and options that make no sense.
pub fn assign(path: &Path, options: &MinerOptions) -> Result<AssignedLines, LogsError> {
    let unreadable = |error| LogsError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mut miner = TemplateMiner::new(options)?;
    let mut file = unpack::open(path).map_err(unreadable)?;
    let mut assigned = AssignedLines {
        lines: Vec::new(),
        absorbed_by: HashMap::new(),
        templates: HashMap::new(),
        cut: 0,
    };
    assigned.read(&mut file, &mut miner).map_err(unreadable)?;
    let templates = miner.templates().into_iter();
    assigned
        .templates
        .extend(templates.map(|(cluster, template, _)| (cluster, template)));
    Ok(assigned)
}

impl AssignedLines {
    fn read(&mut self, lines: &mut impl BufRead, miner: &mut TemplateMiner) -> io::Result<()> {
        let mut line = Vec::new();
        while let Some(is_whole) = read_line(lines, &mut line)? {
            self.cut += u64::from(!is_whole);
            let MinerUpdate {
                cluster,
                absorbed,
                evicted,
                ..
            } = miner.learn(&String::from_utf8_lossy(&line));
            self.lines.push(cluster);
            self.absorbed_by
                .extend(absorbed.into_iter().map(|absorbed| (absorbed, cluster)));
            if let Some(evicted) = evicted {
                self.templates.insert(evicted.cluster, evicted.template);
            }
        }
        Ok(())
    }

    /// Cluster and template of each line, in order.
    pub fn rows(&self) -> impl Iterator<Item = (ClusterId, &str)> {
        self.lines.iter().map(|&cluster| {
            let chain =
                std::iter::successors(Some(cluster), |cluster| self.absorbed_by.get(cluster).copied());
            let cluster = chain.last().unwrap_or(cluster);
            (cluster, self.templates.get(&cluster).map_or("", String::as_str))
        })
    }

    /// Writes `LineId,ClusterId,Template` and a row for each line, lines counted from 1 (RFC 4180, rows ended by LF).
    ///
    /// # Errors
    /// A writer that takes no more.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(b"LineId,ClusterId,Template\n")?;
        for (line, (cluster, template)) in (1_u64..).zip(self.rows()) {
            writeln!(out, "{line},{cluster},{}", csv::field(template))?;
        }
        Ok(())
    }
}
