//! The way between processes: a Unix socket in the state folder, and frames of JSON on it.
//!
//! A frame is its length in four bytes, the highest first, and so many bytes. What was seen comes in parts of bounded size
//! before its report, so that a pass in which everything is wrong needs no frame without bounds.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use skywatch_alerters::incident::Observation;

use super::link::{ANSWERS, InletLink, PATIENCE};
use super::{Finder, FinderAnswer, FinderReport, FromFinder, Observations, ToFinder};
use crate::net::local::{self, LocalListener, LocalOptions};

/// Longest frame, bytes. One of the largest parts is a few megabytes, with the windows of the worst.
const LONGEST: usize = 64 << 20;
/// Observations in a frame.
const PART: usize = 1_000;
/// Observations of one report: more than one machine watches.
const MOST_SEEN: usize = 10_000_000;
/// Finders at a time: a role each, and what is left of those that were killed.
const FINDERS: usize = 16;

/// What is written.
#[derive(Serialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
enum FrameRef<'a> {
    Finder { finder: &'a Finder },
    Part { seen: &'a [Observation] },
    Report { number: u64, report: &'a FinderReport },
    Answered { question: u64, answer: &'a FinderAnswer },
}

/// The same as it is read.
#[derive(Deserialize)]
#[serde(tag = "frame", rename_all = "snake_case")]
enum Frame {
    Finder { finder: Finder },
    Part { seen: Vec<Observation> },
    Report { number: u64, report: FinderReport },
    Answered { question: u64, answer: FinderAnswer },
}

/// Where the dispatch over this state folder listens.
fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("control").join("inlet")
}

/// Connects to the dispatch, and says who we are.
pub(super) fn connect(
    state_dir: &Path,
    finder: &Finder,
) -> io::Result<(Box<dyn InletLink>, Receiver<ToFinder>)> {
    let path = socket_path(state_dir);
    let folder = File::open(path.parent().unwrap_or(state_dir))?;
    // An address of a socket has a hundred bytes; a state folder may have a longer path.
    let stream = UnixStream::connect(format!("/proc/self/fd/{}/inlet", folder.as_raw_fd()))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (send, answers) = bounded(ANSWERS);
    let reads = stream.try_clone()?;
    std::thread::Builder::new()
        .name("inlet-hears".to_owned())
        .spawn(move || {
            let mut reads = BufReader::new(reads);
            while let Ok(message) = read(&mut reads) {
                if send.send(message).is_err() {
                    return;
                }
            }
        })?;
    let mut link = FinderSocket(stream);
    link.write(&FrameRef::Finder { finder })?;
    Ok((Box::new(link), answers))
}

/// The finder's end of a connection. Dropping it ends the thread that reads.
struct FinderSocket(UnixStream);

impl Drop for FinderSocket {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl FinderSocket {
    fn write(&mut self, frame: &FrameRef<'_>) -> io::Result<()> {
        write(&mut self.0, frame)
    }
}

impl InletLink for FinderSocket {
    fn send(&mut self, message: FromFinder) -> io::Result<()> {
        match message {
            // Said when the connection was made, and by its end.
            FromFinder::Connected { .. } | FromFinder::Gone { .. } => Ok(()),
            FromFinder::Answered { question, answer } => self.write(&FrameRef::Answered {
                question,
                answer: &answer,
            }),
            FromFinder::Report { number, report, .. } => {
                let FinderReport::Seen(observations) = &*report else {
                    return self.write(&FrameRef::Report {
                        number,
                        report: &report,
                    });
                };
                for seen in observations.seen.chunks(PART) {
                    self.write(&FrameRef::Part { seen })?;
                }
                let rest = FinderReport::Seen(Box::new(Observations {
                    seen: Vec::new(),
                    all_of: observations.all_of.clone(),
                    pass: observations.pass.clone(),
                }));
                self.write(&FrameRef::Report {
                    number,
                    report: &rest,
                })
            }
        }
    }
}

/// Listens for finders, and hands on what they say.
///
/// # Errors
/// The socket cannot be made, or the system refuses a thread.
pub(crate) fn listen(state_dir: &Path, to: Sender<FromFinder>) -> io::Result<LocalListener> {
    let path = socket_path(state_dir);
    let options = LocalOptions {
        path,
        make: local::private_folder,
        threads: ["inlet", "finder"],
        most: FINDERS,
    };
    let serve = move |stream: UnixStream| {
        if let Err(error) = serve(&stream, &to)
            && error.kind() != io::ErrorKind::UnexpectedEof
        {
            tracing::warn!("the connection to a finder broke :: {error}");
        }
    };
    LocalListener::start(options, Arc::new(serve))
}

/// Reads until the connection ends.
fn serve(stream: &UnixStream, to: &Sender<FromFinder>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (answers, receive) = bounded(ANSWERS);
    let writes = stream.try_clone()?;
    std::thread::Builder::new()
        .name("finder-told".to_owned())
        .spawn(move || {
            let mut writes = writes;
            for message in receive {
                if write(&mut writes, &message).is_err() {
                    break;
                }
            }
            // The other side, and our own reader, are to know of it.
            let _ = writes.shutdown(Shutdown::Both);
        })?;
    let mut reads = BufReader::new(stream);
    let Frame::Finder { finder } = read(&mut reads)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let known = Arc::new(finder.clone());
    let _ = to.send(FromFinder::Connected {
        finder,
        answers: answers.clone(),
    });
    let outcome = hand_on(&mut reads, &known, to);
    let _ = to.send(FromFinder::Gone {
        finder: known,
        answers,
    });
    outcome
}

/// Hands on what a finder says until the connection ends.
fn hand_on(reads: &mut impl Read, known: &Arc<Finder>, to: &Sender<FromFinder>) -> io::Result<()> {
    let odd = || io::Error::from(io::ErrorKind::InvalidData);
    let mut all_seen = Vec::new();
    loop {
        let message = match read(reads)? {
            Frame::Finder { .. } => return Err(odd()),
            Frame::Part { seen } if all_seen.len() + seen.len() > MOST_SEEN => return Err(odd()),
            Frame::Part { seen } => {
                all_seen.extend(seen);
                continue;
            }
            Frame::Report { number, mut report } => {
                if let FinderReport::Seen(observations) = &mut report {
                    observations.seen = std::mem::take(&mut all_seen);
                }
                FromFinder::Report {
                    finder: Arc::clone(known),
                    number,
                    report: Arc::new(report),
                }
            }
            Frame::Answered { question, answer } => FromFinder::Answered { question, answer },
        };
        to.send(message).map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

fn write(to: &mut impl Write, frame: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame)?;
    let length = bytes.len() - 4;
    let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a frame is too long");
    let head = u32::try_from(length)
        .ok()
        .filter(|_| length <= LONGEST)
        .ok_or_else(too_long)?;
    bytes[..4].copy_from_slice(&head.to_be_bytes());
    to.write_all(&bytes)
}

fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let length = u32::from_be_bytes(head) as usize;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
    }
    // Grows with what comes: a length alone costs nothing.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&bytes)?)
}
