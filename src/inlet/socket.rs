//! The way between processes: a Unix socket in the state folder, and frames of JSON on it.
//!
//! A frame is its length in four bytes, the highest first, and so many bytes.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frames::{Frame, FrameReader, FrameRef, write_frames};
use super::link::{ANSWERS, InletLink, PATIENCE};
use super::{ConnectionId, Finder, FromFinder, ToFinder};
use crate::net::local::{self, LocalListener, LocalOptions};

/// Longest frame, bytes. One of the largest parts is a few megabytes, with the windows of the worst.
const LONGEST: usize = 64 << 20;
/// Observations in a frame.
const PART: usize = 1_000;
/// Finders at a time: a role each, and what is left of those that were killed.
const FINDERS: usize = 16;

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
        write_frames(&message, PART, |frame| self.write(frame))
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
    let connection = ConnectionId::next();
    // Nothing of it is kept here: whoever lets go of it ends the connection.
    let _ = to.send(FromFinder::Connected {
        finder,
        connection,
        answers,
    });
    let outcome = hand_on(&mut reads, &known, to);
    let _ = to.send(FromFinder::Gone {
        finder: known,
        connection,
    });
    outcome
}

/// Hands on what a finder says until the connection ends.
fn hand_on(reads: &mut impl Read, known: &Arc<Finder>, to: &Sender<FromFinder>) -> io::Result<()> {
    let mut frames = FrameReader::new(Arc::clone(known));
    loop {
        if let Some(message) = frames.take(read(reads)?)? {
            to.send(message).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
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
