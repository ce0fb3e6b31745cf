//! What a finder says, in parts of bounded size: what was seen comes before its report, so that a pass in which everything is wrong
//! needs no message without bounds.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skywatch_alerters::incident::Observation;

use super::{Finder, FinderAnswer, FinderReport, FromFinder, Observations};

/// Observations of one report: more than one machine watches.
const MOST_SEEN: usize = 10_000_000;

/// What is written.
#[derive(Serialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub(crate) enum FrameRef<'a> {
    Finder { finder: &'a Finder },
    Part { seen: &'a [Observation] },
    Report { number: u64, report: &'a FinderReport },
    Answered { question: u64, answer: &'a FinderAnswer },
}

/// The same as it is read.
#[derive(Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
pub(crate) enum Frame {
    Finder { finder: Finder },
    Part { seen: Vec<Observation> },
    Report { number: u64, report: FinderReport },
    Answered { question: u64, answer: FinderAnswer },
}

/// Gives `write` the frames of a message, with `part` observations each at most. That a finder is there, or gone, is said by its
/// connection.
///
/// # Errors
/// The first of `write`.
pub(crate) fn write_frames<E>(
    message: &FromFinder,
    part: usize,
    mut write: impl FnMut(&FrameRef<'_>) -> Result<(), E>,
) -> Result<(), E> {
    match message {
        FromFinder::Connected { .. } | FromFinder::Gone { .. } => Ok(()),
        FromFinder::Answered { question, answer } => write(&FrameRef::Answered {
            question: *question,
            answer,
        }),
        FromFinder::Report { number, report, .. } => {
            let number = *number;
            let FinderReport::Seen(observations) = &**report else {
                return write(&FrameRef::Report { number, report });
            };
            for seen in observations.seen.chunks(part) {
                write(&FrameRef::Part { seen })?;
            }
            let rest = FinderReport::Seen(Box::new(Observations {
                seen: Vec::new(),
                all_of: observations.all_of.clone(),
                shards: observations.shards,
                pass: observations.pass.clone(),
            }));
            write(&FrameRef::Report {
                number,
                report: &rest,
            })
        }
    }
}

/// Makes messages of a finder's frames again.
pub(crate) struct FrameReader {
    finder: Arc<Finder>,
    /// What was seen, of a report that is not whole yet.
    seen: Vec<Observation>,
}

impl FrameReader {
    pub(crate) fn new(finder: Arc<Finder>) -> Self {
        Self {
            finder,
            seen: Vec::new(),
        }
    }

    /// The message that ends with this frame, if one does.
    ///
    /// # Errors
    /// The frame has no place here.
    pub(crate) fn take(&mut self, frame: Frame) -> io::Result<Option<FromFinder>> {
        Ok(match frame {
            Frame::Finder { .. } => return Err(io::ErrorKind::InvalidData.into()),
            Frame::Part { seen } if self.seen.len() + seen.len() > MOST_SEEN => {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Frame::Part { seen } => {
                self.seen.extend(seen);
                None
            }
            Frame::Report { number, mut report } => {
                if let FinderReport::Seen(observations) = &mut report {
                    observations.seen = std::mem::take(&mut self.seen);
                }
                Some(FromFinder::Report {
                    finder: Arc::clone(&self.finder),
                    number,
                    report: Arc::new(report),
                })
            }
            Frame::Answered { question, answer } => Some(FromFinder::Answered { question, answer }),
        })
    }
}
