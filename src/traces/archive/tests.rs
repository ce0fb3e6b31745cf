//! What is kept comes back; what is too old or too much goes.

use std::time::Duration;

use skywatch_settings::Traces;

use super::{ArchiveReader, TraceArchive, TraceFilter, archive_path};
use crate::archive_file::ArchiveError;
use crate::traces::assembler::ClosedTrace;
use crate::traces::document::TraceDocument;
use crate::traces::judgement::{TraceJudgement, WatchedTrace};
use crate::traces::testing::span;
use crate::traces::trace::AssembledTrace;

fn settings() -> Traces {
    Traces {
        keep: Duration::from_secs(100),
        keep_bytes: 4_000,
        ..Traces::default()
    }
}

fn document(number: u8, anomalous: bool) -> TraceDocument {
    let trace = AssembledTrace::assemble(ClosedTrace {
        id: span(number, 1, 0).trace,
        spans: vec![span(number, 1, 0), span(number, 2, 1)],
        partial: false,
    });
    let judgement = match anomalous {
        true => TraceJudgement::Anomalous {
            score: 2.0,
            sentences: vec!["it is slow".to_owned()],
        },
        false => TraceJudgement::Normal { score: 0.5 },
    };
    let watched = WatchedTrace {
        judgement,
        kind: anomalous.then(|| "shop GET /<*>".to_owned()),
        findings: vec![(1, "it is slow".to_owned())],
    };
    TraceDocument::of(&trace, watched)
}

fn filter(all: bool) -> TraceFilter {
    TraceFilter {
        all,
        ..TraceFilter::default()
    }
}

fn numbers(reader: &ArchiveReader, all: bool) -> Vec<u8> {
    let listed = reader.list(&filter(all), 99).unwrap();
    let numbers = listed
        .iter()
        .map(|trace| u8::from_str_radix(&trace.id[30..], 16).unwrap());
    numbers.collect()
}

#[test]
fn kept_traces_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_path(folder.path());
    assert!(matches!(
        ArchiveReader::open(&path),
        Err(ArchiveError::Missing { .. })
    ));
    let mut archive = TraceArchive::open(&path, &settings()).unwrap();
    let kept = document(7, true);
    archive
        .keep(&[kept.clone(), document(8, false)], 1_000.0)
        .unwrap();
    let reader = ArchiveReader::open(&path).unwrap();
    assert_eq!(reader.trace(&kept.trace_id).unwrap(), Some(kept.clone()));
    assert_eq!(reader.trace("0").unwrap(), None);
    assert_eq!(numbers(&reader, false), [7]);
    assert_eq!(numbers(&reader, true), [7, 8]);
    let listed = reader.list(&filter(false), 1).unwrap();
    assert_eq!((listed[0].spans, &*listed[0].sentence), (2, "it is slow"));
    let of_kind = |kind: &str| TraceFilter {
        kind: Some(kind.to_owned()),
        ..filter(true)
    };
    assert_eq!(reader.list(&of_kind("shop GET /<*>"), 9).unwrap(), listed);
    assert_eq!(reader.list(&of_kind("shop"), 9).unwrap(), []);
    assert_eq!(kept.spans[1].findings, ["it is slow"]);
    // Once more after a restart, and anew.
    drop(archive);
    let mut archive = TraceArchive::open(&path, &settings()).unwrap();
    archive.keep(&[document(7, false)], 1_001.0).unwrap();
    assert_eq!(numbers(&reader, false), [0; 0]);
}

#[test]
fn what_is_too_old_or_too_much_goes_and_normal_ones_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_path(folder.path());
    let mut archive = TraceArchive::open(&path, &settings()).unwrap();
    archive.keep(&[document(1, true)], 1_000.0).unwrap();
    for number in 2..60 {
        archive
            .keep(&[document(number, false)], 1_000.0 + f64::from(number))
            .unwrap();
    }
    let reader = ArchiveReader::open(&path).unwrap();
    let all = numbers(&reader, true);
    assert!(all.len() < 20 && all.contains(&1) && all.contains(&59), "{all:?}");
    archive.keep(&[], 1_100.5).unwrap();
    assert!(!numbers(&reader, true).contains(&1));
    archive.keep(&[], 2_000.0).unwrap();
    assert!(numbers(&reader, true).is_empty());
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000);
}

#[test]
fn a_file_that_cannot_be_used_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_path(folder.path());
    std::fs::write(
        &path,
        "no database, but long enough to be taken for one".repeat(100),
    )
    .unwrap();
    let mut archive = TraceArchive::open(&path, &settings()).unwrap();
    archive.keep(&[document(1, true)], 1_000.0).unwrap();
    assert!(path.with_extension("sqlite.broken").exists());
}
