//! `skywatch traces detect FILE…`: which traces of files are anomalous, and why.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use rayon::prelude::*;
use serde::Serialize;
use skywatch_algorithms::learned::masked_span::FittedTraces;
use skywatch_algorithms::traces::{TraceDetector, TraceReason, TraceScore};

use crate::cli::context::{CommandFailure, Context, say};
use crate::process;
use crate::trace_files::{TraceFile, TraceFileError, TraceRecord};
use crate::traces::TRACES_MODEL;

/// Traces judged at a time: enough to keep all cores busy, few enough to hold in memory.
const CHUNK: usize = 512;

#[derive(Debug, Args)]
pub(crate) struct DetectArguments {
    /// Files of traces, a JSON object a line, plain or gzip
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The model's name
    #[arg(long, value_name = "NAME", default_value = TRACES_MODEL)]
    model: String,
    /// A line of JSON for every trace, anomalous or not
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JudgedTrace<'j> {
    trace_id: &'j str,
    score: f64,
    alarm: bool,
    detectors: Vec<TraceScore>,
    reasons: Vec<NamedReason<'j>>,
    new: Vec<NewTemplate>,
    malformed: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct NamedReason<'j> {
    #[serde(flatten)]
    reason: &'j TraceReason,
    /// The guilty span's id, 16 hexadecimal digits.
    span_id: Option<String>,
}

#[derive(Serialize)]
struct NewTemplate {
    template: String,
    seen: u64,
}

pub(super) fn run(context: &Context, arguments: &DetectArguments) -> Result<(), CommandFailure> {
    let registry = process::wiring::registry(&context.loaded.settings)?;
    let model = arguments.model.as_str();
    let Some(pointer) = registry.pointer(model)? else {
        return Err(
            anyhow!("there is no model `{model}`\nhint: `skywatch traces train FILE` fits one").into(),
        );
    };
    let (_, fitted): (_, FittedTraces) = registry.load(model, &pointer)?;
    let detector = fitted.detector();
    let mut unread = 0;
    for path in &arguments.files {
        let mut file = TraceFile::open(path)?;
        loop {
            let chunk: Vec<_> = file.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let mut traces = Vec::with_capacity(chunk.len());
            for trace in chunk {
                match trace {
                    Ok(trace) => traces.push(trace),
                    Err(error @ TraceFileError::Line { .. }) => {
                        unread += 1;
                        crate::log::last_words(&format!("warning: {error}"));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let told: Vec<_> = traces
                .par_iter()
                .map(|trace| tell(detector, trace, arguments.json))
                .collect();
            for text in told {
                if let Some(text) = text? {
                    say(&text)?;
                }
            }
        }
    }
    if unread > 0 {
        return Err(anyhow!("{unread} lines were not traces").into());
    }
    Ok(())
}

/// What is said of one trace; nothing of a normal one, unless as JSON.
fn tell(detector: &TraceDetector, trace: &TraceRecord, json: bool) -> anyhow::Result<Option<String>> {
    let verdict = detector.judge(&trace.spans);
    let named = |reason| NamedReason {
        span_id: id_of(trace, reason),
        reason,
    };
    let reasons: Vec<_> = verdict.reasons.iter().map(named).collect();
    if json {
        let new = detector.new_templates(&trace.spans).into_iter();
        let malformed = verdict
            .malformed
            .counts()
            .into_iter()
            .filter(|(_, count)| *count > 0);
        let judged = JudgedTrace {
            trace_id: &trace.trace_id,
            score: verdict.score,
            alarm: verdict.alarm,
            detectors: verdict.detectors.clone(),
            reasons,
            new: new
                .map(|(template, seen)| NewTemplate { template, seen })
                .collect(),
            malformed: malformed
                .map(|(name, count)| (name.to_owned(), count.into()))
                .collect(),
        };
        return Ok(Some(serde_json::to_string(&judged)?));
    }
    if !verdict.alarm {
        return Ok(None);
    }
    let mut text = format!("{} score {:.1}", trace.trace_id, verdict.score);
    for reason in reasons {
        text.push_str(&format!("\n  {}: {}", reason.reason.detector, reason.reason.text));
        if let Some(id) = reason.span_id {
            text.push_str(&format!(" (span {id})"));
        }
    }
    Ok(Some(text))
}

fn id_of(trace: &TraceRecord, reason: &TraceReason) -> Option<String> {
    let span = trace.spans.get(reason.span? as usize)?;
    Some(format!("{:016x}", span.id))
}
