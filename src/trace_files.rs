//! Files of traces: a JSON object a line, plain or gzip.
//!
//! `{"trace_id", "label"?, "fault"?, "spans": [{"span_id", "parent_id", "service", "operation", "start_us", "duration_us",
//! "status"?}]}`, other fields passed over. Ids of spans are numbers, or up to 16 hexadecimal digits as text. gzip is told by its
//! first bytes, not by the name. A line has a bound, so that a bomb ends as an error and not as an end of memory.

use std::io::{self, BufRead, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Deserializer, Serialize};
use skywatch_algorithms::traces::TraceSpan;

use crate::unpack;

/// Longest line: a trace of 100,000 spans of 300 bytes.
const LONGEST_LINE: u64 = 32 << 20;
/// OpenTelemetry's word for a span that failed.
const FAILED: &str = "ERROR";

/// Why a trace could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceFileError {
    /// The file cannot be opened or read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line that is no trace. Those after it can be read.
    #[error("`{}` line {line} is not a trace: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// A trace of a file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TraceRecord {
    /// Its id.
    pub trace_id: String,
    /// Whether somebody says that it is abnormal (1) or normal (0).
    #[serde(default)]
    pub label: Option<u8>,
    /// What somebody says is wrong with it.
    #[serde(default)]
    pub fault: Option<String>,
    /// Its spans.
    #[serde(deserialize_with = "spans")]
    pub spans: Vec<TraceSpan>,
}

impl AsRef<[TraceSpan]> for TraceRecord {
    fn as_ref(&self) -> &[TraceSpan] {
        &self.spans
    }
}

/// A trace as it is written, with the form that is read.
#[derive(Serialize)]
struct WrittenTrace<'t> {
    trace_id: String,
    spans: Vec<WrittenSpan<'t>>,
}

#[derive(Serialize)]
struct WrittenSpan<'t> {
    span_id: u64,
    parent_id: Option<u64>,
    service: &'t str,
    operation: &'t str,
    start_us: i64,
    duration_us: i64,
    status: &'static str,
}

impl<'t> WrittenTrace<'t> {
    fn new(number: usize, spans: &'t [TraceSpan]) -> Self {
        let written = |span: &'t TraceSpan| WrittenSpan {
            span_id: span.id,
            parent_id: span.parent,
            service: &span.service,
            operation: &span.operation,
            start_us: span.start_us,
            duration_us: span.duration_us,
            status: if span.failed { FAILED } else { "UNSET" },
        };
        Self {
            trace_id: number.to_string(),
            spans: spans.iter().map(written).collect(),
        }
    }
}

/// Traces in the form of such a file, gzip; their ids are their numbers from 0.
///
/// # Errors
/// The encoder's, of which none is known for a buffer in memory.
pub fn pack<T: AsRef<[TraceSpan]>>(traces: &[T]) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for (number, trace) in traces.iter().enumerate() {
        serde_json::to_writer(&mut packed, &WrittenTrace::new(number, trace.as_ref()))?;
        packed.write_all(b"\n")?;
    }
    packed.finish()
}

#[derive(Deserialize)]
struct SpanFields {
    span_id: WrittenSpanId,
    #[serde(default)]
    parent_id: Option<WrittenSpanId>,
    service: String,
    operation: String,
    start_us: i64,
    duration_us: i64,
    #[serde(default)]
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenSpanId {
    Number(u64),
    Digits(String),
}

impl WrittenSpanId {
    fn number(&self) -> Result<u64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Digits(digits) => u64::from_str_radix(digits, 16)
                .map_err(|_| format!("`{digits}` is no id of up to 16 hexadecimal digits")),
        }
    }
}

fn spans<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<TraceSpan>, D::Error> {
    let span = |fields: SpanFields| {
        Ok(TraceSpan {
            id: fields.span_id.number()?,
            // An empty parent is how some exporters say none.
            parent: match fields.parent_id {
                Some(WrittenSpanId::Digits(digits)) if digits.is_empty() => None,
                parent => parent.map(|parent| parent.number()).transpose()?,
            },
            service: fields.service,
            operation: fields.operation,
            start_us: fields.start_us,
            duration_us: fields.duration_us,
            failed: fields.status.is_some_and(|status| status == FAILED),
        })
    };
    let fields = Vec::<SpanFields>::deserialize(from)?.into_iter();
    fields
        .map(span)
        .collect::<Result<_, String>>()
        .map_err(serde::de::Error::custom)
}

/// Traces of a file, in their order.
pub struct TraceFile {
    path: PathBuf,
    from: Box<dyn BufRead + Send>,
    text: Vec<u8>,
    line: usize,
    ended: bool,
}

impl TraceFile {
    /// Opens a file.
    ///
    /// # Errors
    /// [`TraceFileError::Unreadable`].
    pub fn open(path: &Path) -> Result<Self, TraceFileError> {
        let unreadable = |source| TraceFileError::Unreadable {
            path: path.to_owned(),
            source,
        };
        Ok(Self::new(path, unpack::open(path).map_err(unreadable)?))
    }

    /// All traces of a file that is in memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(name: &str, bytes: Vec<u8>) -> Result<Vec<TraceRecord>, TraceFileError> {
        let path = PathBuf::from(name);
        match unpack::reader(io::Cursor::new(bytes)) {
            Ok(from) => Self::new(&path, from).collect(),
            Err(source) => Err(TraceFileError::Unreadable { path, source }),
        }
    }

    fn new(path: &Path, from: Box<dyn BufRead + Send>) -> Self {
        Self {
            path: path.to_owned(),
            from,
            text: Vec::new(),
            line: 0,
            ended: false,
        }
    }

    /// All traces of a file.
    ///
    /// # Errors
    /// The first line that is none, or the file.
    pub fn read(path: &Path) -> Result<Vec<TraceRecord>, TraceFileError> {
        Self::open(path)?.collect()
    }

    fn error(&self, reason: impl ToString) -> TraceFileError {
        TraceFileError::Line {
            path: self.path.clone(),
            line: self.line,
            reason: reason.to_string(),
        }
    }
}

impl Iterator for TraceFile {
    type Item = Result<TraceRecord, TraceFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            self.text.clear();
            let mut bounded = (&mut self.from).take(LONGEST_LINE);
            if let Err(source) = bounded.read_until(b'\n', &mut self.text) {
                self.ended = true;
                return Some(Err(TraceFileError::Unreadable {
                    path: self.path.clone(),
                    source,
                }));
            }
            self.line += 1;
            if self.text.len() as u64 == LONGEST_LINE && self.text.last() != Some(&b'\n') {
                self.ended = true;
                return Some(Err(
                    self.error(format!("it is longer than {} MiB", LONGEST_LINE >> 20))
                ));
            }
            if self.text.is_empty() {
                break;
            }
            if !self.text.trim_ascii().is_empty() {
                let record = serde_json::from_slice(&self.text);
                return Some(record.map_err(|error| self.error(error)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"{"trace_id":"a","spans":[{"span_id":"00f1","parent_id":"","service":"s","operation":"o","start_us":1,"duration_us":-2,"status":"ERROR","tags":{}},{"span_id":7,"parent_id":"f1","service":"s","operation":"p","start_us":1,"duration_us":2}]}"#;

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn plain_and_packed_files_hold_the_same_traces_and_bad_lines_are_named() {
        let text = format!("{TRACE}\n\n{{\"trace_id\":\"b\"}}\n{TRACE}");
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        for bytes in [text.as_bytes(), &packed.finish().unwrap()] {
            let file = file(bytes);
            let all: Vec<_> = TraceFile::open(file.path()).unwrap().collect();
            let [Ok(one), Err(error), Ok(other)] = all.as_slice() else {
                panic!("{all:?}");
            };
            assert_eq!(one, other);
            assert_eq!(
                (one.label, one.spans[1].parent, one.spans[0].failed),
                (None, Some(0xf1), true)
            );
            assert!(
                error
                    .to_string()
                    .contains("line 3 is not a trace: missing field `spans`"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_packed_is_read_again() {
        let read = TraceFile::parse("one", TRACE.into()).unwrap();
        let again = TraceFile::parse("two", pack(&read).unwrap()).unwrap();
        assert_eq!((again.len(), &again[0].spans), (1, &read[0].spans));
        let error = TraceFile::parse("three", b"{}".to_vec()).unwrap_err().to_string();
        assert!(error.contains("`three` line 1"), "{error}");
    }

    #[test]
    fn a_bomb_and_a_torn_file_are_errors() {
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..40 {
            bomb.write_all(&vec![b'['; 1 << 20]).unwrap();
        }
        let bytes = bomb.finish().unwrap();
        assert!(bytes.len() < 1 << 20);
        for bytes in [&bytes[..], &bytes[..bytes.len() / 2], b"\x1f\x8b not gzip"] {
            let file = file(bytes);
            let all: Vec<_> = TraceFile::open(file.path()).unwrap().collect();
            assert!(matches!(all.as_slice(), [Err(_)]), "{}", all.len());
        }
    }
}
