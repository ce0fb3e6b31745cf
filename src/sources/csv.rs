//! Files with a point a line: `name,time,value`, or `time,value` of one metric, as the Numenta benchmark has them, in
//! other columns if a heading says so ([`row`](super::row)).
//!
//! A file is read in pieces of some megabytes, so that its size does not matter and reading can go on in the middle of it.
//! A piece begins with the first line behind its offset and ends with the line its end lies in.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use clap::Args;
use skywatch_algorithms::Series;

use super::row::{Columns, NoPoint, Rows};
use super::{CommonArguments, EachSeries, LeftOut, Source, SourceArguments, SourceError, Span};

/// Bytes of a piece, some 250,000 rows: what a command that was broken off reads again.
const PIECE: u64 = 8 << 20;
/// A longer line, bytes, is no point: names are far shorter, and a file without line breaks must not fill the memory.
const LONGEST_LINE: u64 = 64 << 10;
/// Lines in which there has to be a point: a heading and a few words above it are usual.
const FIRST_LINES: u64 = 10;

/// `--csv` and what belongs to it.
#[derive(Debug, Args)]
pub(super) struct CsvArguments {
    /// A file of lines `name,time,value`, or `time,value` with --metric; a heading may give another order; may be given
    /// again
    #[arg(long, value_name = "FILE")]
    csv: Vec<PathBuf>,
}

impl SourceArguments for CsvArguments {
    const FLAG: &'static str = "csv";
    const COMMON: &'static [&'static str] = &["metric"];
    const READS_ALL: bool = true;

    fn open(self, common: CommonArguments) -> Result<Box<dyn Source>, SourceError> {
        // Progress is kept by path, wherever the command is given.
        let absolute = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let files = self.csv.into_iter().map(absolute).collect();
        Ok(Box::new(CsvFiles::new(files, common.metric)))
    }
}

/// Some files.
#[derive(Debug)]
struct CsvFiles {
    files: Vec<PathBuf>,
    metric: Option<String>,
    /// What the beginnings of files say of their columns.
    columns: HashMap<PathBuf, Columns>,
}

impl CsvFiles {
    /// Files of lines `name,time,value`, or `time,value` of `metric`.
    fn new(files: Vec<PathBuf>, metric: Option<String>) -> Self {
        Self {
            files,
            metric,
            columns: HashMap::new(),
        }
    }

    fn form(&self) -> &'static str {
        match self.metric {
            Some(_) => "time,value",
            None => "name,time,value",
        }
    }

    /// The columns of a file. Refuses one in whose first lines there is no point, instead of counting millions of them.
    fn look_at(&self, path: &Path) -> Result<Columns, SourceError> {
        let file = File::open(path).map_err(|source| failure(path, source))?;
        let mut head = BufReader::new(file.take(LONGEST_LINE));
        let mut rows = Rows::new(self.metric.is_none());
        let mut line = Vec::new();
        let mut first = String::new();
        for _ in 0..FIRST_LINES {
            line.clear();
            head.read_until(b'\n', &mut line)
                .map_err(|source| failure(path, source))?;
            let row = rows.read(without_break(&line));
            let point = row.map(|row| row.point(self.metric.as_deref()));
            // A value that is missing stands in a row all the same.
            if let Some(Ok(_) | Err(NoPoint::Null | NoPoint::NotFinite)) = point {
                return Ok(rows.columns());
            }
            if first.is_empty() {
                let text = String::from_utf8_lossy(&line);
                first = text.trim().chars().take(80).collect();
            }
        }
        if first.is_empty() {
            return Ok(rows.columns());
        }
        Err(SourceError::Options {
            reason: format!(
                "`{}` has no line `{}`; it begins with `{first}`{}",
                path.display(),
                self.form(),
                match self.metric {
                    None => "\nhint: `--metric NAME` names the metric of a file without names",
                    Some(_) => "",
                }
            ),
        })
    }
}

impl Source for CsvFiles {
    fn describe(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        match &self.metric {
            Some(metric) => format!("{} as `{metric}`", files.join(", ")),
            None => files.join(", "),
        }
    }

    fn parts(&mut self) -> Result<Vec<String>, SourceError> {
        let mut parts = Vec::new();
        for path in &self.files {
            let known = std::fs::metadata(path).map_err(|source| failure(path, source))?;
            let columns = self.look_at(path)?;
            self.columns.insert(path.clone(), columns);
            // A file that has changed since is another one.
            let changed = known.modified().ok();
            let changed = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let stamp = changed.map_or(0, |since| since.as_millis());
            for offset in (0..known.len()).step_by(PIECE as usize) {
                parts.push(format!("{offset}/{}/{stamp} of {}", known.len(), path.display()));
            }
        }
        Ok(parts)
    }

    /// A piece ends wherever it ends.
    fn gives_metrics_whole(&self) -> bool {
        false
    }

    fn fetch(&mut self, part: &str, _: Span, each: &mut EachSeries<'_>) -> Result<LeftOut, SourceError> {
        let known = part.split_once(" of ").and_then(|(place, path)| {
            let (offset, _) = place.split_once('/')?;
            Some((offset.parse::<u64>().ok()?, Path::new(path)))
        });
        let Some((offset, path)) = known else {
            return Err(SourceError::Options {
                reason: format!("`{part}` is no piece of a file"),
            });
        };
        let rows = match (offset, self.columns.get(path)) {
            (0, _) => Rows::new(self.metric.is_none()),
            (_, Some(columns)) => Rows::within(*columns),
            (_, None) => Rows::within(self.look_at(path)?),
        };
        self.read(path, offset, rows, each)
            .map_err(|source| failure(path, source))
    }
}

impl CsvFiles {
    fn read(
        &self,
        path: &Path,
        offset: u64,
        mut rows: Rows,
        each: &mut EachSeries<'_>,
    ) -> std::io::Result<LeftOut> {
        let mut reader = BufReader::with_capacity(64 << 10, File::open(path)?);
        let mut at = offset;
        if offset > 0 {
            // The line the offset lies in belongs to the piece before, unless it begins there.
            reader.seek(SeekFrom::Start(offset - 1))?;
            at = offset - 1 + skip_line(&mut reader)?;
        }
        let mut series: BTreeMap<String, Series> = BTreeMap::new();
        let mut left_out = LeftOut::new();
        let mut line = Vec::new();
        while at < offset + PIECE {
            line.clear();
            let mut read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? as u64;
            if read == 0 {
                break;
            }
            if line.last() != Some(&b'\n') && read == LONGEST_LINE {
                line.clear();
                line.push(b'?');
                read += skip_line(&mut reader)?;
            }
            at += read;
            let Some(row) = rows.read(without_break(&line)) else {
                continue;
            };
            match row.point(self.metric.as_deref()) {
                Ok((name, time, value)) => match series.get_mut(name) {
                    Some(series) => series.push(time, value),
                    None => series.entry(name.to_owned()).or_default().push(time, value),
                },
                Err(why) => *left_out.entry(why.name()).or_default() += 1,
            }
        }
        for (name, mut points) in series {
            each(&name, &mut points);
        }
        Ok(left_out)
    }
}

fn without_break(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// Reads to behind the next line break and says how far that was.
fn skip_line(reader: &mut BufReader<File>) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(skipped);
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let length = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(length);
        skipped += length as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

fn failure(path: &Path, source: std::io::Error) -> SourceError {
    SourceError::File {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVER: Span = Span {
        after: f64::NEG_INFINITY,
        until: f64::INFINITY,
    };

    /// All points of all parts, and what was left out.
    fn all(source: &mut CsvFiles) -> (Vec<(String, f64, f64)>, LeftOut) {
        let (mut points, mut left_out) = (Vec::new(), LeftOut::new());
        for part in source.parts().expect("readable files") {
            let more = source.fetch(&part, EVER, &mut |name, series| {
                let times = series.times.iter().zip(&series.values);
                points.extend(times.map(|(time, value)| (name.to_owned(), *time, *value)));
            });
            for (reason, count) in more.expect("a readable part") {
                *left_out.entry(reason).or_default() += count;
            }
        }
        points.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        (points, left_out)
    }

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        std::io::Write::write_all(&mut file, text).expect("room");
        file
    }

    #[test]
    fn what_is_no_point_is_counted() {
        let long = "x".repeat(200_000);
        let text = format!("name,time,value\na,60,1\n\nnonsense\nb,60,2\n{long},60,3\n\u{fffd}\nc,60,4");
        let mut bytes = text.into_bytes();
        bytes.extend(b"\n\xff\xfe,60,5\n");
        let file = file(&bytes);
        let (points, left_out) = all(&mut CsvFiles::new(vec![file.path().to_owned()], None));
        let names: Vec<&str> = points.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(left_out, LeftOut::from([("malformed", 3), ("not_utf8", 1)]));
    }

    #[test]
    fn every_line_is_in_one_piece_wherever_pieces_end() {
        // Lines of all lengths, so that pieces end within, before and behind a line break.
        let mut text = String::from("name,time,value\n");
        let mut lines = 0;
        while text.len() < 3 * PIECE as usize + 1_000 {
            lines += 1;
            text.push_str(&format!("metric.{},{lines},{lines}\n", "x".repeat(lines % 61)));
        }
        // One line begins exactly where a piece does.
        let begin = text[..PIECE as usize].rfind('\n').expect("a line") + 1;
        text.insert_str(begin - 1, &" ".repeat(PIECE as usize - begin));
        assert!(text[PIECE as usize - 1..].starts_with("\nmetric."));
        let file = file(text.as_bytes());
        let mut source = CsvFiles::new(vec![file.path().to_owned()], None);
        assert_eq!(source.parts().expect("a file").len(), 4);
        let (points, left_out) = all(&mut source);
        assert!(left_out.is_empty(), "{left_out:?}");
        let mut times: Vec<f64> = points.into_iter().map(|(_, time, _)| time).collect();
        times.sort_by(f64::total_cmp);
        let expected: Vec<f64> = (1..=lines).map(|n| n as f64).collect();
        assert!(times == expected, "{} of {lines}", times.len());
    }

    #[test]
    fn a_file_without_points_is_refused_and_the_option_named() {
        let file = file(b"timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,2\n");
        let error = CsvFiles::new(vec![file.path().to_owned()], None).parts();
        let message = error.expect_err("there is no name").to_string();
        assert!(message.contains("--metric NAME"), "{message}");
        assert!(message.contains("timestamp,value"), "{message}");
        let mut named = CsvFiles::new(vec![file.path().to_owned()], Some("m".to_owned()));
        assert_eq!(all(&mut named).0.len(), 2);
        let missing = CsvFiles::new(vec![PathBuf::from("/no/such.csv")], None).parts();
        assert!(matches!(missing, Err(SourceError::File { .. })));
    }
}
